//! Creating and changing a contact: its addresses are claimed, its values checked, and what is so already is
//! not written again.

use std::collections::{BTreeMap, BTreeSet};

use super::Contacts;
use super::access::needs_write;
use crate::domain::access::Action;
use crate::domain::contact::{
    ConsentScope, ContactAnswer, ContactCommand, ContactDraft, Person, PropertyKey, SaveHow, TypedIdentity,
};
use crate::domain::ids::{AddressId, ContactId, WorkspaceId};
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::shards::CommandError;
use crate::workspaces::Caller;

/// What became of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there before.
    Created,
    /// It was, and is another now.
    Updated,
    /// It was like that already.
    Unchanged,
}

/// A contact that was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The contact.
    pub id: ContactId,
    /// Its version now.
    pub version: u64,
    /// What became of it.
    pub outcome: Outcome,
}

impl Contacts {
    /// Makes a contact. Its id is named by its first address; without one it is `nameless`.
    ///
    /// # Errors
    /// `IdentityTaken` where somebody has one of the addresses; `Invalid`; see [`CommandError`].
    pub async fn create(
        &self,
        caller: &Caller,
        asked: Asked,
        nameless: ContactId,
        draft: ContactDraft,
    ) -> Result<Saved, CommandError> {
        needs_write(caller)?;
        self.check(caller, &draft, None)?;
        let addresses = self.addresses_of(caller.workspace, &draft.identities);
        let id = addresses.first().map_or(nameless, |first| self.named(caller.workspace, *first));
        for further in addresses.iter().skip(1) {
            if let Some((holder, _)) = self.find(caller.workspace, self.named(caller.workspace, *further)).await?
                && holder != id
            {
                return Err(taken(holder).into());
            }
        }
        self.begin(caller, asked, id, SaveHow::Create, draft).await
    }

    /// Makes a contact, or changes the one that has one of the addresses.
    ///
    /// # Errors
    /// `IdentityTaken` where the addresses are several people's, or of somebody the asker may not see; `Invalid`.
    pub async fn upsert(&self, caller: &Caller, asked: Asked, draft: ContactDraft) -> Result<Saved, CommandError> {
        needs_write(caller)?;
        let addresses = self.addresses_of(caller.workspace, &draft.identities);
        let Some(first) = addresses.first() else {
            let why = "at least one address must say who is meant".to_owned();
            return Err(Refusal::Invalid { field: "identities".to_owned(), why }.into());
        };
        let mut meant: Option<(ContactId, Person)> = None;
        for address in &addresses {
            let Some((id, person)) = self.find(caller.workspace, self.named(caller.workspace, *address)).await? else {
                continue;
            };
            match &meant {
                Some((known, _)) if *known != id => return Err(taken(id).into()),
                Some(_) => {}
                None => meant = Some((id, person)),
            }
        }
        match meant {
            Some((id, person)) if !self.may(caller, &person, Action::Change) => Err(taken(id).into()),
            Some((id, person)) => self.amend(caller, asked, id, &person, SaveHow::Upsert, draft).await,
            None => {
                self.check(caller, &draft, None)?;
                let id = self.named(caller.workspace, *first);
                self.begin(caller, asked, id, SaveHow::Upsert, draft).await
            }
        }
    }

    /// Changes a contact: addresses, labels and consents are added, properties set or erased.
    ///
    /// # Errors
    /// `NotFound`, `VersionMismatch`, `IdentityTaken`, `Invalid`; see [`CommandError`].
    pub async fn update(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ContactId,
        draft: ContactDraft,
    ) -> Result<Saved, CommandError> {
        needs_write(caller)?;
        let (id, person) = self.find_for(caller, id, Action::Change, "change this contact").await?;
        self.amend(caller, asked, id, &person, SaveHow::Update, draft).await
    }

    /// Says that an address is a contact's.
    ///
    /// # Errors
    /// Those of [`Self::update`].
    pub async fn claim(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ContactId,
        identity: TypedIdentity,
    ) -> Result<Saved, CommandError> {
        let draft = ContactDraft { identities: vec![identity], ..ContactDraft::default() };
        self.update(caller, asked, id, draft).await
    }

    /// Saves a contact that was not there, under its first address; the others are claimed once it is.
    async fn begin(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ContactId,
        how: SaveHow,
        mut draft: ContactDraft,
    ) -> Result<Saved, CommandError> {
        let further = draft
            .identities
            .extract_if(.., |typed| self.named(caller.workspace, self.id_of(caller.workspace, typed)) != id)
            .collect::<Vec<_>>();
        let first = self.save(caller.workspace, asked, id, how, 0, draft).await?;
        if further.is_empty() {
            return Ok(first);
        }
        self.claim_all(caller.workspace, first.id, &further).await?;
        // Adding what is there changes nothing, so a repeat needs no key of its own.
        let (asked, draft) = (Asked::by(asked.author), ContactDraft { identities: further, ..ContactDraft::default() });
        let second = self.save(caller.workspace, asked, first.id, SaveHow::Upsert, first.version, draft).await?;
        Ok(Saved {
            outcome: if first.outcome == Outcome::Created { Outcome::Created } else { second.outcome },
            ..second
        })
    }

