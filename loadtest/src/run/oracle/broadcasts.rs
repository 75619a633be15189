//! Broadcasts: nobody has one twice, nobody is lost, and what the server counts is what the provider's ledger says.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::Evidence;
use super::fate::{differs, may_be};
use super::limits::is_used_up;
use super::outgoing::{Token, bare};
use super::recipients::digits;
use crate::document::Rule;
use crate::run::collect::{Call, Recipient};
use crate::run::tape::Sent;

/// What was claimed when a pause was answered may leave for so long: two blocks of about a second.
const PAUSE_MS: u64 = 2_500;
/// States of those who are still to be written to.
const WAITS: [&str; 2] = ["pending", "attempting"];

/// A broadcast, with what is known of it.
struct One<'a> {
    evidence: &'a Evidence,
    sent: &'a Sent,
    shown: &'a Value,
    recipients: &'a [Recipient],
    /// By place.
    calls: HashMap<&'a str, Vec<&'a Call>>,
    /// Who answered, and who of them said STOP.
    answered: &'a HashSet<(&'a str, &'a str)>,
    stopped: &'a HashSet<(&'a str, &'a str)>,
}

pub(super) fn judge(evidence: &Evidence) -> Vec<Rule> {
    let mut twice = Rule::new("broadcast_sent_twice", "nobody gets a broadcast twice");
    let mut state = Rule::new("recipient_differs", "a recipient's state is what the provider's ledger shows");
    let mut counts = Rule::new("counters_differ", "a broadcast's counts are the sums of its recipients");
    let mut lost = Rule::new("recipient_lost", "every recipient is counted, and nobody waits in the end");
    let mut paused = Rule::new("sent_while_paused", "nothing of a paused broadcast leaves, but what was on its way");
    let mut by_broadcast: HashMap<&str, HashMap<&str, Vec<&Call>>> = HashMap::new();
    for call in &evidence.calls {
        if let Some(Token::Place(broadcast, place)) = Token::of(call) {
            by_broadcast.entry(broadcast).or_default().entry(place).or_default().push(call);
        }
    }
    let taken = || evidence.answers.iter().filter(|answer| answer.taken > 0);
    let answered = taken().map(|answer| (&*answer.from, &*answer.number)).collect();
    let stops = taken().filter(|answer| answer.text == "STOP");
    let stopped = stops.map(|answer| (&*answer.from, &*answer.number)).collect();
    for (sent, (shown, recipients)) in evidence.sent.iter().zip(&evidence.recipients) {
        let calls = by_broadcast.remove(bare(&sent.id)).unwrap_or_default();
        let one = One { evidence, sent, shown, recipients, calls, answered: &answered, stopped: &stopped };
        one.look_for_doubles(&mut twice);
        one.look_for_lost(&mut lost);
        one.look_at_pause(&mut paused);
        if evidence.rest.is_none() {
            one.look_at_states(&mut state);
            one.look_at_counts(&mut counts);
        }
    }
    vec![twice, state, counts, lost, paused]
}

impl One<'_> {
    fn all_calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values().flatten().copied()
    }

    /// By person, whatever place in the broadcast the call was for.
    fn look_for_doubles(&self, rule: &mut Rule) {
        let mut times: HashMap<&str, u32> = HashMap::new();
        for call in self.all_calls().filter(|call| call.reached()) {
            *times.entry(&call.to).or_default() += 1;
        }
        for (to, times) in times {
            if times > 1 {
                rule.broken(|| format!("{to} got {} {times} times", self.sent.id));
            } else {
                rule.kept();
            }
        }
    }

    fn look_at_states(&self, rule: &mut Rule) {
        let number = self.evidence.provider_id(self.sent.number);
        for recipient in self.recipients {
            let to = digits(recipient.address.as_deref().unwrap_or_default());
            let person = (&*to, number);
            let calls = self.calls.get(&*recipient.recipient).map_or(&[][..], Vec::as_slice);
            let mut may_be = may_be(calls, self.evidence.troubled);
            if !calls.iter().any(|call| call.reached()) {
                // Whether anybody may wait at all is for another rule.
                may_be.extend(WAITS);
                if self.stopped.contains(&person) {
                    may_be.push("skipped");
                }
            }
            let who = || format!("recipient {} of {}", recipient.recipient, self.sent.id);
            let answered = self.answered.contains(&person);
            match differs(&recipient.state, &may_be) {
                Some(differs) => rule.broken(|| format!("{} {differs}", who())),
                None if recipient.replied != answered => rule.broken(|| {
                    let word = if answered { "answered" } else { "did not answer" };
                    format!("{} {word}, and is shown otherwise", who())
                }),
                None => rule.kept(),
            }
        }
    }

    fn look_at_counts(&self, rule: &mut Rule) {
        let mut counted: HashMap<&str, u64> = HashMap::new();
        for recipient in self.recipients {
            *counted.entry(&recipient.state).or_default() += 1;
            *counted.entry("replied").or_default() += u64::from(recipient.replied);
        }
        let shown = &self.shown["counts"];
        let told = shown.as_object().into_iter().flat_map(|counts| counts.keys().map(String::as_str));
        // What is counted and not told is as wrong as what is told and not counted.
        let names: BTreeSet<&str> = told.chain(counted.keys().copied()).collect();
        for name in names {
            let (told, counted) = (shown[name].as_u64().unwrap_or_default(), counted.get(name).copied());
            let counted = counted.unwrap_or_default();
            if told == counted {
                rule.kept();
            } else {
                let id = &self.sent.id;
                rule.broken(|| format!("{id} counts {told} as {name}, and {counted} of its recipients are"));
            }
        }
    }

    fn look_for_lost(&self, rule: &mut Rule) {
        if self.sent.published_ms.is_none() {
            return;
        }
        let waiting = self.recipients.iter().filter(|one| WAITS.contains(&&*one.state)).count();
        let over = self.shown["status"] == "sent" || self.evidence.rest.is_none();
        let may_wait = || is_used_up(self.evidence, self.sent.number);
        if self.recipients.len() as u64 == self.sent.audience && (waiting == 0 || !over || may_wait()) {
            rule.kept();
        } else {
            rule.broken(|| {
                let (id, audience, of) = (&self.sent.id, self.sent.audience, self.recipients.len());
                let (status, reasons) = (&self.shown["status"], &self.shown["reasons"]);
                format!("{id} ({status} {reasons}) is for {audience} and has {of} recipients, {waiting} of whom wait")
            });
        }
    }

    fn look_at_pause(&self, rule: &mut Rule) {
        let Some((from, to)) = self.sent.paused_ms.map(|(from, to)| (from + PAUSE_MS, to)) else { return };
        // A pause that was shorter than what may still leave says nothing.
        if from >= to {
            return;
        }
        let late = self.all_calls().filter(|call| (from..to).contains(&call.at_ms)).count();
        if late > 0 {
            rule.broken(|| format!("{late} of {} left more than {PAUSE_MS} ms after it was paused", self.sent.id));
        } else {
            rule.kept();
        }
    }
}
