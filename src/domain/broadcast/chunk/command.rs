//! What may be asked of a chunk, and what the asker hears.

use super::Frozen;
use super::event::{AttemptOutcome, Ending};
use crate::domain::broadcast::recipient::{Evidence, SkipReason};
use crate::domain::ids::{AccountId, ConversationId};
use crate::domain::message::ProviderMessageId;
use crate::domain::time::Timestamp;

/// What may be asked of a chunk.
#[derive(Clone, Debug)]
pub enum ChunkCommand {
    /// Its audience is frozen: it never changes.
    Freeze {
        /// As what.
        frozen: Frozen,
    },
    /// Its turn has come.
    ClaimBlock(BlockClaim),
    /// What became of claimed attempts: a fact.
    RecordOutcomes {
        /// The claim that they are of.
        claim: u128,
        /// Which recipient, which attempt, what became of it; at most 200.
        outcomes: Vec<(u16, u16, AttemptOutcome)>,
        /// The provider's ids of those that it took.
        provider_ids: Vec<(u16, ProviderMessageId)>,
    },
    /// A process starts: every claim of another one is in doubt.
    DoubtClaims {
        /// The process that starts.
        owner: u128,
    },
    /// Receipts: facts.
    RecordReceipts {
        /// The number that they came by: those of another say nothing.
        account: AccountId,
        /// What they say, at most 1,000.
        evidence: Vec<Evidence>,
    },
    /// These customers replied to this broadcast: a fact.
    RecordReplies {
        /// Which.
        recipients: Vec<u16>,
    },
    /// Unconfirmed ones leave again: an operator's word, or the broadcast's policy.
    Resend {
        /// Which.
        recipients: Vec<u16>,
    },
    /// Unconfirmed ones leave the operator's list.
    Drop {
        /// Which.
        recipients: Vec<u16>,
    },
    /// Nothing leaves any more.
    End {
        /// Why.
        how: Ending,
    },
    /// A time has come.
    Wake,
}

/// What a turn makes of the recipients it looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockClaim {
    /// The claim's name: asked again by the same, it is the same claim.
    pub claim: u128,
    /// The process that asks.
    pub owner: u128,
    /// Who is to leave, at most 200.
    pub take: Vec<u16>,
    /// Whom a rule keeps from leaving.
    pub skip: Vec<(u16, SkipReason)>,
    /// Who may not leave before a time.
    pub postpone: Vec<(u16, Timestamp)>,
    /// In whose threads those taken are to be found.
    pub threads: Vec<(u16, ConversationId)>,
}

/// What an asker hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkAnswer {
    /// These are claimed, each with the attempt it is: whoever is not among them must not leave.
    Claimed {
        /// Which recipient, which attempt.
        recipients: Vec<(u16, u16)>,
    },
    /// It is taken, or was already.
    Noted,
}
