//! A limit scope: how many different customers a portfolio reaches outside reply windows in any moving
//! 24 hours. It alone counts for all numbers of the portfolio.
//!
//! A customer counts from the reservation, and for 24 hours from the provider's acceptance; while that
//! is in doubt, from the reservation. Only a definite refusal gives a permit back. Of an unlimited
//! portfolio the latest 100,000 customers are remembered, for a lower tier may come at any time, and
//! no tier with a figure asks for more.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod counted;
#[cfg(test)]
mod tests;
mod trie;

use counted::{Counted, REMEMBERED, seconds, short};

use super::author::Author;
use super::entity::{Context, Decision, Entity, EntityKind};
use super::ids::{AddressId, WorkspaceId};
use super::inbound::LimitTier;
use super::refusal::Refusal;
use super::rules::Rules;
use super::time::Timestamp;

/// The tiers that the platform has, lowest first (`channels.md` §1.7).
pub const TIERS: [LimitTier; 5] = [
    LimitTier::Limited(250),
    LimitTier::Limited(2_000),
    LimitTier::Limited(10_000),
    LimitTier::Limited(100_000),
    LimitTier::Unlimited,
];
/// The tier of a portfolio of which nobody said anything, unless an operator says otherwise.
pub const TIER_DEFAULT: LimitTier = LimitTier::Limited(2_000);
/// How long a customer counts, unless an operator says otherwise.
pub const COUNTS_FOR: Duration = Duration::from_secs(24 * 3_600);
/// Of an unlimited portfolio customers count from so many seconds after their reservation: nobody waits for a permit there,
/// and the acceptances of its broadcasts, which nearly all come sooner, need no record of their own.
const LATER_S: u32 = 60;
/// The most customers in one command.
pub const BATCH_MAX: usize = 1_000;

/// What may be asked of a limit scope.
#[derive(Clone, Debug)]
pub enum LimitCommand {
    /// A workspace sends through this portfolio.
    Open {
        /// The workspace.
        workspace: WorkspaceId,
    },
    /// May these be written to outside their windows? Each that is granted counts from now.
    Reserve {
        /// The customers, at most 1,000. Each time one is named is a message with an outcome of its own.
        recipients: Vec<AddressId>,
    },
    /// These were definitely refused, or certainly not sent.
    GiveBack {
        /// The customers.
        recipients: Vec<AddressId>,
    },
    /// The provider took these.
    Accepted {
        /// The customers.
        recipients: Vec<AddressId>,
        /// When.
        at: Timestamp,
    },
    /// The tier is now this, says the provider (`Author::System`) or an admin.
    SetTier {
        /// The tier.
        tier: LimitTier,
        /// When: the later word stands.
        at: Timestamp,
        /// Who says so.
        author: Author,
    },
}

/// What a limit scope remembers. The bytes are a contract: append variants and fields only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LimitEvent {
    /// A workspace sends through it.
    #[serde(rename = "op")]
    Opened {
        /// The workspace.
        workspace: WorkspaceId,
    },
    /// These count from now.
    #[serde(rename = "rv")]
    Reserved {
        /// Half of each customer's address hash.
        customers: Vec<u64>,
        /// When.
        at: Timestamp,
        /// For how many seconds customers count: who is past it is forgotten. None is 24 hours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counts_for_s: Option<u32>,
        /// They count from so many seconds after `at`, so that an acceptance until then changes nothing. None is 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        later_s: Option<u32>,
    },
    /// These were not sent.
    #[serde(rename = "gb")]
    GivenBack {
        /// Half of each customer's address hash.
        customers: Vec<u64>,
    },
    /// The provider took these.
    #[serde(rename = "ac")]
    Accepted {
        /// Half of each customer's address hash.
        customers: Vec<u64>,
        /// When.
        at: Timestamp,
    },
    /// The tier is now this.
    #[serde(rename = "tr")]
    TierSet {
        /// The tier.
        tier: LimitTier,
        /// When.
        at: Timestamp,
        /// Who says so.
        author: Author,
    },
}

impl LimitEvent {
    /// The event's name in the feed. Stable.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "limit.opened",
            Self::Reserved { .. } => "limit.reserved",
            Self::GivenBack { .. } => "limit.given_back",
            Self::Accepted { .. } => "limit.accepted",
            Self::TierSet { .. } => "limit.tier_changed",
        }
    }

    /// Whether anyone but the entity itself has use for it.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        matches!(self, Self::TierSet { .. })
    }
}

/// What an asker hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitAnswer {
    /// Which of the customers may be written to.
    Reserved {
        /// In the order asked.
        granted: Vec<bool>,
        /// When the next may be, if one was not granted.
        come_back: Option<Timestamp>,
    },
    /// It is taken, or was already.
    Noted,
}

/// The state of one limit scope.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitScope {
    version: u64,
    workspace: Option<WorkspaceId>,
    tier: Option<(Timestamp, LimitTier)>,
    counted: Counted,
}

impl LimitScope {
    /// The tier.
    #[must_use]
    pub fn tier(&self, rules: &Rules) -> LimitTier {
        self.tier.map_or(rules.tier, |(_, tier)| tier)
    }

    /// How many customers count at `now`; of an unlimited portfolio at most 100,000.
    #[must_use]
    pub fn used(&self, rules: &Rules, now: Timestamp) -> usize {
        self.counted.used(seconds(rules.counts_for), now)
    }

