//! Durable batches of 1,000 rows through the embedded store, held against appending the same bytes to a file and
//! fdatasync, in one folder and in turn.
//!
//! `cargo bench -p loadtest`; behind `--`: `--rounds N`, `--requests N` (batches of a round), `--folder`, `--json`.
//! Rows as in `limits.md` §7: 16-byte keys of conversations in no order, 296 bytes half of them random, and beside
//! every fourth an 80-byte row that is written again and again. Rows are made before the clock runs.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
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
        let engine = EmbeddedOptions { write_buffer_bytes: (64 << 20) / 3, ..EmbeddedOptions::default() };
        let store = EmbeddedStore::open(&folder.path().join("store"), engine, Arc::new(WallClock::new()))?;
        let mut file = OpenOptions::new().create(true).append(true).open(folder.path().join("append"))?;
        let mut rows = Rows::new();
        // Both have written before anything is timed, so that no first file is made on the clock.
        self.round(&mut rows, &store, &mut file, 3, &mut Sides::default()).await?;
        let (syncs, begun) = (store.fsyncs(), Instant::now());
        let mut sides = Sides::default();
        let mut done = 0;
        while done < self.rounds && begun.elapsed() < AT_MOST {
            self.round(&mut rows, &store, &mut file, self.batches, &mut sides).await?;
            done += 1;
        }
        report.did(format!("{done} rounds in turn of {} durable batches of {ROWS} rows each", self.batches));
        let batches = (done * self.batches) as u64;
        for (name, side) in [("append and fdatasync", &mut sides.raw), ("embedded store", &mut sides.store)] {
            report.figure(format!("{name}: rate"), median(&side.rates), "rows/s");
            report.figure(format!("{name}: batch p50"), f64::from(percentile(&mut side.took_us, 0.5)) / 1e3, "ms");
            report.figure(format!("{name}: batch p99"), f64::from(percentile(&mut side.took_us, 0.99)) / 1e3, "ms");
        }
        report.mark(Mark {
            name: "durable 1,000-row batches, of append and fdatasync".to_owned(),
            value: ratio(median(&sides.store.rates), median(&sides.raw.rates)) * 100.0,
            unit: "%",
            better: Better::Higher,
            accept: 12.0,
            aim: Some(14.0),
        });
        report.check("syncs of the store, one a batch", batches, store.fsyncs() - syncs);
        let (mut found, mut asked) = (0, 0);
        for keys in rows.sample.chunks(200) {
            asked += keys.len() as u64;
            found += store.get_many(keys).await?.iter().flatten().count() as u64;
        }
        report.check("sampled rows found again", asked, found);
        report.check("bytes appended", rows.bytes_made, file.metadata()?.len());
        store.close().await?;
        Ok(report)
    }

    async fn round(
        &self,
        rows: &mut Rows,
        store: &EmbeddedStore,
        file: &mut File,
        batches: usize,
        sides: &mut Sides,
    ) -> Result<()> {
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
            store.put_facts(puts).await.context("a batch")?;
            sides.store.took(one);
        }
        sides.store.ended(begun, batches);
        Ok(())
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
