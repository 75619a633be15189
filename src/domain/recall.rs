//! How an entity recognises a command it has taken before: by its key, and whether the body is the same.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::author::Author;
use super::refusal::Refusal;
use super::time::Timestamp;

/// How long a key is remembered at least.
pub const RECALL_FOR: Duration = Duration::from_secs(24 * 3_600);
/// How many keys are remembered however old they are.
pub const RECALL_MIN: usize = 256;
/// How many keys are remembered at most.
pub const RECALL_MAX: usize = 1_024;

/// The name of one command, given by whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CommandKey {
    /// A hash of the idempotency key.
    pub key: u128,
    /// A hash of the body that came with it.
    pub body: u64,
}

/// Who asks, and on which terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who asks.
    pub author: Author,
    /// The version that the asker saw, where the change must rest on it.
    pub if_version: Option<u64>,
    /// The command's name, where the asker may repeat it.
    pub key: Option<CommandKey>,
}

impl Asked {
    /// Asked by `author`, on no terms.
    #[must_use]
    pub const fn by(author: Author) -> Self {
        Self { author, if_version: None, key: None }
    }

    /// Refuses a change that rests on another version than `version`.
    ///
    /// # Errors
    /// [`Refusal::VersionMismatch`].
    pub fn check_version(&self, version: u64) -> Result<(), Refusal> {
        match self.if_version {
            Some(seen) if seen != version => Err(Refusal::VersionMismatch { version }),
            _ => Ok(()),
        }
    }
}

/// The keys an entity remembers: those of 24 hours, at least 256 and at most 1,024.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    seen: VecDeque<(CommandKey, Timestamp)>,
}

impl Recall {
    /// Whether this command was taken before.
    ///
    /// # Errors
    /// [`Refusal::ClientIdReused`] if the key came with another body.
    pub fn is_repeat(&self, key: Option<CommandKey>) -> Result<bool, Refusal> {
        let Some(asked) = key else { return Ok(false) };
        match self.seen.iter().find(|(known, _)| known.key == asked.key) {
            Some((known, _)) if known.body == asked.body => Ok(true),
            Some(_) => Err(Refusal::ClientIdReused),
            None => Ok(false),
        }
    }

    /// What is remembered, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (CommandKey, Timestamp)> + '_ {
        self.seen.iter().copied()
    }

    /// Remembers a key where there are many that remember: for 24 hours and not longer, at most 256 of them.
    pub fn remember_sparingly(&mut self, key: CommandKey, at: Timestamp) {
        self.seen.retain(|(_, then)| *then + RECALL_FOR >= at);
        if self.seen.len() >= RECALL_MIN {
            self.seen.pop_front();
        }
        self.seen.push_back((key, at));
    }

    /// Remembers a key, and lets the oldest go.
    pub fn remember(&mut self, key: CommandKey, at: Timestamp) {
        self.seen.push_back((key, at));
        while self.seen.len() > RECALL_MIN {
            let over = self.seen.len() > RECALL_MAX;
            let old = self.seen.front().is_some_and(|(_, then)| *then + RECALL_FOR < at);
            if !over && !old {
                break;
            }
            self.seen.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: u128) -> CommandKey {
        CommandKey { key, body: 7 }
    }

    #[test]
    fn a_repeat_is_known_and_another_body_is_refused() {
        let mut recall = Recall::default();
        recall.remember(key(1), Timestamp(0));
        assert_eq!(recall.is_repeat(Some(key(1))), Ok(true));
        assert_eq!(recall.is_repeat(Some(key(2))), Ok(false));
        assert_eq!(recall.is_repeat(None), Ok(false));
        assert_eq!(recall.is_repeat(Some(CommandKey { key: 1, body: 8 })), Err(Refusal::ClientIdReused));
    }

    #[test]
    fn memory_keeps_a_day_and_is_bounded() {
        let mut recall = Recall::default();
        for number in 0..2_000 {
            recall.remember(key(number), Timestamp(0));
        }
        assert_eq!(recall.seen.len(), RECALL_MAX);
        recall.remember(key(2_000), Timestamp(0) + RECALL_FOR + Duration::from_millis(1));
        assert_eq!(recall.seen.len(), RECALL_MIN);
        assert_eq!(recall.is_repeat(Some(key(2_000))), Ok(true));
    }

    #[test]
    fn sparing_memory_ends_with_the_day() {
        let mut recall = Recall::default();
        for number in 0..300 {
            recall.remember_sparingly(key(number), Timestamp(0));
        }
        assert_eq!(recall.seen.len(), RECALL_MIN);
        recall.remember_sparingly(key(300), Timestamp(0) + RECALL_FOR);
        assert_eq!(recall.seen.len(), RECALL_MIN);
        recall.remember_sparingly(key(301), Timestamp(0) + RECALL_FOR + Duration::from_millis(1));
        assert_eq!(recall.iter().map(|(known, _)| known.key).collect::<Vec<_>>(), [300, 301]);
    }
}
