//! Why a number may not send, and how fast it may.
//!
//! What the platform says comes in any order, so each thing it says is a register with the time of
//! the last word: the later word stands, and at one moment the harsher.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// Why nothing leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PauseReason {
    /// The account was disabled, deleted or taken away.
    #[serde(rename = "di")]
    Disabled,
    /// The token or a permission is dead.
    #[serde(rename = "to")]
    Token,
    /// The platform restricts or locks the account, or it is unpaid.
    #[serde(rename = "re")]
    Restricted,
    /// A person stopped it.
    #[serde(rename = "ad")]
    Admin,
}

impl PauseReason {
    /// Every reason, the gravest first.
    pub const ALL: [Self; 4] = [Self::Disabled, Self::Token, Self::Restricted, Self::Admin];

    /// The stable word of refusals.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Token => "token",
            Self::Restricted => "restricted",
            Self::Admin => "admin",
        }
    }
}

/// What the platform forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Restriction {
    /// Messages outside a reply window.
    pub business_initiated: bool,
    /// Answers to customers.
    pub customer_initiated: bool,
    /// Until when; none is until further notice.
    pub until: Option<Timestamp>,
}

impl Restriction {
    /// Whether it forbids anything at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        (self.business_initiated || self.customer_initiated) && self.until.is_none_or(|until| until > now)
    }
}

/// The reasons to stop, and the last word on each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    words: BTreeMap<PauseReason, (Timestamp, bool)>,
}

impl Pauses {
    /// Whether this reason stops the number.
    #[must_use]
    pub fn holds(&self, reason: PauseReason) -> bool {
        self.words.get(&reason).is_some_and(|(_, paused)| *paused)
    }

    /// The reasons that stop the number, the gravest first.
    pub fn reasons(&self) -> impl Iterator<Item = PauseReason> + '_ {
        self.words.iter().filter(|(_, (_, paused))| *paused).map(|(reason, _)| *reason)
    }

    /// Whether a word of this time would change what is known.
    pub(super) fn changes(&self, reason: PauseReason, paused: bool, at: Timestamp) -> bool {
        self.words.get(&reason).map_or(paused || at > Timestamp::default(), |known| (at, paused) > *known)
    }

    pub(super) fn hear(&mut self, reason: PauseReason, paused: bool, at: Timestamp) {
        if self.changes(reason, paused, at) {
            self.words.insert(reason, (at, paused));
        }
    }

    /// The time of a word that outranks the last one on this reason.
    pub(super) fn after(&self, reason: PauseReason, now: Timestamp) -> Timestamp {
        self.words.get(&reason).map_or(now, |(said_at, _)| now.max(Timestamp(said_at.0 + 1)))
    }

    /// Refuses to send while a reason holds.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        match self.reasons().next() {
            Some(reason) => Err(Refusal::SendingPaused { reason: reason.word(), until: None }),
            None => Ok(()),
        }
    }
}

/// How much slower a number goes at each complaint, in thousandths of its rate before.
pub const SLOW_DOWN_PERMILLE: u16 = 500;
/// The slowest it goes, in thousandths of its rate.
pub const SLOWEST_PERMILLE: u16 = 50;
/// Complaints within this span of the last slow-down are about the same burst.
pub const SLOW_DOWN_ONCE_IN: Duration = Duration::from_secs(1);
/// How much faster it goes at each step, in thousandths of its rate.
pub const CLIMB_PERMILLE: u16 = 50;
/// How long a step lasts.
pub const CLIMB_EVERY: Duration = Duration::from_secs(10);

/// A number that was too fast: down by half at once, up by a twentieth every ten seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowDown {
    /// The share of the rate when it was last slowed, in thousandths.
    pub permille: u16,
    /// When that was.
    pub at: Timestamp,
}

impl SlowDown {
    /// The share of the rate that may be used now, in thousandths.
    #[must_use]
    pub fn permille_now(&self, now: Timestamp) -> u16 {
        let steps = now.since(self.at).as_millis() / CLIMB_EVERY.as_millis();
        let climbed = steps.saturating_mul(u128::from(CLIMB_PERMILLE)) + u128::from(self.permille);
        climbed.min(1_000) as u16
    }

    /// When the whole rate may be used again.
    #[must_use]
    pub fn recovers_at(&self) -> Timestamp {
        let steps = 1_000_u32.saturating_sub(u32::from(self.permille)).div_ceil(u32::from(CLIMB_PERMILLE));
        self.at + CLIMB_EVERY * steps
    }

    /// The next slow-down at a complaint of this time; none if it is about a burst already answered.
    #[must_use]
    pub fn at_complaint(present: Option<&Self>, at: Timestamp) -> Option<Self> {
        let before = match present {
            Some(slow) if at < slow.at + SLOW_DOWN_ONCE_IN => return None,
            Some(slow) => slow.permille_now(at),
            None => 1_000,
        };
        let slower = u32::from(before) * u32::from(SLOW_DOWN_PERMILLE) / 1_000;
        Some(Self { permille: (slower as u16).max(SLOWEST_PERMILLE), at })
    }
}
