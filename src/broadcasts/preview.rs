//! What a broadcast says to one person, before it says it to all: filled as a recipient's would be.

use super::{Broadcasts, draft, fill};
use crate::domain::broadcast::CompiledMessage;
use crate::domain::broadcast::job::{Broadcast, Status};
use crate::domain::contact::Contact;
use crate::domain::ids::{AccountId, BroadcastId, ContactId};
use crate::domain::message::MessageContent;
use crate::domain::refusal::Refusal;
use crate::shards::CommandError;
use crate::workspaces::Caller;

/// A broadcast's message for one person. No `Debug`: it is personal.
pub struct Preview {
    /// The number that it would leave by.
    pub account: AccountId,
    /// The message.
    pub content: MessageContent,
}

impl Broadcasts {
    /// The message as this contact would get it, whatever audience they are in. Who asks has seen to it that the contact
    /// is the caller's to see.
    ///
    /// # Errors
    /// The contact lacks a variable that has no default; see [`CommandError`].
    pub async fn preview(&self, caller: &Caller, id: BroadcastId, contact: ContactId) -> Result<Preview, CommandError> {
        self.may_change(caller, id).await?;
        let of = |state: &Broadcast| state.plan().copied().filter(|_| state.status() != Some(Status::Deleted));
        let plan = self.shards.view::<Broadcast, _>(id.0, of).await?;
        let account = plan.ok_or(Refusal::NotFound { what: "broadcast" })?.account;
        let names = self.property_names(caller.workspace).await?;
        let message = CompiledMessage::compile(self.message(id).await?, |name| names.key(name).is_some())
            .map_err(|unclear| draft::unclear(&unclear))?;
        let variables = fill::variables(&message, &names);
        let state = self.shards.peek::<Contact>(&[contact.0]).await?.pop();
        let Some(Contact::Person(person)) = state else { return Err(Refusal::NotFound { what: "contact" }.into()) };
        let keys = variables.values().copied().collect();
        let values = fill::values(&self.shards, &keys, &[(contact, *person)]).await?.pop();
        let content = fill::texts(&message, &variables, &values.unwrap_or_default())
            .map(|texts| message.with(&texts))
            .map_err(|missing| Refusal::Invalid { field: "contact".to_owned(), why: missing.to_string() })?;
        Ok(Preview { account, content })
    }
}
