//! A workspace: one company's members, teams, keys, apps, accounts, templates, properties, labels, lists, settings.
//!
//! Names and secrets are private rows beside the log: `name`, `member/<id>/name`, `member/<id>/email`,
//! `member/<id>/password`, `team/<id>/name`, `key/<id>/name`, `app/<id>/secret/<n>`,
//! `app/<id>/verify_token`, `template/<id>/components`, `property/<id>/name`, `label/<id>/name`,
//! `list/<id>/name`, `list/<id>/removed`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

mod command;
mod decide;
mod event;
mod parts;
mod slots;
mod template;
mod template_shape;
#[cfg(test)]
mod tests;

pub use command::{MemberEdit, MemberProfile, NewTemplate, WorkspaceAnswer, WorkspaceChange, WorkspaceCommand};
pub use decide::{
    ACCOUNTS_MAX, API_KEYS_MAX, APPS_MAX, LABELS_MAX, LISTS_MAX, MEMBERS_MAX, PROPERTIES_MAX, TEAMS_MAX, TEMPLATES_MAX,
    TOKENS_PER_MEMBER_MAX,
};
pub use event::{WorkspaceEvent, WorkspaceFact};
pub use parts::{
    Account, ApiKey, App, Member, MemberToken, Scope, Settings, TokenDigest, secret_slot, verify_token_slot,
};
pub use slots::{
    NAME_SLOT, api_key_slot, label_slot, list_removed_slot, list_slot, member_slot, property_slot, team_slot,
};
pub use template::{Template, TemplateNews, components_slot, language_code, status_word, template_id};
pub use template_shape::{ButtonShape, HeaderShape, QUICK_REPLIES_MAX, QUICK_REPLY_MAX_CHARS, TemplateShape};

use super::contact::PropertyType;
use super::entity::{Context, Decision, Entity, EntityKind};
use super::ids::{
    AccountId, ApiKeyId, AppId, Keyring, LabelId, ListId, MemberId, PropertyId, TeamId, TemplateId, WorkspaceId,
};
use super::inbound::AccountRef;
use super::recall::Recall;
use super::refusal::Refusal;
use super::time::Timestamp;

/// The state of one workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Its id, once it has begun.
    pub id: Option<WorkspaceId>,
    /// Rises with every change.
    pub version: u64,
    /// Who works here.
    pub members: BTreeMap<MemberId, Member>,
    /// The groups of members.
    pub teams: BTreeSet<TeamId>,
    /// The keys for programs.
    pub api_keys: BTreeMap<ApiKeyId, ApiKey>,
    /// Our registrations with platforms.
    pub apps: BTreeMap<AppId, App>,
    /// The connected numbers, pages and bots.
    pub accounts: BTreeMap<AccountId, Account>,
    /// The templates.
    pub templates: BTreeMap<TemplateId, Template>,
    /// The properties of contacts that it defined.
    pub properties: BTreeMap<PropertyId, PropertyType>,
    /// Its labels.
    pub labels: BTreeSet<LabelId>,
    /// What it chose.
    pub settings: Settings,
    /// The keys of commands taken.
    pub recall: Recall,
    /// The lists of contacts. Who is on them is in rows of their own: no list makes the state larger.
    #[serde(default)]
    pub lists: BTreeSet<ListId>,
}

/// The keyed hash by which an account's digits are kept.
#[must_use]
pub fn display_hash(keys: &Keyring, digits: &str) -> u128 {
    keys.hash(b"display", &[digits.as_bytes()])
}

/// The keyed hash by which a member's e-mail address is kept: blanks and letter case do not count.
#[must_use]
pub fn email_hash(keys: &Keyring, email: &str) -> u128 {
    keys.hash(b"email", &[email.trim().to_lowercase().as_bytes()])
}

impl Workspace {
    /// The member whose token this is, unless it ended or they are disabled.
    #[must_use]
    pub fn member_by_token(&self, digest: TokenDigest, now: Timestamp) -> Option<(MemberId, &Member)> {
        self.members.iter().map(|(id, member)| (*id, member)).find(|(_, member)| {
            let good = |token: &MemberToken| token.digest == digest && token.expires_at.is_none_or(|end| end > now);
            !member.disabled && member.tokens.iter().any(good)
        })
    }

    /// The member with this e-mail address ([`email_hash`]), unless they are disabled.
    #[must_use]
    pub fn member_by_email(&self, email: u128) -> Option<(MemberId, &Member)> {
        let mut members = self.members.iter().map(|(id, member)| (*id, member));
        members.find(|(_, member)| member.email == Some(email) && !member.disabled)
    }

    /// The key with this digest.
    #[must_use]
    pub fn api_key(&self, digest: TokenDigest) -> Option<(ApiKeyId, &ApiKey)> {
        self.api_keys.iter().map(|(id, key)| (*id, key)).find(|(_, key)| key.digest == digest)
    }

