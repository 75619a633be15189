//! What comes in: customers' messages, echoes, and what the person said about marketing.

use super::answer::Answer;
use super::command::{ChangeConsent, Handler, ReceiveMessage, RecordEcho, Start};
use super::draft::Draft;
use super::event::ConversationEvent as Event;
use super::{Conversation, State};
use crate::domain::author::Author;
use crate::domain::broadcast::REPLY_WITHIN;
use crate::domain::consent::{self, Consent};
use crate::domain::content::{Content, StoredMessage};
use crate::domain::effect::Effect;
use crate::domain::entity::{Context, Decision};
use crate::domain::ids::AddressId;
use crate::domain::message::{MessageContent, MessageContext, MessageRef};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::window;

type Decided = Result<Decision<Conversation>, Refusal>;

impl Conversation {
    /// The answer to something that is in this thread already.
    pub(super) fn repeated(&self, message: MessageRef) -> Decision<Self> {
        Decision::nothing(Answer::Received { message, repeated: true, version: self.version })
    }

    pub(super) fn receive(&self, inbound: ReceiveMessage, context: &Context<'_>) -> Decided {
        // Also where it was merged: what its own thread has is not passed on.
        if self.recent.has(inbound.message) || inbound.seen == Some(true) {
            return Ok(self.repeated(inbound.message));
        }
        self.forwarding(|| Ok(Draft::new(self, context).receive(inbound)))
    }

    pub(super) fn echo(&self, echo: RecordEcho, context: &Context<'_>) -> Decided {
        if self.recent.has(echo.message) || echo.seen == Some(true) {
            return Ok(self.repeated(echo.message));
        }
        self.forwarding(|| Ok(Draft::new(self, context).echo(echo)))
    }
}

/// Whether a message is something to answer, and so waits to be read.
fn waits_to_be_read(content: &MessageContent) -> bool {
    !matches!(content, MessageContent::Reaction { .. } | MessageContent::Edit { .. } | MessageContent::Revoke { .. })
}

impl Draft<'_> {
    fn receive(mut self, inbound: ReceiveMessage) -> Decision<Conversation> {
        let ReceiveMessage { origin, addresses, provider_id, message, content, context, .. } = inbound;
        self.begin(&origin);
        let group = self.state.group;
        let at = window::clamped(message.at, self.now());
        let new = self.learn(&addresses, at, false);
        let named: Vec<AddressId> = addresses.iter().map(|(id, _)| *id).collect();
        let said = if group { None } else { consent::said_by(&content) };
        let window_before = self.state.window.valid_opening();
        if matches!(content, MessageContent::System { .. }) {
            self.event(Event::NoticeRecorded { message });
        } else {
            self.event(Event::MessageReceived {
                message,
                named: self.state.bits_of(&named),
                opened_at: (inbound.opens_window && !group).then_some(at),
                free_entry: inbound.free_entry,
                unread: waits_to_be_read(&content),
            });
            self.open_for_customer();
        }
        let sender = if group { addresses.get(1).map(|(id, _)| *id) } else { None };
        if let (true, Some((id, details))) = (group, addresses.get(1)) {
            self.content(Content::Address { id: *id, details: details.clone(), at });
        }
        self.content(Content::Message {
            conversation: self.own_id(),
            at: message,
            message: Box::new(StoredMessage {
                author: Author::Customer,
                content,
                context,
                provider_id: Some(provider_id),
                sender,
                arrived_at: inbound.arrived_at,
            }),
        });
        if self.state.window.valid_opening() > window_before {
            self.lay_windows();
        }
        if let Some(withdrawn) = said {
            self.say(Consent { withdrawn, at });
        }
        if !group {
            self.attribute(message, at, said == Some(true));
        }
        self.tell(&new, at);
        self.answer(|state| Answer::Received { message, repeated: false, version: state.version })
    }

    /// The customer wrote within 3 days of a broadcast: whoever knows the broadcasts counts the reply, once each.
    fn attribute(&mut self, message: MessageRef, at: Timestamp, stopped: bool) {
        let within = |claimed: Timestamp| at + window::SKEW_MAX >= claimed && at <= claimed + REPLY_WITHIN;
        let mut had: Vec<_> = self.broadcasts().iter().filter(|(claimed, _)| within(*claimed)).copied().collect();
        if had.is_empty() {
            return;
        }
        had.sort_by_key(|(claimed, _)| std::cmp::Reverse(*claimed));
        let (conversation, places) = (self.own_id(), had.into_iter().map(|(_, place)| place).collect());
        self.effect(Effect::AttributeReply { conversation, message, places, stopped });
    }

    fn open_for_customer(&mut self) {
        let (by, at) = (Author::Customer, self.now());
        match self.state.state {
            State::Closed => self.event(Event::Opened { by, at }),
            State::Snoozed { wake_on_reply: true, .. } => self.event(Event::Woken { by, at }),
            State::Snoozed { wake_on_reply: false, .. } | State::Open => {}
        }
    }

    fn echo(mut self, echo: RecordEcho) -> Decision<Conversation> {
        let RecordEcho { origin, addresses, provider_id, message, content, arrived_at, .. } = echo;
        self.begin(&origin);
        let at = window::clamped(message.at, self.now());
        let new = self.learn(&addresses, at, false);
        let newest = self.state.last_message.is_none_or(|last| message > last);
        self.event(Event::EchoRecorded { message });
        // A person answered in the platform's own app: the bot is not to talk over them.
        if newest && matches!(self.state.handler(), Handler::Bot(_)) {
            self.take_over(Author::Elsewhere);
        }
        let conversation = self.own_id();
        let stored = StoredMessage {
            author: Author::Elsewhere,
            content,
            context: MessageContext::default(),
            provider_id: Some(provider_id.clone()),
            sender: None,
            arrived_at,
        };
        self.content(Content::Message { conversation, at: message, message: Box::new(stored) });
        let account = origin.account;
        self.content(Content::ProviderRef { account, provider_id, conversation, message, attempt: 0 });
        self.tell(&new, at);
        self.answer(|state| Answer::Received { message, repeated: false, version: state.version })
    }

    /// People handle it from now on, in a new epoch.
    pub(super) fn take_over(&mut self, by: Author) {
        let (epoch, at) = (self.state.epoch + 1, self.now());
        self.event(Event::HandedOver { to: Handler::Human, epoch, by, summary: None, team: None, at });
    }

    pub(super) fn start(mut self, start: &Start) -> Decided {
        if let Some(to) = self.state.redirect {
            return Err(Refusal::Moved { to: to.0 });
        }
        let at = self.now();
        self.begin(&start.origin);
        let new = self.learn(&start.addresses, at, false);
        if start.open && self.state.state == State::Closed {
            self.event(Event::Opened { by: start.author, at });
        }
        self.tell(&new, at);
        Ok(self.changed())
    }

    pub(super) fn change_consent(mut self, change: &ChangeConsent) -> Decided {
        self.begin(&change.origin);
        let at = window::clamped(change.at, self.now());
        let new = self.learn(&change.addresses, at, false);
        self.say(Consent { withdrawn: change.withdrawn, at });
        self.tell(&new, at);
        Ok(self.changed())
    }
}
