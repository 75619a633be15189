//! A number: one channel account as the one who sends through it sees it: may it send, how fast, and
//! which replies are on their way.

use serde::{Deserialize, Serialize};

mod claims;
mod command;
mod decide;
mod event;
mod standing;
#[cfg(test)]
mod tests;

pub use claims::{CLAIMS_MAX, OpenClaims, ReplyClaim};
pub use command::{NewConnection, NumberAnswer, NumberCommand};
pub use decide::{SLOT_ACCESS_TOKEN, SLOT_BASE_URL, SLOT_DISPLAY};
pub use event::NumberEvent;
pub use standing::{
    CLIMB_EVERY, CLIMB_PERMILLE, PauseReason, Pauses, Restriction, SLOW_DOWN_ONCE_IN, SLOW_DOWN_PERMILLE,
    SLOWEST_PERMILLE, SlowDown,
};

use super::entity::{Context, Decision, Entity, EntityKind};
use super::ids::{AppId, LimitScopeId, WorkspaceId};
use super::inbound::Quality;
use super::message::Channel;
use super::pace::NUMBER_RATE_MAX;
use super::recall::Recall;
use super::refusal::Refusal;
use super::rules::Rules;
use super::time::Timestamp;

/// What a number is connected as. The token, the address of its calls and its digits are private rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The platform.
    pub channel: Channel,
    /// The app whose webhooks speak of it.
    pub app: AppId,
    /// The portfolio whose messaging limit it shares.
    pub limit_scope: LimitScopeId,
    /// The provider's id (WhatsApp: the phone number id).
    pub provider_id: String,
    /// The provider's id of the business account that holds it, if any.
    pub business_id: Option<String>,
    /// A keyed hash of the digits shown to people, by which some events name it.
    pub display: Option<u128>,
    /// Messages a second, where somebody set it.
    pub rate_per_second: Option<u32>,
    /// Shared with the phone app, which takes a part of the rate.
    pub shared_with_phone: bool,
}

/// The state of one number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// What it is connected as; stays after it was taken away.
    pub connection: Option<Connection>,
    /// It was taken away.
    pub disconnected: bool,
    /// Rises with every change that people see: claims leave it alone, so what was read at one version stays good.
    pub version: u64,
    /// How many events it took.
    events: u64,
    /// The rate the provider gave, and when.
    pub provider_rate: Option<(Timestamp, u32)>,
    /// The provider's grade, and when.
    pub quality: Option<(Timestamp, Quality)>,
    /// The last word on restrictions, and when.
    pub restriction: Option<(Timestamp, Option<Restriction>)>,
    /// The reasons to stop.
    pub pauses: Pauses,
    /// The slow-down under way.
    pub slow: Option<SlowDown>,
    /// Replies whose outcome is not in the log.
    pub claims: OpenClaims,
    /// The keys of commands taken.
    pub recall: Recall,
}

impl Number {
    /// Whether answers may leave.
    ///
    /// # Errors
    /// [`Refusal::SendingPaused`] with the gravest reason; [`Refusal::NotFound`] before it is connected.
    pub fn may_send(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.connection.is_none() {
            return Err(Refusal::NotFound { what: "number" });
        }
        if self.disconnected {
            return Err(Refusal::SendingPaused { reason: PauseReason::Disabled.word(), until: None });
        }
        self.pauses.check()?;
        self.check_restriction(now, |restriction| restriction.customer_initiated)
    }

    /// Whether messages outside a reply window may leave: broadcasts and templates to people who did not write.
    ///
    /// # Errors
    /// As [`Self::may_send`].
    pub fn may_initiate(&self, now: Timestamp) -> Result<(), Refusal> {
        self.may_send(now)?;
        self.check_restriction(now, |restriction| restriction.business_initiated)
    }

    fn check_restriction(&self, now: Timestamp, forbids: impl Fn(&Restriction) -> bool) -> Result<(), Refusal> {
        match self.restriction {
            Some((_, Some(restriction))) if restriction.holds(now) && forbids(&restriction) => {
                Err(Refusal::SendingPaused { reason: PauseReason::Restricted.word(), until: restriction.until })
            }
            _ => Ok(()),
        }
    }

