//! `[actors]`: how many stay in memory, and how much may wait for them.

use std::time::Duration;

use super::reader::SectionReader;

/// Bounds of the actors.
#[derive(Clone, Debug)]
pub struct Actors {
    /// Actors in memory on this node, all shards together; asleep about 0.5 kB each, awake 1.5 kB and their own state.
    pub resident_max: usize,
    /// An actor without a message for so long falls asleep: its state stays in memory as its snapshot alone.
    pub sleep_after: Duration,
    /// An actor without a message for so long leaves the memory.
    pub idle_after: Duration,
    /// How often the idle ones are looked for.
    pub sweep_interval: Duration,
    /// Messages that may wait for one actor.
    pub mailbox_max: usize,
    /// Messages that may wait for all the actors of a shard together.
    pub shard_mailbox_max: usize,
}

impl Actors {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        Self {
            resident_max: keys.within("resident_max", 100..=100_000_000),
            sleep_after: keys.within("sleep_after", Duration::from_millis(100)..=Duration::from_secs(86_400)),
            idle_after: keys.within("idle_after", Duration::from_secs(1)..=Duration::from_secs(86_400)),
            sweep_interval: keys.within("sweep_interval", Duration::from_millis(100)..=Duration::from_secs(600)),
            mailbox_max: keys.within("mailbox_max", 1..=65_536),
            shard_mailbox_max: keys.within("shard_mailbox_max", 64..=1_048_576),
        }
    }
}
