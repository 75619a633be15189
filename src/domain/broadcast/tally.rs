//! How many recipients have come to what: exact, for each change of a recipient moves one from one count to another.

use serde::{Deserialize, Serialize};

use super::recipient::RecipientState;

/// Recipients by state, and how many replied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// By the number of the state.
    states: [u32; RecipientState::ALL.len()],
    /// Recipients who replied, each once.
    pub replied: u32,
}

impl Tally {
    /// A tally of recipients for whom nothing was done yet.
    #[must_use]
    pub fn pending(recipients: u32) -> Self {
        let mut tally = Self::default();
        tally.states[RecipientState::Pending as usize] = recipients;
        tally
    }

    /// The tally that rows add up to: each with what it has come to, and whether it replied.
    #[must_use]
    pub fn of_rows(rows: impl Iterator<Item = (RecipientState, bool)>) -> Self {
        let mut tally = Self::default();
        for (state, replied) in rows {
            tally.states[state as usize] += 1;
            tally.replied += u32::from(replied);
        }
        tally
    }

    /// How many have come to exactly this.
    #[must_use]
    pub const fn of(&self, state: RecipientState) -> u32 {
        self.states[state as usize]
    }

    /// How many there are.
    #[must_use]
    pub fn recipients(&self) -> u32 {
        self.states.iter().sum()
    }

    /// How many have no outcome yet: pending, attempting or in doubt. Dispatch is complete when there are none.
    #[must_use]
    pub fn open(&self) -> u32 {
        RecipientState::ALL.into_iter().filter(|state| !state.is_settled()).map(|state| self.of(state)).sum()
    }

    /// How many have it: `read` fills a missing `delivered`.
    #[must_use]
    pub const fn delivered(&self) -> u32 {
        self.of(RecipientState::Delivered) + self.of(RecipientState::Read)
    }

    /// Moves one recipient.
    pub(super) fn change(&mut self, before: RecipientState, after: RecipientState) {
        if before != after {
            let left = &mut self.states[before as usize];
            *left = left.saturating_sub(1);
            self.states[after as usize] += 1;
        }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in self.states.iter_mut().zip(other.states) {
            *sum += more;
        }
        self.replied += other.replied;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_is_neither_lost_nor_counted_twice() {
        let mut tally = Tally::pending(3);
        tally.change(RecipientState::Pending, RecipientState::Attempting);
        tally.change(RecipientState::Attempting, RecipientState::Read);
        tally.change(RecipientState::Pending, RecipientState::Pending);
        assert_eq!((tally.recipients(), tally.open(), tally.delivered()), (3, 2, 1));
        let mut sum = Tally::pending(1);
        sum += tally;
        assert_eq!((sum.recipients(), sum.of(RecipientState::Pending)), (4, 3));
    }
}
