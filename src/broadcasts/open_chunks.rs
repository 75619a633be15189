//! Which chunks of a broadcast may have recipients that are due: those that are ready, in turn, and those that wait for a
//! time. It is a guess that costs a look where it is wrong; the chunk alone knows.

use std::collections::{BTreeSet, HashSet, VecDeque};

use crate::domain::time::Timestamp;

/// The chunks of one broadcast.
#[derive(Default)]
pub(super) struct OpenChunks {
    ready: VecDeque<u32>,
    queued: HashSet<u32>,
    later: BTreeSet<(Timestamp, u32)>,
    /// Those of which a block is being claimed.
    claiming: HashSet<u32>,
    /// Those of which something came back meanwhile.
    poked: HashSet<u32>,
}

impl OpenChunks {
    /// A chunk may have recipients that are due.
    pub(super) fn poke(&mut self, chunk: u32) {
        if self.claiming.contains(&chunk) {
            self.poked.insert(chunk);
        } else if self.queued.insert(chunk) {
            self.ready.push_back(chunk);
        }
    }

    /// Whether some chunk may have recipients that are due at `now`.
    pub(super) fn has_ready(&mut self, now: Timestamp) -> bool {
        while let Some((at, chunk)) = self.later.first().copied().filter(|(at, _)| *at <= now) {
            self.later.remove(&(at, chunk));
            self.poke(chunk);
        }
        !self.ready.is_empty()
    }

    /// The next chunk to claim from; nobody else claims from it until [`Self::release`].
    pub(super) fn take(&mut self, now: Timestamp) -> Option<u32> {
        if !self.has_ready(now) {
            return None;
        }
        let chunk = self.ready.pop_front()?;
        self.queued.remove(&chunk);
        self.claiming.insert(chunk);
        Some(chunk)
    }

    /// The claim is over: more of the chunk is due, or nothing before a time, or nothing at all.
    pub(super) fn release(&mut self, chunk: u32, more: bool, next: Option<Timestamp>) {
        self.claiming.remove(&chunk);
        let poked = self.poked.remove(&chunk);
        if (more || poked) && self.queued.insert(chunk) {
            // A chunk is finished before the next is begun.
            self.ready.push_front(chunk);
        }
        if let Some(at) = next {
            self.later.insert((at, chunk));
        }
    }

    /// When the first of those that wait may be due.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.later.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    #[test]
    fn a_chunk_is_claimed_by_one_at_a_time_and_forgets_nothing_meanwhile() {
        let mut chunks = OpenChunks::default();
        for chunk in [0, 1, 0] {
            chunks.poke(chunk);
        }
        assert_eq!((chunks.take(NOW), chunks.take(NOW), chunks.take(NOW)), (Some(0), Some(1), None));
        chunks.poke(0);
        chunks.release(1, true, None);
        chunks.release(0, false, None);
        assert_eq!((chunks.take(NOW), chunks.take(NOW), chunks.take(NOW)), (Some(0), Some(1), None));
    }

    #[test]
    fn what_waits_comes_in_its_time() {
        let mut chunks = OpenChunks::default();
        chunks.poke(3);
        assert_eq!(chunks.take(NOW), Some(3));
        chunks.release(3, false, Some(Timestamp(2_000)));
        assert!(!chunks.has_ready(NOW));
        assert_eq!(chunks.next_at(), Some(Timestamp(2_000)));
        assert_eq!(chunks.take(Timestamp(2_000)), Some(3));
    }
}
