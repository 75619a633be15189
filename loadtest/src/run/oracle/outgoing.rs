//! Messages of ours: by whose order they left, and which thread shows them.

use std::collections::HashMap;

use super::Evidence;
use crate::run::collect::{Call, Shown};

/// What a call's token says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Of an agent's answer, `m1.<conversation>.<message>.<attempt>`: the message.
    Message(&'a str),
    /// Of a broadcast, `b1.<broadcast>.<chunk>.<index>.<attempt>`: the broadcast, and `<chunk>.<index>`.
    Place(&'a str, &'a str),
}

impl<'a> Token<'a> {
    /// A call's; none where it is none of these.
    pub(super) fn of(call: &'a Call) -> Option<Self> {
        let token = call.token.as_deref()?;
        if let Some(rest) = token.strip_prefix("m1.") {
            return rest.split('.').nth(1).map(Token::Message);
        }
        let (broadcast, rest) = token.strip_prefix("b1.")?.split_once('.')?;
        let (place, _attempt) = rest.rsplit_once('.')?;
        Some(Token::Place(broadcast, place))
    }
}

/// An id without the word before it, as tokens have it.
pub(super) fn bare(id: &str) -> &str {
    id.split_once('_').map_or(id, |(_, bare)| bare)
}

/// An agent's answer as a thread shows it.
#[derive(Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub(super) message: &'a Shown,
    /// Its place among the agents' answers, as its text says.
    pub(super) reply: usize,
}

/// The agents' answers that threads show, by bare id.
pub(super) fn outgoing(evidence: &Evidence) -> HashMap<&str, Outgoing<'_>> {
    let mut all = HashMap::new();
    for thread in &evidence.threads {
        for message in thread.messages.iter().filter(|message| message.direction == "out") {
            if let Some(reply) = message.content["body"].as_str().and_then(reply_of) {
                all.insert(bare(&message.id), Outgoing { message, reply });
            }
        }
    }
    all
}

/// The answer that a text is.
pub(super) fn reply_of(text: &str) -> Option<usize> {
    text.strip_prefix('@')?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read() {
        let of = |token: &str| {
            let call = Call { token: Some(token.to_owned()), ..Call::default() };
            Token::of(&call).map(|token| format!("{token:?}"))
        };
        assert_eq!(of("m1.C.M.1").as_deref(), Some(r#"Message("M")"#));
        assert_eq!(of("b1.B.0.17.2").as_deref(), Some(r#"Place("B", "0.17")"#));
        for other in ["", "m1", "m1.C", "b1.B", "x1.a.b.c.d"] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(Token::of(&Call::default()), None);
    }

    #[test]
    fn an_answer_is_known_by_its_text() {
        assert_eq!(reply_of("@12 Thanks"), Some(12));
        for other in ["12", "@", "@x y", "#1 x"] {
            assert_eq!(reply_of(other), None, "{other}");
        }
    }
}
