//! What happens, as readable lines with everything personal masked: for whoever watches the sandbox.

use std::fmt::Write as _;

use tokio::sync::mpsc;

use crate::domain::content::{Content, StoredMessage};
use crate::domain::conversation::ConversationEvent;
use crate::domain::ids::ConversationId;
use crate::domain::message::{MessageContent, MessageRef};
use crate::domain::time::Timestamp;

/// Lines that may wait for the terminal; past it they are left out.
const WAITING_MAX: usize = 256;

/// Where lines go.
#[derive(Clone)]
pub(super) struct Lines(mpsc::Sender<String>);

impl Lines {
    /// A way for lines, and their end.
    pub(super) fn new() -> (Self, mpsc::Receiver<String>) {
        let (lines, shown) = mpsc::channel(WAITING_MAX);
        (Self(lines), shown)
    }

    /// Tells one event. A terminal that does not keep up misses lines; nobody waits for it.
    pub(super) fn tell(&self, at: Timestamp, id: u128, event: &ConversationEvent, content: &[Content]) {
        let Some(what) = words(event, content) else { return };
        let time = at.to_string();
        let conversation = ConversationId(id).ulid_text();
        let (_, short) = conversation.split_at(conversation.len() - 6);
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = write!(line, "{}  …{short}  {what}", time.get(11..23).unwrap_or(&time));
        let _ = self.0.try_send(line);
    }
}

fn words(event: &ConversationEvent, content: &[Content]) -> Option<String> {
    let said = |message: &MessageRef| {
        let stored = content.iter().find_map(|row| match row {
            Content::Message { at, message: stored, .. } if at == message => Some(stored.as_ref()),
            _ => None,
        });
        stored.map_or_else(|| "a message".to_owned(), masked)
    };
    Some(match event {
        ConversationEvent::MessageReceived { message, .. } => format!("customer → {}", said(message)),
        ConversationEvent::MessageQueued { message, .. } => format!("reply    ← {}", said(message)),
        ConversationEvent::NoteAdded { .. } => "note added".to_owned(),
        ConversationEvent::StatusChanged { status, failure, .. } => {
            let why = failure.map(|failure| format!(" (code {})", failure.code)).unwrap_or_default();
            format!("         ← {}{why}", format!("{status:?}").to_lowercase())
        }
        ConversationEvent::ConsentChanged { withdrawn, .. } => {
            format!("marketing {}", if *withdrawn { "stopped" } else { "allowed" })
        }
        event => event.word()?.to_owned(),
    })
}

/// What a message is, without what it says: the first letter of each word is kept.
fn masked(message: &StoredMessage) -> String {
    match &message.content {
        MessageContent::Text { body } => {
            let words: Vec<String> = body.split_whitespace().take(8).map(mask_word).collect();
            format!("“{}{}”", words.join(" "), if body.split_whitespace().count() > 8 { " …" } else { "" })
        }
        MessageContent::Media { kind, .. } => format!("{kind:?}").to_lowercase(),
        MessageContent::Template { name, .. } => format!("template {name}"),
        MessageContent::Interactive { .. } => "an interactive message".to_owned(),
        MessageContent::Choice { .. } => "a choice".to_owned(),
        MessageContent::Reaction { .. } => "a reaction".to_owned(),
        _ => "a message".to_owned(),
    }
}

fn mask_word(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().filter(|letter| letter.is_alphabetic()).unwrap_or('•');
    std::iter::once(first).chain(letters.map(|_| '•')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_first_letter_and_numbers_keep_nothing() {
        assert_eq!(mask_word("Hello"), "H••••");
        assert_eq!(mask_word("0151234"), "•••••••");
    }
}
