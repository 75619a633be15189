//! What a broadcast remembers, and how it takes it in. The bytes are a contract: append variants and fields only.

use serde::{Deserialize, Serialize};

use super::{Broadcast, HaltReason, Job, Phase, Plan};
use crate::domain::author::Author;
use crate::domain::ids::{BroadcastId, WorkspaceId};
use crate::domain::recall::CommandKey;
use crate::domain::time::Timestamp;

/// What freezing made of an audience.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenAudience {
    /// People who are to get it.
    pub recipients: u32,
    /// The chunks they are in.
    pub chunks: u32,
    /// Left out for being there already, by contact or by address.
    pub duplicates: u32,
    /// Left out for having opted out, or for not having opted in.
    pub without_consent: u32,
    /// Left out for having no address on the channel.
    pub unreachable: u32,
}

/// What happened to a broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BroadcastEvent {
    /// It began, as a draft.
    #[serde(rename = "cr")]
    Created {
        /// The tenant.
        workspace: WorkspaceId,
        /// What it is to be.
        plan: Plan,
        /// Whose failed recipients it tries again.
        retries: Option<BroadcastId>,
        /// When.
        at: Timestamp,
        /// Who asked.
        author: Author,
    },
    /// It is to be something else, or what people wrote of it changed.
    #[serde(rename = "ed")]
    Edited {
        /// What it is to be now.
        plan: Plan,
        /// When.
        at: Timestamp,
        /// Who asked.
        author: Author,
    },
    /// It leaves at a time.
    #[serde(rename = "sc")]
    Scheduled {
        /// When it leaves.
        starts_at: Timestamp,
        /// When that was said.
        at: Timestamp,
        /// Who asked.
        author: Author,
    },
    /// It leaves.
    #[serde(rename = "st")]
    Started {
        /// When.
        at: Timestamp,
        /// Who asked; the product itself where its time had come.
        author: Author,
    },
    /// Something stands in its way.
    #[serde(rename = "ha")]
    Halted {
        /// What.
        reason: HaltReason,
        /// When.
        at: Timestamp,
        /// Who asked.
        author: Author,
    },
    /// That stands in its way no longer.
    #[serde(rename = "li")]
    Lifted {
        /// What.
        reason: HaltReason,
        /// When.
        at: Timestamp,
        /// Who asked.
        author: Author,
    },
    /// Its own rate is now this.
    #[serde(rename = "ra")]
    RateChanged {
        /// In messages a second; none is the number's.
        per_second: Option<u32>,
        /// When.
        at: Timestamp,
        /// Who asked.
        author: Author,
    },
    /// Its audience was frozen.
    #[serde(rename = "fr")]
    AudienceFrozen {
        /// As what.
        audience: FrozenAudience,
        /// When.
        at: Timestamp,
    },
    /// A chunk has recipients without an outcome, or no longer.
    #[serde(rename = "ck")]
    ChunkTold {
        /// Which.
        chunk: u32,
        /// Whether some have none.
        open: bool,
    },
    /// Every recipient has an outcome.
    #[serde(rename = "cp")]
    Completed {
        /// When.
        at: Timestamp,
    },
    /// Some leave again after all.
    #[serde(rename = "re")]
    Reopened {
        /// When.
        at: Timestamp,
    },
    /// The end of sending came.
    #[serde(rename = "ex")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// Somebody cancelled it.
    #[serde(rename = "ca")]
    Cancelled {
        /// When.
        at: Timestamp,
        /// Who asked.
        author: Author,
    },
    /// It is off the lists.
    #[serde(rename = "de")]
    Deleted {
        /// When.
        at: Timestamp,
        /// Who asked.
        author: Author,
    },
    /// A command's key was used.
    #[serde(rename = "ky")]
    KeyUsed {
        /// The key.
        key: CommandKey,
        /// When.
        at: Timestamp,
    },
}

impl Broadcast {
    /// Takes one stored event in. Total: an event that was stored always applies.
    pub(super) fn take(&mut self, event: &BroadcastEvent) {
        match event {
            BroadcastEvent::Created { workspace, plan, retries, at, author } => {
                self.job = Some(Job {
                    workspace: *workspace,
                    plan: *plan,
                    phase: Phase::Draft,
                    halts: std::collections::BTreeSet::new(),
                    audience: None,
                    open_chunks: std::collections::BTreeSet::new(),
                    expired: false,
                    retries: *retries,
                    created: (*author, *at),
                });
            }
            BroadcastEvent::KeyUsed { key, at } => self.recall.remember(*key, *at),
            event => {
                if let Some(job) = &mut self.job {
                    job.take(event);
                }
            }
        }
    }
}

impl Job {
    fn take(&mut self, event: &BroadcastEvent) {
        match event {
            BroadcastEvent::Edited { plan, .. } => self.plan = *plan,
            BroadcastEvent::Scheduled { starts_at, .. } => self.phase = Phase::Scheduled(*starts_at),
            BroadcastEvent::Started { .. } | BroadcastEvent::Reopened { .. } => self.phase = Phase::Started,
            BroadcastEvent::Halted { reason, .. } => {
                self.halts.insert(*reason);
            }
            BroadcastEvent::Lifted { reason, .. } => {
                self.halts.remove(reason);
            }
            BroadcastEvent::RateChanged { per_second, .. } => self.plan.rate_per_second = *per_second,
            BroadcastEvent::AudienceFrozen { audience, .. } => {
                self.audience = Some(*audience);
                self.open_chunks = (0..audience.chunks).collect();
            }
            BroadcastEvent::ChunkTold { chunk, open: true } => {
                self.open_chunks.insert(*chunk);
            }
            BroadcastEvent::ChunkTold { chunk, open: false } => {
                self.open_chunks.remove(chunk);
            }
            BroadcastEvent::Completed { .. } => self.phase = Phase::Complete,
            BroadcastEvent::Expired { .. } => self.expired = true,
            BroadcastEvent::Cancelled { .. } => self.phase = Phase::Cancelled,
            BroadcastEvent::Deleted { .. } => self.phase = Phase::Deleted,
            BroadcastEvent::Created { .. } | BroadcastEvent::KeyUsed { .. } => {}
        }
    }
}
