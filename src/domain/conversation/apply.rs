//! Taking stored events into the state. Total: an event that was stored always applies.

use super::event::ConversationEvent as Event;
use super::memory::{ADDRESSES_MAX, KnownAddress, MENTIONS_MAX, Outbox, Outgoing};
use super::{Conversation, Place, State};
use crate::domain::access::MENTION_ACCESS;
use crate::domain::consent::Consent;
use crate::domain::effect::Assignment;
use crate::domain::ids::{AddressId, ContactId, ConversationId, MemberId};
use crate::domain::message::{MessageRef, MessageStatus};
use crate::domain::status::{DOUBT, WAIT_MAX};
use crate::domain::time::Timestamp;
use crate::domain::window::Form;
use crate::domain::window::profiles::Tag;

impl Conversation {
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::Began { id, workspace, account, channel, contact, group, at } => {
                self.place = Some(Place { id: *id, workspace: *workspace, account: *account });
                (self.channel, self.contact, self.group) = (Some(*channel), Some(*contact), *group);
                self.created_at = *at;
            }
            Event::AddressesLearned { addresses, at } => {
                for (id, shown) in addresses {
                    self.take_address(KnownAddress { id: *id, shown: *shown, seen_at: *at, retired_at: None });
                }
            }
            Event::AddressesRetired { addresses, at } => {
                for known in self.addresses.iter_mut().filter(|known| addresses.contains(&known.id)) {
                    known.retired_at = known.retired_at.max(Some(*at));
                }
            }
            Event::MessageReceived { message, named, opened_at, free_entry, unread } => {
                self.take_inbound(*message, *named, *unread);
                if let Some(at) = opened_at {
                    self.window.open(*at);
                    if *free_entry {
                        self.free_entry.enter(*at);
                    }
                }
            }
            Event::EchoRecorded { message } | Event::NoticeRecorded { message } => {
                self.recent.take(*message);
                self.saw(*message);
            }
            Event::WindowShut { at } => self.window.shut(*at),
            Event::ConsentChanged { withdrawn, at } => self.take_consent(Consent { withdrawn: *withdrawn, at: *at }),
            Event::MessageQueued { message, author, digest, form, tag, until } => {
                let until = until.unwrap_or(message.at + WAIT_MAX);
                let entry = outgoing(*message, *digest, (*form, *tag), author.is_person(), until);
                self.saw(*message);
                self.outbox.put(entry);
                self.outbox.prune(message.at);
            }
            Event::AttemptQueued { message, author, attempt, at, until } => {
                if let Some(entry) = self.outbox.get_mut(message.id) {
                    (entry.attempt, entry.status) = (*attempt, MessageStatus::Queued);
                    entry.until = until.unwrap_or(*at + WAIT_MAX);
                    entry.by_person = author.is_person();
                }
            }
            Event::StatusChanged { message, attempt, status, at, until, .. } => {
                if let Some(entry) = self.outbox.get_mut(message.id) {
                    entry.take(*attempt, *status);
                    if entry.status == MessageStatus::InDoubt {
                        entry.until = until.unwrap_or(*at + DOUBT);
                    }
                }
            }
            Event::MessageCharged { message, category, at, .. } => {
                self.billing.charge(*category, *at);
                self.free_entry.answer(*at);
                if let Some(entry) = self.outbox.get_mut(message.id) {
                    entry.charged = true;
                    if entry.form == Form::Free && self.window.opened_at.is_none_or(|opened| entry.message.at >= opened)
                    {
                        self.window.replies = self.window.replies.saturating_add(1);
                    }
                }
            }
            Event::NoteAdded { note, mentions, digest, .. } => {
                self.take_note(*note, *digest);
                self.mention(mentions.iter().map(|member| (*member, note.at + MENTION_ACCESS)), note.at);
            }
            Event::Closed { .. } => self.state = State::Closed,
            Event::Opened { .. } | Event::Woken { .. } => self.state = State::Open,
            Event::Snoozed { until, wake_on_reply, .. } => {
                self.state = State::Snoozed { until: *until, wake_on_reply: *wake_on_reply };
            }
            Event::HandedOver { to, epoch, summary, .. } => {
                (self.handler, self.epoch) = (Some(*to), *epoch);
                if let Some(note) = summary {
                    self.take_note(*note, 0);
                }
            }
            Event::MarkedRead { up_to, .. } => self.unread = self.unread_after(*up_to),
            Event::Assigned { contact, assignment } => {
                (self.contact, self.assignment) = (Some(*contact), assignment.clone());
            }
            Event::MergeStarted { to, .. } => {
                self.redirect = Some(*to);
                self.outbox.0.clear();
                self.mentions.clear();
                (self.unread, self.state) = (0, State::Closed);
                self.keys = None;
            }
            Event::Absorbed { from, state, at } => self.take_in(*from, state, *at),
            Event::Aliased { id, workspace, account, to } => {
                self.place = Some(Place { id: *id, workspace: *workspace, account: *account });
                self.redirect = Some(*to);
            }
            Event::KeyUsed { key, at } => self.take_key(*key, *at),
        }
    }

    /// A note is with its readers at once: nothing is ever awaited for it.
    fn take_note(&mut self, note: MessageRef, digest: u64) {
        let written = outgoing(note, digest, (Form::Free, None), true, note.at);
        self.outbox.put(Outgoing { attempt: 0, status: MessageStatus::Read, charged: true, ..written });
        self.outbox.prune(note.at);
        self.saw(note);
    }

    fn take_address(&mut self, new: KnownAddress) {
        if let Some(known) = self.addresses.iter_mut().find(|known| known.id == new.id) {
            if new.shown != 0 && new.seen_at >= known.seen_at {
                known.shown = new.shown;
            }
            known.seen_at = known.seen_at.max(new.seen_at);
            known.retired_at = known.retired_at.max(new.retired_at);
        } else if self.addresses.len() < ADDRESSES_MAX {
            self.addresses.push(new);
        }
    }

    fn take_inbound(&mut self, message: MessageRef, named: u64, unread: bool) {
        self.recent.take(message);
        self.saw(message);
        for (index, known) in self.addresses.iter_mut().enumerate() {
            if named & (1 << index) != 0 {
                known.seen_at = known.seen_at.max(message.at);
            }
        }
        self.first_inbound = Some(self.first_inbound.map_or(message.at, |first| first.min(message.at)));
        self.last_inbound = self.last_inbound.max(Some(message));
        self.unread += u32::from(unread);
    }

    fn saw(&mut self, message: MessageRef) {
        self.last_message = self.last_message.max(Some(message));
    }

    fn take_consent(&mut self, said: Consent) {
        if said.replaces(self.consent) {
            self.consent = Some(said);
        }
    }

    /// How much is unread once everything up to a message was read.
    pub(super) fn unread_after(&self, up_to: MessageRef) -> u32 {
        if self.last_inbound.is_none_or(|last| last <= up_to) {
            return 0;
        }
        self.unread.min(u32::try_from(self.recent.newer_than(up_to)).unwrap_or(u32::MAX))
    }

    fn mention(&mut self, mentions: impl Iterator<Item = (MemberId, Timestamp)>, now: Timestamp) {
        for (member, until) in mentions {
            match self.mentions.iter_mut().find(|known| known.0 == member) {
                Some(known) => known.1 = known.1.max(until),
                None => self.mentions.push((member, until)),
            }
        }
        self.mentions.retain(|(_, until)| now < *until);
        let over = self.mentions.len().saturating_sub(MENTIONS_MAX);
        self.mentions.drain(..over);
    }

    /// Whether an assignment replaces the present one: the newer does; of two equally new ones from
    /// different contacts, which merge, the smaller contact's.
    pub(super) fn is_newer(&self, contact: ContactId, assignment: &Assignment) -> bool {
        let present = (self.assignment.version, self.contact.map(std::cmp::Reverse));
        (assignment.version, Some(std::cmp::Reverse(contact))) > present
    }

    /// The notes in memory that this event may make it let go, each with the thread that has it.
    pub(super) fn notes_after(&self, event: &Event) -> Vec<(ConversationId, MessageRef)> {
        let Some(Place { id: own, .. }) = self.place else { return Vec::new() };
        let absorbed = match event {
            Event::MessageQueued { .. } | Event::NoteAdded { .. } | Event::HandedOver { .. } => None,
            Event::Absorbed { from, state, .. } => Some((*from, state)),
            _ => return Vec::new(),
        };
        let of = |entries: &Outbox, thread: ConversationId| -> Vec<_> {
            let notes = entries.0.iter().filter(|entry| entry.attempt == 0);
            notes.map(|note| (note.thread.unwrap_or(thread), note.message)).collect()
        };
        let mut notes = of(&self.outbox, own);
        notes.extend(absorbed.into_iter().flat_map(|(from, state)| of(&state.outbox, from)));
        notes
    }

    /// Takes in what a merged conversation knew. Every part is joined so that order does not matter.
    fn take_in(&mut self, from: ConversationId, other: &Self, at: Timestamp) {
        for thread in std::iter::once(from).chain(other.absorbed.iter().copied()) {
            if !self.absorbed.contains(&thread) {
                self.absorbed.push(thread);
            }
        }
        for address in &other.addresses {
            self.take_address(*address);
        }
        self.window.absorb(&other.window);
        self.billing.absorb(&other.billing);
        self.free_entry.absorb(&other.free_entry);
        if let Some(said) = other.consent {
            self.take_consent(said);
        }
        self.first_inbound = self.first_inbound.into_iter().chain(other.first_inbound).min();
        self.last_inbound = self.last_inbound.max(other.last_inbound);
        self.last_message = self.last_message.max(other.last_message);
        self.created_at = self.created_at.min(other.created_at);
        self.unread = self.unread.saturating_add(other.unread);
        for entry in &other.outbox.0 {
            self.outbox.put(Outgoing { thread: entry.thread.or(Some(from)), ..entry.clone() });
        }
        self.outbox.prune(at);
        self.mention(other.mentions.iter().copied(), at);
        self.take_keys(&other.keys);
        if let Some(contact) = other.contact
            && self.is_newer(contact, &other.assignment)
        {
            (self.contact, self.assignment) = (Some(contact), other.assignment.clone());
        }
        self.state = match (self.state, other.state) {
            (State::Open, _) | (_, State::Open) => State::Open,
            (State::Closed, theirs) => theirs,
            (ours, _) => ours,
        };
        if other.epoch > self.epoch {
            (self.handler, self.epoch) = (other.handler, other.epoch);
        }
        self.version = self.version.max(other.version);
    }

    /// The bit of each known address among `named`.
    pub(super) fn bits_of(&self, named: &[AddressId]) -> u64 {
        let known = self.addresses.iter().enumerate().filter(|(_, known)| named.contains(&known.id));
        known.fold(0, |bits, (index, _)| bits | (1 << index))
    }

    /// Evidence that the provider has it: what was accepted, whatever came of it later.
    pub(super) fn is_taken(evidence: MessageStatus) -> bool {
        evidence >= MessageStatus::Accepted && evidence != MessageStatus::Failed
    }
}

fn outgoing(
    message: MessageRef,
    digest: u64,
    (form, tag): (Form, Option<Tag>),
    by_person: bool,
    until: Timestamp,
) -> Outgoing {
    Outgoing {
        message,
        thread: None,
        digest,
        attempt: 1,
        status: MessageStatus::Queued,
        reached: None,
        until,
        form,
        tag,
        by_person,
        charged: false,
    }
}
