//! One decision of a person as it grows: every event is taken into a copy at once, so that the next
//! step sees it.

use super::Contact;
use super::command::ContactAnswer;
use super::edit::{COLLABORATORS_MAX, CONSENTS_MAX, IDENTITIES_MAX, LABELS_MAX, PROPERTIES_MAX, TOPIC_MAX_CHARS};
use super::event::ContactEvent;
use super::person::{Consent, ConsentScope, Person};
use super::property::{PropertyKey, PropertyValue};
use crate::domain::author::Author;
use crate::domain::content::{AddressDetails, Content};
use crate::domain::effect::{Assignment, Effect};
use crate::domain::entity::{Context, Decision, EntityKind};
use crate::domain::ids::{AccountId, AddressId, ContactId, ConversationId, LabelId, MemberId, TeamId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::recall::CommandKey;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// A decision in the making.
pub(super) struct Turn<'a> {
    pub(super) person: Person,
    id: ContactId,
    context: &'a Context<'a>,
    events: Vec<ContactEvent>,
    effects: Vec<Effect>,
    content: Vec<Content>,
}

impl<'a> Turn<'a> {
    /// A turn of a person who is there.
    pub(super) fn of(person: &Person, context: &'a Context<'a>) -> Self {
        let (events, effects, content) = (Vec::new(), Vec::new(), Vec::new());
        Self { person: person.clone(), id: ContactId(context.id), context, events, effects, content }
    }

    /// A turn that begins with the person's birth.
    pub(super) fn birth(workspace: WorkspaceId, at: Timestamp, author: Author, context: &'a Context<'a>) -> Self {
        let mut turn = Self::of(&Person::new(workspace, at), context);
        turn.push(ContactEvent::Created { workspace, at, author });
        turn
    }

    fn push(&mut self, event: ContactEvent) {
        self.person.apply(&event);
        self.events.push(event);
    }

    /// Whether nothing changed.
    pub(super) fn is_idle(&self) -> bool {
        self.events.is_empty()
    }

    /// The key is remembered with what it changed.
    pub(super) fn key_used(&mut self, key: CommandKey) {
        self.push(ContactEvent::KeyUsed { key, at: self.context.now });
    }

    /// Addresses become known on a channel. Those that by themselves name another contact are linked.
    pub(super) fn identities(&mut self, channel: Channel, addresses: &[AddressId], at: Timestamp, author: Author) {
        let mut added: Vec<AddressId> = Vec::new();
        for address in addresses {
            if !self.person.is_known_by(channel, *address) && !added.contains(address) {
                added.push(*address);
            }
        }
        if added.is_empty() {
            return;
        }
        let strangers = added.iter().filter(|address| !self.person.identities.contains_key(*address));
        for address in strangers {
            let named = self.context.keys.contact(self.person.workspace, *address);
            if named != self.id {
                let (from, created_at) = (self.id, self.person.born);
                self.effects.push(Effect::LinkContact { to: named, from, created_at, at });
            }
        }
        self.push(ContactEvent::IdentitiesAdded { channel, addresses: added.clone(), at, author });
        self.channel_gates(Some(&added));
    }

    /// Addresses that somebody typed.
    pub(super) fn typed(&mut self, channel: Channel, details: AddressDetails, author: Author) -> Result<(), Refusal> {
        let field = "identities";
        if details.address.text.is_empty() || details.address.text.len() > 256 {
            let why = "an address has 1 to 256 characters".to_owned();
            return Err(Refusal::Invalid { field: field.to_owned(), why });
        }
        let (space, text) = (details.address.space.word(), details.address.text.as_str());
        let id = self.context.keys.address(self.person.workspace, space, text);
        if !self.person.identities.contains_key(&id) && self.person.identities.len() >= IDENTITIES_MAX {
            return Err(Refusal::TooMany { what: field, allowed: IDENTITIES_MAX });
        }
        let events_before = self.events.len();
        self.identities(channel, &[id], self.context.now, author);
        if self.events.len() > events_before {
            self.content.push(Content::Address { id, details, at: self.context.now });
        }
        Ok(())
    }

