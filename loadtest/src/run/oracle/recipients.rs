//! Whom a call went to: the person, and the number, for whom the message was meant.

use std::collections::HashMap;

use super::Evidence;
use super::outgoing::{Outgoing, Token, bare, outgoing};
use crate::document::Rule;
use crate::run::collect::Call;
use crate::run::customers::address;
use crate::run::tape::Sent;

pub(super) fn judge(evidence: &Evidence) -> Rule {
    let mut rule =
        Rule::new("wrong_recipient", "a message goes to the person for whom it was meant, from the right number");
    let shown = outgoing(evidence);
    let broadcasts = broadcasts(evidence);
    for call in evidence.calls.iter().filter(|call| call.reached()) {
        let meant = match Token::of(call) {
            Some(Token::Message(message)) => shown.get(message).and_then(|one| of_answer(evidence, one)),
            Some(Token::Place(broadcast, place)) => broadcasts
                .get(broadcast)
                .and_then(|(sent, places)| Some((digits(places.get(place)?), evidence.provider_id(sent.number)))),
            None => None,
        };
        match meant {
            Some((to, number)) if to == call.to && number == call.number => rule.kept(),
            Some((to, number)) => rule.broken(|| format!("{} was meant for {to} from {number}", told(call))),
            None => rule.broken(|| format!("{} belongs to nothing that the server shows", told(call))),
        }
    }
    rule
}

/// A call in words.
fn told(call: &Call) -> String {
    let token = call.token.as_deref().map_or_else(|| "without a token".to_owned(), |token| format!("`{token}`"));
    format!("the call {token} to {} from {}", call.to, call.number)
}

/// The customer whom an agent answered.
fn of_answer<'a>(evidence: &'a Evidence, one: &Outgoing<'_>) -> Option<(String, &'a str)> {
    let item = evidence.replies.get(one.reply)?.item;
    let written = evidence.items.get(item as usize)?.written;
    Some((address(written.part, written.customer), evidence.provider_id(written.number)))
}

/// By bare id: each broadcast, and the address of each place in it.
fn broadcasts(evidence: &Evidence) -> HashMap<&str, (&Sent, HashMap<&str, &str>)> {
    let listed = evidence.sent.iter().zip(&evidence.recipients);
    listed
        .map(|(sent, (_, recipients))| {
            let places = recipients.iter().filter_map(|one| Some((&*one.recipient, one.address.as_deref()?)));
            (bare(&sent.id), (sent, places.collect()))
        })
        .collect()
}

/// An address as the provider writes it.
pub(super) fn digits(address: &str) -> String {
    address.chars().filter(char::is_ascii_digit).collect()
}
