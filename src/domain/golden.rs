//! Checks for tests: stored bytes stay what they are, and replay gives the live state.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entity::{Context, Decision, Entity};
use super::ids::Keyring;
use super::refusal::Refusal;
use super::rules::Rules;
use super::time::Timestamp;

/// Compares the encodings of these values, one a line, with the stored ones, and reads each back.
///
/// A stored line must never change; for new variants and fields lines are added, as the failure shows them.
pub(super) fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(stored: &str, values: &[T]) {
    let mut lines = String::new();
    for value in values {
        let bytes = rmp_serde::to_vec(value).unwrap();
        assert_eq!(&crate::packed::read::<T>(&bytes).unwrap(), value);
        lines.push_str(&hex::encode(bytes));
        lines.push('\n');
    }
    assert_eq!(lines, stored, "stored bytes changed");
}

/// An entity with the log it has written, at a settable time.
pub(super) struct Live<E: Entity> {
    pub(super) state: E,
    pub(super) log: Vec<E::Event>,
    pub(super) id: u128,
    pub(super) rules: Rules,
}

impl<E: Entity + PartialEq + Debug> Live<E> {
    pub(super) fn new(id: u128) -> Self {
        Self { state: E::default(), log: Vec::new(), id, rules: Rules::default() }
    }

    /// Decides and applies; a refusal changes nothing.
    pub(super) fn ask(&mut self, now: i64, command: E::Command) -> Result<Decision<E>, Refusal> {
        let context = Context { now: Timestamp(now), id: self.id, keys: &keys(), rules: &self.rules, broadcasts: &[] };
        let decision = self.state.decide(command, &context)?;
        for event in &decision.events {
            self.state.apply(event);
        }
        self.log.extend(decision.events.iter().cloned());
        Ok(decision)
    }

    /// The log, as it is stored, gives the live state; so does a snapshot.
    pub(super) fn assert_replays(&self) {
        let mut replayed = E::default();
        for event in &self.log {
            let stored = rmp_serde::to_vec(event).unwrap();
            replayed.apply(&crate::packed::read(&stored).unwrap());
        }
        assert_eq!(replayed, self.state);
        let snapshot = rmp_serde::to_vec(&self.state).unwrap();
        assert_eq!(crate::packed::read::<E>(&snapshot).unwrap(), self.state);
    }
}

/// The keyring of tests.
pub(super) fn keys() -> Keyring {
    Keyring::new([7; 16])
}
