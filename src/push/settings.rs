//! The sizes and spans of the agents' sockets.

use std::time::Duration;

use super::window::WindowSize;

/// Sizes and spans; the defaults are measured in `limits.md` §6 or follow from the budgets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What may be sent before the reader proves that it reads: 256 objects or 256 KiB.
    pub window: WindowSize,
    /// The largest message from a client, joined from its fragments: 64 KiB.
    pub frame_in_bytes_max: usize,
    /// How full a frame to a client gets before the next one begins: 8,000 bytes; one entry alone may be larger.
    /// It fits the 8 KiB write buffer that the HTTP server keeps for each socket, so fan-out never makes that grow.
    pub frame_out_bytes_max: usize,
    /// The most conversations a list window may name: 500.
    pub interest_max: usize,
    /// How long a window may stay exhausted before the socket is closed as slow: 10 s.
    pub slow_patience: Duration,
    /// How long a socket may stay without `identify` or `resume`: 10 s.
    pub identify_within: Duration,
    /// How often a heartbeat and a ping go out: 25 s.
    pub heartbeat: Duration,
    /// How long nothing at all may be heard, pongs included: 60 s.
    pub silence_max: Duration,
    /// How often deadlines are looked at: 1 s.
    pub tick: Duration,
    /// How many commands of one socket may be under way: 32.
    pub commands_in_flight_max: u16,
    /// After how long a command is answered as of unknown outcome: 30 s.
    pub command_within: Duration,
    /// How long the gatekeeper and the feed may take: 10 s.
    pub port_within: Duration,
    /// Entries of one workspace kept in memory on an arbiter: 4,096.
    pub tail_entries_max: usize,
    /// And their bytes: 4 MiB.
    pub tail_bytes_max: usize,
    /// How long a workspace's tail outlives its last socket: 2 min.
    pub tail_keep: Duration,
    /// Entries a page of a replay: 256.
    pub page_entries: usize,
    /// Replays from the store that hold a page at once, an arbiter: 64.
    pub replays_max: usize,
    /// Batches and signals on their way to an arbiter: 1,024.
    pub line_max: usize,
    /// Sockets woken before the arbiter lets others run: 200.
    pub wakes_in_a_row: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: WindowSize { objects: 256, bytes: 256 * 1024 },
            frame_in_bytes_max: 64 * 1024,
            frame_out_bytes_max: 8_000,
            interest_max: 500,
            slow_patience: Duration::from_secs(10),
            identify_within: Duration::from_secs(10),
            heartbeat: Duration::from_secs(25),
            silence_max: Duration::from_secs(60),
            tick: Duration::from_secs(1),
            commands_in_flight_max: 32,
            command_within: Duration::from_secs(30),
            port_within: Duration::from_secs(10),
            tail_entries_max: 4_096,
            tail_bytes_max: 4 * 1024 * 1024,
            tail_keep: Duration::from_secs(120),
            page_entries: 256,
            replays_max: 64,
            line_max: 1_024,
            wakes_in_a_row: 200,
        }
    }
}
