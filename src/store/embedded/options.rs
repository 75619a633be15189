//! Bounds of the embedded engine: memory, disk, threads, queue and waits.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// Bounds of one embedded store.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// Blocks read from disk that stay in memory, in bytes.
    pub cache_bytes: u64,
    /// What one of the three keyspaces gathers in memory before it is written out as a table, in bytes. Up
    /// to five such buffers of a keyspace wait before writers do. Fixed when the store is created.
    pub write_buffer_bytes: u64,
    /// What the engine's own log may hold before it forces tables out, in bytes; at least 64 MiB. A start
    /// after a crash reads it (about 1.5 s for 300 MB: `limits.md` §7).
    pub log_bytes_max: u64,
    /// Threads that write tables out and merge them. With more than one, the engine's first thread spins while
    /// another merges (fjall 3.1: it takes a merge off the queue and puts it back), which costs a core: one thread gave
    /// a tenth more rows a second on two cores.
    pub worker_threads: usize,
    /// Table files that stay open; at least 10.
    pub open_files_max: usize,
    /// Requests that wait for the commit thread.
    pub queue_max: usize,
    /// Once a batch has so many rows, it is written; a request's rows stay together.
    pub batch_rows_max: usize,
    /// Once a batch has so many bytes, it is written.
    pub batch_bytes_max: usize,
    /// How long a request waits for a place in the queue before it is `NotApplied`.
    pub queue_deadline: Duration,
    /// How long a request in the queue waits for its answer. The engine stalls for up to 0.3 s under
    /// saturation (`limits.md` §7); a disk that is silent for this long counts as failed.
    pub answer_deadline: Duration,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 64 * MIB,
            write_buffer_bytes: 16 * MIB,
            log_bytes_max: 256 * MIB,
            worker_threads: 1,
            open_files_max: 512,
            queue_max: 1_024,
            batch_rows_max: 1_000,
            batch_bytes_max: 8 * MIB as usize,
            queue_deadline: Duration::from_secs(5),
            answer_deadline: Duration::from_secs(30),
        }
    }
}