    /// A conversation is this person's.
    pub(super) fn conversation(&mut self, conversation: ConversationId, account: AccountId, at: Timestamp) {
        if !self.person.conversations.contains_key(&conversation) {
            self.push(ContactEvent::ConversationAdded { conversation, account, at });
            self.copy_assignment_to(&[conversation]);
        }
    }

    /// Properties are set, or erased where there is no value.
    pub(super) fn properties(
        &mut self,
        properties: Vec<(PropertyKey, Option<PropertyValue>)>,
        author: Author,
    ) -> Result<(), Refusal> {
        // A row's later write wins: two writes in one millisecond must not have one time.
        let known = &self.person.properties;
        let last = properties.iter().filter_map(|(key, _)| known.get(key)).map(|place| Timestamp(place.at.0 + 1)).max();
        let at = last.map_or(self.context.now, |last| last.max(self.context.now));
        let (mut set, mut cleared) = (Vec::new(), Vec::new());
        for (key, value) in properties {
            let kind = key.built_in_type();
            if let (Some(kind), Some(value)) = (kind, &value) {
                kind.check(value).map_err(|why| Refusal::Invalid { field: key.slot().replace('/', "."), why })?;
            }
            if value.is_none() && !self.person.properties.get(&key).is_some_and(|place| place.set) {
                continue;
            }
            if set.contains(&key) || cleared.contains(&key) {
                let why = "it is named twice".to_owned();
                return Err(Refusal::Invalid { field: key.slot().replace('/', "."), why });
            }
            if value.is_some() {
                set.push(key);
            } else {
                cleared.push(key);
            }
            let (kind, id, slot) = (EntityKind::Contact, self.id.0, key.slot());
            let holder = self.person.properties.get(&key).and_then(|place| place.holder);
            if let (None, Some(holder)) = (&value, holder) {
                // The value came by a merge: its row goes too.
                self.content.push(Content::Private { kind, id: holder.0, slot: slot.clone(), value: None, at });
            }
            self.content.push(Content::Private { kind, id, slot, value: value.map(|value| value.to_bytes()), at });
        }
        if set.is_empty() && cleared.is_empty() {
            return Ok(());
        }
        self.push(ContactEvent::PropertiesChanged { set, cleared, at, author });
        bounded(self.person.properties.len(), "properties", PROPERTIES_MAX)
    }

    /// Labels are put on and taken off.
    pub(super) fn labels(&mut self, add: &[LabelId], remove: &[LabelId], author: Author) -> Result<(), Refusal> {
        let labels = &self.person.labels;
        let mut added: Vec<LabelId> = add.iter().copied().filter(|label| !labels.contains(label)).collect();
        added.sort_unstable();
        added.dedup();
        let removed: Vec<LabelId> = remove.iter().copied().filter(|label| labels.contains(label)).collect();
        if !added.is_empty() || !removed.is_empty() {
            self.push(ContactEvent::LabelsChanged { added, removed, at: self.context.now, author });
        }
        bounded(self.person.labels.len(), "labels", LABELS_MAX)
    }

    /// A consent is heard; an older one than what is known changes nothing.
    pub(super) fn consent(
        &mut self,
        scope: ConsentScope,
        topic: &str,
        withdrawn: bool,
        at: Timestamp,
        author: Author,
    ) -> Result<(), Refusal> {
        if topic.is_empty() || topic.chars().count() > TOPIC_MAX_CHARS {
            let why = format!("a topic has 1 to {TOPIC_MAX_CHARS} characters");
            return Err(Refusal::Invalid { field: "topic".to_owned(), why });
        }
        let heard = Consent { withdrawn, at };
        let known = self.person.consents.get(&(scope, topic.to_owned()));
        if known.is_some_and(|known| !heard.outranks(known)) {
            return Ok(());
        }
        if known.is_none() && self.person.consents.len() >= CONSENTS_MAX {
            return Err(Refusal::TooMany { what: "consents", allowed: CONSENTS_MAX });
        }
        self.push(ContactEvent::ConsentChanged { scope, topic: topic.to_owned(), withdrawn, at, author });
        let (channel, addresses): (Channel, Vec<AddressId>) = match scope {
            ConsentScope::Address(channel, address) => (channel, vec![address]),
            ConsentScope::Channel(channel) => (channel, self.person.addresses_on(channel).collect()),
        };
        for address in addresses {
            self.gate(channel, address, topic.to_owned(), heard);
        }
        Ok(())
    }

