//! The counts of a broadcast: the sum of what its chunks last committed, so exact whatever comes twice or late.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::domain::broadcast::{RecipientState, Tally};

/// What each chunk last said.
#[derive(Default)]
pub(super) struct Totals {
    /// By the number of the chunk: at which version, and the counts.
    chunks: Mutex<Vec<(u64, Tally)>>,
    /// Every chunk has been read: before that the sum is a part.
    whole: AtomicBool,
}

impl Totals {
    /// Takes a chunk's counts as of a version; older ones change nothing. Answers the counts known before.
    pub(super) fn take(&self, chunk: u32, version: u64, tally: Tally) -> Tally {
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let at = chunk as usize;
        if chunks.len() <= at {
            chunks.resize(at + 1, (0, Tally::default()));
        }
        let Some((known_version, known)) = chunks.get_mut(at) else { return Tally::default() };
        let before = *known;
        if version > *known_version {
            (*known_version, *known) = (version, tally);
        }
        before
    }

    /// Every chunk has been read.
    pub(super) fn set_whole(&self) {
        self.whole.store(true, Ordering::Release);
    }

    /// Whether every chunk has been read.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Acquire)
    }

    /// What a chunk last said.
    pub(super) fn of(&self, chunk: u32) -> Tally {
        self.at(chunk).1
    }

    /// What a chunk last said, and at which version.
    pub(super) fn at(&self, chunk: u32) -> (u64, Tally) {
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.get(chunk as usize).copied().unwrap_or_default()
    }

    /// The chunks that have recipients in a state.
    pub(super) fn with(&self, state: RecipientState) -> Vec<u32> {
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        (0..).zip(chunks.iter()).filter(|(_, (_, tally))| tally.of(state) > 0).map(|(chunk, _)| chunk).collect()
    }

    /// The sum over all chunks.
    pub(super) fn sum(&self) -> Tally {
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sum = Tally::default();
        for (_, tally) in chunks.iter() {
            sum += *tally;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_word_changes_nothing() {
        let totals = Totals::default();
        assert_eq!(totals.take(1, 2, Tally::pending(5)), Tally::default());
        assert_eq!(totals.take(1, 1, Tally::pending(9)), Tally::pending(5));
        totals.take(0, 1, Tally::pending(2));
        assert_eq!(totals.sum(), Tally::pending(7));
        assert_eq!((totals.at(1), totals.of(9)), ((2, Tally::pending(5)), Tally::default()));
        assert!(!totals.is_whole());
        totals.set_whole();
        assert!(totals.is_whole());
    }
}
