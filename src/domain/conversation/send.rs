//! Sending: who may speak, in which epoch, inside which window, once per client id.

use super::Conversation;
use super::answer::Answer;
use super::command::{Handler, SendMessage, TemplateFacts};
use super::draft::Draft;
use super::event::ConversationEvent as Event;
use super::memory::{OUTGOING_MAX, Outgoing};
use crate::domain::author::Author;
use crate::domain::content::{Content, StoredMessage};
use crate::domain::effect::Effect;
use crate::domain::entity::Decision;
use crate::domain::ids::{ConversationId, Keyring, MessageId};
use crate::domain::inbound::TemplateStatus;
use crate::domain::message::{MessageContent, MessageContext, MessageRef, MessageStatus};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::time::Timestamp;
use crate::domain::window::billing::Category;
use crate::domain::window::profiles::{Switches, Tag};
use crate::domain::window::{Form, Sending, Standing};

type Decided = Result<Decision<Conversation>, Refusal>;

/// The longest client message id, in bytes.
pub(super) const CLIENT_ID_BYTES_MAX: usize = 128;

impl Conversation {
    pub(super) fn send(&self, send: SendMessage, mut draft: Draft<'_>) -> Decided {
        let SendMessage { author, client_id, content, reply_to, quoted, epoch, tag, template, switches } = send;
        let digest = digest(draft.keys(), &(&content, reply_to, tag))?;
        let own = draft.own_id();
        let id = match self.by_client_id(draft.keys(), own, &client_id)? {
            Known::Before(entry) => return self.answer_again(entry, digest),
            Known::New(id) => id,
        };
        self.judge_author(author, epoch, "send")?;
        if tag == Some(Tag::HumanAgent) && !author.is_person() {
            return Err(Refusal::WrongAuthor { author, action: "send with the tag HUMAN_AGENT" });
        }
        let form = form_of(&content, template)?;
        self.judge_consent(form)?;
        let now = draft.now();
        let by_person = author.is_person();
        let (rules, waiting) = (draft.rules(), draft.waiting());
        self.judge_window(Sending { form, tag, by_person, waiting }, switches, rules, now)?;
        if self.outbox.is_full() {
            return Err(Refusal::TooMany { what: "messages on their way", allowed: OUTGOING_MAX });
        }
        if by_person && matches!(self.handler(), Handler::Bot(_)) {
            draft.take_over(author);
        }
        let message = MessageRef { at: now, id };
        let until = Some(now + rules.wait_max);
        draft.event(Event::MessageQueued { message, author, digest, form, tag, until });
        let context = MessageContext { quoted, ..MessageContext::default() };
        let stored = StoredMessage { author, content, context, provider_id: None, sender: None, arrived_at: now };
        draft.content(Content::Message { conversation: own, at: message, message: Box::new(stored) });
        Ok(draft.deliver(own, message, 1, now))
    }

    pub(super) fn retry(
        &self,
        message: MessageId,
        author: Author,
        template: Option<TemplateFacts>,
        switches: Switches,
        mut draft: Draft<'_>,
    ) -> Decided {
        let Some(entry) = self.outbox.get(message).filter(|entry| entry.attempt > 0) else {
            return Err(Refusal::NotFound { what: "message that may be sent again" });
        };
        let state = match entry.effective() {
            MessageStatus::Failed | MessageStatus::Unconfirmed => None,
            MessageStatus::Queued | MessageStatus::InDoubt => Some("on its way"),
            MessageStatus::Accepted | MessageStatus::Sent => Some("sent"),
            MessageStatus::Delivered | MessageStatus::Read => Some("delivered"),
        };
        if let Some(state) = state {
            return Err(Refusal::WrongState { state, action: "retry" });
        }
        self.judge_author(author, Some(self.epoch), "retry")?;
        if let (Form::Template(_), Some(facts)) = (entry.form, template) {
            sendable(facts)?;
        }
        self.judge_consent(entry.form)?;
        let (now, by_person) = (draft.now(), author.is_person());
        let sending = Sending { form: entry.form, tag: entry.tag, by_person, waiting: draft.waiting() };
        let rules = draft.rules();
        self.judge_window(sending, switches, rules, now)?;
        if by_person && matches!(self.handler(), Handler::Bot(_)) {
            draft.take_over(author);
        }
        let (message, attempt) = (entry.message, entry.attempt.saturating_add(1));
        let thread = entry.thread.unwrap_or(draft.own_id());
        let until = Some(now + rules.wait_max);
        draft.event(Event::AttemptQueued { message, author, attempt, at: now, until });
        Ok(draft.deliver(thread, message, attempt, now))
    }

