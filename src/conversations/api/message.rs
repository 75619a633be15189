//! A message of a thread as it is shown, with what became of it.

use serde::Serialize;

use super::moment::Moment;
use crate::domain::author::Author;
use crate::domain::content::StoredMessage;
use crate::domain::ids::MessageId;
use crate::domain::message::{MessageContent, MessageContext, MessageRef, MessageStatus, ProviderMessageId};
use crate::domain::outbound::{ErrorClass, Failure};
use crate::domain::status;
use crate::shards::rows::ReceiptRow;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the customer.
    In,
    /// To the customer.
    Out,
    /// Among colleagues.
    Note,
    /// Said by the platform.
    System,
}

impl Direction {
    fn of(author: Author, content: &MessageContent) -> Self {
        match (author, content) {
            (_, MessageContent::Note { .. }) => Self::Note,
            (_, MessageContent::System { .. }) => Self::System,
            (Author::Customer, _) => Self::In,
            _ => Self::Out,
        }
    }
}

/// A message as events carry it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MessageShown {
    /// The message.
    pub id: MessageId,
    /// Its place in the thread: the provider's time for what came in, ours for what goes out.
    pub at: Moment,
    /// Who wrote it.
    pub author: Author,
    /// Which way it goes.
    pub direction: Direction,
    /// What it says.
    pub content: MessageContent,
    /// What it hangs on.
    pub context: MessageContext,
}

impl MessageShown {
    /// A message as its row has it.
    #[must_use]
    pub fn new(at: MessageRef, stored: StoredMessage) -> Self {
        let StoredMessage { author, content, context, .. } = stored;
        Self { id: at.id, at: Moment(at.at), author, direction: Direction::of(author, &content), content, context }
    }

    /// Where it stands.
    #[must_use]
    pub const fn place(&self) -> MessageRef {
        MessageRef { at: self.at.0, id: self.id }
    }
}

