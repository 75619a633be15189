//! The workspace that anyone can try: agents, contacts, an approved template, a number of the sandbox's.
//! Every id follows from a key, so seeding twice changes nothing.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;

use crate::config::Config;
use crate::domain::author::Author;
use crate::domain::contact::{ConsentScope, Contact};
use crate::domain::contact::{
    ContactCommand, ContactDraft, PropertyKey, PropertyValue, SaveHow, TypedConsent, TypedIdentity,
};
use crate::domain::content::AddressDetails;
use crate::domain::ids::{AccountId, AppId, Keyring, LimitScopeId, MemberId, TeamId, WorkspaceId};
use crate::domain::inbound::{Address, AddressSpace, TemplateStatus};
use crate::domain::limit::{LimitCommand, LimitScope};
use crate::domain::message::Channel;
use crate::domain::number::{NewConnection, Number, NumberCommand};
use crate::domain::recall::Asked;
use crate::domain::role::Role;
use crate::domain::secret::Secret;
use crate::domain::template_form::TemplateCategory;
use crate::domain::workspace::{
    Account, MemberProfile, NewTemplate, Workspace, WorkspaceChange, WorkspaceCommand, display_hash, template_id,
};
use crate::shards::{CommandError, Shards};
use crate::workspaces::{Credential, digest_of, new_token};

use super::StartError;
use super::tokens::Tokens;

/// The number that the sandbox plays, as Meta names it.
pub(super) const PHONE_NUMBER_ID: &str = "106540352242922";
/// Its digits.
pub(super) const DISPLAY: &str = "15550783881";
/// The business account that holds it.
pub(super) const BUSINESS_ID: &str = "102290129340398";
/// Contacts that are made at once.
const AT_ONCE: usize = 64;

/// What was seeded, by id.
#[derive(Clone, Copy, Debug)]
pub struct Seeded {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The app whose webhooks speak of the number.
    pub app: AppId,
    /// The number.
    pub account: AccountId,
}

impl Seeded {
    /// The ids, which follow from the store's key alone.
    #[must_use]
    pub fn ids(keys: &Keyring) -> Self {
        let workspace = WorkspaceId(keys.keyed(WorkspaceId(0), "workspace", "sandbox"));
        Self {
            workspace,
            app: AppId(keys.keyed(workspace, "app", "sandbox")),
            account: AccountId(keys.keyed(workspace, "account", &format!("whatsapp/{PHONE_NUMBER_ID}"))),
        }
    }

    /// The path that the number's webhooks are posted to.
    #[must_use]
    pub fn webhook_path(&self) -> String {
        format!("/webhooks/whatsapp/{}", self.app)
    }
}

/// Seeds the sandbox workspace; the tokens of its members are made once and kept in `tokens`.
///
/// # Errors
/// The store did not take it, or the tokens' file cannot be written.
pub async fn seed(
    shards: &Arc<Shards>,
    config: &Config,
    base_url: &str,
    tokens: &mut Tokens,
) -> Result<Seeded, StartError> {
    let keys = &shards.node().keys;
    let seeded = Seeded::ids(keys);
    let workspace = seeded.workspace;
    ask(shards, workspace, WorkspaceCommand::Create { asked: by(), name: "Sandbox".to_owned() }).await?;
    let team = TeamId(keys.keyed(workspace, "team", "support"));
    change(shards, workspace, WorkspaceChange::CreateTeam { id: team, name: "Support".to_owned() }).await?;
    let app = WorkspaceChange::RegisterApp {
        id: seeded.app,
        channel: Channel::WhatsApp,
        secret: Secret::new(config.sandbox.app_secret.expose().clone()),
        verify_token: Secret::new(config.sandbox.verify_token.expose().clone()),
    };
    change(shards, workspace, app).await?;
    connect(shards, config, seeded, base_url).await?;
    let template = NewTemplate {
        name: "order_update".to_owned(),
        language: "en_US".to_owned(),
        business_id: Some(BUSINESS_ID.to_owned()),
        category: TemplateCategory::Utility,
        status: TemplateStatus::Approved,
        components: r#"[{"type":"BODY","text":"Hello {{1}}, your order {{2}} is on its way.","example":{"body_text":[["Ada","1042"]]}}]"#.to_owned(),
    };
    let id = template_id(keys, workspace, Some(BUSINESS_ID), "order_update", "en_US");
    change(shards, workspace, WorkspaceChange::PutTemplate { id, template: Box::new(template) }).await?;
    members(shards, config, workspace, team, tokens).await?;
    contacts(shards, config, workspace).await?;
    for (name, value) in
        [("WORKSPACE", workspace.to_string()), ("APP", seeded.app.to_string()), ("ACCOUNT", seeded.account.to_string())]
    {
        tokens.set(name, value).map_err(|error| StartError::Files("the tokens cannot be kept", error))?;
    }
    Ok(seeded)
}