    /// Another owner, else a team, else nobody.
    pub(super) fn assign(
        &mut self,
        owner: Option<MemberId>,
        team: Option<TeamId>,
        author: Author,
    ) -> Result<(), Refusal> {
        if owner.is_some() && team.is_some() {
            let why = "a contact has an owner or a team, not both".to_owned();
            return Err(Refusal::Invalid { field: "team".to_owned(), why });
        }
        let now = &self.person.assignment;
        if (now.owner, now.team) == (owner, team) {
            return Ok(());
        }
        let mut collaborators = now.collaborators.clone();
        collaborators.retain(|member| Some(*member) != owner);
        let assignment = Assignment { version: now.version + 1, owner, team, collaborators };
        self.push(ContactEvent::Assigned { assignment, at: self.context.now, author });
        self.copy_assignment();
        Ok(())
    }

    /// A member takes part, or no longer.
    pub(super) fn collaborator(&mut self, member: MemberId, join: bool, author: Author) -> Result<(), Refusal> {
        let now = &self.person.assignment;
        if now.collaborators.contains(&member) == join || (join && now.owner == Some(member)) {
            return Ok(());
        }
        let mut assignment = Assignment { version: now.version + 1, ..now.clone() };
        if join {
            assignment.collaborators.push(member);
            bounded(assignment.collaborators.len(), "collaborators", COLLABORATORS_MAX)?;
        } else {
            assignment.collaborators.retain(|other| *other != member);
        }
        self.push(ContactEvent::CollaboratorsChanged { assignment, at: self.context.now, author });
        self.copy_assignment();
        Ok(())
    }

    /// Another contact is taken in.
    pub(super) fn absorb(&mut self, from: ContactId, person: Person) {
        self.push(ContactEvent::Absorbed { from, person: Box::new(person), at: self.context.now });
        self.copy_assignment();
        self.channel_gates(None);
    }

    /// Writes the gates that consents on whole channels mean for these addresses, or for all.
    fn channel_gates(&mut self, only: Option<&[AddressId]>) {
        let mut gates = Vec::new();
        for ((scope, topic), consent) in &self.person.consents {
            let ConsentScope::Channel(channel) = scope else { continue };
            for address in self.person.addresses_on(*channel) {
                if only.is_none_or(|only| only.contains(&address)) {
                    gates.push((*channel, address, topic.clone(), *consent));
                }
            }
        }
        for (channel, address, topic, consent) in gates {
            self.gate(channel, address, topic, consent);
        }
    }

    fn gate(&mut self, channel: Channel, address: AddressId, topic: String, consent: Consent) {
        let (workspace, Consent { withdrawn, at }) = (self.person.workspace, consent);
        self.content.push(Content::ConsentGate { workspace, channel, address, topic, withdrawn, at });
    }

    fn copy_assignment(&mut self) {
        let conversations: Vec<ConversationId> = self.person.conversations.keys().copied().collect();
        self.copy_assignment_to(&conversations);
    }

    fn copy_assignment_to(&mut self, conversations: &[ConversationId]) {
        for conversation in conversations {
            let (contact, assignment) = (self.id, self.person.assignment.clone());
            self.effects.push(Effect::CopyAssignment { conversation: *conversation, contact, assignment });
        }
    }

    /// The decision.
    pub(super) fn end(self, answer: ContactAnswer) -> Decision<Contact> {
        Decision { events: self.events, effects: self.effects, content: self.content, answer }
    }
}

fn bounded(count: usize, what: &'static str, allowed: usize) -> Result<(), Refusal> {
    if count > allowed { Err(Refusal::TooMany { what, allowed }) } else { Ok(()) }
}
