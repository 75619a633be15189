//! Commits through the CQL engine, held against the same statements sent by the bare driver to the same database at the
//! same concurrency, in turn: 16 shards at once, each writing the facts of seven messages (a row of 600 bytes and one of
//! 40 each) and then one conditional append of 2 kB.
//!
//! `cargo bench -p loadtest --bench cql` boots an Apache Cassandra (Java 17 or later, Maven); behind `--`: `--rounds N`,
//! `--seconds N` (of a round), `--json`. The database runs on the same cores and is what limits both.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use futures_util::future::{join_all, try_join_all};
use loadtest::options::Options;
use loadtest::report::{Better, Mark, Report};
use loadtest::statistics::{median, percentile, ratio};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::prepared::PreparedStatement;
use tidegate::clock::{Clock as _, WallClock};
use tidegate::store::{CqlOptions, CqlStore, Lease, Owner, Put, RowKey, Store, Table};
use tokio::time::Instant;

#[expect(dead_code, unreachable_pub, reason = "tests include it as well, and use the rest")]
#[path = "../../tests/cassandra/server.rs"]
mod server;

/// The same as the server's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYSPACE: &str = "bench";
const SHARDS: u16 = 16;
const MESSAGES: u64 = 7;
const MESSAGE_BYTES: usize = 600;
const GATE_BYTES: usize = 40;
const RECORD_BYTES: usize = 2_000;

fn main() -> Result<()> {
    let (asked, flags): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|flag| flag == "--bench");
    if asked.is_empty() {
        // A test run, which needs no database: the contract suite has its own.
        return Ok(());
    }
    let options = Options::read(&flags)?;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/cassandra");
    let database = server::Cassandra::start(&root, server::CommitLog::Periodic).map_err(|why| anyhow!(why))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = runtime.block_on(run(&options, database.contact_point()))?;
    report.end();
    let text = if options.json { report.json()? } else { report.text() };
    writeln!(std::io::stdout(), "{text}")?;
    ensure!(report.is_sound(), "a count was wrong: the figures mean nothing");
    Ok(())
}

async fn run(options: &Options, node: String) -> Result<Report> {
    let (rounds, seconds) = (options.rounds.unwrap_or(4), options.seconds.unwrap_or(5));
    let length = Duration::from_secs(seconds);
    let mut report = Report::begin("cql");
    let clock = Arc::new(WallClock::new());
    let options = CqlOptions::of_node(&node, KEYSPACE);
    CqlStore::migrate(&options, 1, clock.now()).await?;
    let store = CqlStore::open(&options, clock).await?;
    let bare = Bare::open(&node).await?;
    let mut leases = Vec::new();
    for shard in 0..SHARDS {
        leases.push(store.acquire(shard, Owner { node: 1, incarnation: 1 }, None).await?);
    }
    // Both have written before anything is timed; the database compiles as it runs.
    bare.round(length).await?;
    round(&store, &mut leases, length).await?;
    let (mut ours, mut theirs) = (Side::default(), Side::default());
    let mut committed = leases.iter().map(|lease| lease.position).sum::<u64>();
    for _ in 0..rounds {
        theirs.took(bare.round(length).await?, length);
        let took = round(&store, &mut leases, length).await?;
        committed += took.len() as u64;
        ours.took(took, length);
    }
    report.did(format!("{rounds} rounds of {seconds} s each, in turn: {SHARDS} writers, {MESSAGES} messages a commit"));
    for (name, side) in [("bare driver", &mut theirs), ("cql engine", &mut ours)] {
        report.figure(format!("{name}: rate"), median(&side.rates), "messages/s");
        report.figure(format!("{name}: commit p50"), f64::from(percentile(&mut side.took_us, 0.5)) / 1e3, "ms");
        report.figure(format!("{name}: commit p99"), f64::from(percentile(&mut side.took_us, 0.99)) / 1e3, "ms");
    }
    report.mark(Mark {
        name: "facts and appends, of the bare driver's".to_owned(),
        value: ratio(median(&ours.rates), median(&theirs.rates)) * 100.0,
        unit: "%",
        better: Better::Higher,
        accept: 70.0,
        aim: Some(90.0),
    });
    let mut found = 0;
    for lease in &leases {
        found += store.acquire(lease.shard, Owner { node: 2, incarnation: 1 }, None).await?.position;
    }
    report.check("records in the logs", committed, found);
    store.close().await?;
    Ok(report)
}

/// How long each commit took, in microseconds, over rounds.
#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    took_us: Vec<u32>,
}

impl Side {
    fn took(&mut self, took_us: Vec<u32>, length: Duration) {
        self.rates.push(took_us.len() as f64 * MESSAGES as f64 / length.as_secs_f64());
        self.took_us.extend(took_us);
    }
}

