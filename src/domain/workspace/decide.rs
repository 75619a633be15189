//! How a workspace judges what it is asked and told.

mod lists;

use std::collections::BTreeSet;

use super::command::{MemberEdit, MemberProfile, NewTemplate, WorkspaceAnswer, WorkspaceChange};
use super::event::{WorkspaceEvent, WorkspaceFact};
use super::parts::{Member, MemberToken, TokenDigest, secret_slot, verify_token_slot};
use super::template::{Template, TemplateNews, components_slot, language_code};
use super::template_shape::TemplateShape;
use super::{Workspace, email_hash, slots};
use crate::domain::author::Author;
use crate::domain::content::Content;
use crate::domain::entity::{Context, Decision, EntityKind};
use crate::domain::ids::{AccountId, AppId, MemberId, TeamId, TemplateId, WorkspaceId};
use crate::domain::inbound::{AccountEvent, Quality};
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::domain::role::Role;
use crate::domain::time::Timestamp;

/// The most members of a workspace.
pub const MEMBERS_MAX: usize = 5_000;
/// The most teams.
pub const TEAMS_MAX: usize = 500;
/// The most API keys.
pub const API_KEYS_MAX: usize = 200;
/// The most apps.
pub const APPS_MAX: usize = 100;
/// The most accounts.
pub const ACCOUNTS_MAX: usize = 1_000;
/// The most templates.
pub const TEMPLATES_MAX: usize = 6_000;
/// The most properties that a workspace defines.
pub const PROPERTIES_MAX: usize = 300;
/// The most labels.
pub const LABELS_MAX: usize = 2_000;
/// The most lists.
pub const LISTS_MAX: usize = 1_000;
/// The most tokens of one member; the oldest goes.
pub const TOKENS_PER_MEMBER_MAX: usize = 20;
/// The longest name, in characters.
const NAME_MAX_CHARS: usize = 200;

type Decided = Result<Decision<Workspace>, Refusal>;
type Done = Result<(), Refusal>;

/// A decision in the making.
struct Turn<'a> {
    workspace: &'a Workspace,
    context: &'a Context<'a>,
    facts: Vec<WorkspaceFact>,
    rows: Vec<(String, Option<Vec<u8>>)>,
}

impl<'a> Turn<'a> {
    const fn of(workspace: &'a Workspace, context: &'a Context<'a>) -> Self {
        Self { workspace, context, facts: Vec::new(), rows: Vec::new() }
    }

    fn row(&mut self, slot: String, value: &str) {
        self.rows.push((slot, Some(value.as_bytes().to_vec())));
    }

    fn name(&mut self, slot: String, name: &str) -> Done {
        if name.trim().is_empty() || name.chars().count() > NAME_MAX_CHARS {
            let why = format!("a name has 1 to {NAME_MAX_CHARS} characters");
            return Err(Refusal::Invalid { field: "name".to_owned(), why });
        }
        self.row(slot, name);
        Ok(())
    }

    fn end(self, asked: &Asked) -> Decision<Workspace> {
        let (at, author) = (self.context.now, asked.author);
        let repeated = self.facts.is_empty() && self.rows.is_empty();
        let key = asked.key.filter(|_| !repeated).map(WorkspaceFact::KeyUsed);
        let events: Vec<WorkspaceEvent> =
            self.facts.into_iter().chain(key).map(|what| WorkspaceEvent { at, author, what }).collect();
        let row =
            |(slot, value)| Content::Private { kind: EntityKind::Workspace, id: self.context.id, slot, value, at };
        let content = self.rows.into_iter().map(row).collect();
        let version = self.workspace.version + events.len() as u64;
        Decision { events, effects: Vec::new(), content, answer: WorkspaceAnswer::Saved { version, repeated } }
    }
}

fn not_found(what: &'static str) -> Refusal {
    Refusal::NotFound { what }
}

fn room(count: usize, what: &'static str, allowed: usize) -> Done {
    if count >= allowed { Err(Refusal::TooMany { what, allowed }) } else { Ok(()) }
}

pub(super) fn create(workspace: &Workspace, asked: &Asked, name: &str, context: &Context<'_>) -> Decided {
    let mut turn = Turn::of(workspace, context);
    if workspace.id.is_none() {
        turn.facts.push(WorkspaceFact::Created(WorkspaceId(context.id)));
        turn.name(slots::NAME_SLOT.to_owned(), name)?;
    } else {
        workspace.recall.is_repeat(asked.key)?;
    }
    Ok(turn.end(asked))
}

