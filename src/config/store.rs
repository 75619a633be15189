//! `[store]`: the engine and its buffers.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::SectionReader;
use super::setting::choices;
use super::units::Size;

/// What remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// In the folder at `path`, by this process alone.
    Embedded,
    /// In a ScyllaDB or Apache Cassandra database, see `[cql]`.
    Cql,
    /// Nowhere: everything is forgotten at the stop.
    Memory,
}

choices!(Engine { Embedded = "embedded", Cql = "cql", Memory = "memory" });

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    /// The engine.
    pub engine: Engine,
    /// The folder of the embedded engine, of the tokens and of the sandbox's ledger.
    pub path: PathBuf,
    /// Written into the store when it is created, ignored afterwards.
    pub shards: u16,
    /// State rows of a shard are written at least this often.
    pub settle_interval: Duration,
    /// State rows of a shard are written when so much of them waits.
    pub settle_bytes: Size,
    /// What the engine holds in memory before it writes a sorted file, all keyspaces together.
    pub write_buffer_bytes_max: Size,
    /// What the engine keeps of its files in memory.
    pub cache_bytes_max: Size,
    /// Commits that may wait for the engine; past it the edge refuses.
    pub commit_queue_max: usize,
    /// Rows that one batch, with one sync, may take.
    pub commit_rows_max: usize,
    /// How long a commit may take before its outcome is called unknown.
    pub commit_deadline: Duration,
}

impl Store {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        Self {
            engine: keys.value("engine"),
            path: keys.value("path"),
            shards: keys.within("shards", 1..=1_024),
            settle_interval: keys.within("settle_interval", Duration::from_millis(100)..=Duration::from_secs(60)),
            settle_bytes: keys.within("settle_bytes", Size::kib(64)..=Size::mib(256)),
            write_buffer_bytes_max: keys.within("write_buffer_bytes_max", Size::mib(8)..=Size::gib(16)),
            cache_bytes_max: keys.within("cache_bytes_max", Size::mib(1)..=Size::gib(256)),
            commit_queue_max: keys.within("commit_queue_max", 64..=1_000_000),
            commit_rows_max: keys.within("commit_rows_max", 100..=100_000),
            commit_deadline: keys.within("commit_deadline", Duration::from_secs(1)..=Duration::from_secs(60)),
        }
    }
}
