//! A decision in the making: each event is applied to a copy of the state as it is decided, so that
//! what follows sees it, and replay cannot differ.

use super::answer::Answer;
use super::command::Origin;
use super::event::ConversationEvent as Event;
use super::memory::ADDRESSES_MAX;
use super::{Conversation, Place};
use crate::domain::consent::{Consent, MARKETING};
use crate::domain::content::{AddressDetails, Content};
use crate::domain::effect::Effect;
use crate::domain::entity::{Context, Decision};
use crate::domain::ids::{AddressId, ConversationId};
use crate::domain::message::{MessageRef, MessageStatus};
use crate::domain::time::Timestamp;

/// A decision in the making.
pub(super) struct Draft<'a> {
    /// The state as decided so far.
    pub(super) state: Conversation,
    context: &'a Context<'a>,
    events: Vec<Event>,
    effects: Vec<Effect>,
    content: Vec<Content>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &Conversation, context: &'a Context<'a>) -> Self {
        Self { state: state.clone(), context, events: Vec::new(), effects: Vec::new(), content: Vec::new() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.context.now
    }

    pub(super) fn own_id(&self) -> ConversationId {
        ConversationId(self.context.id)
    }

    pub(super) fn keys(&self) -> &'a crate::domain::ids::Keyring {
        self.context.keys
    }

    pub(super) fn rules(&self) -> &'a crate::domain::rules::Rules {
        self.context.rules
    }

    pub(super) fn broadcasts(&self) -> &'a [(Timestamp, crate::domain::broadcast::BroadcastPlace)] {
        self.context.broadcasts
    }

    pub(super) fn event(&mut self, event: Event) {
        use crate::domain::entity::Entity as _;
        let notes = self.state.notes_after(&event);
        self.state.apply(&event);
        self.events.push(event);
        self.prove(&notes);
    }

    /// Leaves a receipt for each of these notes that memory has just let go: whoever finds the text of a note in the store
    /// takes it for one that was decided only where memory or a receipt says so.
    fn prove(&mut self, notes: &[(ConversationId, MessageRef)]) {
        for (conversation, note) in notes {
            if self.state.outbox.get(note.id).is_none() {
                self.content.push(Content::Receipt {
                    conversation: *conversation,
                    message: *note,
                    attempt: 0,
                    status: MessageStatus::Read,
                    at: note.at,
                    failure: None,
                    provider_id: None,
                });
            }
        }
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn content(&mut self, content: Content) {
        self.content.push(content);
    }

    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn answer(self, answer: impl FnOnce(&Conversation) -> Answer) -> Decision<Conversation> {
        let answer = answer(&self.state);
        Decision { events: self.events, effects: self.effects, content: self.content, answer }
    }

    pub(super) fn changed(self) -> Decision<Conversation> {
        let changed = self.has_events();
        self.answer(|state| Answer::Changed { changed, version: state.version, epoch: state.epoch })
    }

    /// Begins the conversation unless it has begun.
    pub(super) fn begin(&mut self, origin: &Origin) {
        if self.state.place.is_none() {
            self.event(Event::Began {
                id: self.own_id(),
                workspace: origin.workspace,
                account: origin.account,
                channel: origin.channel,
                contact: origin.contact,
                group: origin.group,
                at: self.now(),
            });
        }
    }

    /// Learns addresses, and answers which of them are new. `fresh` takes note of a known address that
    /// is named again; an inbound does so by itself.
    pub(super) fn learn(
        &mut self,
        named: &[(AddressId, AddressDetails)],
        at: Timestamp,
        fresh: bool,
    ) -> Vec<AddressId> {
        // A group's thread is the group's: its writers have conversations of their own.
        let named = if self.state.group { &named[..named.len().min(1)] } else { named };
        let (mut learned, mut new) = (Vec::new(), Vec::new());
        for (id, details) in named {
            let shown = self.shown(details);
            let known = self.state.addresses.iter().find(|known| known.id == *id);
            let tells = known.is_none_or(|known| {
                let renamed = shown != 0 && shown != known.shown && at >= known.seen_at;
                renamed || (fresh && at > known.seen_at)
            });
            let full = known.is_none() && self.state.addresses.len() + new.len() >= ADDRESSES_MAX;
            if full || !tells || learned.iter().any(|(other, _)| other == id) {
                continue;
            }
            if known.is_none() {
                new.push(*id);
            }
            learned.push((*id, shown));
            self.content.push(Content::Address { id: *id, details: details.clone(), at });
        }
        if !learned.is_empty() {
            self.event(Event::AddressesLearned { addresses: learned, at });
        }
        new
    }

    /// A keyed digest of the names beside an address, by which a change is noticed; 0 for none.
    fn shown(&self, details: &AddressDetails) -> u32 {
        if details.name.is_none() && details.username.is_none() {
            return 0;
        }
        let part = |name: &Option<String>| name.clone().unwrap_or_default();
        let (name, username) = (part(&details.name), part(&details.username));
        (self.keys().hash(b"shown", &[name.as_bytes(), username.as_bytes()]) as u32).max(1)
    }

    /// Tells the contact and the other addresses' conversations of new addresses, and lays the gates
    /// that broadcasts read for them.
    pub(super) fn tell(&mut self, new: &[AddressId], at: Timestamp) {
        let Some(Place { id, workspace, account }) = self.state.place else { return };
        if new.is_empty() {
            return;
        }
        if let Some(contact) = self.state.contact {
            let addresses = self.state.addresses.iter().map(|known| known.id).collect();
            self.effect(Effect::ObserveContact { workspace, contact, conversation: id, account, addresses, at });
        }
        if self.state.group {
            return;
        }
        for address in new {
            let other = self.keys().conversation(account, *address);
            if other != id && !self.state.absorbed.contains(&other) {
                let first_inbound = self.state.first_inbound;
                self.effect(Effect::LinkConversation { to: other, from: id, first_inbound, workspace, account, at });
            }
        }
        if let Some(said) = self.state.consent {
            self.lay_consent(said, new);
        }
        let mut gated: Vec<ConversationId> =
            new.iter().map(|address| self.keys().conversation(account, *address)).collect();
        gated.retain(|gate| *gate != id);
        self.lay_window(&gated);
    }

    /// Lays the window gate of this conversation, under every id that an address of the person names.
    pub(super) fn lay_windows(&mut self) {
        let Some(Place { id, account, .. }) = self.state.place else { return };
        let mut gated = vec![id];
        for known in &self.state.addresses {
            let other = self.keys().conversation(account, known.id);
            if !gated.contains(&other) {
                gated.push(other);
            }
        }
        self.lay_window(&gated);
    }

    fn lay_window(&mut self, gated: &[ConversationId]) {
        let window = self.state.window;
        let valid = window.valid_opening();
        let Some(at) = valid.or(window.shut_at) else { return };
        for conversation in gated {
            self.content(Content::WindowGate { conversation: *conversation, opened_at: valid, at });
        }
    }

    /// Takes what the customer said about marketing, if it is news.
    pub(super) fn say(&mut self, said: Consent) {
        if said.replaces(self.state.consent) {
            self.event(Event::ConsentChanged { withdrawn: said.withdrawn, at: said.at });
            let addresses: Vec<AddressId> = self.state.addresses.iter().map(|known| known.id).collect();
            self.lay_consent(said, &addresses);
        }
    }

    /// Lays the consent gates of these addresses and tells the contact.
    pub(super) fn lay_consent(&mut self, said: Consent, addresses: &[AddressId]) {
        let (Some(Place { workspace, .. }), Some(contact), Some(channel)) =
            (self.state.place, self.state.contact, self.state.channel)
        else {
            return;
        };
        let Consent { withdrawn, at } = said;
        for address in addresses {
            let (address, topic) = (*address, MARKETING.to_owned());
            self.content(Content::ConsentGate { workspace, channel, address, topic: topic.clone(), withdrawn, at });
            self.effect(Effect::RecordConsent { workspace, contact, channel, address, topic, withdrawn, at });
        }
    }
}