    /// The accounts that an item of a webhook of this app belongs to: one for a number, all of its numbers for a
    /// business account.
    #[must_use]
    pub fn accounts_of(&self, app: AppId, named: &AccountRef, keys: &Keyring) -> Vec<AccountId> {
        let belongs = |account: &Account| match named {
            AccountRef::Account(provider_id) => account.provider_id == *provider_id,
            AccountRef::Business(business) => account.business_id.as_ref() == Some(business),
            AccountRef::Display { business, digits } => {
                account.business_id.as_ref() == Some(business) && account.display == Some(display_hash(keys, digits))
            }
        };
        let found = self.accounts.iter().filter(|(_, account)| account.app == app && belongs(account));
        found.map(|(id, _)| *id).collect()
    }

    /// The template with this name in this language that an account may send.
    #[must_use]
    pub fn template_for(&self, account: AccountId, name: &str, language: &str) -> Option<(TemplateId, &Template)> {
        let business = self.accounts.get(&account)?.business_id.as_ref();
        let language = language_code(language);
        let mut templates = self.templates.iter().map(|(id, template)| (*id, template));
        templates.find(|(_, template)| {
            template.name == name && template.language == language && template.business_id.as_ref() == business
        })
    }
}

impl Entity for Workspace {
    const KIND: EntityKind = EntityKind::Workspace;
    type Command = WorkspaceCommand;
    type Event = WorkspaceEvent;
    type Answer = WorkspaceAnswer;

    fn decide(&self, command: WorkspaceCommand, context: &Context<'_>) -> Result<Decision<Self>, Refusal> {
        match command {
            WorkspaceCommand::Create { asked, name } => decide::create(self, &asked, &name, context),
            WorkspaceCommand::Change { asked, change } => decide::change(self, &asked, *change, context),
            WorkspaceCommand::ApplyTemplateEvent { business_id, event, at } => {
                Ok(decide::template_event(self, business_id.as_deref(), &event, at))
            }
        }
    }

    fn apply(&mut self, event: &WorkspaceEvent) {
        self.version += 1;
        match &event.what {
            WorkspaceFact::Created(id) => self.id = Some(*id),
            WorkspaceFact::MemberAdded(id, member) | WorkspaceFact::MemberChanged(id, member) => {
                self.members.insert(*id, member.clone());
            }
            WorkspaceFact::MemberRemoved(id) => drop(self.members.remove(id)),
            WorkspaceFact::TokenIssued(id, token) => {
                if let Some(member) = self.members.get_mut(id) {
                    member.tokens.push(*token);
                    let over = member.tokens.len().saturating_sub(TOKENS_PER_MEMBER_MAX);
                    member.tokens.drain(..over);
                }
            }
            WorkspaceFact::TokenRevoked(id, digest) => {
                if let Some(member) = self.members.get_mut(id) {
                    member.tokens.retain(|token| token.digest != *digest);
                }
            }
            WorkspaceFact::TeamCreated(id) => drop(self.teams.insert(*id)),
            WorkspaceFact::ApiKeyAdded(id, scopes, digest) => {
                let key = ApiKey { scopes: scopes.clone(), digest: *digest, created_at: event.at };
                self.api_keys.insert(*id, key);
            }
            WorkspaceFact::ApiKeyRevoked(id) => drop(self.api_keys.remove(id)),
            WorkspaceFact::AppRegistered(id, channel) => {
                self.apps.insert(*id, App { channel: *channel, secrets: Vec::new() });
            }
            WorkspaceFact::AppSecretsChanged(id, secrets) => {
                if let Some(app) = self.apps.get_mut(id) {
                    app.secrets.clone_from(secrets);
                }
            }
            WorkspaceFact::AccountConnected(id, account) => drop(self.accounts.insert(*id, account.clone())),
            WorkspaceFact::AccountDisconnected(id) => drop(self.accounts.remove(id)),
            WorkspaceFact::TemplatePut(id, template) => drop(self.templates.insert(*id, template.as_ref().clone())),
            WorkspaceFact::TemplateChanged(id, news) => {
                if let Some(template) = self.templates.get_mut(id) {
                    template.hear(*news, event.at);
                }
            }
            WorkspaceFact::PropertyDefined(id, kind) => drop(self.properties.insert(*id, kind.clone())),
            WorkspaceFact::LabelDefined(id) => drop(self.labels.insert(*id)),
            WorkspaceFact::SettingsChanged(settings) => self.settings = *settings,
            WorkspaceFact::KeyUsed(key) => self.recall.remember(*key, event.at),
            WorkspaceFact::ListCreated(id) => drop(self.lists.insert(*id)),
            WorkspaceFact::ListRemoved(id) => drop(self.lists.remove(id)),
            // Names are private rows.
            WorkspaceFact::Renamed | WorkspaceFact::ListRenamed(_) => {}
        }
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn workspace(&self) -> Option<WorkspaceId> {
        self.id
    }
}
