//! The parts of a workspace: members, teams, keys, apps, accounts, settings. Their names and secrets are private rows.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{AccountId, AppId, LimitScopeId, TeamId};
use crate::domain::message::Channel;
use crate::domain::role::Role;
use crate::domain::time::Timestamp;

/// The SHA-256 of a random token: enough to recognise it, no use to whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenDigest(pub [u8; 32]);

/// A member's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberToken {
    /// Its digest.
    pub digest: TokenDigest,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// A person who works here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What they may do.
    pub role: Role,
    /// Their teams.
    pub teams: BTreeSet<TeamId>,
    /// The accounts they are dedicated to; none means all.
    pub accounts: BTreeSet<AccountId>,
    /// They may not sign in now.
    pub disabled: bool,
    /// A keyed hash of their e-mail address, by which they sign in.
    pub email: Option<u128>,
    /// Their tokens, oldest first.
    pub tokens: Vec<MemberToken>,
}

/// What a key for programs may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Read conversations and messages.
    #[serde(rename = "messages:read")]
    MessagesRead,
    /// Send messages, change conversations.
    #[serde(rename = "messages:write")]
    MessagesWrite,
    /// Read contacts.
    #[serde(rename = "contacts:read")]
    ContactsRead,
    /// Change contacts.
    #[serde(rename = "contacts:write")]
    ContactsWrite,
    /// Read broadcasts.
    #[serde(rename = "broadcasts:read")]
    BroadcastsRead,
    /// Make and run broadcasts.
    #[serde(rename = "broadcasts:write")]
    BroadcastsWrite,
    /// Read the feed of events.
    #[serde(rename = "events:read")]
    EventsRead,
    /// Read members, accounts, templates, settings.
    #[serde(rename = "workspace:read")]
    WorkspaceRead,
    /// Change members, accounts, templates, settings.
    #[serde(rename = "workspace:write")]
    WorkspaceWrite,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 9] = [
        Self::MessagesRead,
        Self::MessagesWrite,
        Self::ContactsRead,
        Self::ContactsWrite,
        Self::BroadcastsRead,
        Self::BroadcastsWrite,
        Self::EventsRead,
        Self::WorkspaceRead,
        Self::WorkspaceWrite,
    ];

    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::MessagesRead => "messages:read",
            Self::MessagesWrite => "messages:write",
            Self::ContactsRead => "contacts:read",
            Self::ContactsWrite => "contacts:write",
            Self::BroadcastsRead => "broadcasts:read",
            Self::BroadcastsWrite => "broadcasts:write",
            Self::EventsRead => "events:read",
            Self::WorkspaceRead => "workspace:read",
            Self::WorkspaceWrite => "workspace:write",
        }
    }

    /// The scope with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// A key for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// Its digest.
    pub digest: TokenDigest,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Our registration with a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// The platform.
    pub channel: Channel,
    /// The numbers of its secrets, newest first: two while one is being replaced.
    pub secrets: Vec<u32>,
}

impl App {
    /// The private rows that hold its secrets, newest first.
    #[must_use]
    pub fn secret_slots(&self, id: AppId) -> Vec<String> {
        self.secrets.iter().map(|number| secret_slot(id, *number)).collect()
    }
}

/// The private row that holds a secret of an app.
#[must_use]
pub fn secret_slot(id: AppId, number: u32) -> String {
    format!("app/{id}/secret/{number}")
}

/// The private row that holds the token by which a platform verifies an app's webhook.
#[must_use]
pub fn verify_token_slot(id: AppId) -> String {
    format!("app/{id}/verify_token")
}

/// A connected number, page or bot, as the workspace lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The platform.
    pub channel: Channel,
    /// The app whose webhooks speak of it.
    pub app: AppId,
    /// The provider's id (WhatsApp: the phone number id).
    pub provider_id: String,
    /// The provider's id of the business account that holds it, if any (WhatsApp: the WABA id).
    pub business_id: Option<String>,
    /// A keyed hash of the digits shown to people ([`super::display_hash`]).
    pub display: Option<u128>,
    /// The portfolio whose messaging limit it shares.
    pub limit_scope: LimitScopeId,
}

/// What a workspace may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// After how many days messages are erased; none keeps them.
    pub retention_days: Option<u32>,
    /// Two agents may not answer at once; else they are only warned.
    pub enforce_reply_lease: bool,
    /// Marketing goes only to contacts who opted in.
    pub marketing_needs_opt_in: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { retention_days: None, enforce_reply_lease: false, marketing_needs_opt_in: true }
    }
}
