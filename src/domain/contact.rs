//! A contact: one person, whatever addresses they write from.
//!
//! An address names a contact by a keyed hash, so the first message from an address needs no look-up.
//! A person with two addresses therefore has two such names. One is the person; the other is an
//! alias that redirects to it, either because nothing ever was there (`Aliased`) or because it was a
//! person too and was merged (`MergeStarted`, then `Absorbed` at the winner).
//!
//! Why any order leads to the same one person: a contact's birth never changes, and of two the one
//! born earlier stays, then the smaller id. So redirects only ever lead to a smaller (birth, id), and
//! no chain of them has a loop. A link that reaches the winner is sent back to the loser, who alone
//! drives the merge; whatever reaches a redirect is answered `Forward`, and goes on. What the merged
//! states say is joined by union and by the later time.

use serde::{Deserialize, Serialize};

mod command;
mod edit;
mod event;
mod link;
mod person;
mod property;
#[cfg(test)]
mod tests;
mod turn;

pub use command::{ContactAnswer, ContactCommand, ContactDraft, SaveHow, TypedConsent, TypedIdentity};
pub use edit::{COLLABORATORS_MAX, CONSENTS_MAX, IDENTITIES_MAX, LABELS_MAX, PROPERTIES_MAX, TOPIC_MAX_CHARS};
pub use event::ContactEvent;
pub use person::{Consent, ConsentScope, Person, PropertyPlace};
pub use property::{PropertyKey, PropertyType, PropertyValue, TEXT_MAX_CHARS, TEXTS_MAX};

use super::entity::{Context, Decision, Entity, EntityKind};
use super::ids::{ContactId, WorkspaceId};
use super::refusal::Refusal;

/// What is at a contact's id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Contact {
    /// Nothing yet.
    #[default]
    #[serde(rename = "n")]
    Nobody,
    /// A person.
    #[serde(rename = "p")]
    Person(Box<Person>),
    /// A redirect.
    #[serde(rename = "m")]
    Moved {
        /// The tenant.
        workspace: WorkspaceId,
        /// Where to.
        to: ContactId,
        /// How many events this id took.
        version: u64,
    },
}

impl Contact {
    /// The person, if there is one here.
    #[must_use]
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::Person(person) => Some(person),
            Self::Nobody | Self::Moved { .. } => None,
        }
    }

    /// Where this id redirects, if it does.
    #[must_use]
    pub const fn moved_to(&self) -> Option<ContactId> {
        match self {
            Self::Moved { to, .. } => Some(*to),
            Self::Nobody | Self::Person(_) => None,
        }
    }
}

impl Entity for Contact {
    const KIND: EntityKind = EntityKind::Contact;
    type Command = ContactCommand;
    type Event = ContactEvent;
    type Answer = ContactAnswer;

    fn decide(&self, command: ContactCommand, context: &Context<'_>) -> Result<Decision<Self>, Refusal> {
        match command {
            ContactCommand::Save { asked, workspace, how, draft } => {
                edit::save(self, &asked, workspace, how, draft, context)
            }
            ContactCommand::SetConsent { asked, scope, topic, withdrawn } => {
                edit::change(self, &asked, context, |turn| {
                    turn.consent(scope, &topic, withdrawn, context.now, asked.author)
                })
            }
            ContactCommand::Assign { asked, owner, team } => {
                edit::change(self, &asked, context, |turn| turn.assign(owner, team, asked.author))
            }
            ContactCommand::AddCollaborator { asked, member } => {
                edit::change(self, &asked, context, |turn| turn.collaborator(member, true, asked.author))
            }
            ContactCommand::RemoveCollaborator { asked, member } => {
                edit::change(self, &asked, context, |turn| turn.collaborator(member, false, asked.author))
            }
            ContactCommand::AddLabel { asked, label } => {
                edit::change(self, &asked, context, |turn| turn.labels(&[label], &[], asked.author))
            }
            ContactCommand::RemoveLabel { asked, label } => {
                edit::change(self, &asked, context, |turn| turn.labels(&[], &[label], asked.author))
            }
            ContactCommand::ClaimIdentity { workspace, by } => link::claim(self, workspace, by, context),
            ContactCommand::Observe { workspace, conversation, account, channel, addresses, at } => {
                let seen = link::Seen { conversation, account, channel, addresses, at };
                link::observe(self, workspace, &seen, context)
            }
            ContactCommand::RecordConsent { workspace, channel, address, topic, withdrawn, at } => {
                link::record_consent(self, workspace, (channel, address), &topic, Consent { withdrawn, at }, context)
            }
            ContactCommand::Link { workspace, from, born } => link::link(self, workspace, from, born, context),
            ContactCommand::Absorb { from, payload } => link::absorb(self, from, &payload, context),
        }
    }

    fn apply(&mut self, event: &ContactEvent) {
        match event {
            ContactEvent::Created { workspace, at, .. } => {
                let mut person = Person::new(*workspace, *at);
                person.version = 1;
                *self = Self::Person(Box::new(person));
            }
            ContactEvent::Aliased { workspace, to, .. } => {
                *self = Self::Moved { workspace: *workspace, to: *to, version: self.version() + 1 };
            }
            ContactEvent::MergeStarted { to, .. } => {
                if let Self::Person(person) = self {
                    *self = Self::Moved { workspace: person.workspace, to: *to, version: person.version + 1 };
                }
            }
            _ => {
                if let Self::Person(person) = self {
                    person.apply(event);
                }
            }
        }
    }

    fn version(&self) -> u64 {
        match self {
            Self::Nobody => 0,
            Self::Person(person) => person.version,
            Self::Moved { version, .. } => *version,
        }
    }

    fn workspace(&self) -> Option<WorkspaceId> {
        match self {
            Self::Nobody => None,
            Self::Person(person) => Some(person.workspace),
            Self::Moved { workspace, .. } => Some(*workspace),
        }
    }
}
