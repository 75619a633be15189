//! Connecting a number, page or bot: its own actor first, then its line in the workspace.
//!
//! The two are told one after the other. Each is asked in a way that may be repeated, so whatever ends between
//! them is mended by asking again.

use super::{Saved, Workspaces};
use crate::domain::ids::{AccountId, AppId, Keyring, LimitScopeId, WorkspaceId};
use crate::domain::limit::{LimitCommand, LimitScope};
use crate::domain::message::Channel;
use crate::domain::number::{Connection, NewConnection, Number, NumberAnswer, NumberCommand};
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::domain::secret::Secret;
use crate::domain::workspace::{Account, WorkspaceChange};
use crate::providers::http::BaseUrl;
use crate::shards::CommandError;

/// How often a change that rests on no version is tried again when another came between.
const TRIES: usize = 3;

/// An account as it is handed in.
pub struct NewAccount {
    /// The platform.
    pub channel: Channel,
    /// The app whose webhooks speak of it.
    pub app: AppId,
    /// The provider's id (WhatsApp: the phone number id).
    pub provider_id: String,
    /// The provider's id of the business account that holds it.
    pub business_id: Option<String>,
    /// The digits shown to people.
    pub display: Option<String>,
    /// The business portfolio whose messaging limit it shares, by any name: the same name is the same portfolio.
    pub portfolio: String,
    /// Where its calls go; none is the platform's own address.
    pub base_url: Option<String>,
    /// The token of its calls.
    pub access_token: Option<Secret<String>>,
    /// Messages a second; none is what the channel gives.
    pub rate_per_second: Option<u32>,
    /// Shared with the phone app, which takes a part of the rate.
    pub shared_with_phone: bool,
}

/// What changes of an account. None leaves it as it is.
#[derive(Default)]
pub struct AccountEdit {
    /// The app whose webhooks speak of it.
    pub app: Option<AppId>,
    /// The provider's id of the business account that holds it.
    pub business_id: Option<String>,
    /// The digits shown to people.
    pub display: Option<String>,
    /// The business portfolio whose messaging limit it shares.
    pub portfolio: Option<String>,
    /// Where its calls go.
    pub base_url: Option<String>,
    /// The token of its calls.
    pub access_token: Option<Secret<String>>,
    /// Messages a second; some none is what the channel gives.
    pub rate_per_second: Option<Option<u32>>,
    /// Shared with the phone app.
    pub shared_with_phone: Option<bool>,
}

/// The id of the account that a provider's id names in a workspace.
#[must_use]
pub fn account_id(keys: &Keyring, workspace: WorkspaceId, channel: Channel, provider_id: &str) -> AccountId {
    AccountId(keys.keyed(workspace, "account", &format!("{}/{provider_id}", channel.word())))
}

/// The messaging limit of a business portfolio. It is the provider's, so workspaces that name the same one share it.
#[must_use]
pub fn limit_scope_id(keys: &Keyring, channel: Channel, portfolio: &str) -> LimitScopeId {
    LimitScopeId(keys.hash(b"limit_scope", &[channel.word().as_bytes(), portfolio.as_bytes()]))
}

impl Workspaces {
    /// Connects an account. The same again changes it to what is handed in.
    ///
    /// # Errors
    /// There is no such app, it is of another channel, or the number belongs to another workspace.
    pub async fn connect_account(
        &self,
        workspace: WorkspaceId,
        asked: Asked,
        new: NewAccount,
    ) -> Result<AccountId, CommandError> {
        self.check_app(workspace, new.app, new.channel)?;
        check_base_url(new.base_url.as_deref())?;
        if self.account(new.channel, &new.provider_id).is_some_and(|place| place.workspace != workspace) {
            return Err(Refusal::AlreadyExists { what: "account" }.into());
        }
        let id = account_id(self.keys(), workspace, new.channel, &new.provider_id);
        let limit_scope = self.open_limit(workspace, new.channel, &new.portfolio).await?;
        let connection = NewConnection {
            workspace,
            channel: new.channel,
            app: new.app,
            limit_scope,
            provider_id: new.provider_id,
            business_id: new.business_id,
            base_url: new.base_url,
            access_token: new.access_token,
            display: new.display.map(digits_of),
            rate_per_second: new.rate_per_second,
            shared_with_phone: new.shared_with_phone,
        };
        self.ask_number(id, NumberCommand::Connect { asked, connection: Box::new(connection) }).await?;
        self.list_account(workspace, asked, id).await?;
        Ok(id)
    }