async fn connect(shards: &Shards, config: &Config, seeded: Seeded, base_url: &str) -> Result<(), CommandError> {
    let keys = &shards.node().keys;
    let limit_scope = LimitScopeId(keys.hash(b"limit_scope", &[b"whatsapp", b"sandbox"]));
    let connection = NewConnection {
        workspace: seeded.workspace,
        channel: Channel::WhatsApp,
        app: seeded.app,
        limit_scope,
        provider_id: PHONE_NUMBER_ID.to_owned(),
        business_id: Some(BUSINESS_ID.to_owned()),
        base_url: Some(base_url.to_owned()),
        access_token: Some(Secret::new(config.sandbox.access_token.expose().clone())),
        display: Some(DISPLAY.to_owned()),
        rate_per_second: None,
        shared_with_phone: false,
    };
    let command = NumberCommand::Connect { asked: by(), connection: Box::new(connection) };
    shards.ask::<Number>(seeded.account.0, command).await?;
    shards.ask::<LimitScope>(limit_scope.0, LimitCommand::Open { workspace: seeded.workspace }).await?;
    let account = Account {
        channel: Channel::WhatsApp,
        app: seeded.app,
        provider_id: PHONE_NUMBER_ID.to_owned(),
        business_id: Some(BUSINESS_ID.to_owned()),
        display: Some(display_hash(keys, DISPLAY)),
        limit_scope,
    };
    change(shards, seeded.workspace, WorkspaceChange::ConnectAccount { id: seeded.account, account }).await
}

/// The admin and the agents, each with a token that is made once.
async fn members(
    shards: &Shards,
    config: &Config,
    workspace: WorkspaceId,
    team: TeamId,
    tokens: &mut Tokens,
) -> Result<(), StartError> {
    let keys = &shards.node().keys;
    let agents = (1..=config.seed.agents).map(|number| (format!("agent{number}"), Role::Staff));
    for (name, role) in std::iter::once(("admin".to_owned(), Role::Admin)).chain(agents) {
        let id = MemberId(keys.keyed(workspace, "member", &name));
        let profile = MemberProfile {
            name: Some(name.clone()),
            email: Some(format!("{name}@sandbox.example")),
            password_hash: None,
        };
        let teams = if role == Role::Staff { [team].into() } else { Default::default() };
        let member = WorkspaceChange::AddMember { id, role, teams, accounts: Default::default(), profile };
        change(shards, workspace, member).await?;
        let slot = format!("{}_TOKEN", name.to_uppercase());
        let token = match tokens.get(&slot) {
            Some(known) => known.to_owned(),
            None => {
                let token = new_token(Credential::Member, workspace, &*shards.node().surroundings.ids).expose().clone();
                let kept = tokens.set(&slot, token.clone());
                kept.map_err(|error| StartError::Files("the tokens cannot be kept", error))?;
                token
            }
        };
        let known = shards
            .view::<Workspace, _>(workspace.0, move |state| {
                let now = crate::domain::time::Timestamp(0);
                state.member_by_token(digest_of(&token), now).is_some().then_some(token.clone()).ok_or(token)
            })
            .await?;
        if let Err(token) = known {
            let issue = WorkspaceChange::IssueToken { member: id, digest: digest_of(&token), expires_at: None };
            change(shards, workspace, issue).await?;
        }
    }
    Ok(())
}

/// The contacts, each with a phone, a name and an opt-in.
async fn contacts(shards: &Shards, config: &Config, workspace: WorkspaceId) -> Result<(), CommandError> {
    const NAMES: [&str; 8] = ["Ada", "Ben", "Chloé", "Davi", "Elif", "Femi", "Grace", "Hiro"];
    let keys = &shards.node().keys;
    let made = stream::iter(0..config.seed.contacts).map(|number| async move {
        let digits = format!("1555{:07}", 100_000 + number);
        let address = Address { space: AddressSpace::Phone, text: digits };
        let id = keys.address(workspace, address.space.word(), &address.text);
        let contact = keys.contact(workspace, id);
        if shards.view::<Contact, _>(contact.0, |known| known.person().is_some()).await? {
            return Ok(());
        }
        let name = NAMES[number as usize % NAMES.len()].to_owned();
        let draft = ContactDraft {
            identities: vec![TypedIdentity {
                channel: Channel::WhatsApp,
                details: AddressDetails { address, name: None, username: None },
            }],
            properties: vec![(PropertyKey::FirstName, Some(PropertyValue::Text(name)))],
            labels: Vec::new(),
            consents: vec![TypedConsent {
                scope: ConsentScope::Address(Channel::WhatsApp, id),
                topic: "marketing".to_owned(),
                withdrawn: false,
            }],
        };
        loop {
            let (how, draft) = (SaveHow::Upsert, draft.clone());
            let command = ContactCommand::Save { asked: by(), workspace, how, draft };
            match shards.ask::<Contact>(contact.0, command).await {
                Err(CommandError::Overloaded { .. }) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
                outcome => return outcome.map(drop),
            }
        }
    });
    let outcomes: Vec<Result<(), CommandError>> = made.buffer_unordered(AT_ONCE).collect().await;
    outcomes.into_iter().collect()
}

pub(super) async fn change(
    shards: &Shards,
    workspace: WorkspaceId,
    change: WorkspaceChange,
) -> Result<(), CommandError> {
    ask(shards, workspace, WorkspaceCommand::Change { asked: by(), change: Box::new(change) }).await
}

/// What is so already is as good as done.
async fn ask(shards: &Shards, workspace: WorkspaceId, command: WorkspaceCommand) -> Result<(), CommandError> {
    match shards.ask::<Workspace>(workspace.0, command).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.refusal().map(crate::domain::refusal::Refusal::code), Some("already_exists")) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

const fn by() -> Asked {
    Asked::by(Author::System)
}
