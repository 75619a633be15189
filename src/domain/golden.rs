//! Checks for tests: stored bytes stay what they are, and replay gives the live state.

use std::fmt::Debug;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entity::{Context, Decision, Entity};
use super::ids::Keyring;
use super::refusal::Refusal;
use super::time::Timestamp;

/// Compares the encodings of these values, one a line, with `tests/golden/<name>.txt`, and reads each back.
///
/// A line that is there must never change. With `TIDEGATE_WRITE_GOLDEN=1` in the environment the file is written.
pub(super) fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, values: &[T]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
    let mut lines = String::new();
    for value in values {
        let bytes = rmp_serde::to_vec(value).unwrap();
        assert_eq!(&rmp_serde::from_slice::<T>(&bytes).unwrap(), value);
        lines.push_str(&hex::encode(bytes));
        lines.push('\n');
    }
    if std::env::var_os("TIDEGATE_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &lines).unwrap();
    }
    assert_eq!(lines, std::fs::read_to_string(&path).unwrap(), "stored bytes changed: append variants and fields only");
}

/// An entity with the log it has written, at a settable time.
pub(super) struct Live<E: Entity> {
    pub(super) state: E,
    pub(super) log: Vec<E::Event>,
    pub(super) id: u128,
}

impl<E: Entity + PartialEq + Debug> Live<E> {
    pub(super) fn new(id: u128) -> Self {
        Self { state: E::default(), log: Vec::new(), id }
    }

    /// Decides and applies; a refusal changes nothing.
    pub(super) fn ask(&mut self, now: i64, command: E::Command) -> Result<Decision<E>, Refusal> {
        let context = Context { now: Timestamp(now), id: self.id, keys: &keys() };
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
            replayed.apply(&rmp_serde::from_slice(&stored).unwrap());
        }
        assert_eq!(replayed, self.state);
        let snapshot = rmp_serde::to_vec(&self.state).unwrap();
        assert_eq!(rmp_serde::from_slice::<E>(&snapshot).unwrap(), self.state);
    }
}

/// The keyring of tests.
pub(super) fn keys() -> Keyring {
    Keyring::new([7; 16])
}
