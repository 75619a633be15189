//! What the sockets of a process did, in numbers.

use metrics::{Counter, counter};

use super::close::Close;

/// Counters that are asked for each frame, found once.
pub(super) struct Counts {
    frames: Counter,
    events: Counter,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self { frames: counter!("tidegate_socket_frames_total"), events: counter!("tidegate_socket_events_total") }
    }

    /// A frame with so many events left for a socket.
    pub(super) fn sent(&self, events: u64) {
        self.frames.increment(1);
        self.events.increment(events);
    }
}

/// A socket was opened.
pub(super) fn opened() {
    counter!("tidegate_sockets_opened_total").increment(1);
}

/// A socket is gone, for our reason or for one of the client's or its line's.
pub(super) fn closed(reason: Option<Close>) {
    counter!("tidegate_sockets_closed_total", "reason" => reason.map_or("left", Close::word)).increment(1);
}

/// A socket goes on where an earlier one ended.
pub(super) fn resumed() {
    counter!("tidegate_socket_resumes_total").increment(1);
}

/// A socket was told that it missed something.
pub(super) fn missed() {
    counter!("tidegate_socket_gaps_total").increment(1);
}
