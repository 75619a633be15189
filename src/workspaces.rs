//! What this node knows of every workspace at hand: who may enter, whose accounts there are, what may be sent.
//!
//! A workspace decides in its own actor. What it has committed is kept here, whole, so that no request
//! wakes it: tokens, roles, accounts, apps and templates are read from memory.

mod admit;
mod attempts;
mod change;
mod connect;
mod messaging_limit;
mod passwords;
mod secrets;
mod sign_in;

use std::sync::Arc;

use dashmap::DashMap;

use crate::domain::conversation::TemplateFacts;
use crate::domain::ids::{AccountId, AppId, Keyring, LimitScopeId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::workspace::{Workspace, display_hash};
use crate::shards::{CommandError, Shards};

pub use admit::{Caller, Credential, Rights, digest_of, new_token};
pub use change::{Begun, NewAdmin, Saved};
pub use connect::{AccountEdit, NewAccount, account_id, limit_scope_id};
pub use messaging_limit::LimitStanding;
pub use passwords::{PASSWORD_MAX_BYTES, PASSWORD_MIN_CHARS};
pub use secrets::AppSecrets;
pub use sign_in::{Issued, SESSION, SignedIn};

/// Lines of a list that are read at once.
const PAGE: usize = 1_000;

/// An account and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountPlace {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The account.
    pub account: AccountId,
    /// The app whose webhooks speak of it.
    pub app: AppId,
}

/// Every workspace, as committed.
pub struct Workspaces {
    shards: Arc<Shards>,
    known: DashMap<WorkspaceId, Arc<Workspace>>,
    apps: DashMap<AppId, WorkspaceId>,
    accounts: DashMap<(Channel, String), AccountPlace>,
    secrets: DashMap<AppId, Arc<AppSecrets>>,
    passwords: passwords::Passwords,
    attempts: attempts::Attempts,
}

impl Workspaces {
    /// Knows none yet.
    #[must_use]
    pub fn new(shards: Arc<Shards>) -> Arc<Self> {
        Arc::new(Self {
            shards,
            known: DashMap::new(),
            apps: DashMap::new(),
            accounts: DashMap::new(),
            secrets: DashMap::new(),
            passwords: passwords::Passwords::new(),
            attempts: attempts::Attempts::default(),
        })
    }

    /// Reads every workspace of the store; called once, when the shards are open.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn load(&self) -> Result<(), CommandError> {
        for shard in 0..self.shards.count() {
            let mut after = None;
            loop {
                let page = self.shards.workspaces_of(shard, after, PAGE).await?;
                for id in &page {
                    let state = self.shards.view::<Workspace, _>(id.0, Clone::clone).await?;
                    self.learn(*id, &state);
                }
                if page.len() < PAGE {
                    break;
                }
                after = page.last().copied();
            }
        }
        Ok(())
    }

    /// Takes what a workspace has committed.
    pub fn learn(&self, id: WorkspaceId, state: &Workspace) {
        let before = self.known.insert(id, Arc::new(state.clone()));
        for app in state.apps.keys() {
            self.apps.insert(*app, id);
        }
        for (account, details) in &state.accounts {
            let place = AccountPlace { workspace: id, account: *account, app: details.app };
            self.accounts.insert((details.channel, details.provider_id.clone()), place);
        }
        let Some(before) = before else { return };
        for (account, details) in before.accounts.iter().filter(|(account, _)| !state.accounts.contains_key(account)) {
            self.accounts
                .remove_if(&(details.channel, details.provider_id.clone()), |_, place| place.account == *account);
        }
    }

    /// A workspace as committed.
    #[must_use]
    pub fn find(&self, id: WorkspaceId) -> Option<Arc<Workspace>> {
        self.known.get(&id).map(|found| Arc::clone(&found))
    }

    /// Every workspace there is.
    #[must_use]
    pub fn ids(&self) -> Vec<WorkspaceId> {
        self.known.iter().map(|entry| *entry.key()).collect()
    }

    /// The account with this provider's id.
    #[must_use]
    pub fn account(&self, channel: Channel, provider_id: &str) -> Option<AccountPlace> {
        self.accounts.get(&(channel, provider_id.to_owned())).map(|place| *place)
    }

    /// The accounts that a business account holds.
    #[must_use]
    pub fn accounts_of_business(&self, channel: Channel, business_id: &str) -> Vec<AccountPlace> {
        self.places(|details| details.channel == channel && details.business_id.as_deref() == Some(business_id))
    }

    /// The account of a business account with these digits.
    #[must_use]
    pub fn account_by_display(&self, channel: Channel, business_id: &str, digits: &str) -> Vec<AccountPlace> {
        let display = Some(display_hash(self.keys(), digits));
        self.places(|details| {
            details.channel == channel
                && details.business_id.as_deref() == Some(business_id)
                && details.display == display
        })
    }

    /// The messaging limit that an account counts against.
    #[must_use]
    pub fn limit_scope(&self, workspace: WorkspaceId, account: AccountId) -> Option<LimitScopeId> {
        Some(self.find(workspace)?.accounts.get(&account)?.limit_scope)
    }

    /// An app's workspace and channel.
    #[must_use]
    pub fn app(&self, app: AppId) -> Option<(WorkspaceId, Channel)> {
        let workspace = *self.apps.get(&app)?;
        Some((workspace, self.find(workspace)?.apps.get(&app)?.channel))
    }

    /// What sending needs to know of a template.
    #[must_use]
    pub fn template_facts(
        &self,
        workspace: WorkspaceId,
        account: AccountId,
        name: &str,
        language: &str,
    ) -> Option<TemplateFacts> {
        let workspace = self.find(workspace)?;
        let (_, template) = workspace.template_for(account, name, language)?;
        Some(TemplateFacts { category: template.charged_as(), status: template.status.1 })
    }

    fn places(&self, fits: impl Fn(&crate::domain::workspace::Account) -> bool) -> Vec<AccountPlace> {
        let mut found = Vec::new();
        for entry in &self.known {
            for (account, details) in entry.accounts.iter().filter(|(_, details)| fits(details)) {
                found.push(AccountPlace { workspace: *entry.key(), account: *account, app: details.app });
            }
        }
        found
    }

    fn keys(&self) -> &Keyring {
        &self.shards.node().keys
    }
}
