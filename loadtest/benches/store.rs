//! Durable batches of 1,000 rows through the embedded store, held against appending the same bytes to a file and
//! fdatasync, in one folder and in turn; then the engine underneath, taking such rows from the thread that made them.
//!
//! `cargo bench -p loadtest`; behind `--`: `--rounds N`, `--requests N` (batches of a round), `--folder`, `--json`.
//! Rows as in `limits.md` §7: 16-byte keys of conversations in no order, 296 bytes half of them random, and beside
//! every fourth an 80-byte row that is written again and again. Rows are made before the clock runs.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use loadtest::options::Options;
use loadtest::process::Folder;
use loadtest::report::{Better, Mark, Report};
use loadtest::statistics::{median, percentile, ratio};
use tidegate::clock::WallClock;
use tidegate::store::embedded::{EmbeddedOptions, EmbeddedStore};
use tidegate::store::{Put, RowKey, Store, Table};
use tokio::time::Instant;

/// The same as the server's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of a batch, and how many of them bring a state row along.
const ROWS: u64 = 1_000;
const STATE_ROW_EVERY: u64 = 4;
/// Conversations that the rows belong to.
const CONVERSATIONS: u64 = 10_000;
const ROW_BYTES: usize = 296;
const STATE_BYTES: usize = 80;
/// Batches before anything is timed.
const WARMING: u64 = 3;
/// No round begins later.
const AT_MOST: Duration = Duration::from_secs(50);

fn main() -> Result<()> {
    let (asked, flags): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|flag| flag == "--bench");
    let options = Options::read(&flags)?;
    // Without cargo's own flag this is a test run: it shows that the bench works, and measures nothing.
    let (rounds, batches) = if asked.is_empty() { (1, 3) } else { (10, 100) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bench = Bench { rounds: options.rounds.unwrap_or(rounds), batches: options.requests.unwrap_or(batches) };
    let mut report = runtime.block_on(bench.run(&options))?;
    report.end();
    let text = if options.json { report.json()? } else { report.text() };
    writeln!(std::io::stdout(), "{text}")?;
    ensure!(report.is_sound(), "a count was wrong: the figures mean nothing");
    Ok(())
}

struct Bench {
    rounds: usize,
    batches: usize,
}

impl Bench {
    async fn run(&self, options: &Options) -> Result<Report> {
        let mut report = Report::begin("store");
        let folder = Folder::new(&options.folder)?;
        let options_of_engine = EmbeddedOptions { write_buffer_bytes: (64 << 20) / 3, ..EmbeddedOptions::default() };
        let clock = Arc::new(WallClock::new());
        let store = EmbeddedStore::open(&folder.path().join("store"), options_of_engine.clone(), clock)?;
        let mut file = OpenOptions::new().create(true).append(true).open(folder.path().join("append"))?;
        let mut rows = Rows::new();
        let (mut sides, syncs) = (Sides::default(), store.fsyncs());
        let done = self.rounds(&mut rows, &Writer::Store(&store), &mut file, &mut sides).await?;
        let (syncs, sample) = (store.fsyncs() - syncs, std::mem::take(&mut rows.sample));
        // Only when the store is done: what an engine merges in the background is paid for by who writes beside it.
        let alone = Alone::open(&folder.path().join("alone"), &options_of_engine)?;
        let mut beside = Sides::default();
        self.rounds(&mut rows, &Writer::Alone(&alone), &mut file, &mut beside).await?;
        report.did(format!(
            "{done} rounds of {} durable batches of {ROWS} rows each, in turn with the append; then as many of the \
             engine alone",
            self.batches
        ));
        let batches = (done * self.batches) as u64;
        let named = [
            ("append and fdatasync", &mut sides.raw),
            ("embedded store", &mut sides.store),
            ("engine alone", &mut beside.store),
        ];
        for (name, side) in named {
            report.figure(format!("{name}: rate"), median(&side.rates), "rows/s");
            report.figure(format!("{name}: batch p50"), f64::from(percentile(&mut side.took_us, 0.5)) / 1e3, "ms");
            report.figure(format!("{name}: batch p99"), f64::from(percentile(&mut side.took_us, 0.99)) / 1e3, "ms");
        }
        let share = |sides: &Sides| ratio(median(&sides.store.rates), median(&sides.raw.rates)) * 100.0;
        report.figure("engine alone, of append and fdatasync", share(&beside), "%");
        report.figure("embedded store, of the engine alone", ratio(share(&sides), share(&beside)) * 100.0, "%");
        report.mark(Mark {
            name: "durable 1,000-row batches, of append and fdatasync".to_owned(),
            value: share(&sides),
            unit: "%",
            better: Better::Higher,
            accept: 12.0,
            aim: Some(14.0),
        });
        report.check("syncs of the store, one a batch", batches + WARMING, syncs);
        let (mut found, mut asked) = (0, 0);
        for keys in sample.chunks(200) {
            asked += keys.len() as u64;
            found += store.get_many(keys).await?.iter().flatten().count() as u64;
        }
        report.check("sampled rows found again", asked, found);
        report.check("bytes appended", rows.bytes_made, file.metadata()?.len());
        store.close().await?;
        Ok(report)
    }

