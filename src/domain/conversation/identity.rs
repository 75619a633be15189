//! One person, several addresses: what changes an identity, and how two conversations become one.

use super::answer::Answer;
use super::command::{ChangeIdentity, Link, Origin};
use super::draft::Draft;
use super::event::ConversationEvent as Event;
use super::memory::{ABSORBED_MAX, Recent};
use super::{Conversation, Place};
use crate::domain::author::Author;
use crate::domain::content::{Content, StoredMessage};
use crate::domain::effect::{Assignment, Effect};
use crate::domain::entity::{Context, Decision};
use crate::domain::ids::{AddressId, ContactId, ConversationId};
use crate::domain::message::MessageContext;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::window;

type Decided = Result<Decision<Conversation>, Refusal>;

/// What decides who stays: the earlier first inbound, then the smaller id. Conversations without an
/// inbound come last.
fn rank(first_inbound: Option<Timestamp>, id: ConversationId) -> (Timestamp, ConversationId) {
    (first_inbound.unwrap_or(Timestamp(i64::MAX)), id)
}

impl Conversation {
    pub(super) fn change_identity(&self, change: ChangeIdentity, context: &Context<'_>) -> Decided {
        let seen = change.seen == Some(true);
        if self.redirect.is_some()
            && change.notice.as_ref().is_some_and(|(message, ..)| seen || self.recent.has(*message))
        {
            // The notice is in this thread, and the addresses came along with the merge.
            return Ok(Draft::new(self, context).changed());
        }
        self.forwarding(|| Ok(Draft::new(self, context).change_identity(change)))
    }

    fn unchanged(&self) -> Decision<Self> {
        Decision::nothing(Answer::Changed { changed: false, version: self.version, epoch: self.epoch })
    }

    /// Another conversation on the account says that it is with the same person. The loser drives the
    /// merge; the winner only tells the other that it lost.
    pub(super) fn link(&self, link: &Link, context: &Context<'_>) -> Decided {
        let own = ConversationId(context.id);
        if link.from == own || self.redirect == Some(link.from) || self.absorbed.contains(&link.from) {
            return Ok(self.unchanged());
        }
        if let Some(to) = self.redirect {
            return Ok(Decision::nothing(Answer::Forward { to }));
        }
        let mut draft = Draft::new(self, context);
        let Link { from, first_inbound, workspace, account, at } = *link;
        if self.place.is_none() {
            draft.event(Event::Aliased { id: own, workspace, account, to: from });
        } else if self.group {
            return Ok(self.unchanged());
        } else if rank(self.first_inbound, own) < rank(first_inbound, from) {
            if self.absorbed.len() >= ABSORBED_MAX {
                return Err(Refusal::TooMany { what: "conversations of one person", allowed: ABSORBED_MAX });
            }
            let first_inbound = self.first_inbound;
            draft.effect(Effect::LinkConversation { to: from, from: own, first_inbound, workspace, account, at });
        } else {
            // Its thread stays with it, and so does the memory of what the thread has.
            let handed_over = Self { recent: Recent::default(), ..self.clone() };
            let payload = rmp_serde::to_vec(&handed_over).map_err(|_| unreadable())?;
            draft.event(Event::MergeStarted { to: from, at: draft.now() });
            draft.effect(Effect::AbsorbConversation { to: from, from: own, payload });
        }
        Ok(draft.changed())
    }

    pub(super) fn absorb(&self, from: ConversationId, payload: &[u8], context: &Context<'_>) -> Decided {
        if from.0 == context.id || self.absorbed.contains(&from) {
            return Ok(self.unchanged());
        }
        self.forwarding(|| {
            let state: Self = crate::packed::read(payload).map_err(|_| unreadable())?;
            Ok(Draft::new(self, context).absorb(from, state))
        })
    }
}

fn unreadable() -> Refusal {
    Refusal::Invalid { field: "payload".to_owned(), why: "it is not a conversation in stored form".to_owned() }
}

impl Draft<'_> {
    fn change_identity(mut self, change: ChangeIdentity) -> Decision<Conversation> {
        let ChangeIdentity { origin, previous, current, notice, arrived_at, seen, .. } = change;
        self.begin(&origin);
        let at = window::clamped(change.at, self.now());
        let mut new = self.learn(&current, at, true);
        new.extend(self.learn(&previous, at, false));
        let given_up = |id: &AddressId| !current.iter().any(|(kept, _)| kept == id);
        let mut retired: Vec<AddressId> = previous.iter().map(|(id, _)| *id).filter(given_up).collect();
        retired.retain(|id| {
            self.state.addresses.iter().any(|known| known.id == *id && known.retired_at.is_none_or(|known| known < at))
        });
        if !retired.is_empty() {
            self.event(Event::AddressesRetired { addresses: retired, at });
        }
        if let Some((message, provider_id, content)) = notice
            && seen != Some(true)
            && !self.state.recent.has(message)
        {
            self.event(Event::NoticeRecorded { message });
            let stored = StoredMessage {
                author: Author::System,
                content,
                context: MessageContext::default(),
                provider_id: Some(provider_id),
                sender: None,
                arrived_at,
            };
            let conversation = self.own_id();
            self.content(Content::Message { conversation, at: message, message: Box::new(stored) });
        }
        self.tell(&new, at);
        self.changed()
    }

    fn absorb(mut self, from: ConversationId, loser: Conversation) -> Decision<Conversation> {
        if let (Some(Place { workspace, account, .. }), Some(channel), Some(contact)) =
            (loser.place, loser.channel, loser.contact)
        {
            self.begin(&Origin { workspace, account, channel, contact, group: loser.group });
        }
        let known: Vec<AddressId> = self.state.addresses.iter().map(|known| known.id).collect();
        let before = (self.state.consent, self.state.window);
        let at = self.now();
        self.event(Event::Absorbed { from, state: Box::new(loser), at });
        let all: Vec<AddressId> = self.state.addresses.iter().map(|known| known.id).collect();
        let new: Vec<AddressId> = all.iter().copied().filter(|id| !known.contains(id)).collect();
        if self.state.consent != before.0
            && let Some(said) = self.state.consent
        {
            self.lay_consent(said, &known);
        }
        if self.state.window != before.1 {
            self.lay_windows();
        }
        // The loser told its addresses' conversations already; telling again is harmless, and a link
        // that was still on its way to the loser is answered from here.
        self.tell(&new, at);
        self.changed()
    }

    pub(super) fn copy_assignment(mut self, contact: ContactId, assignment: Assignment) -> Decided {
        if self.state.place.is_none() {
            return Err(Refusal::NotFound { what: "conversation" });
        }
        if self.state.is_newer(contact, &assignment) {
            self.event(Event::Assigned { contact, assignment });
        }
        Ok(self.changed())
    }
}