    /// How many further customers may be written to at `now`; none means any number.
    #[must_use]
    pub fn free(&self, rules: &Rules, now: Timestamp) -> Option<usize> {
        match self.tier(rules) {
            LimitTier::Limited(limit) => Some((limit as usize).saturating_sub(self.used(rules, now))),
            LimitTier::Unlimited => None,
        }
    }

    /// When the next further customer may be written to: `now`, if one may at once.
    #[must_use]
    pub fn free_at(&self, rules: &Rules, now: Timestamp) -> Timestamp {
        match self.tier(rules) {
            LimitTier::Limited(limit) => self.counted.below(limit as usize, seconds(rules.counts_for), now),
            LimitTier::Unlimited => now,
        }
    }

    fn reserve(&self, recipients: &[AddressId], rules: &Rules, now: Timestamp) -> Decision<Self> {
        let mut free = self.free(rules, now);
        let counts_for_s = seconds(rules.counts_for);
        let mut customers: Vec<u64> = Vec::with_capacity(recipients.len());
        let mut granted = Vec::with_capacity(recipients.len());
        // A customer named twice has two messages, each with an outcome, and counts once.
        let mut seen = HashSet::with_capacity(recipients.len());
        for customer in recipients.iter().copied().map(short) {
            // Who counts already may be written to again: the limit is about different customers.
            let counts = seen.contains(&customer) || self.counted.counts(customer, counts_for_s, now);
            let grant = counts || free != Some(0);
            if grant && !counts {
                free = free.map(|free| free - 1);
                seen.insert(customer);
            }
            if grant {
                customers.push(customer);
            }
            granted.push(grant);
        }
        let later_s = (self.tier(rules) == LimitTier::Unlimited).then_some(LATER_S);
        let reserved = |customers: Vec<u64>| LimitEvent::Reserved {
            customers,
            at: now,
            counts_for_s: Some(counts_for_s),
            later_s,
        };
        let come_back = granted.contains(&false).then(|| match customers.is_empty() {
            true => self.free_at(rules, now),
            // The last free permits go with this answer.
            false => {
                let mut after = self.clone();
                after.apply(&reserved(customers.clone()));
                after.free_at(rules, now)
            }
        });
        let mut decision = Decision::nothing(LimitAnswer::Reserved { granted, come_back });
        if !customers.is_empty() {
            decision.events.push(reserved(customers));
        }
        decision
    }
}

impl Entity for LimitScope {
    const KIND: EntityKind = EntityKind::LimitScope;
    type Command = LimitCommand;
    type Event = LimitEvent;
    type Answer = LimitAnswer;

    fn decide(&self, command: LimitCommand, context: &Context<'_>) -> Result<Decision<Self>, Refusal> {
        if let LimitCommand::Reserve { recipients }
        | LimitCommand::GiveBack { recipients }
        | LimitCommand::Accepted { recipients, .. } = &command
            && recipients.len() > BATCH_MAX
        {
            return Err(Refusal::TooMany { what: "recipients in one command", allowed: BATCH_MAX });
        }
        let mut decision = Decision::nothing(LimitAnswer::Noted);
        match command {
            LimitCommand::Open { workspace } if self.workspace.is_none() => {
                decision.events.push(LimitEvent::Opened { workspace });
            }
            LimitCommand::Open { .. } => {}
            LimitCommand::Reserve { recipients } => decision = self.reserve(&recipients, context.rules, context.now),
            LimitCommand::GiveBack { recipients } => {
                let mut customers: Vec<u64> = recipients.into_iter().map(short).collect();
                customers.retain(|customer| self.counted.is_pending(*customer));
                if !customers.is_empty() {
                    decision.events.push(LimitEvent::GivenBack { customers });
                }
            }
            LimitCommand::Accepted { recipients, at } => {
                let at = at.min(context.now);
                let mut customers: Vec<u64> = recipients.into_iter().map(short).collect();
                if self.tier(context.rules) == LimitTier::Unlimited {
                    // Who counts from a later time in any case stays as they are. Their reservation looks as if it were still
                    // under way, which keeps them counted.
                    customers.retain(|customer| !self.counted.counts_from_later(*customer, at));
                }
                if !customers.is_empty() {
                    decision.events.push(LimitEvent::Accepted { customers, at });
                }
            }
            LimitCommand::SetTier { tier, at, author } => {
                // At one moment the lower tier stands.
                if self.tier.is_none_or(|(then, known)| at > then || (at == then && tier < known)) {
                    decision.events.push(LimitEvent::TierSet { tier, at, author });
                }
            }
        }
        Ok(decision)
    }

    fn apply(&mut self, event: &LimitEvent) {
        self.version += 1;
        match event {
            LimitEvent::Opened { workspace } => self.workspace = Some(*workspace),
            LimitEvent::Reserved { customers, at, counts_for_s, later_s } => {
                // A tier that nobody told is never above what is remembered anyway.
                let remember = match self.tier {
                    Some((_, LimitTier::Limited(limit))) => REMEMBERED.max(limit as usize),
                    Some((_, LimitTier::Unlimited)) | None => REMEMBERED,
                };
                let counts_for_s = counts_for_s.unwrap_or_else(|| seconds(COUNTS_FOR));
                self.counted.reserve(customers, (*at, later_s.unwrap_or(0)), counts_for_s, remember);
            }
            LimitEvent::GivenBack { customers } => self.counted.give_back(customers),
            LimitEvent::Accepted { customers, at } => self.counted.accept(customers, *at),
            LimitEvent::TierSet { tier, at, .. } => self.tier = Some((*at, *tier)),
        }
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn workspace(&self) -> Option<WorkspaceId> {
        self.workspace
    }
}
