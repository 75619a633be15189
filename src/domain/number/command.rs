//! What may be asked of a number, and what the asker hears.

use super::claims::ReplyClaim;
use crate::domain::effect::EffectId;
use crate::domain::ids::{AppId, LimitScopeId, WorkspaceId};
use crate::domain::inbound::AccountEvent;
use crate::domain::message::Channel;
use crate::domain::outbound::ErrorClass;
use crate::domain::recall::Asked;
use crate::domain::time::Timestamp;

/// What may be asked of a number.
pub enum NumberCommand {
    /// The number is connected, or its settings change. Asked by its workspace.
    Connect {
        /// Who asks.
        asked: Asked,
        /// What it is connected as.
        connection: Box<NewConnection>,
    },
    /// The number is taken away.
    Disconnect {
        /// Who asks.
        asked: Asked,
    },
    /// The platform says something about the number: a fact.
    ApplyAccountEvent {
        /// What.
        event: AccountEvent,
        /// When, by the provider's clock.
        at: Timestamp,
    },
    /// The provider refused a call in a way that concerns the number: a fact.
    NumberTrouble {
        /// The provider's code.
        code: i64,
        /// What we do about it.
        class: ErrorClass,
        /// When.
        at: Timestamp,
    },
    /// Nothing leaves until somebody resumes.
    PauseSending {
        /// Who asks.
        asked: Asked,
    },
    /// Sending goes on, whatever stopped it; what lasts at the provider will stop it again.
    ResumeSending {
        /// Who asks.
        asked: Asked,
    },
    /// These replies are about to leave: recorded before their first byte.
    ClaimReplies {
        /// Which.
        claims: Vec<ReplyClaim>,
    },
    /// What became of these is in the log.
    CloseClaims {
        /// The claims, by the effects that asked for the sending.
        effects: Vec<EffectId>,
    },
    /// A time has come.
    Wake,
}

/// What a number is connected as.
pub struct NewConnection {
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
    /// The provider's id of the business account that holds it, if any (WhatsApp: the WABA id).
    pub business_id: Option<String>,
    /// Where its calls go. A private row.
    pub base_url: Option<String>,
    /// The token of its calls; none keeps the present one. A private row.
    pub access_token: Option<crate::domain::secret::Secret<String>>,
    /// The digits shown to people. A private row.
    pub display: Option<String>,
    /// Messages a second; none is what the channel gives.
    pub rate_per_second: Option<u32>,
    /// Shared with the phone app, which takes a part of the rate.
    pub shared_with_phone: bool,
}

/// What an asker hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberAnswer {
    /// The command is done.
    Saved {
        /// The version now.
        version: u64,
        /// The same command came before; nothing was done now.
        repeated: bool,
    },
    /// The fact is taken, or was already.
    Noted,
    /// The claims are in the log. Those that were open before may have left: each entry says whether the claim is new.
    Claimed {
        /// In the order asked: true is new and may leave, false is in doubt.
        fresh: Vec<bool>,
    },
}
