//! Reading a contact: its state, and beside it the rows that hold what is personal.

use std::collections::{BTreeMap, BTreeSet};

use super::Contacts;
use super::access::needs_read;
use crate::domain::access::Action;
use crate::domain::contact::{ConsentScope, Person, PropertyKey, PropertyValue};
use crate::domain::content::AddressDetails;
use crate::domain::entity::EntityKind;
use crate::domain::ids::{AddressId, ContactId, ConversationId};
use crate::domain::refusal::Refusal;
use crate::shards::CommandError;
use crate::workspaces::Caller;

/// A contact as somebody may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactView {
    /// The id it has now.
    pub id: ContactId,
    /// Whether another id was asked for, which redirects to this one.
    pub moved: bool,
    /// What is known, without values.
    pub person: Person,
    /// What its addresses are, as far as it was ever said.
    pub addresses: BTreeMap<AddressId, AddressDetails>,
    /// The values of its properties.
    pub properties: Vec<(PropertyKey, PropertyValue)>,
    /// Its conversations on accounts that the asker may use.
    pub conversations: Vec<ConversationId>,
}

impl Contacts {
    /// A contact.
    ///
    /// # Errors
    /// `NotFound` where there is none, or the asker may not see it; see [`CommandError`].
    pub async fn read(&self, caller: &Caller, id: ContactId) -> Result<ContactView, CommandError> {
        needs_read(caller)?;
        let (now, person) = self.find_for(caller, id, Action::See, "read this contact").await?;
        self.view(caller, now, now != id, person).await
    }

    /// A contact that the asker has just changed: they may have given it out of their own sight.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn read_back(&self, caller: &Caller, id: ContactId) -> Result<ContactView, CommandError> {
        needs_read(caller)?;
        let found = self.find(caller.workspace, id).await?;
        let (now, person) = found.ok_or(Refusal::NotFound { what: "contact" })?;
        self.view(caller, now, now != id, person).await
    }

    /// A person with what is personal.
    pub(super) async fn view(
        &self,
        caller: &Caller,
        id: ContactId,
        moved: bool,
        person: Person,
    ) -> Result<ContactView, CommandError> {
        let mut ids: BTreeSet<AddressId> = person.identities.keys().copied().collect();
        ids.extend(person.consents.keys().filter_map(|(scope, _)| match scope {
            ConsentScope::Address(_, address) => Some(*address),
            ConsentScope::Channel(_) => None,
        }));
        let ids: Vec<AddressId> = ids.into_iter().collect();
        let details = self.shards.addresses(&ids).await?;
        let addresses = ids.into_iter().zip(details).filter_map(|(id, details)| Some((id, details?))).collect();
        let properties = self.values(id, &person).await?;
        let own = person.conversations.iter().filter(|(_, account)| caller.grants.may_use(**account));
        let conversations = own.map(|(conversation, _)| *conversation).collect();
        Ok(ContactView { id, moved, person, addresses, properties, conversations })
    }

    /// The values of a contact's properties, from the rows of whoever holds them since the merges.
    pub(super) async fn values(
        &self,
        id: ContactId,
        person: &Person,
    ) -> Result<Vec<(PropertyKey, PropertyValue)>, CommandError> {
        let mut by_holder: BTreeMap<ContactId, Vec<PropertyKey>> = BTreeMap::new();
        for key in person.properties.keys() {
            if let Some(holder) = person.property_holder(id, *key) {
                by_holder.entry(holder).or_default().push(*key);
            }
        }
        let mut values = Vec::with_capacity(person.properties.len());
        for (holder, keys) in by_holder {
            let rows: BTreeMap<_, _> = self.shards.privates(EntityKind::Contact, holder.0).await?.into_iter().collect();
            let value = |key: PropertyKey| Some((key, PropertyValue::from_bytes(rows.get(&key.slot())?)?));
            values.extend(keys.into_iter().filter_map(value));
        }
        values.sort_by_key(|(key, _)| *key);
        Ok(values)
    }
}
