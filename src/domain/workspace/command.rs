//! What may be asked of a workspace, and what the asker hears.

use std::collections::BTreeSet;

use super::parts::{Account, Scope, Settings, TokenDigest};
use crate::domain::contact::PropertyType;
use crate::domain::ids::{AccountId, ApiKeyId, AppId, LabelId, ListId, MemberId, PropertyId, TeamId, TemplateId};
use crate::domain::inbound::{AccountEvent, TemplateStatus};
use crate::domain::message::Channel;
use crate::domain::recall::Asked;
use crate::domain::role::Role;
use crate::domain::secret::Secret;
use crate::domain::template_form::TemplateCategory;
use crate::domain::time::Timestamp;

/// What may be asked of a workspace.
pub enum WorkspaceCommand {
    /// Begin it. The same again changes nothing.
    Create {
        /// Who asks.
        asked: Asked,
        /// What it is called. A private row.
        name: String,
    },
    /// Change it.
    Change {
        /// Who asks.
        asked: Asked,
        /// What.
        change: Box<WorkspaceChange>,
    },
    /// The provider says something of a template: a fact.
    ApplyTemplateEvent {
        /// The business account it came under; none matches every one.
        business_id: Option<String>,
        /// What it says.
        event: AccountEvent,
        /// When, by the provider's clock.
        at: Timestamp,
    },
}

/// What of a member is personal: private rows. None leaves it as it is.
#[derive(Default)]
pub struct MemberProfile {
    /// The name.
    pub name: Option<String>,
    /// The e-mail address, by which they sign in.
    pub email: Option<String>,
    /// The password's hash, in its own text form.
    pub password_hash: Option<Secret<String>>,
}

/// What changes of a member. None leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberEdit {
    /// The role.
    pub role: Option<Role>,
    /// The teams.
    pub teams: Option<BTreeSet<TeamId>>,
    /// The accounts they are dedicated to.
    pub accounts: Option<BTreeSet<AccountId>>,
    /// Whether they may not sign in.
    pub disabled: Option<bool>,
}

/// A change. What it makes has the id that the asker gives: a hash of its key, or drawn.
pub enum WorkspaceChange {
    /// It is called something else.
    Rename {
        /// What it is called. A private row.
        name: String,
    },
    /// Somebody works here.
    AddMember {
        /// The member.
        id: MemberId,
        /// The role.
        role: Role,
        /// The teams.
        teams: BTreeSet<TeamId>,
        /// The accounts they are dedicated to.
        accounts: BTreeSet<AccountId>,
        /// What is personal.
        profile: MemberProfile,
    },
    /// Something of a member changes. Disabling takes the tokens away.
    ChangeMember {
        /// The member.
        id: MemberId,
        /// What.
        edit: MemberEdit,
        /// What is personal.
        profile: MemberProfile,
    },
    /// Somebody works here no longer.
    RemoveMember {
        /// The member.
        id: MemberId,
    },
    /// A member has a token more; the oldest over 20 goes.
    IssueToken {
        /// The member.
        member: MemberId,
        /// The token's digest.
        digest: TokenDigest,
        /// When it ends, if it does.
        expires_at: Option<Timestamp>,
    },
    /// A member's token is good no more.
    RevokeToken {
        /// The member.
        member: MemberId,
        /// The token's digest.
        digest: TokenDigest,
    },
    /// A group of members.
    CreateTeam {
        /// The team.
        id: TeamId,
        /// What it is called.
        name: String,
    },
    /// A key for programs.
    AddApiKey {
        /// The key.
        id: ApiKeyId,
        /// What it is called.
        name: String,
        /// What it may do.
        scopes: BTreeSet<Scope>,
        /// Its digest.
        digest: TokenDigest,
    },
    /// A key is good no more.
    RevokeApiKey {
        /// The key.
        id: ApiKeyId,
    },
    /// Our registration with a platform.
    RegisterApp {
        /// The app.
        id: AppId,
        /// The platform.
        channel: Channel,
        /// The secret that signs its webhooks.
        secret: Secret<String>,
        /// The token by which the platform verifies the webhook.
        verify_token: Secret<String>,
    },
    /// A new secret; the one before stays good until the next, or until it is retired.
    RotateAppSecret {
        /// The app.
        id: AppId,
        /// The new secret.
        secret: Secret<String>,
    },
    /// Only the newest secret stays good.
    RetireAppSecret {
        /// The app.
        id: AppId,
    },
    /// A number, page or bot.
    ConnectAccount {
        /// The account.
        id: AccountId,
        /// What it is.
        account: Account,
    },
    /// It is taken away.
    DisconnectAccount {
        /// The account.
        id: AccountId,
    },
    /// A template as the provider has it, or as it was handed in there.
    PutTemplate {
        /// The template: [`super::template_id`].
        id: TemplateId,
        /// What it is.
        template: Box<NewTemplate>,
    },
    /// A property of contacts; the same id again changes it.
    DefineProperty {
        /// The property.
        id: PropertyId,
        /// What it is called.
        name: String,
        /// What kind of value it has.
        kind: PropertyType,
    },
    /// A label; the same id again renames it.
    DefineLabel {
        /// The label.
        id: LabelId,
        /// What it is called.
        name: String,
    },
    /// What the workspace chose.
    ChangeSettings {
        /// All of it.
        settings: Settings,
    },
    /// A list of contacts; the same id again changes nothing.
    MakeList {
        /// The list.
        id: ListId,
        /// What it is called.
        name: String,
    },
    /// A list is called something else.
    RenameList {
        /// The list.
        id: ListId,
        /// What it is called.
        name: String,
    },
    /// A list is taken away.
    RemoveList {
        /// The list.
        id: ListId,
    },
}

/// A template as it is handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTemplate {
    /// Its name at the provider.
    pub name: String,
    /// Its language.
    pub language: String,
    /// The business account that holds it.
    pub business_id: Option<String>,
    /// What it is for.
    pub category: TemplateCategory,
    /// Whether it may be sent, as far as the asker knows.
    pub status: TemplateStatus,
    /// JSON text of its components, as the platform writes them.
    pub components: String,
}

/// What an asker hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkspaceAnswer {
    /// The command is done.
    Saved {
        /// The version now.
        version: u64,
        /// It was so before, or the same command came before.
        repeated: bool,
    },
    /// The fact is taken, or was already.
    Noted,
}