/// A message as a thread shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThreadMessage {
    /// The message.
    #[serde(flatten)]
    pub message: MessageShown,
    /// The provider's id, where it is known.
    pub provider_id: Option<ProviderMessageId>,
    /// How far a message of ours has come.
    pub status: Option<MessageStatus>,
    /// What each attempt came to, from the first.
    pub attempts: Vec<Attempt>,
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempt {
    /// Which, from 1.
    pub attempt: u16,
    /// How far it came.
    pub status: MessageStatus,
    /// When it came so far.
    pub at: Moment,
    /// Why it failed, where it did.
    pub failure: Option<FailureShown>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureShown {
    /// The provider's code; 0 where a rule of ours failed it.
    pub code: i64,
    /// What is done about it.
    pub class: ErrorClass,
    /// The provider's sentence, or the rule's.
    pub sentence: String,
}

impl From<&Failure> for FailureShown {
    fn from(failure: &Failure) -> Self {
        Self { code: failure.code, class: failure.class, sentence: failure.sentence.clone() }
    }
}

impl ThreadMessage {
    /// A message with its receipts; `sent` is the last attempt and the status, where memory has them.
    #[must_use]
    pub fn new(
        at: MessageRef,
        stored: StoredMessage,
        receipts: &[ReceiptRow],
        sent: Option<(u16, MessageStatus)>,
    ) -> Self {
        let provider_id = stored.provider_id.clone();
        let message = MessageShown::new(at, stored);
        // What the business wrote elsewhere is the platform's own to follow.
        if message.direction != Direction::Out || message.author == Author::Elsewhere {
            return Self { message, provider_id, status: None, attempts: Vec::new() };
        }
        let mut attempts = of_receipts(receipts);
        let last = sent.map_or_else(|| attempts.last().map_or(1, |attempt| attempt.attempt), |(attempt, _)| attempt);
        if attempts.last().is_none_or(|newest| newest.attempt < last) {
            let status = MessageStatus::Queued;
            attempts.push(Attempt { attempt: last, status, at: Moment(at.at), failure: None });
        }
        let evidence: Vec<_> = attempts.iter().map(|attempt| (attempt.attempt, attempt.status)).collect();
        let status = sent.map(|(_, status)| status).or_else(|| status::of_message(&evidence));
        let taught = receipts.iter().rev().find_map(|receipt| receipt.provider_id.clone());
        Self { message, provider_id: provider_id.or(taught), status, attempts }
    }
}

/// The highest status of each attempt.
fn of_receipts(receipts: &[ReceiptRow]) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    for receipt in receipts {
        let shown = Attempt {
            attempt: receipt.attempt,
            status: receipt.status,
            at: Moment(receipt.at),
            failure: receipt.failure.as_ref().map(FailureShown::from),
        };
        match attempts.iter_mut().find(|known| known.attempt == receipt.attempt) {
            Some(known) if known.status < receipt.status => *known = shown,
            Some(_) => {}
            None => attempts.push(shown),
        }
    }
    attempts.sort_by_key(|attempt| attempt.attempt);
    attempts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::MemberId;
    use crate::domain::time::Timestamp;

    const AT: MessageRef = MessageRef { at: Timestamp(5), id: MessageId(7) };

    fn written(author: Author, content: MessageContent) -> StoredMessage {
        let context = MessageContext::default();
        StoredMessage { author, content, context, provider_id: None, sender: None, arrived_at: Timestamp(5) }
    }

    fn ours() -> StoredMessage {
        written(Author::Member(MemberId(1)), MessageContent::Text { body: "Hello".into() })
    }

    fn receipt(attempt: u16, status: MessageStatus, at: i64) -> ReceiptRow {
        let failed = status == MessageStatus::Failed;
        let failure = failed.then(|| Failure { code: 4, class: ErrorClass::Retry, sentence: "Later.".into() });
        let provider_id = (status == MessageStatus::Accepted).then(|| ProviderMessageId(format!("wamid.{attempt}")));
        ReceiptRow { message: AT, attempt, status, at: Timestamp(at), failure, provider_id }
    }

    #[test]
    fn a_queued_message_has_one_attempt_and_a_retried_one_two() {
        let fresh = ThreadMessage::new(AT, ours(), &[], None);
        assert_eq!((fresh.status, fresh.attempts.len()), (Some(MessageStatus::Queued), 1));
        let failed = [receipt(1, MessageStatus::Failed, 9)];
        let again = ThreadMessage::new(AT, ours(), &failed, Some((2, MessageStatus::Queued)));
        assert_eq!(again.status, Some(MessageStatus::Queued));
        let statuses: Vec<_> = again.attempts.iter().map(|attempt| (attempt.attempt, attempt.status)).collect();
        assert_eq!(statuses, [(1, MessageStatus::Failed), (2, MessageStatus::Queued)]);
        assert_eq!(again.attempts[0].failure.as_ref().map(|failure| failure.code), Some(4));
    }

    #[test]
    fn an_attempt_shows_the_highest_it_came_to() {
        let receipts = [
            receipt(1, MessageStatus::Accepted, 6),
            receipt(1, MessageStatus::Sent, 7),
            receipt(1, MessageStatus::Read, 9),
        ];
        let shown = ThreadMessage::new(AT, ours(), &receipts, None);
        assert_eq!(shown.status, Some(MessageStatus::Read));
        assert_eq!(shown.provider_id, Some(ProviderMessageId("wamid.1".into())));
        assert_eq!(shown.attempts.len(), 1);
    }

    #[test]
    fn what_is_not_sent_by_us_has_no_status() {
        let note = MessageContent::Note { body: "psst".into(), mentions: Vec::new() };
        let text = || MessageContent::Text { body: "hi".into() };
        for (author, content, direction) in [
            (Author::Member(MemberId(1)), note, "note"),
            (Author::Customer, text(), "in"),
            (Author::Elsewhere, text(), "out"),
            (Author::System, MessageContent::System { event: "number_changed".into(), body: None }, "system"),
        ] {
            let shown = ThreadMessage::new(AT, written(author, content), &[], None);
            assert_eq!((shown.status, shown.attempts.len()), (None, 0));
            let json = serde_json::to_value(&shown).unwrap();
            assert_eq!(json["direction"], direction);
            assert_eq!(json["at"], "1970-01-01T00:00:00.005Z");
        }
    }
}
