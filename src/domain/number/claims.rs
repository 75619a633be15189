//! Replies that are leaving: claimed in the log before their first byte, closed when their outcome is in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::effect::EffectId;
use crate::domain::ids::ConversationId;
use crate::domain::message::MessageRef;
use crate::domain::time::Timestamp;

/// The most claims that may be open on one number.
pub const CLAIMS_MAX: usize = 10_000;

/// One reply that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyClaim {
    /// Whose thread.
    pub conversation: ConversationId,
    /// Which message.
    pub message: MessageRef,
    /// Which attempt, from 1.
    pub attempt: u16,
    /// The effect that asked for the sending.
    pub effect: EffectId,
}

/// The claims whose outcome is not in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenClaims {
    open: BTreeMap<EffectId, (ReplyClaim, Timestamp)>,
}

impl OpenClaims {
    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether this effect's claim is open.
    #[must_use]
    pub fn contains(&self, effect: EffectId) -> bool {
        self.open.contains_key(&effect)
    }

    /// The open claims and when each was made.
    pub fn iter(&self) -> impl Iterator<Item = (&ReplyClaim, Timestamp)> + '_ {
        self.open.values().map(|(claim, at)| (claim, *at))
    }

    pub(super) fn claim(&mut self, claims: &[ReplyClaim], at: Timestamp) {
        self.open.extend(claims.iter().map(|claim| (claim.effect, (*claim, at))));
    }

    pub(super) fn close(&mut self, effects: &[EffectId]) {
        for effect in effects {
            self.open.remove(effect);
        }
    }
}