/// One round of the engine: every shard commits, one commit after another.
async fn round(store: &CqlStore, leases: &mut [Lease], length: Duration) -> Result<Vec<u32>> {
    let end = Instant::now() + length;
    let writers = leases.iter_mut().map(|lease| async move {
        let mut took = Vec::new();
        while Instant::now() < end {
            let begun = Instant::now();
            let position = lease.position + 1;
            let ts_us = position as i64;
            let facts = (0..MESSAGES).flat_map(|nth| {
                let [message, gate] = keys(lease.shard, position, nth);
                [
                    Put { key: message, value: Some(vec![7; MESSAGE_BYTES]), ts_us, ttl_s: 0 },
                    Put { key: gate, value: Some(vec![7; GATE_BYTES]), ts_us, ttl_s: 0 },
                ]
            });
            store.commit(lease, ts_us, vec![7; RECORD_BYTES], facts.collect()).await?;
            took.push(begun.elapsed().as_micros() as u32);
        }
        Ok::<_, anyhow::Error>(took)
    });
    Ok(try_join_all(writers).await?.concat())
}

/// The rows of a message of a customer: conversations in no order, as they write.
fn keys(shard: u16, position: u64, nth: u64) -> [RowKey; 2] {
    let conversation = (position * MESSAGES + nth).wrapping_mul(0x9E37_79B9_7F4A_7C15) % 10_000;
    let mut pk = [0; 16];
    pk[..2].copy_from_slice(&shard.to_be_bytes());
    pk[8..].copy_from_slice(&conversation.to_be_bytes());
    let ck = [position.to_be_bytes(), nth.to_be_bytes()].concat();
    [RowKey::new(Table::Message, &pk, &ck), RowKey::new(Table::WindowGate, &pk, &[])]
}

/// The driver alone.
struct Bare {
    session: Session,
    message: PreparedStatement,
    gate: PreparedStatement,
    append: PreparedStatement,
}

impl Bare {
    async fn open(node: &str) -> Result<Self> {
        let session = SessionBuilder::new().known_node(node).build().await?;
        let put = |table: &str| {
            format!("UPDATE {KEYSPACE}.{table} USING TIMESTAMP ? AND TTL ? SET value = ? WHERE pk = ? AND ck = ?")
        };
        let message = session.prepare(put("message")).await?;
        let gate = session.prepare(put("window_gate")).await?;
        let append = format!(
            "UPDATE {KEYSPACE}_meta.shard_journal SET writer = ?, ts_us = ?, payload = ? WHERE shard = ? AND segment = ? \
             AND position = ? IF epoch = ? AND ts_us = null"
        );
        let append = session.prepare(append).await?;
        // Logs that no owner has.
        let fence = format!(
            "UPDATE {KEYSPACE}_meta.shard_journal SET epoch = 1 WHERE shard = ? AND segment = 0 IF epoch = null"
        );
        let fence = session.prepare(fence).await?;
        let shards = (0..SHARDS).map(|shard| session.execute_unpaged(&fence, (1_000 + i32::from(shard),)));
        join_all(shards).await.into_iter().collect::<Result<Vec<_>, _>>().context("the logs of the bare driver")?;
        Ok(Self { session, message, gate, append })
    }

    async fn round(&self, length: Duration) -> Result<Vec<u32>> {
        static POSITION: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let end = Instant::now() + length;
        let writers = (0..SHARDS).map(|shard| async move {
            let mut took = Vec::new();
            while Instant::now() < end {
                let begun = Instant::now();
                let position = POSITION.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let ts_us = position as i64;
                try_join_all((0..MESSAGES).map(|nth| async move {
                    let [message, gate] = keys(100 + shard, position, nth);
                    let (text, until) = (vec![7_u8; MESSAGE_BYTES], vec![7_u8; GATE_BYTES]);
                    let values = (ts_us, 0, &text, message.pk(), message.ck());
                    let values_of_gate = (ts_us, 0, &until, gate.pk(), gate.ck());
                    tokio::try_join!(
                        self.session.execute_unpaged(&self.message, values),
                        self.session.execute_unpaged(&self.gate, values_of_gate),
                    )
                }))
                .await?;
                let record = vec![7_u8; RECORD_BYTES];
                let log = 1_000 + i32::from(shard);
                let values = (1_i64, ts_us, &record, log, 0_i64, position as i64, 1_i64);
                self.session.execute_unpaged(&self.append, values).await?;
                took.push(begun.elapsed().as_micros() as u32);
            }
            Ok::<_, anyhow::Error>(took)
        });
        Ok(try_join_all(writers).await?.concat())
    }
}
