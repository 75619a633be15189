//! What a number remembers. The bytes are a contract: append variants and fields only.

use serde::{Deserialize, Serialize};

use super::Connection;
use super::claims::ReplyClaim;
use super::standing::{PauseReason, Restriction};
use crate::domain::author::Author;
use crate::domain::effect::EffectId;
use crate::domain::inbound::Quality;
use crate::domain::recall::CommandKey;
use crate::domain::time::Timestamp;

/// What happened to a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NumberEvent {
    /// It was connected, or its settings changed.
    #[serde(rename = "cn")]
    Connected {
        /// As what.
        connection: Box<Connection>,
        /// When.
        at: Timestamp,
        /// Who asked.
        author: Author,
    },
    /// It was taken away.
    #[serde(rename = "dc")]
    Disconnected {
        /// When.
        at: Timestamp,
        /// Who asked.
        author: Author,
    },
    /// The provider's rate is now this.
    #[serde(rename = "rt")]
    RateChanged {
        /// Messages a second.
        per_second: u32,
        /// When.
        at: Timestamp,
    },
    /// The provider's grade is now this.
    #[serde(rename = "ql")]
    QualityChanged {
        /// The grade.
        quality: Quality,
        /// When.
        at: Timestamp,
    },
    /// The provider restricts sending, or no longer does.
    #[serde(rename = "rs")]
    RestrictionChanged {
        /// The restriction; none lifts it.
        restriction: Option<Restriction>,
        /// When.
        at: Timestamp,
    },
    /// Sending stopped.
    #[serde(rename = "ps")]
    Paused {
        /// Why.
        reason: PauseReason,
        /// The provider's code, where one told us; else 0.
        code: i64,
        /// When.
        at: Timestamp,
        /// Who stopped it.
        author: Author,
    },
    /// A reason to stop is gone.
    #[serde(rename = "rm")]
    Resumed {
        /// Which.
        reason: PauseReason,
        /// When.
        at: Timestamp,
        /// Who resumed it.
        author: Author,
    },
    /// The provider says that it is too fast: slower from now on, and faster again with time.
    #[serde(rename = "sl")]
    SlowedDown {
        /// The share of its rate that it uses now, in thousandths.
        permille: u16,
        /// The provider's code.
        code: i64,
        /// When.
        at: Timestamp,
    },
    /// It uses its whole rate again.
    #[serde(rename = "rc")]
    Recovered {
        /// When.
        at: Timestamp,
    },
    /// These replies leave now.
    #[serde(rename = "cl")]
    RepliesClaimed {
        /// Which.
        claims: Vec<ReplyClaim>,
        /// When.
        at: Timestamp,
    },
    /// What became of these is in the log.
    #[serde(rename = "cc")]
    ClaimsClosed {
        /// The claims, by the effects that asked for the sending.
        effects: Vec<EffectId>,
    },
    /// A command's key was used.
    #[serde(rename = "ku")]
    KeyUsed {
        /// The key.
        key: CommandKey,
        /// When.
        at: Timestamp,
    },
}

impl NumberEvent {
    /// The event's name in the feed. Stable.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Connected { .. } => "number.connected",
            Self::Disconnected { .. } => "number.disconnected",
            Self::RateChanged { .. } => "number.rate_changed",
            Self::QualityChanged { .. } => "number.quality_changed",
            Self::RestrictionChanged { .. } => "number.restriction_changed",
            Self::Paused { .. } => "number.paused",
            Self::Resumed { .. } => "number.resumed",
            Self::SlowedDown { .. } => "number.slowed_down",
            Self::Recovered { .. } => "number.recovered",
            Self::RepliesClaimed { .. } => "number.replies_claimed",
            Self::ClaimsClosed { .. } => "number.claims_closed",
            Self::KeyUsed { .. } => "number.key_used",
        }
    }

    /// Whether anyone but the entity itself has use for it.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        !matches!(self, Self::RepliesClaimed { .. } | Self::ClaimsClosed { .. } | Self::KeyUsed { .. })
    }
}