pub(super) fn change(workspace: &Workspace, asked: &Asked, change: WorkspaceChange, context: &Context<'_>) -> Decided {
    if workspace.id.is_none() {
        return Err(not_found("workspace"));
    }
    let mut turn = Turn::of(workspace, context);
    if workspace.recall.is_repeat(asked.key)? {
        return Ok(turn.end(asked));
    }
    asked.check_version(workspace.version)?;
    match change {
        WorkspaceChange::Rename { name } => {
            turn.name(slots::NAME_SLOT.to_owned(), &name)?;
            turn.facts.push(WorkspaceFact::Renamed);
        }
        WorkspaceChange::AddMember { id, role, teams, accounts, profile } => {
            turn.add_member(id, role, teams, accounts, &profile)?;
        }
        WorkspaceChange::ChangeMember { id, edit, profile } => turn.change_member(id, edit, &profile)?,
        WorkspaceChange::RemoveMember { id } => turn.remove_member(id)?,
        WorkspaceChange::IssueToken { member, digest, expires_at } => turn.issue_token(member, digest, expires_at)?,
        WorkspaceChange::RevokeToken { member, digest } => {
            let known = workspace.members.get(&member).ok_or_else(|| not_found("member"))?;
            if known.tokens.iter().any(|token| token.digest == digest) {
                turn.facts.push(WorkspaceFact::TokenRevoked(member, digest));
            }
        }
        WorkspaceChange::CreateTeam { id, name } => {
            if !workspace.teams.contains(&id) {
                room(workspace.teams.len(), "teams", TEAMS_MAX)?;
                turn.facts.push(WorkspaceFact::TeamCreated(id));
                turn.name(slots::team_slot(id), &name)?;
            }
        }
        WorkspaceChange::AddApiKey { id, name, scopes, digest } => match workspace.api_keys.get(&id) {
            Some(known) if known.digest == digest && known.scopes == scopes => {}
            Some(_) => return Err(Refusal::AlreadyExists { what: "API key" }),
            None => {
                room(workspace.api_keys.len(), "API keys", API_KEYS_MAX)?;
                turn.facts.push(WorkspaceFact::ApiKeyAdded(id, scopes, digest));
                turn.name(slots::api_key_slot(id), &name)?;
            }
        },
        WorkspaceChange::RevokeApiKey { id } => {
            workspace.api_keys.get(&id).ok_or_else(|| not_found("API key"))?;
            turn.facts.push(WorkspaceFact::ApiKeyRevoked(id));
            turn.rows.push((slots::api_key_slot(id), None));
        }
        WorkspaceChange::RegisterApp { id, channel, secret, verify_token } => match workspace.apps.get(&id) {
            Some(known) if known.channel == channel => {}
            Some(_) => return Err(Refusal::AlreadyExists { what: "app" }),
            None => {
                room(workspace.apps.len(), "apps", APPS_MAX)?;
                turn.facts.push(WorkspaceFact::AppRegistered(id, channel));
                turn.facts.push(WorkspaceFact::AppSecretsChanged(id, vec![1]));
                turn.row(secret_slot(id, 1), secret.expose());
                turn.row(verify_token_slot(id), verify_token.expose());
            }
        },
        WorkspaceChange::RotateAppSecret { id, secret } => turn.secrets(id, Some(secret.expose()))?,
        WorkspaceChange::RetireAppSecret { id } => turn.secrets(id, None)?,
        WorkspaceChange::ConnectAccount { id, account } => {
            let app = workspace.apps.get(&account.app).ok_or_else(|| not_found("app"))?;
            if app.channel != account.channel {
                let why = "its app is of another channel".to_owned();
                return Err(Refusal::Invalid { field: "channel".to_owned(), why });
            }
            let same = |(other, known): (&AccountId, &super::Account)| {
                *other != id && known.channel == account.channel && known.provider_id == account.provider_id
            };
            if workspace.accounts.iter().any(same) {
                return Err(Refusal::AlreadyExists { what: "account" });
            }
            if workspace.accounts.get(&id) != Some(&account) {
                if !workspace.accounts.contains_key(&id) {
                    room(workspace.accounts.len(), "accounts", ACCOUNTS_MAX)?;
                }
                turn.facts.push(WorkspaceFact::AccountConnected(id, account));
            }
        }
        WorkspaceChange::DisconnectAccount { id } => {
            workspace.accounts.get(&id).ok_or_else(|| not_found("account"))?;
            turn.facts.push(WorkspaceFact::AccountDisconnected(id));
        }
        WorkspaceChange::PutTemplate { id, template } => turn.put_template(id, *template)?,
        WorkspaceChange::DefineProperty { id, name, kind } => {
            if workspace.properties.get(&id) != Some(&kind) {
                if !workspace.properties.contains_key(&id) {
                    room(workspace.properties.len(), "properties", PROPERTIES_MAX)?;
                }
                turn.facts.push(WorkspaceFact::PropertyDefined(id, kind));
            }
            turn.name(slots::property_slot(id), &name)?;
        }
        WorkspaceChange::DefineLabel { id, name } => {
            if !workspace.labels.contains(&id) {
                room(workspace.labels.len(), "labels", LABELS_MAX)?;
            }
            turn.facts.push(WorkspaceFact::LabelDefined(id));
            turn.name(slots::label_slot(id), &name)?;
        }
        WorkspaceChange::ChangeSettings { settings } => {
            if workspace.settings != settings {
                turn.facts.push(WorkspaceFact::SettingsChanged(settings));
            }
        }
        WorkspaceChange::MakeList { id, name } => turn.make_list(id, &name)?,
        WorkspaceChange::RenameList { id, name } => turn.rename_list(id, &name)?,
        WorkspaceChange::RemoveList { id } => turn.remove_list(id)?,
    }
    Ok(turn.end(asked))
}

