//! What a chunk knows of each recipient: a byte and an attempt for everybody, and notes for the few that need them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::broadcast::recipient::{RecipientState, Refused, SkipReason};
use crate::domain::time::Timestamp;

/// The recipients of a chunk, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slots {
    /// Where the present attempt stands, by the state's number.
    states: Vec<u8>,
    /// How many attempts were claimed.
    attempts: Vec<u16>,
    /// Which attempts of whom were refused for a while: of them only the customer's device is believed.
    refused: BTreeSet<(u16, u16)>,
    /// The most that attempts other than the present one have shown, refusals aside.
    earlier: BTreeMap<u16, u8>,
    /// Not before.
    pub(super) not_before: BTreeMap<u16, Timestamp>,
    /// Until when evidence is waited for.
    pub(super) doubts: BTreeMap<u16, Timestamp>,
    /// Why it failed.
    pub(super) refusals: BTreeMap<u16, Refused>,
    /// Why it was passed over.
    pub(super) skips: BTreeMap<u16, SkipReason>,
    /// Refused once for the platform's own cap a person.
    pub(super) capped: BTreeSet<u16>,
    /// Who replied.
    pub(super) replied: BTreeSet<u16>,
    /// Unconfirmed, and nobody need look at it.
    pub(super) dropped: BTreeSet<u16>,
}

impl Slots {
    pub(super) fn new(recipients: u16) -> Self {
        let count = usize::from(recipients);
        Self { states: vec![RecipientState::Pending as u8; count], attempts: vec![0; count], ..Self::default() }
    }

    pub(super) fn indexes(&self) -> std::ops::Range<u16> {
        0..self.states.len() as u16
    }

    pub(super) fn has(&self, index: u16) -> bool {
        usize::from(index) < self.states.len()
    }

    /// Where the present attempt stands.
    pub(super) fn present(&self, index: u16) -> RecipientState {
        RecipientState::from_u8(self.states.get(usize::from(index)).copied().unwrap_or_default())
    }

    /// How many attempts were claimed.
    pub(super) fn attempt(&self, index: u16) -> u16 {
        self.attempts.get(usize::from(index)).copied().unwrap_or_default()
    }

    /// What the recipient has come to, all attempts taken together: an earlier attempt that the customer has counts
    /// over everything, and one that the provider took counts where no later one is under way.
    pub(super) fn state(&self, index: u16) -> RecipientState {
        let present = self.present(index);
        match self.earlier.get(&index).map(|earlier| RecipientState::from_u8(*earlier)) {
            Some(earlier) if present.is_unattempted() => earlier,
            Some(earlier) if earlier >= RecipientState::Delivered => present.max(earlier),
            _ => present,
        }
    }

    pub(super) fn set(&mut self, index: u16, state: RecipientState) {
        if let Some(slot) = self.states.get_mut(usize::from(index)) {
            *slot = state as u8;
        }
        if state != RecipientState::InDoubt {
            self.doubts.remove(&index);
        }
    }

    pub(super) fn set_attempt(&mut self, index: u16, attempt: u16) {
        if let Some(slot) = self.attempts.get_mut(usize::from(index)) {
            *slot = attempt;
        }
    }

    /// The attempt under way was refused for a while.
    pub(super) fn refuse_attempt(&mut self, index: u16) {
        self.refused.insert((index, self.attempt(index)));
    }

    /// Whether evidence would change anything; see [`Self::witness`].
    pub(super) fn would_learn(&self, index: u16, attempt: u16, shown: RecipientState) -> bool {
        match self.place_of(index, attempt, shown) {
            Some(Place::Present) => shown > self.present(index),
            Some(Place::Earlier) => self.earlier.get(&index).is_none_or(|known| shown as u8 > *known),
            None => false,
        }
    }

    /// Takes evidence about an attempt: in any order and however often, the end is the same.
    pub(super) fn witness(&mut self, index: u16, attempt: u16, shown: RecipientState) {
        match self.place_of(index, attempt, shown) {
            Some(Place::Present) => self.set(index, self.present(index).max(shown)),
            Some(Place::Earlier) => {
                let known = self.earlier.entry(index).or_insert(shown as u8);
                *known = (*known).max(shown as u8);
            }
            None => {}
        }
    }

    fn place_of(&self, index: u16, attempt: u16, shown: RecipientState) -> Option<Place> {
        if !self.has(index) || attempt == 0 || attempt > self.attempt(index) {
            return None;
        }
        if attempt == self.attempt(index) && !self.present(index).is_unattempted() {
            return Some(Place::Present);
        }
        // What failed earlier decides nothing, and what was refused is not sent, whatever the provider's words say.
        let refused = self.refused.contains(&(index, attempt));
        let counts = shown != RecipientState::Failed && (!refused || shown >= RecipientState::Delivered);
        counts.then_some(Place::Earlier)
    }
}

/// Which attempt evidence is about.
enum Place {
    /// The one that stands.
    Present,
    /// One before it, or the last one of somebody who waits again.
    Earlier,
}
