//! Agents' answers: each that was taken reaches its customer once, none leaves outside a window, and its thread says what
//! became of it.

use std::collections::HashMap;

use super::Evidence;
use super::fate::{differs, may_be};
use super::outgoing::{Outgoing, Token, bare, outgoing};
use crate::document::Rule;
use crate::run::collect::Call;

pub(super) fn judge(evidence: &Evidence) -> Vec<Rule> {
    let shown = outgoing(evidence);
    let mut calls: HashMap<&str, Vec<&Call>> = HashMap::new();
    for call in &evidence.calls {
        if let Some(Token::Message(message)) = Token::of(call) {
            calls.entry(message).or_default().push(call);
        }
    }
    let mut rules = vec![twice(&shown, &calls)];
    rules.extend(came_to(evidence, &shown, &calls));
    rules.push(refused(evidence));
    rules
}

/// No customer got an answer twice, whatever messages the server made of it and whether the command was answered or not.
fn twice(shown: &HashMap<&str, Outgoing<'_>>, calls: &HashMap<&str, Vec<&Call>>) -> Rule {
    let mut rule = Rule::new("reply_sent_twice", "the customer gets an agent's answer once");
    let mut times: HashMap<String, usize> = HashMap::new();
    for (message, calls) in calls {
        let reached = calls.iter().filter(|call| call.reached()).count();
        let name = shown.get(message).map_or_else(|| (*message).to_owned(), |one| format!("@{}", one.reply));
        *times.entry(name).or_default() += reached;
    }
    for (name, times) in times.into_iter().filter(|(_, times)| *times > 0) {
        if times > 1 {
            rule.broken(|| format!("the answer {name} reached its customer {times} times"));
        } else {
            rule.kept();
        }
    }
    rule
}

/// Whether each answer is shown, left inside a window, and is shown as what the provider made of it.
fn came_to(evidence: &Evidence, shown: &HashMap<&str, Outgoing<'_>>, calls: &HashMap<&str, Vec<&Call>>) -> Vec<Rule> {
    let mut lost = Rule::new("reply_lost", "an answer that was taken reaches the customer, or its thread says why not");
    let mut state = Rule::new("reply_differs", "an answer's status is what the provider's ledger shows");
    let mut window = Rule::new("outside_window", "nothing free-form leaves to a customer whose window is shut");
    for (reply, known) in evidence.replies.iter().enumerate() {
        let message = known.message.as_deref().map(bare);
        if let Some(message) = message.filter(|message| !shown.contains_key(message)) {
            lost.broken(|| format!("the answer @{reply} ({message}) was taken and is in no thread"));
        }
    }
    for (message, one) in shown {
        let calls = calls.get(message).map_or(&[][..], Vec::as_slice);
        let reached = calls.iter().any(|call| call.reached());
        let what = || format!("the answer @{} ({message})", one.reply);
        let item = evidence.replies.get(one.reply).and_then(|known| evidence.items.get(known.item as usize));
        let is_shut = item.is_some_and(|item| item.written.stale);
        if is_shut && reached {
            window.broken(|| format!("{} left though the customer wrote a day ago", what()));
        } else {
            window.kept();
        }
        match one.message.status.as_deref() {
            Some("accepted" | "sent" | "delivered" | "read") if !reached => {
                lost.broken(|| format!("{} is shown as sent and reached nobody", what()));
            }
            // What waits, and what the provider still tells of it, is judged when nothing moves any more.
            _ if evidence.rest.is_some() => lost.kept(),
            None => lost.broken(|| format!("{} is shown without a status", what())),
            Some("queued") if !reached => lost.broken(|| format!("{} still waits", what())),
            Some(status) => {
                lost.kept();
                let mut may_be = may_be(calls, evidence.troubled);
                if is_shut {
                    may_be.push("failed");
                }
                match differs(status, &may_be) {
                    Some(differs) => state.broken(|| format!("{} {differs}", what())),
                    None => state.kept(),
                }
            }
        }
    }
    vec![lost, state, window]
}

/// A command is refused for good only where the customer's window is shut.
fn refused(evidence: &Evidence) -> Rule {
    let mut rule = Rule::new("reply_refused", "an answer is refused only where the customer's window is shut");
    for (reply, known) in evidence.replies.iter().enumerate() {
        let is_shut = evidence.items.get(known.item as usize).is_some_and(|item| item.written.stale);
        match known.refused.as_deref() {
            Some("window_closed") if is_shut => rule.kept(),
            Some(code) => rule.broken(|| format!("the answer @{reply} in {} was refused: {code}", known.conversation)),
            None => rule.kept(),
        }
    }
    rule
}
