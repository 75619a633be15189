//! A broadcast as its people steer it: draft, scheduled, sending, paused, sent or cancelled.
//!
//! It says whether recipients may leave and until when; who they are and what became of them is the chunks' affair, who
//! tell it when they are settled. Its name, audience and message are private rows.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

mod command;
mod decide;
mod event;
#[cfg(test)]
mod tests;

pub use command::{BroadcastAnswer, BroadcastCommand, PrivateRows};
pub use decide::{RATE_MAX, SLOT_AUDIENCE, SLOT_MESSAGE, SLOT_NAME};
pub use event::{BroadcastEvent, FrozenAudience};

use super::chunk::Ending;
use crate::domain::author::Author;
use crate::domain::entity::{Context, Decision, Entity, EntityKind};
use crate::domain::ids::{AccountId, BroadcastId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::recall::Recall;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// What a broadcast is to be, as far as the log may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The number it leaves by.
    pub account: AccountId,
    /// The number's channel.
    pub channel: Channel,
    /// It is marketing: it needs an opt-in.
    pub marketing: bool,
    /// What becomes of recipients of whom nobody knows whether they have it.
    pub doubtful: Doubtful,
    /// Nothing leaves after this.
    pub send_until: Option<Timestamp>,
    /// A rate of its own, in messages a second.
    pub rate_per_second: Option<u32>,
}

/// The policy for the unconfirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubtful {
    /// They wait for an operator's word: nobody has it twice.
    #[default]
    Hold,
    /// They leave again, where receipts of others show that evidence would have come.
    Resend,
}

/// Why a broadcast stands still. The names are stable codes; the order is that in which one is shown before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaltReason {
    /// The account was disabled, restricted or its token died.
    Account,
    /// The template was paused, rejected or does not fit.
    Template,
    /// The number's quality fell to the lowest grade, or the platform says that people complain.
    Quality,
    /// Too many of those who got it opted out.
    OptOuts,
    /// Too many of those it was sent to failed.
    ErrorRate,
    /// No further customer may be reached before the end of sending.
    MessagingLimit,
    /// Somebody paused it.
    User,
    /// The provider does not answer; it goes on by itself.
    ProviderDown,
    /// The store cannot be written; it goes on by itself.
    StoreDown,
}

impl HaltReason {
    /// Whether it goes on by itself, once what was down is up again.
    #[must_use]
    pub const fn lifts_by_itself(self) -> bool {
        matches!(self, Self::ProviderDown | Self::StoreDown)
    }
}

/// Where a broadcast stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It may be edited at will.
    Draft,
    /// It leaves at a time, and may be edited until then.
    Scheduled(Timestamp),
    /// Recipients leave, or wait for a limiter that says when to come back.
    Sending,
    /// Nothing leaves; this is the gravest reason.
    Paused(HaltReason),
    /// Every recipient has an outcome.
    Sent,
    /// Somebody cancelled it.
    Cancelled,
    /// It was deleted.
    Deleted,
}

impl Status {
    /// The word in REST, in lists and in refusals. Stable.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled(_) => "scheduled",
            Self::Sending => "sending",
            Self::Paused(_) => "paused",
            Self::Sent => "sent",
            Self::Cancelled => "cancelled",
            Self::Deleted => "deleted",
        }
    }
}

/// How far it has come, whatever halts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Draft,
    Scheduled(Timestamp),
    Started,
    Complete,
    Cancelled,
    Deleted,
}

/// A broadcast that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Job {
    workspace: WorkspaceId,
    plan: Plan,
    phase: Phase,
    halts: BTreeSet<HaltReason>,
    audience: Option<FrozenAudience>,
    /// Chunks with recipients that have no outcome.
    open_chunks: BTreeSet<u32>,
    expired: bool,
    /// Whose failed recipients it tries again.
    retries: Option<BroadcastId>,
    created: (Author, Timestamp),
}

/// The state of one broadcast.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broadcast {
    version: u64,
    job: Option<Job>,
    recall: Recall,
}

impl Broadcast {
    /// Where it stands; none before it was created.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.job.as_ref().map(Job::status)
    }

    /// What it is to be.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.job.as_ref().map(|job| &job.plan)
    }

    /// Its audience, once it was frozen.
    #[must_use]
    pub fn audience(&self) -> Option<&FrozenAudience> {
        self.job.as_ref().and_then(|job| job.audience.as_ref())
    }

    /// Whose failed recipients it tries again.
    #[must_use]
    pub fn retries(&self) -> Option<BroadcastId> {
        self.job.as_ref().and_then(|job| job.retries)
    }

    /// Who created it, and when.
    #[must_use]
    pub fn created(&self) -> Option<(Author, Timestamp)> {
        self.job.as_ref().map(|job| job.created)
    }

    /// Every reason for which it stands still, gravest first.
    pub fn halts(&self) -> impl Iterator<Item = HaltReason> + '_ {
        self.job.iter().flat_map(|job| job.halts.iter().copied())
    }

    /// Whether something of it is still to be done: it started, or chunks of it have recipients without an outcome.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.phase == Phase::Started || !job.open_chunks.is_empty())
    }

    /// Whether recipients may leave now.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.status() == Some(Status::Sending) && self.ending().is_none()
    }

    /// How its chunks end: what waits in them has this outcome. None while recipients may still leave.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        let job = self.job.as_ref()?;
        match job.phase {
            Phase::Cancelled | Phase::Deleted => Some(Ending::Cancelled),
            _ => job.expired.then_some(Ending::Expired),
        }
    }
}

impl Job {
    fn status(&self) -> Status {
        match (self.phase, self.halts.first()) {
            (Phase::Draft, _) => Status::Draft,
            (Phase::Scheduled(at), _) => Status::Scheduled(at),
            (Phase::Started, None) => Status::Sending,
            (Phase::Started, Some(reason)) => Status::Paused(*reason),
            (Phase::Complete, _) => Status::Sent,
            (Phase::Cancelled, _) => Status::Cancelled,
            (Phase::Deleted, _) => Status::Deleted,
        }
    }

    /// Whether nothing is left to wait for.
    fn is_complete(&self) -> bool {
        self.audience.is_some() && self.open_chunks.is_empty()
    }
}

impl Entity for Broadcast {
    const KIND: EntityKind = EntityKind::Broadcast;
    type Command = BroadcastCommand;
    type Event = BroadcastEvent;
    type Answer = BroadcastAnswer;

    fn decide(&self, command: BroadcastCommand, context: &Context<'_>) -> Result<Decision<Self>, Refusal> {
        self.judge(command, context)
    }

    fn apply(&mut self, event: &BroadcastEvent) {
        self.version += 1;
        self.take(event);
    }

    fn due(&self) -> Option<Timestamp> {
        let job = self.job.as_ref()?;
        match job.phase {
            Phase::Scheduled(at) => Some(at),
            Phase::Started if !job.expired => job.plan.send_until,
            _ => None,
        }
    }

    fn wake() -> Option<BroadcastCommand> {
        Some(BroadcastCommand::Wake)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn workspace(&self) -> Option<WorkspaceId> {
        self.job.as_ref().map(|job| job.workspace)
    }
}