    /// Changes an account.
    ///
    /// # Errors
    /// There is no such account or app, or it changed meanwhile.
    pub async fn change_account(
        &self,
        workspace: WorkspaceId,
        asked: Asked,
        id: AccountId,
        edit: &AccountEdit,
    ) -> Result<(), CommandError> {
        self.check_account(workspace, id)?;
        check_base_url(edit.base_url.as_deref())?;
        let mut tries = 0;
        loop {
            tries += 1;
            let (known, version) = self.connection(id).await?;
            if let Some(app) = edit.app {
                self.check_app(workspace, app, known.channel)?;
            }
            let limit_scope = match &edit.portfolio {
                Some(portfolio) => self.open_limit(workspace, known.channel, portfolio).await?,
                None => known.limit_scope,
            };
            let connection = NewConnection {
                workspace,
                channel: known.channel,
                app: edit.app.unwrap_or(known.app),
                limit_scope,
                provider_id: known.provider_id,
                business_id: edit.business_id.clone().or(known.business_id),
                base_url: edit.base_url.clone(),
                access_token: edit.access_token.clone(),
                display: edit.display.clone().map(digits_of),
                rate_per_second: edit.rate_per_second.unwrap_or(known.rate_per_second),
                shared_with_phone: edit.shared_with_phone.unwrap_or(known.shared_with_phone),
            };
            // What is not named stays only if nobody changed it meanwhile.
            let resting = Asked { if_version: asked.if_version.or(Some(version)), ..asked };
            let connect = NumberCommand::Connect { asked: resting, connection: Box::new(connection) };
            match self.ask_number(id, connect).await {
                Ok(_) => return self.list_account(workspace, asked, id).await,
                Err(CommandError::Refused(Refusal::VersionMismatch { .. }))
                    if asked.if_version.is_none() && tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes an account away: nothing leaves any more, then it is off the list.
    ///
    /// # Errors
    /// There is no such account, or it changed meanwhile.
    pub async fn disconnect_account(
        &self,
        workspace: WorkspaceId,
        asked: Asked,
        id: AccountId,
    ) -> Result<Saved, CommandError> {
        self.check_account(workspace, id)?;
        self.ask_number(id, NumberCommand::Disconnect { asked }).await?;
        self.change(workspace, Asked::by(asked.author), WorkspaceChange::DisconnectAccount { id }).await
    }

    /// Stops what leaves by an account, or lets it go on.
    ///
    /// # Errors
    /// There is no such account, or it changed meanwhile.
    pub async fn pause_account(
        &self,
        workspace: WorkspaceId,
        asked: Asked,
        id: AccountId,
        paused: bool,
    ) -> Result<(), CommandError> {
        self.check_account(workspace, id)?;
        let command = match paused {
            true => NumberCommand::PauseSending { asked },
            false => NumberCommand::ResumeSending { asked },
        };
        self.ask_number(id, command).await.map(drop)
    }

    /// Reads an account's number as committed.
    ///
    /// # Errors
    /// There is no such account, or it could not be reached.
    pub async fn view_account<R: Send + 'static>(
        &self,
        workspace: WorkspaceId,
        id: AccountId,
        read: impl FnOnce(&Number) -> R + Send + 'static,
    ) -> Result<R, CommandError> {
        self.check_account(workspace, id)?;
        self.shards.view::<Number, R>(id.0, read).await
    }

    /// Puts the account on the workspace's list as its number has it.
    async fn list_account(&self, workspace: WorkspaceId, asked: Asked, id: AccountId) -> Result<(), CommandError> {
        let (connection, _) = self.connection(id).await?;
        let account = Account {
            channel: connection.channel,
            app: connection.app,
            provider_id: connection.provider_id,
            business_id: connection.business_id,
            display: connection.display,
            limit_scope: connection.limit_scope,
        };
        // Without the key and the version, which are the number's: this is the same whenever it is done.
        let alone = Asked::by(asked.author);
        self.change(workspace, alone, WorkspaceChange::ConnectAccount { id, account }).await.map(drop)
    }

    async fn connection(&self, id: AccountId) -> Result<(Connection, u64), CommandError> {
        let read = |number: &Number| {
            let connection = number.connection.clone().filter(|_| !number.disconnected);
            connection.map(|connection| (connection, number.version))
        };
        let found = self.shards.view::<Number, _>(id.0, read).await?;
        found.ok_or_else(|| Refusal::NotFound { what: "account" }.into())
    }

    async fn ask_number(&self, id: AccountId, command: NumberCommand) -> Result<NumberAnswer, CommandError> {
        self.shards.ask::<Number>(id.0, command).await
    }

    async fn open_limit(
        &self,
        workspace: WorkspaceId,
        channel: Channel,
        portfolio: &str,
    ) -> Result<LimitScopeId, CommandError> {
        if portfolio.trim().is_empty() {
            let why = "name the business portfolio whose messaging limit the account shares".to_owned();
            return Err(Refusal::Invalid { field: "portfolio".to_owned(), why }.into());
        }
        let scope = limit_scope_id(self.keys(), channel, portfolio.trim());
        self.shards.ask::<LimitScope>(scope.0, LimitCommand::Open { workspace }).await?;
        Ok(scope)
    }

    fn check_account(&self, workspace: WorkspaceId, id: AccountId) -> Result<(), Refusal> {
        let known = self.find(workspace).is_some_and(|state| state.accounts.contains_key(&id));
        if known { Ok(()) } else { Err(Refusal::NotFound { what: "account" }) }
    }

    fn check_app(&self, workspace: WorkspaceId, app: AppId, channel: Channel) -> Result<(), Refusal> {
        let state = self.find(workspace).ok_or(Refusal::NotFound { what: "workspace" })?;
        let known = state.apps.get(&app).ok_or(Refusal::NotFound { what: "app" })?;
        if known.channel == channel {
            return Ok(());
        }
        let why = format!("its app is of the channel {}", known.channel.word());
        Err(Refusal::Invalid { field: "channel".to_owned(), why })
    }
}

fn check_base_url(text: Option<&str>) -> Result<(), Refusal> {
    let Some(text) = text else { return Ok(()) };
    match BaseUrl::parse(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(Refusal::Invalid { field: "base_url".to_owned(), why: error.to_string() }),
    }
}

/// The digits of what people write as `+351 210 000 000`; other texts stay as they are.
fn digits_of(display: String) -> String {
    let is_number = display.chars().all(|letter| letter.is_ascii_digit() || "+ -().".contains(letter));
    if is_number { display.chars().filter(char::is_ascii_digit).collect() } else { display }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_has_one_id_in_each_workspace() {
        let keys = Keyring::new([7; 16]);
        let id = |workspace, channel| account_id(&keys, WorkspaceId(workspace), channel, "1065");
        assert_eq!(id(1, Channel::WhatsApp), id(1, Channel::WhatsApp));
        assert_ne!(id(1, Channel::WhatsApp), id(2, Channel::WhatsApp));
        assert_ne!(id(1, Channel::WhatsApp), id(1, Channel::Sms));
        assert_ne!(limit_scope_id(&keys, Channel::WhatsApp, "loja"), limit_scope_id(&keys, Channel::WhatsApp, "outra"));
    }

    #[test]
    fn what_people_write_becomes_digits() {
        let cases = [("+351 210-000.000", "351210000000"), ("(351) 2", "3512"), ("@shop1", "@shop1"), ("", "")];
        for (written, wanted) in cases {
            assert_eq!(digits_of(written.to_owned()), wanted);
        }
    }

    #[test]
    fn a_base_url_is_judged_before_anything_is_connected() {
        assert!(check_base_url(None).is_ok() && check_base_url(Some("http://127.0.0.1:7002/v1")).is_ok());
        assert_eq!(check_base_url(Some("ftp://x")).map_err(|refusal| refusal.code()), Err("invalid"));
    }
}