    /// Changes a contact that is there.
    async fn amend(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ContactId,
        person: &Person,
        how: SaveHow,
        mut draft: ContactDraft,
    ) -> Result<Saved, CommandError> {
        self.check(caller, &draft, Some(person))?;
        // Judged before anything is claimed; the contact judges it again.
        if !person.recall.is_repeat(asked.key)? {
            asked.check_version(person.version)?;
        }
        self.leave_out_what_is_so(id, person, &mut draft).await?;
        let stranger = |typed: &&TypedIdentity| {
            let address = self.id_of(caller.workspace, typed);
            !person.identities.contains_key(&address) && self.named(caller.workspace, address) != id
        };
        let strangers: Vec<TypedIdentity> = draft.identities.iter().filter(stranger).cloned().collect();
        self.claim_all(caller.workspace, id, &strangers).await?;
        self.save(caller.workspace, asked, id, how, person.version, draft).await
    }

    async fn save(
        &self,
        workspace: WorkspaceId,
        asked: Asked,
        id: ContactId,
        how: SaveHow,
        version_before: u64,
        draft: ContactDraft,
    ) -> Result<Saved, CommandError> {
        let answer = self.ask(id, || ContactCommand::Save { asked, workspace, how, draft: draft.clone() }).await?;
        Ok(saved(&answer, id, version_before))
    }

    async fn claim_all(
        &self,
        workspace: WorkspaceId,
        by: ContactId,
        identities: &[TypedIdentity],
    ) -> Result<(), CommandError> {
        for address in self.addresses_of(workspace, identities) {
            let named = self.named(workspace, address);
            self.ask(named, || ContactCommand::ClaimIdentity { workspace, by }).await?;
        }
        Ok(())
    }

    /// The addresses of these identities, each once, in their order.
    pub(super) fn addresses_of(&self, workspace: WorkspaceId, identities: &[TypedIdentity]) -> Vec<AddressId> {
        let mut addresses: Vec<AddressId> = Vec::with_capacity(identities.len());
        for typed in identities {
            let address = self.id_of(workspace, typed);
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    fn id_of(&self, workspace: WorkspaceId, typed: &TypedIdentity) -> AddressId {
        self.address_id(workspace, &typed.details.address)
    }

    /// Checks what only the workspace knows: its properties' types and its labels; and that a consent is on an
    /// address of this person.
    fn check(&self, caller: &Caller, draft: &ContactDraft, person: Option<&Person>) -> Result<(), Refusal> {
        let workspace = self.workspaces.find(caller.workspace).ok_or(Refusal::NotFound { what: "workspace" })?;
        let invalid = |field: String, why: &str| Err(Refusal::Invalid { field, why: why.to_owned() });
        for (key, value) in &draft.properties {
            let field = || format!("properties.{}", key.word());
            let built_in = key.built_in_type();
            let kind = match key {
                PropertyKey::Custom(id) => workspace.properties.get(id),
                _ => built_in.as_ref(),
            };
            match (kind, value) {
                (None, _) => return invalid(field(), "the workspace has no such property"),
                (Some(kind), Some(value)) => {
                    kind.check(value).map_err(|why| Refusal::Invalid { field: field(), why })?;
                }
                (Some(_), None) => {}
            }
        }
        if draft.labels.iter().any(|label| !workspace.labels.contains(label)) {
            return invalid("labels".to_owned(), "the workspace has no such label");
        }
        let typed: BTreeSet<_> =
            draft.identities.iter().map(|typed| (typed.channel, self.id_of(caller.workspace, typed))).collect();
        for consent in &draft.consents {
            if let ConsentScope::Address(channel, address) = consent.scope
                && !typed.contains(&(channel, address))
                && !person.is_some_and(|person| person.is_known_by(channel, address))
            {
                let why = "the contact is not known by this address on this channel";
                return invalid("consents".to_owned(), why);
            }
        }
        Ok(())
    }

    /// An import that is run again writes nothing: equal values and consents that stand are left out.
    async fn leave_out_what_is_so(
        &self,
        id: ContactId,
        person: &Person,
        draft: &mut ContactDraft,
    ) -> Result<(), CommandError> {
        draft.consents.retain(|typed| {
            let known = person.consents.get(&(typed.scope, typed.topic.clone()));
            known.is_none_or(|known| known.withdrawn != typed.withdrawn)
        });
        if draft.properties.iter().any(|(_, value)| value.is_some()) {
            let known: BTreeMap<_, _> = self.values(id, person).await?.into_iter().collect();
            draft.properties.retain(|(key, value)| value.is_none() || known.get(key) != value.as_ref());
        }
        Ok(())
    }
}

/// What an answer says of a contact.
pub(super) fn saved(answer: &ContactAnswer, asked_of: ContactId, version_before: u64) -> Saved {
    let (id, version, outcome) = match *answer {
        ContactAnswer::Saved { id, version, created: true, .. } => (id, version, Outcome::Created),
        ContactAnswer::Saved { id, version, .. } if version != version_before => (id, version, Outcome::Updated),
        ContactAnswer::Saved { id, version, .. } => (id, version, Outcome::Unchanged),
        // Only facts are answered otherwise.
        ContactAnswer::Claimed | ContactAnswer::Noted | ContactAnswer::Forward(_) => {
            (asked_of, version_before, Outcome::Unchanged)
        }
    };
    Saved { id, version, outcome }
}

fn taken(by: ContactId) -> Refusal {
    Refusal::IdentityTaken { by: by.to_string() }
}
