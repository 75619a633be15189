//! `[push]`: agents' websockets.

use std::time::Duration;

use super::reader::SectionReader;
use super::units::Size;

/// Agents' websockets.
#[derive(Clone, Debug)]
pub struct Push {
    /// Sockets on this node; past it an upgrade is answered 503.
    pub sessions_max: usize,
    /// How often a quiet socket is pinged.
    pub ping_interval: Duration,
    /// How long a client may take to identify or resume.
    pub identify_timeout: Duration,
    /// Entries sent to a client and not yet proved by a pong.
    pub window_entries_max: usize,
    /// Bytes sent to a client and not yet proved by a pong.
    pub window_bytes_max: Size,
    /// The largest message from a client, joined from its fragments.
    pub frame_in_bytes_max: Size,
    /// How full a message to a client gets before the next one begins.
    pub frame_out_bytes_max: Size,
    /// A client whose window is full for so long is closed with a code that says *come back*.
    pub slow_reader_after: Duration,
    /// Entries of the feed kept in memory for resuming, all sessions together.
    pub feed_tail_entries_max: usize,
    /// Bytes of them.
    pub feed_tail_bytes_max: Size,
    /// Conversations that a client may name as its list window.
    pub interest_max: usize,
    /// Commands of one socket that may be under way.
    pub commands_in_flight_max: usize,
}

impl Push {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        let second = Duration::from_secs(1);
        Self {
            sessions_max: keys.within("sessions_max", 1..=1_000_000),
            ping_interval: keys.within("ping_interval", second..=60 * second),
            identify_timeout: keys.within("identify_timeout", second..=60 * second),
            window_entries_max: keys.within("window_entries_max", 16..=65_536),
            window_bytes_max: keys.within("window_bytes_max", Size::kib(64)..=Size::mib(64)),
            frame_in_bytes_max: keys.within("frame_in_bytes_max", Size::kib(4)..=Size::mib(1)),
            frame_out_bytes_max: keys.within("frame_out_bytes_max", Size::kib(4)..=Size::mib(1)),
            slow_reader_after: keys.within("slow_reader_after", second..=300 * second),
            feed_tail_entries_max: keys.within("feed_tail_entries_max", 256..=10_000_000),
            feed_tail_bytes_max: keys.within("feed_tail_bytes_max", Size::mib(1)..=Size::gib(4)),
            interest_max: keys.within("interest_max", 1..=500),
            commands_in_flight_max: keys.within("commands_in_flight_max", 1..=1_024),
        }
    }
}
