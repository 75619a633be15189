//! What may stand between a question and its answer, by what the asker can do about it.

use std::time::Duration;

use crate::domain::refusal::Refusal;

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// A rule said no: asking again changes nothing.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too much waits already: nothing happened; come back after the pause.
    #[error("too much is waiting; come back in {retry_after:?}")]
    Overloaded {
        /// When to come back.
        retry_after: Duration,
    },
    /// The shard is opening, closing, or its store cannot be written: nothing was acknowledged. With
    /// the same ids it may be sent again.
    #[error("not available now; come back in {retry_after:?}")]
    Unavailable {
        /// When to come back.
        retry_after: Duration,
    },
    /// The actor panicked over it: it was dropped and will be rebuilt.
    #[error("the actor failed over it")]
    Panicked,
}

impl CommandError {
    /// Nothing is to be had now; a second later it may be.
    #[must_use]
    pub const fn unavailable() -> Self {
        Self::Unavailable { retry_after: Duration::from_secs(1) }
    }

    /// Too much waits; a second later it may not.
    #[must_use]
    pub const fn overloaded() -> Self {
        Self::Overloaded { retry_after: Duration::from_secs(1) }
    }

    /// The refusal, if it is one.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}