    /// Rounds of the append and of a writer, in turn. Answers how many there was time for.
    async fn rounds(&self, rows: &mut Rows, writer: &Writer<'_>, file: &mut File, sides: &mut Sides) -> Result<usize> {
        // Both have written before anything is timed, so that no first file is made on the clock.
        round(rows, writer, file, WARMING as usize, &mut Sides::default()).await?;
        let (begun, mut done) = (Instant::now(), 0);
        while done < self.rounds && begun.elapsed() < AT_MOST {
            round(rows, writer, file, self.batches, sides).await?;
            done += 1;
        }
        Ok(done)
    }
}

async fn round(rows: &mut Rows, writer: &Writer<'_>, file: &mut File, batches: usize, sides: &mut Sides) -> Result<()> {
    let made: Vec<(Vec<u8>, Vec<Put>)> = (0..batches).map(|_| rows.batch()).collect();
    let (bytes, puts): (Vec<_>, Vec<_>) = made.into_iter().unzip();
    let begun = Instant::now();
    for bytes in bytes {
        let one = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        sides.raw.took(one);
    }
    sides.raw.ended(begun, batches);
    let begun = Instant::now();
    for puts in puts {
        let one = Instant::now();
        match writer {
            Writer::Store(store) => store.put_facts(puts).await.context("a batch")?,
            Writer::Alone(alone) => alone.write(puts)?,
        }
        sides.store.took(one);
    }
    sides.store.ended(begun, batches);
    Ok(())
}

/// Who writes in turn with the append.
enum Writer<'a> {
    Store(&'a EmbeddedStore),
    Alone(&'a Alone),
}

/// The engine underneath, with the store's bounds and as the store would lay the rows out.
struct Alone {
    database: fjall::Database,
    messages: fjall::Keyspace,
    states: fjall::Keyspace,
}

impl Alone {
    fn open(folder: &Path, bounds: &EmbeddedOptions) -> Result<Self> {
        let database = fjall::Database::builder(folder)
            .manual_journal_persist(true)
            .cache_size(bounds.cache_bytes)
            .max_journaling_size(bounds.log_bytes_max)
            .worker_threads(bounds.worker_threads)
            .open()?;
        let bounded = || fjall::KeyspaceCreateOptions::default().max_memtable_size(bounds.write_buffer_bytes);
        let messages = database.keyspace("messages", bounded)?;
        let states = database.keyspace("states", bounded)?;
        Ok(Self { database, messages, states })
    }

    fn write(&self, puts: Vec<Put>) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(fjall::PersistMode::SyncData));
        for put in puts {
            let keyspace = if put.key.table() == Table::Message as u8 { &self.messages } else { &self.states };
            batch.insert(keyspace, put.key.as_bytes(), put.value.unwrap_or_default());
        }
        Ok(batch.commit()?)
    }
}

#[derive(Default)]
struct Sides {
    raw: Side,
    store: Side,
}

#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    took_us: Vec<u32>,
}

impl Side {
    fn took(&mut self, since: Instant) {
        self.took_us.push(u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX));
    }

    fn ended(&mut self, since: Instant, batches: usize) {
        self.rates.push(ratio((batches as u64 * ROWS) as f64, since.elapsed().as_secs_f64()));
    }
}

/// Makes rows, each message once.
struct Rows {
    next: u64,
    random: u64,
    bytes_made: u64,
    /// One key a batch, to be looked for at the end.
    sample: Vec<RowKey>,
}

impl Rows {
    const fn new() -> Self {
        Self { next: 0, random: 0x9E37_79B9_7F4A_7C15, bytes_made: 0, sample: Vec::new() }
    }

    /// The bytes of a batch as one append, and as rows.
    fn batch(&mut self) -> (Vec<u8>, Vec<Put>) {
        let mut bytes = Vec::with_capacity(340_000);
        let mut puts = Vec::with_capacity(1_250);
        for _ in 0..ROWS {
            self.next += 1;
            let conversation = (self.random() % CONVERSATIONS).to_be_bytes();
            let message = self.next.to_be_bytes();
            let value = self.value(ROW_BYTES);
            bytes.extend_from_slice(&conversation);
            bytes.extend_from_slice(&message);
            bytes.extend_from_slice(&value);
            puts.push(Put::new(Table::Message, &conversation, &message, value, self.next as i64));
            if self.next.is_multiple_of(STATE_ROW_EVERY) {
                let value = self.value(STATE_BYTES);
                bytes.extend_from_slice(&[0; 8]);
                bytes.extend_from_slice(&conversation);
                bytes.extend_from_slice(&value);
                puts.push(Put::new(Table::Entity, &conversation, &[], value, self.next as i64));
            }
        }
        self.sample.extend(puts.first().map(|put| put.key.clone()));
        self.bytes_made += bytes.len() as u64;
        (bytes, puts)
    }

    /// Half text, half random.
    fn value(&mut self, length: usize) -> Vec<u8> {
        let mut value = vec![b'a'; length];
        for eight in value[length / 2..].chunks_mut(8) {
            let random = self.random().to_le_bytes();
            eight.copy_from_slice(&random[..eight.len()]);
        }
        value
    }

    /// xorshift64*: fast, and random enough for keys.
    const fn random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}
