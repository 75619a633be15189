//! What a workspace remembers. The bytes are a contract: append variants and fields only.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::parts::{Account, Member, MemberToken, Scope, Settings, TokenDigest};
use super::template::{Template, TemplateNews};
use crate::domain::author::Author;
use crate::domain::contact::PropertyType;
use crate::domain::ids::{
    AccountId, ApiKeyId, AppId, LabelId, ListId, MemberId, PropertyId, TeamId, TemplateId, WorkspaceId,
};
use crate::domain::message::Channel;
use crate::domain::recall::CommandKey;
use crate::domain::time::Timestamp;

/// One thing that happened to a workspace, when, and who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceEvent {
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub author: Author,
    /// What happened.
    pub what: WorkspaceFact,
}

/// What happened to a workspace. Names and secrets are in private rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkspaceFact {
    /// It began.
    #[serde(rename = "cr")]
    Created(WorkspaceId),
    /// Somebody works here.
    #[serde(rename = "ma")]
    MemberAdded(MemberId, Member),
    /// A member is now this.
    #[serde(rename = "mc")]
    MemberChanged(MemberId, Member),
    /// Somebody works here no longer.
    #[serde(rename = "mr")]
    MemberRemoved(MemberId),
    /// A member has a token more.
    #[serde(rename = "ti")]
    TokenIssued(MemberId, MemberToken),
    /// A member's token is good no more.
    #[serde(rename = "tx")]
    TokenRevoked(MemberId, TokenDigest),
    /// A group of members.
    #[serde(rename = "tc")]
    TeamCreated(TeamId),
    /// A key for programs.
    #[serde(rename = "ka")]
    ApiKeyAdded(ApiKeyId, BTreeSet<Scope>, TokenDigest),
    /// A key is good no more.
    #[serde(rename = "kr")]
    ApiKeyRevoked(ApiKeyId),
    /// Our registration with a platform.
    #[serde(rename = "ar")]
    AppRegistered(AppId, Channel),
    /// The good secrets of an app are now these, newest first.
    #[serde(rename = "sc")]
    AppSecretsChanged(AppId, Vec<u32>),
    /// A number, page or bot is now this.
    #[serde(rename = "cc")]
    AccountConnected(AccountId, Account),
    /// It was taken away.
    #[serde(rename = "cd")]
    AccountDisconnected(AccountId),
    /// A template is now this.
    #[serde(rename = "tp")]
    TemplatePut(TemplateId, Box<Template>),
    /// The provider said something of a template.
    #[serde(rename = "tn")]
    TemplateChanged(TemplateId, TemplateNews),
    /// A property of contacts has this kind of value.
    #[serde(rename = "pd")]
    PropertyDefined(PropertyId, PropertyType),
    /// A label.
    #[serde(rename = "ld")]
    LabelDefined(LabelId),
    /// What the workspace chose.
    #[serde(rename = "se")]
    SettingsChanged(Settings),
    /// A command's key was used.
    #[serde(rename = "ku")]
    KeyUsed(CommandKey),
    /// It is called something else.
    #[serde(rename = "rn")]
    Renamed,
    /// A list of contacts.
    #[serde(rename = "lc")]
    ListCreated(ListId),
    /// A list is called something else.
    #[serde(rename = "ln")]
    ListRenamed(ListId),
    /// A list was taken away.
    #[serde(rename = "lr")]
    ListRemoved(ListId),
}

impl WorkspaceEvent {
    /// The event's name in the feed. Stable.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match &self.what {
            WorkspaceFact::Created(_) => "workspace.created",
            WorkspaceFact::MemberAdded(..) => "member.added",
            WorkspaceFact::MemberChanged(..) => "member.updated",
            WorkspaceFact::MemberRemoved(_) => "member.removed",
            WorkspaceFact::TokenIssued(..) => "member.token_issued",
            WorkspaceFact::TokenRevoked(..) => "member.token_revoked",
            WorkspaceFact::TeamCreated(_) => "team.created",
            WorkspaceFact::ApiKeyAdded(..) => "api_key.added",
            WorkspaceFact::ApiKeyRevoked(_) => "api_key.revoked",
            WorkspaceFact::AppRegistered(..) => "app.registered",
            WorkspaceFact::AppSecretsChanged(..) => "app.secrets_changed",
            WorkspaceFact::AccountConnected(..) => "account.connected",
            WorkspaceFact::AccountDisconnected(_) => "account.disconnected",
            WorkspaceFact::TemplatePut(..) => "template.updated",
            WorkspaceFact::TemplateChanged(..) => "template.changed",
            WorkspaceFact::PropertyDefined(..) => "property.defined",
            WorkspaceFact::LabelDefined(_) => "label.defined",
            WorkspaceFact::SettingsChanged(_) => "workspace.settings_changed",
            WorkspaceFact::KeyUsed(_) => "workspace.key_used",
            WorkspaceFact::Renamed => "workspace.renamed",
            WorkspaceFact::ListCreated(_) => "list.created",
            WorkspaceFact::ListRenamed(_) => "list.renamed",
            WorkspaceFact::ListRemoved(_) => "list.removed",
        }
    }

    /// Whether agents' sockets and hooks have use for it.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        !matches!(
            self.what,
            WorkspaceFact::KeyUsed(_)
                | WorkspaceFact::TokenIssued(..)
                | WorkspaceFact::TokenRevoked(..)
                | WorkspaceFact::AppSecretsChanged(..)
        )
    }
}
