//! `[numbers]`: pacing of the channel accounts, and what becomes of sends that wait or stay unanswered.

use std::time::Duration;

use super::reader::SectionReader;

/// Pacing of one channel account, unless the account says otherwise.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// Messages per second, inbound and outbound together.
    pub rate_per_second: u32,
    /// The same for a number shared with the phone app.
    pub shared_rate_per_second: u32,
    /// How often the queue is drained.
    pub tick: Duration,
    /// The least burst; the burst is the larger of this and ⌈rate × tick⌉ + 1.
    pub burst_min: u32,
    /// One message per so long to one customer, on average.
    pub pair_interval: Duration,
    /// Messages to one customer that may go at once.
    pub pair_burst: u32,
    /// Replies that may wait on one account; past it a reply is refused.
    pub replies_queued_max: usize,
    /// A send that waited longer does not leave.
    pub reply_max_wait: Duration,
    /// After a call without an answer the next message of its conversation waits so long from its beginning.
    pub in_doubt_after: Duration,
    /// Doubt without evidence is unconfirmed after so long.
    pub unconfirmed_after: Duration,
}

impl Numbers {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        let (second, minute, hour) = (Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(3_600));
        Self {
            rate_per_second: keys.within("rate_per_second", 1..=1_000),
            shared_rate_per_second: keys.within("shared_rate_per_second", 1..=1_000),
            tick: keys.within("tick", Duration::from_millis(1)..=Duration::from_millis(100)),
            burst_min: keys.within("burst_min", 2..=100),
            pair_interval: keys.within("pair_interval", Duration::from_millis(1)..=minute),
            pair_burst: keys.within("pair_burst", 1..=100),
            replies_queued_max: keys.within("replies_queued_max", 1..=1_000_000),
            reply_max_wait: keys.within("reply_max_wait", second..=24 * hour),
            in_doubt_after: keys.within("in_doubt_after", second..=5 * minute),
            unconfirmed_after: keys.within("unconfirmed_after", minute..=24 * hour),
        }
    }
}
