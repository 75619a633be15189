//! What people do with a conversation beside answering: notes, states, handing over, reading.

use super::answer::Answer;
use super::command::HandOver;
use super::draft::Draft;
use super::event::ConversationEvent as Event;
use super::memory::{MENTIONS_MAX, OUTGOING_MAX};
use super::send::{Known, digest};
use super::{Conversation, State};
use crate::domain::author::Author;
use crate::domain::content::{Content, StoredMessage};
use crate::domain::effect::Effect;
use crate::domain::entity::Decision;
use crate::domain::ids::{MemberId, MessageId};
use crate::domain::message::{MessageContent, MessageContext, MessageRef, MessageStatus};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

type Decided = Result<Decision<Conversation>, Refusal>;

/// The longest note or summary, in characters.
const NOTE_CHARS_MAX: usize = 4_096;

/// Customers and the platform's own app do not work the desk; broadcasts only send.
fn judge_colleague(author: Author, action: &'static str) -> Result<(), Refusal> {
    match author {
        Author::Customer | Author::Elsewhere | Author::Broadcast(_) => Err(Refusal::WrongAuthor { author, action }),
        Author::Member(_) | Author::Bot(_) | Author::Key(_) | Author::System => Ok(()),
    }
}

fn judge_note(field: &str, body: &str) -> Result<(), Refusal> {
    let chars = body.chars().count();
    if body.trim().is_empty() || chars > NOTE_CHARS_MAX {
        let why = format!("it has {chars} characters; 1 to {NOTE_CHARS_MAX} are allowed");
        return Err(Refusal::Invalid { field: field.to_owned(), why });
    }
    Ok(())
}

impl Conversation {
    pub(super) fn add_note(
        &self,
        author: Author,
        client_id: &str,
        body: String,
        mentions: Vec<MemberId>,
        mut draft: Draft<'_>,
    ) -> Decided {
        judge_colleague(author, "write a note")?;
        judge_note("body", &body)?;
        if mentions.len() > MENTIONS_MAX {
            return Err(Refusal::TooMany { what: "mentions", allowed: MENTIONS_MAX });
        }
        let digest = digest(draft.keys(), &("note", &body, &mentions))?;
        let own = draft.own_id();
        let id = match self.by_client_id(draft.keys(), own, client_id)? {
            Known::Before(entry) => return self.answer_again(entry, digest),
            Known::New(id) => id,
        };
        if self.outbox.is_full() {
            return Err(Refusal::TooMany { what: "messages on their way", allowed: OUTGOING_MAX });
        }
        let note = MessageRef { at: draft.now(), id };
        draft.event(Event::NoteAdded { note, author, mentions: mentions.clone(), digest });
        draft.keep_note(note, author, body, mentions);
        Ok(draft.answer(|state| Answer::Sent {
            message: note,
            status: MessageStatus::Read,
            repeated: false,
            version: state.version,
            epoch: state.epoch,
        }))
    }

    pub(super) fn close(&self, author: Author, mut draft: Draft<'_>) -> Decided {
        judge_colleague(author, "close")?;
        if self.state != State::Closed {
            draft.event(Event::Closed { by: author, at: draft.now() });
        }
        Ok(draft.changed())
    }

    pub(super) fn open(&self, author: Author, mut draft: Draft<'_>) -> Decided {
        judge_colleague(author, "open")?;
        if self.state != State::Open {
            draft.event(Event::Opened { by: author, at: draft.now() });
        }
        Ok(draft.changed())
    }

    pub(super) fn snooze(
        &self,
        author: Author,
        until: Timestamp,
        wake_on_reply: bool,
        mut draft: Draft<'_>,
    ) -> Decided {
        judge_colleague(author, "snooze")?;
        let at = draft.now();
        if until <= at {
            let why = format!("{until} is not in the future");
            return Err(Refusal::Invalid { field: "until".to_owned(), why });
        }
        if self.state == State::Closed {
            return Err(Refusal::WrongState { state: "closed", action: "snooze" });
        }
        if self.state != (State::Snoozed { until, wake_on_reply }) {
            draft.event(Event::Snoozed { by: author, until, wake_on_reply, at });
        }
        Ok(draft.changed())
    }

    pub(super) fn hand_over(&self, order: HandOver, mut draft: Draft<'_>) -> Decided {
        let HandOver { author, to, epoch, summary, team } = order;
        self.judge_author(author, epoch, "hand over")?;
        if let Some(body) = &summary {
            judge_note("summary", body)?;
        }
        if self.handler() == to && summary.is_none() && team.is_none() {
            return Ok(draft.changed());
        }
        let (epoch, at) = (self.epoch + 1, draft.now());
        let place: [&[u8]; 2] = [&draft.own_id().0.to_be_bytes(), &epoch.to_be_bytes()];
        let note = MessageRef { at, id: MessageId(draft.keys().hash(b"handover", &place)) };
        let noted = summary.as_ref().map(|_| note);
        draft.event(Event::HandedOver { to, epoch, by: author, summary: noted, team, at });
        if let Some(body) = summary {
            draft.keep_note(note, author, body, Vec::new());
        }
        Ok(draft.changed())
    }

    pub(super) fn mark_read(&self, author: Author, up_to: Option<MessageRef>, mut draft: Draft<'_>) -> Decided {
        judge_colleague(author, "mark read")?;
        let Some(last) = self.last_inbound else { return Ok(draft.changed()) };
        let up_to = up_to.map_or(last, |read| read.min(last));
        if self.unread_after(up_to) == self.unread {
            return Ok(draft.changed());
        }
        draft.event(Event::MarkedRead { by: author, up_to });
        if let Some(place) = self.place {
            let (account, conversation) = (place.account, place.id);
            draft.effect(Effect::MarkRead { account, conversation, message: up_to });
        }
        Ok(draft.changed())
    }
}

impl Draft<'_> {
    fn keep_note(&mut self, note: MessageRef, author: Author, body: String, mentions: Vec<MemberId>) {
        let stored = StoredMessage {
            author,
            content: MessageContent::Note { body, mentions },
            context: MessageContext::default(),
            provider_id: None,
            sender: None,
            arrived_at: note.at,
        };
        self.content(Content::Message { conversation: self.own_id(), at: note, message: Box::new(stored) });
    }
}
