//! How large a number's next block may be: small after a start, and twice as large with each that has ended.
//!
//! A process that dies leaves what it claimed in doubt, and one that dies as it begins to send would do so again and again:
//! 200 kills within a minute left a quarter of 100,000 recipients in doubt where every start claimed whole blocks.

use std::cell::Cell;

use crate::domain::broadcast::BLOCK_MAX;

/// The first block after a start.
const FIRST: u32 = 25;

/// The size of the next block.
pub(super) struct Growth(Cell<u32>);

impl Growth {
    pub(super) const fn new() -> Self {
        Self(Cell::new(FIRST))
    }

    /// How many recipients the next block has, at most.
    pub(super) const fn room(&self) -> u32 {
        self.0.get()
    }

    /// Every message of a block has its outcome.
    pub(super) fn block_ended(&self) {
        self.0.set(self.0.get().saturating_mul(2).min(BLOCK_MAX as u32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_grow_to_their_bound() {
        let growth = Growth::new();
        let rooms: Vec<u32> = std::iter::repeat_with(|| {
            let room = growth.room();
            growth.block_ended();
            room
        })
        .take(6)
        .collect();
        assert_eq!(rooms, [25, 50, 100, 200, 200, 200]);
    }
}
