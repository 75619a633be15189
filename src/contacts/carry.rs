//! What conversations and other contacts decided of a contact, carried there. Receivers are idempotent.

use super::Contacts;
use crate::domain::contact::{Contact, ContactCommand};
use crate::domain::effect::Effect;
use crate::domain::entity::Entity;
use crate::domain::ids::{AccountId, AddressId, ContactId, ConversationId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::number::Number;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::shards::CommandError;

/// What a conversation saw of a person.
struct Sighting<'a> {
    workspace: WorkspaceId,
    conversation: ConversationId,
    account: AccountId,
    addresses: &'a [AddressId],
    at: Timestamp,
}

impl Contacts {
    /// Carries out an effect that is for a contact; none if it is for somebody else.
    pub async fn carry(&self, effect: &Effect) -> Option<Result<(), CommandError>> {
        Some(match effect {
            Effect::ObserveContact { workspace, contact, conversation, account, addresses, at } => {
                let (workspace, conversation, account) = (*workspace, *conversation, *account);
                let sighting = Sighting { workspace, conversation, account, addresses, at: *at };
                self.observe(*contact, &sighting).await
            }
            Effect::LinkContact { to, from, created_at, .. } => self.link(*to, *from, *created_at).await,
            Effect::AbsorbContact { to, from, payload } => {
                let command = || ContactCommand::Absorb { from: *from, payload: payload.clone() };
                self.tell(*to, command).await
            }
            Effect::RecordConsent { workspace, contact, channel, address, topic, withdrawn, at } => {
                let command = || ContactCommand::RecordConsent {
                    workspace: *workspace,
                    channel: *channel,
                    address: *address,
                    topic: topic.clone(),
                    withdrawn: *withdrawn,
                    at: *at,
                };
                self.tell(*contact, command).await
            }
            _ => return None,
        })
    }

    async fn observe(&self, contact: ContactId, seen: &Sighting<'_>) -> Result<(), CommandError> {
        let channel = self.channel_of(seen.workspace, seen.account).await?;
        let command = || ContactCommand::Observe {
            workspace: seen.workspace,
            conversation: seen.conversation,
            account: seen.account,
            channel,
            addresses: seen.addresses.to_vec(),
            at: seen.at,
        };
        self.tell(contact, command).await
    }

    async fn link(&self, to: ContactId, from: ContactId, born: Timestamp) -> Result<(), CommandError> {
        // Who says so was there when they said so, and knows the tenant.
        let workspace = self.shards.view::<Contact, _>(from.0, Contact::workspace).await?;
        let workspace = workspace.ok_or(Refusal::NotFound { what: "contact" })?;
        self.tell(to, || ContactCommand::Link { workspace, from, born }).await
    }

    /// The channel of an account. One that was taken away since is still known to its number.
    async fn channel_of(&self, workspace: WorkspaceId, account: AccountId) -> Result<Channel, CommandError> {
        let listed = self.workspaces.find(workspace).and_then(|state| Some(state.accounts.get(&account)?.channel));
        if let Some(channel) = listed {
            return Ok(channel);
        }
        let connected = |number: &Number| number.connection.as_ref().map(|connection| connection.channel);
        let channel = self.shards.view::<Number, _>(account.0, connected).await?;
        channel.ok_or_else(|| Refusal::NotFound { what: "account" }.into())
    }
}