    /// The provider's cap in messages a second: the lower of what it gave and what somebody set, else the default.
    #[must_use]
    pub fn rate_cap(&self, rules: &Rules) -> u32 {
        let set = self.connection.as_ref().and_then(|connection| connection.rate_per_second);
        let given = self.provider_rate.map(|(_, per_second)| per_second);
        let shared = self.connection.as_ref().is_some_and(|connection| connection.shared_with_phone);
        let default = if shared { rules.shared_rate_per_second } else { rules.rate_per_second };
        let rate = match (set, given) {
            (Some(set), Some(given)) => set.min(given),
            (Some(rate), None) | (None, Some(rate)) => rate,
            (None, None) => default,
        };
        rate.clamp(1, NUMBER_RATE_MAX)
    }

    /// How many messages may leave in any second now: the cap, less where the provider complained. At least 1.
    /// [`super::pace::Bucket::under`] makes a bucket of it.
    #[must_use]
    pub fn rate_now(&self, rules: &Rules, now: Timestamp) -> u32 {
        let permille = self.slow.map_or(1_000, |slow| u32::from(slow.permille_now(now)));
        (self.rate_cap(rules) * permille / 1_000).max(1)
    }

    /// Replies that were claimed and have no outcome: in doubt, for an owner that starts.
    #[must_use]
    pub fn open_claims(&self) -> Vec<(ReplyClaim, Timestamp)> {
        self.claims.iter().map(|(claim, at)| (*claim, at)).collect()
    }
}

impl Entity for Number {
    const KIND: EntityKind = EntityKind::Number;
    type Command = NumberCommand;
    type Event = NumberEvent;
    type Answer = NumberAnswer;

    fn decide(&self, command: NumberCommand, context: &Context<'_>) -> Result<Decision<Self>, Refusal> {
        match command {
            NumberCommand::Connect { asked, connection } => decide::connect(self, &asked, *connection, context),
            NumberCommand::Disconnect { asked } => decide::disconnect(self, &asked, context),
            NumberCommand::ApplyAccountEvent { event, at } => Ok(decide::account_event(self, &event, at)),
            NumberCommand::NumberTrouble { code, class, at } => Ok(decide::trouble(self, code, class, at)),
            NumberCommand::PauseSending { asked } => decide::pause(self, &asked, context),
            NumberCommand::ResumeSending { asked } => decide::resume(self, &asked, context),
            NumberCommand::ClaimReplies { claims } => decide::claim(self, claims, context),
            NumberCommand::CloseClaims { effects } => Ok(decide::close(self, effects)),
            NumberCommand::Wake => Ok(decide::wake(self, context)),
        }
    }

    fn apply(&mut self, event: &NumberEvent) {
        self.events += 1;
        if !matches!(event, NumberEvent::RepliesClaimed { .. } | NumberEvent::ClaimsClosed { .. }) {
            self.version += 1;
        }
        match event {
            NumberEvent::Connected { connection, .. } => {
                self.connection = Some(connection.as_ref().clone());
                self.disconnected = false;
            }
            NumberEvent::Disconnected { .. } => self.disconnected = true,
            NumberEvent::RateChanged { per_second, at } => self.provider_rate = Some((*at, *per_second)),
            NumberEvent::QualityChanged { quality, at } => self.quality = Some((*at, *quality)),
            NumberEvent::RestrictionChanged { restriction, at } => self.restriction = Some((*at, *restriction)),
            NumberEvent::Paused { reason, at, .. } => self.pauses.hear(*reason, true, *at),
            NumberEvent::Resumed { reason, at, .. } => self.pauses.hear(*reason, false, *at),
            NumberEvent::SlowedDown { permille, at, .. } => {
                self.slow = Some(SlowDown { permille: *permille, at: *at });
            }
            NumberEvent::Recovered { .. } => self.slow = None,
            NumberEvent::RepliesClaimed { claims, at } => self.claims.claim(claims, *at),
            NumberEvent::ClaimsClosed { effects } => self.claims.close(effects),
            NumberEvent::KeyUsed { key, at } => self.recall.remember(*key, *at),
        }
    }

    fn due(&self) -> Option<Timestamp> {
        let lifts = self.restriction.and_then(|(_, restriction)| restriction).and_then(|restriction| restriction.until);
        let recovers = self.slow.map(|slow| slow.recovers_at());
        lifts.into_iter().chain(recovers).min()
    }

    fn wake() -> Option<NumberCommand> {
        Some(NumberCommand::Wake)
    }

    #[expect(clippy::misnamed_getters, reason = "the log counts every event, people only those that they see")]
    fn version(&self) -> u64 {
        self.events
    }

    fn workspace(&self) -> Option<WorkspaceId> {
        self.connection.as_ref().map(|connection| connection.workspace)
    }
}
