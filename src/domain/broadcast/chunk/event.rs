//! What a chunk remembers. The bytes are a contract: append variants and fields only.
//!
//! Recipients are indexes: who they are is content, which erasure can delete.

use serde::{Deserialize, Serialize};

use super::Frozen;
use crate::domain::broadcast::recipient::{Evidence, Refused, SkipReason};
use crate::domain::time::Timestamp;

/// What happened to a chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChunkEvent {
    /// Its audience was frozen.
    #[serde(rename = "fr")]
    Frozen {
        /// As what.
        frozen: Frozen,
    },
    /// A rule keeps these from leaving.
    #[serde(rename = "sk")]
    Skipped {
        /// Each with the rule.
        recipients: Vec<(u16, SkipReason)>,
        /// When.
        at: Timestamp,
    },
    /// These may not leave before a time.
    #[serde(rename = "po")]
    Postponed {
        /// Each with its time.
        recipients: Vec<(u16, Timestamp)>,
    },
    /// These are about to leave: recorded before their first byte.
    #[serde(rename = "cl")]
    BlockClaimed {
        /// The claim's name.
        claim: u128,
        /// The process that claimed: one that starts doubts the claims of those before it.
        owner: u128,
        /// Which, each with the next attempt.
        recipients: Vec<u16>,
        /// When.
        at: Timestamp,
    },
    /// What became of claimed attempts.
    #[serde(rename = "oc")]
    OutcomesRecorded {
        /// Which recipient, which attempt, what became of it.
        outcomes: Vec<(u16, u16, AttemptOutcome)>,
        /// When.
        at: Timestamp,
        /// Until when evidence is waited for about those in doubt.
        doubt_until: Timestamp,
    },
    /// Claims whose process is gone: bytes may have left.
    #[serde(rename = "cd")]
    ClaimsDoubted {
        /// The claims.
        claims: Vec<u128>,
        /// When.
        at: Timestamp,
        /// Until when evidence is waited for.
        doubt_until: Timestamp,
    },
    /// Receipts came.
    #[serde(rename = "rc")]
    EvidenceTaken {
        /// What they say.
        evidence: Vec<Evidence>,
        /// Attempts that they show refused for a while: which recipient, which attempt, when it may be tried again.
        back: Vec<(u16, u16, Timestamp)>,
        /// When.
        at: Timestamp,
    },
    /// No evidence came in time.
    #[serde(rename = "de")]
    DoubtEnded {
        /// About these.
        recipients: Vec<u16>,
        /// When.
        at: Timestamp,
    },
    /// These unconfirmed ones are to leave again.
    #[serde(rename = "rs")]
    Resent {
        /// Which.
        recipients: Vec<u16>,
        /// When.
        at: Timestamp,
    },
    /// Nobody need look at these unconfirmed ones any more.
    #[serde(rename = "dr")]
    Dropped {
        /// Which.
        recipients: Vec<u16>,
        /// When.
        at: Timestamp,
    },
    /// These replied.
    #[serde(rename = "rp")]
    Replied {
        /// Which.
        recipients: Vec<u16>,
        /// When.
        at: Timestamp,
    },
    /// Nothing leaves any more; whatever waits, or comes back, has this outcome.
    #[serde(rename = "en")]
    Ended {
        /// Why.
        how: Ending,
        /// When.
        at: Timestamp,
    },
}

/// What became of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptOutcome {
    /// The provider took it.
    #[serde(rename = "a")]
    Accepted,
    /// The provider refused it for good.
    #[serde(rename = "f")]
    Failed(Refused),
    /// The provider refused it for now: it leaves again as another attempt.
    #[serde(rename = "b")]
    CameBack {
        /// Not before.
        not_before: Timestamp,
    },
    /// Bytes were written and no usable answer came.
    #[serde(rename = "d")]
    Doubted,
    /// Certainly not begun: it leaves again as the same attempt.
    #[serde(rename = "r")]
    Released,
    /// The platform's own cap for this person, met for the first time: it leaves once more as another attempt.
    #[serde(rename = "c")]
    Capped {
        /// Not before.
        not_before: Timestamp,
    },
}

/// How a chunk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Somebody cancelled the broadcast.
    Cancelled,
    /// The end of sending came.
    Expired,
}

impl Ending {
    /// The word for a refusal. Stable.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}