impl Turn<'_> {
    fn add_member(
        &mut self,
        id: MemberId,
        role: Role,
        teams: BTreeSet<TeamId>,
        accounts: BTreeSet<AccountId>,
        profile: &MemberProfile,
    ) -> Done {
        self.known_teams(&teams)?;
        if let Some(known) = self.workspace.members.get(&id) {
            let same = known.role == role && known.teams == teams && known.accounts == accounts;
            return if same { Ok(()) } else { Err(Refusal::AlreadyExists { what: "member" }) };
        }
        room(self.workspace.members.len(), "members", MEMBERS_MAX)?;
        if profile.name.is_none() {
            return Err(Refusal::Invalid { field: "name".to_owned(), why: "a member has a name".to_owned() });
        }
        let email = self.profile(id, profile)?;
        let member = Member { role, teams, accounts, disabled: false, email, tokens: Vec::new() };
        self.facts.push(WorkspaceFact::MemberAdded(id, member));
        Ok(())
    }

    fn change_member(&mut self, id: MemberId, edit: MemberEdit, profile: &MemberProfile) -> Done {
        let known = self.workspace.members.get(&id).ok_or_else(|| not_found("member"))?;
        if let Some(teams) = &edit.teams {
            self.known_teams(teams)?;
        }
        let mut member = known.clone();
        member.role = edit.role.unwrap_or(member.role);
        member.teams = edit.teams.unwrap_or(member.teams);
        member.accounts = edit.accounts.unwrap_or(member.accounts);
        member.disabled = edit.disabled.unwrap_or(member.disabled);
        if member.disabled {
            member.tokens.clear();
        }
        if member.role != Role::Admin || member.disabled {
            self.another_admin(id, "demote or disable")?;
        }
        let new_password = profile.password_hash.is_some();
        member.email = self.profile(id, profile)?.or(member.email);
        if new_password {
            // Whoever had the old password may hold a token.
            member.tokens.clear();
        }
        if member != *known || !self.rows.is_empty() {
            self.facts.push(WorkspaceFact::MemberChanged(id, member));
        }
        Ok(())
    }

    fn remove_member(&mut self, id: MemberId) -> Done {
        self.workspace.members.get(&id).ok_or_else(|| not_found("member"))?;
        self.another_admin(id, "remove")?;
        self.facts.push(WorkspaceFact::MemberRemoved(id));
        for what in ["name", "email", "password"] {
            self.rows.push((slots::member_slot(id, what), None));
        }
        Ok(())
    }

    fn issue_token(&mut self, id: MemberId, digest: TokenDigest, expires_at: Option<Timestamp>) -> Done {
        let member = self.workspace.members.get(&id).ok_or_else(|| not_found("member"))?;
        if member.disabled {
            return Err(Refusal::WrongState { state: "disabled", action: "sign in" });
        }
        if !member.tokens.iter().any(|token| token.digest == digest) {
            let token = MemberToken { digest, issued_at: self.context.now, expires_at };
            self.facts.push(WorkspaceFact::TokenIssued(id, token));
        }
        Ok(())
    }

    /// Keeps what of a member is personal; the hash of the e-mail address, if there is a new one.
    fn profile(&mut self, id: MemberId, profile: &MemberProfile) -> Result<Option<u128>, Refusal> {
        if let Some(name) = &profile.name {
            self.name(slots::member_slot(id, "name"), name)?;
        }
        let mut hash = None;
        if let Some(email) = &profile.email {
            if !email.contains('@') || email.chars().count() > 254 {
                let why = "it is not an e-mail address".to_owned();
                return Err(Refusal::Invalid { field: "email".to_owned(), why });
            }
            let email_key = email_hash(self.context.keys, email);
            let taken =
                self.workspace.members.iter().any(|(other, member)| *other != id && member.email == Some(email_key));
            if taken {
                return Err(Refusal::AlreadyExists { what: "member" });
            }
            self.row(slots::member_slot(id, "email"), email);
            hash = Some(email_key);
        }
        if let Some(password) = &profile.password_hash {
            self.row(slots::member_slot(id, "password"), password.expose());
        }
        Ok(hash)
    }

    fn known_teams(&self, teams: &BTreeSet<TeamId>) -> Done {
        if teams.is_subset(&self.workspace.teams) { Ok(()) } else { Err(not_found("team")) }
    }

    /// Refuses where this member is the last who may change the workspace.
    fn another_admin(&self, id: MemberId, action: &'static str) -> Done {
        let admin = |member: &Member| member.role == Role::Admin && !member.disabled;
        let is_admin = self.workspace.members.get(&id).is_some_and(admin);
        let another = self.workspace.members.iter().any(|(other, member)| *other != id && admin(member));
        if is_admin && !another { Err(Refusal::WrongState { state: "the last admin", action }) } else { Ok(()) }
    }

    /// A new secret before the newest one, or only the newest one; the rows of those that go are erased.
    fn secrets(&mut self, id: AppId, new: Option<&String>) -> Done {
        let app = self.workspace.apps.get(&id).ok_or_else(|| not_found("app"))?;
        let newest = app.secrets.first().copied().unwrap_or(0);
        let good: Vec<u32> = match new {
            Some(secret) => {
                self.row(secret_slot(id, newest + 1), secret);
                vec![newest + 1, newest]
            }
            None => vec![newest],
        };
        if app.secrets == good {
            return Ok(());
        }
        for gone in app.secrets.iter().filter(|number| !good.contains(number)) {
            self.rows.push((secret_slot(id, *gone), None));
        }
        self.facts.push(WorkspaceFact::AppSecretsChanged(id, good));
        Ok(())
    }

    fn put_template(&mut self, id: TemplateId, new: NewTemplate) -> Done {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if new.name.is_empty() || new.name.len() > 512 || !new.name.bytes().all(letters) {
            let why = "a template's name has 1 to 512 lower-case letters, digits and underscores".to_owned();
            return Err(Refusal::Invalid { field: "name".to_owned(), why });
        }
        let shape = TemplateShape::of_components(&new.components)?;
        let now = self.context.now;
        let known = self.workspace.templates.get(&id);
        if known.is_none() {
            room(self.workspace.templates.len(), "templates", TEMPLATES_MAX)?;
        }
        let template = Template {
            name: new.name,
            language: language_code(&new.language),
            business_id: new.business_id,
            category: (now, new.category),
            status: (now, new.status),
            quality: known.map_or((Timestamp::default(), Quality::Unknown), |known| known.quality),
            shape,
        };
        self.facts.push(WorkspaceFact::TemplatePut(id, Box::new(template)));
        self.row(components_slot(id), &new.components);
        Ok(())
    }
}

/// What the provider says of a template; of one that is not known here nothing is kept.
pub(super) fn template_event(
    workspace: &Workspace,
    business_id: Option<&str>,
    event: &AccountEvent,
    at: Timestamp,
) -> Decision<Workspace> {
    let mut decision = Decision::nothing(WorkspaceAnswer::Noted);
    let Some((name, language, news)) = TemplateNews::of(event) else { return decision };
    let language = language_code(language);
    for (id, template) in &workspace.templates {
        let meant = template.name == name
            && template.language == language
            && business_id.is_none_or(|business| template.business_id.as_deref() == Some(business));
        if meant && template.is_changed_by(news, at) {
            let what = WorkspaceFact::TemplateChanged(*id, news);
            decision.events.push(WorkspaceEvent { at, author: Author::System, what });
        }
    }
    decision
}