    /// The message that a client id made, here or in a conversation that came into this one; else the
    /// id that it makes now.
    pub(super) fn by_client_id(
        &self,
        keys: &Keyring,
        own: ConversationId,
        client_id: &str,
    ) -> Result<Known<'_>, Refusal> {
        if client_id.is_empty() || client_id.len() > CLIENT_ID_BYTES_MAX {
            let why = format!("it has {} bytes; 1 to {CLIENT_ID_BYTES_MAX} are allowed", client_id.len());
            return Err(Refusal::Invalid { field: "client_id".to_owned(), why });
        }
        let made = |thread: &ConversationId| keys.client_message(*thread, client_id);
        let known = std::iter::once(&own).chain(&self.absorbed).find_map(|thread| self.outbox.get(made(thread)));
        Ok(known.map_or_else(|| Known::New(made(&own)), Known::Before))
    }

    pub(super) fn answer_again(&self, entry: &Outgoing, digest: u64) -> Decided {
        if entry.digest != digest {
            return Err(Refusal::ClientIdReused);
        }
        Ok(Decision::nothing(Answer::Sent {
            message: entry.message,
            status: entry.effective(),
            repeated: true,
            version: self.version,
            epoch: self.epoch,
        }))
    }

    /// Who may speak here: a bot only while it handles the conversation, in its epoch.
    pub(super) fn judge_author(&self, author: Author, epoch: Option<u64>, action: &'static str) -> Result<(), Refusal> {
        let stale = Refusal::StaleEpoch { epoch: self.epoch, handler: self.handler().word() };
        match author {
            Author::Customer | Author::Elsewhere | Author::Broadcast(_) => Err(Refusal::WrongAuthor { author, action }),
            Author::Bot(bot) if epoch != Some(self.epoch) || self.handler() != Handler::Bot(bot) => Err(stale),
            _ if epoch.is_some_and(|epoch| epoch != self.epoch) => Err(stale),
            _ => Ok(()),
        }
    }

    pub(super) fn judge_consent(&self, form: Form) -> Result<(), Refusal> {
        let withdrawn = self.consent.is_some_and(|consent| consent.withdrawn);
        if withdrawn && form == Form::Template(Category::Marketing) {
            return Err(Refusal::ConsentWithdrawn);
        }
        Ok(())
    }

    pub(super) fn judge_window(
        &self,
        sending: Sending,
        switches: Switches,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Standing, Refusal> {
        if self.group {
            return Err(Refusal::CannotAnswer { why: "groups are shown, not answered" });
        }
        match self.channel {
            Some(channel) => self.window.judge(channel, sending, switches, rules.margin, now),
            None => Err(Refusal::NotFound { what: "conversation" }),
        }
    }
}

/// What a client id means.
pub(super) enum Known<'a> {
    /// It made this message before.
    Before(&'a Outgoing),
    /// It makes this one now.
    New(MessageId),
}

/// A keyed digest of what is sent, by which a repeated client id is judged.
pub(super) fn digest<T: serde::Serialize>(keys: &Keyring, body: &T) -> Result<u64, Refusal> {
    let bytes = serde_json::to_vec(body).map_err(|_| Refusal::Invalid {
        field: "content".to_owned(),
        why: "it cannot be written as JSON".to_owned(),
    })?;
    Ok(keys.hash(b"body", &[&bytes]) as u64)
}

pub(super) fn sendable(facts: TemplateFacts) -> Result<Form, Refusal> {
    let status = match facts.status {
        TemplateStatus::Approved => return Ok(Form::Template(facts.category)),
        TemplateStatus::Pending => "pending",
        TemplateStatus::Rejected => "rejected",
        TemplateStatus::Paused => "paused",
        TemplateStatus::Disabled => "disabled",
    };
    Err(Refusal::TemplateNotSendable { status })
}

/// What a content is to the window; refuses what cannot be sent.
fn form_of(content: &MessageContent, template: Option<TemplateFacts>) -> Result<Form, Refusal> {
    match content {
        MessageContent::Template { .. } => template.map_or(Err(Refusal::NotFound { what: "template" }), sendable),
        MessageContent::Text { .. }
        | MessageContent::Media { .. }
        | MessageContent::Location { .. }
        | MessageContent::ContactCards { .. }
        | MessageContent::Interactive { .. }
        | MessageContent::Reaction { .. } => Ok(Form::Free),
        MessageContent::Choice { .. }
        | MessageContent::Edit { .. }
        | MessageContent::Revoke { .. }
        | MessageContent::Note { .. }
        | MessageContent::System { .. }
        | MessageContent::Unsupported { .. } => Err(Refusal::Invalid {
            field: "content.type".to_owned(),
            why: "text, media, location, contact_cards, template, interactive and reaction can be sent".to_owned(),
        }),
    }
}

impl Draft<'_> {
    /// Hands a queued attempt to its number.
    fn deliver(
        mut self,
        thread: ConversationId,
        message: MessageRef,
        attempt: u16,
        queued_at: Timestamp,
    ) -> Decision<Conversation> {
        if let Some(place) = self.state.place {
            let account = place.account;
            self.effect(Effect::Deliver { account, conversation: thread, message, attempt, queued_at });
        }
        let status = MessageStatus::Queued;
        self.answer(|state| {
            let (version, epoch) = (state.version, state.epoch);
            Answer::Sent { message, status, repeated: false, version, epoch }
        })
    }
}
