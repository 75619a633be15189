//! A chunk: up to 1,000 recipients of one broadcast, who alone knows who was claimed and what became of it.
//!
//! A recipient is claimed before the first byte of a send. What was certainly not begun is given back and waits again;
//! what the provider refused for a while waits as another attempt; what nobody knows is in doubt, and unconfirmed when no
//! evidence comes. Nothing leaves twice unless somebody says so: a recipient about whom evidence comes while it waits for
//! another attempt waits no more.

use serde::{Deserialize, Serialize};

mod apply;
mod command;
mod decide;
mod event;
mod slots;
#[cfg(test)]
mod tests;

pub use command::{BlockClaim, ChunkAnswer, ChunkCommand};
pub use decide::CAP_REST;
pub use event::{AttemptOutcome, ChunkEvent, Ending};

use slots::Slots;

use super::recipient::{RecipientState, Refused, SkipReason};
use super::tally::Tally;
use crate::domain::entity::{Context, Decision, Entity, EntityKind};
use crate::domain::ids::{AccountId, BroadcastId, WorkspaceId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// What a chunk was frozen as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Which chunk of it, from 0.
    pub chunk: u32,
    /// The number by which these recipients are reached.
    pub account: AccountId,
    /// How many recipients: 1 to 1,000.
    pub recipients: u16,
    /// Nothing leaves after this.
    pub send_until: Option<Timestamp>,
}

/// A claim of which outcomes are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OpenClaim {
    claim: u128,
    owner: u128,
    recipients: Vec<u16>,
}

/// One recipient's row of the ledger, as far as the log knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientView {
    /// What it has come to.
    pub state: RecipientState,
    /// How many attempts were claimed.
    pub attempt: u16,
    /// While it waits: not before.
    pub not_before: Option<Timestamp>,
    /// Where it failed: why.
    pub refused: Option<Refused>,
    /// Where it was passed over: why.
    pub skipped: Option<SkipReason>,
    /// It replied.
    pub replied: bool,
}

/// The state of one chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    version: u64,
    frozen: Option<Frozen>,
    slots: Slots,
    claims: Vec<OpenClaim>,
    tally: Tally,
    ended: Option<Ending>,
}

impl Chunk {
    /// What it was frozen as; none before.
    #[must_use]
    pub const fn frozen(&self) -> Option<&Frozen> {
        self.frozen.as_ref()
    }

    /// How many have come to what.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// A recipient's row; none for an index that it does not have.
    #[must_use]
    pub fn recipient(&self, index: u16) -> Option<RecipientView> {
        let state = self.slots.has(index).then(|| self.slots.state(index))?;
        let among = |wanted: RecipientState| state == wanted;
        Some(RecipientView {
            state,
            attempt: self.slots.attempt(index),
            not_before: self.slots.not_before.get(&index).copied().filter(|_| among(RecipientState::Pending)),
            refused: self.slots.refusals.get(&index).copied().filter(|_| among(RecipientState::Failed)),
            skipped: self.slots.skips.get(&index).copied().filter(|_| among(RecipientState::Skipped)),
            replied: self.slots.replied.contains(&index),
        })
    }

    /// Who may leave at `now`, at most `max`, in the order of their places; and when the next of the others may.
    #[must_use]
    pub fn due_recipients(&self, now: Timestamp, max: usize) -> (Vec<u16>, Option<Timestamp>) {
        let waiting = self.slots.indexes().filter(|index| self.waits(*index));
        let (due, later): (Vec<u16>, Vec<u16>) = waiting.partition(|index| self.is_due(*index, now));
        let next = later.into_iter().filter_map(|index| self.slots.not_before.get(&index).copied()).min();
        (due.into_iter().take(max).collect(), next)
    }

    /// Whom an operator has to decide about: unconfirmed, and not dropped.
    pub fn unconfirmed(&self) -> impl Iterator<Item = u16> + '_ {
        self.slots.indexes().filter(|index| self.is_unconfirmed(*index) && !self.slots.dropped.contains(index))
    }

    /// Whether nothing leaves any more.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether claims are open that another process than `owner` took.
    #[must_use]
    pub fn has_claims_of_others(&self, owner: u128) -> bool {
        self.claims.iter().any(|claim| claim.owner != owner)
    }

    fn waits(&self, index: u16) -> bool {
        self.slots.has(index) && self.slots.state(index) == RecipientState::Pending
    }

    fn is_due(&self, index: u16, now: Timestamp) -> bool {
        self.waits(index) && self.slots.not_before.get(&index).is_none_or(|not_before| *not_before <= now)
    }

    fn is_unconfirmed(&self, index: u16) -> bool {
        self.slots.state(index) == RecipientState::Unconfirmed
    }
}

impl Entity for Chunk {
    const KIND: EntityKind = EntityKind::Chunk;
    type Command = ChunkCommand;
    type Event = ChunkEvent;
    type Answer = ChunkAnswer;

    fn decide(&self, command: ChunkCommand, context: &Context<'_>) -> Result<Decision<Self>, Refusal> {
        self.judge(command, context)
    }

    fn apply(&mut self, event: &ChunkEvent) {
        self.version += 1;
        self.take(event);
    }

    fn due(&self) -> Option<Timestamp> {
        self.slots.doubts.values().min().copied()
    }

    fn wake() -> Option<ChunkCommand> {
        Some(ChunkCommand::Wake)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn workspace(&self) -> Option<WorkspaceId> {
        self.frozen.map(|frozen| frozen.workspace)
    }
}
