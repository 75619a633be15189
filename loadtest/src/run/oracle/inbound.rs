//! Customers' messages: each is in one thread once, in its place, and every agent who may see it was told.

use std::collections::HashMap;

use super::Evidence;
use super::outgoing::reply_of;
use crate::document::{Rule, rfc_3339};
use crate::run::collect::{Answer, Shown, Thread};
use crate::run::customers::{address, item_of};

/// What threads show: how often each message of a customer's, and where last.
#[derive(Default)]
struct Found<'a> {
    items: HashMap<u32, (u32, &'a str)>,
    answers: HashMap<&'a str, (u32, &'a str)>,
}

pub(super) fn judge(evidence: &Evidence) -> Vec<Rule> {
    let mut order =
        Rule::new("thread_order", "a thread is in the order of the provider's times, each message at its own");
    let mut astray = Rule::new("astray", "a message is in the conversation of its customer and number");
    let answers: HashMap<&str, &Answer> = evidence.answers.iter().map(|answer| (&*answer.wamid, answer)).collect();
    let mut found = Found::default();
    for thread in &evidence.threads {
        // Newest first, and times are RFC 3339 of one length: their order is that of their letters.
        match thread.messages.windows(2).find(|two| two[0].at < two[1].at) {
            Some(two) => order.broken(|| format!("in {} {} stands after {}", thread.id, two[0].id, two[1].id)),
            None => order.kept(),
        }
        let mut of_thread = None;
        for message in &thread.messages {
            let Some(written) = Written::of(evidence, &answers, message) else {
                not_of(evidence, thread, message, &mut astray);
                continue;
            };
            let times = match written.what {
                What::Item(item) => found.items.entry(item).or_default(),
                What::Answer(wamid) => found.answers.entry(wamid).or_default(),
            };
            *times = (times.0 + 1, &thread.id);
            if message.at.get(..SECOND) == written.at.get(..SECOND) {
                order.kept();
            } else {
                let (id, at) = (&message.id, &message.at);
                order.broken(|| format!("{id} in {} is at {at} and was written at {}", thread.id, written.at));
            }
            let who = (written.from, written.number);
            let of_account = evidence.number_of(&thread.account).map(|number| evidence.provider_id(number));
            let first = of_thread.get_or_insert_with(|| who.clone());
            if *first == who && of_account == Some(who.1) {
                astray.kept();
            } else {
                let id = &message.id;
                astray.broken(|| format!("{id} of {} is in {} of another customer or number", who.0, thread.id));
            }
        }
    }
    let mut rules = kept(evidence, &found);
    rules.extend([order, astray, told(evidence)]);
    rules
}

/// Characters of a time to the second.
const SECOND: usize = 19;

/// What a customer wrote, as the customer or the provider knows it.
struct Written<'a> {
    what: What<'a>,
    from: String,
    number: &'a str,
    at: String,
}

enum What<'a> {
    Item(u32),
    Answer(&'a str),
}

impl<'a> Written<'a> {
    /// What a message of a thread was when it was written; none where it is not a customer's, or not of this run.
    fn of(evidence: &'a Evidence, answers: &HashMap<&str, &'a Answer>, message: &Shown) -> Option<Self> {
        if message.direction != "in" {
            return None;
        }
        if let Some(answer) = message.provider_id.as_deref().and_then(|wamid| answers.get(wamid)) {
            return Some(Self {
                what: What::Answer(&answer.wamid),
                from: answer.from.clone(),
                number: &answer.number,
                at: rfc_3339(answer.at_ms / 1_000),
            });
        }
        let item = item_of(message.content["body"].as_str()?)?;
        let known = evidence.items.get(item as usize)?;
        Some(Self {
            what: What::Item(item),
            from: address(known.written.part, known.written.customer),
            number: evidence.provider_id(known.written.number),
            at: rfc_3339(known.written_s),
        })
    }
}

/// An agent's answer is in the conversation for which it was written.
fn not_of(evidence: &Evidence, thread: &Thread, message: &Shown, astray: &mut Rule) {
    let reply = message.content["body"].as_str().and_then(reply_of).filter(|_| message.direction == "out");
    let Some(reply) = reply else { return };
    match evidence.replies.get(reply) {
        Some(known) if known.conversation == thread.id => astray.kept(),
        Some(known) => {
            let to = &known.conversation;
            astray.broken(|| format!("the answer @{reply} was written in {to} and is in {}", thread.id));
        }
        None => astray.broken(|| format!("the answer @{reply} in {} was written by nobody", thread.id)),
    }
}

/// What was taken is there, and once.
fn kept(evidence: &Evidence, found: &Found<'_>) -> Vec<Rule> {
    let mut lost = Rule::new("lost", "a delivery that was answered 200 is in its customer's thread");
    let mut twice = Rule::new("stored_twice", "a message is in one thread, once, however often it was delivered");
    let mut look = |times: Option<&(u32, &str)>, taken: bool, what: &dyn Fn() -> String| {
        let (times, thread) = times.copied().unwrap_or_default();
        match times {
            0 if taken => lost.broken(|| format!("{} was taken and is in no thread", what())),
            0 => {}
            1 => {
                lost.kept();
                twice.kept();
            }
            _ => twice.broken(|| format!("{} is in threads {times} times, in {thread} last", what())),
        }
    };
    for (item, known) in (0..).zip(&evidence.items) {
        let who = known.written.customer;
        look(found.items.get(&item), known.taken.is_some(), &|| format!("message #{item} of customer {who}"));
    }
    for answer in &evidence.answers {
        let wamid = &*answer.wamid;
        let what = || format!("the answer {wamid} of {} ({})", answer.from, answer.text);
        look(found.answers.get(wamid), answer.taken > 0, &what);
    }
    vec![lost, twice]
}

/// Every agent who listened when a message was delivered, and may see it, was told. An agent listens since it came in, or
/// since the server last told it that something is missing.
fn told(evidence: &Evidence) -> Rule {
    let mut rule = Rule::new("not_told", "every agent who may see a message and was listening is told of it");
    for (agent, heard) in evidence.heard.iter().enumerate() {
        let Some(since) = heard.since else { continue };
        for (item, known) in evidence.items.iter().enumerate() {
            let sees = heard.number.is_none_or(|number| number == known.written.number);
            if !sees || known.taken.is_none() || known.begun.is_none_or(|begun| begun <= since) {
                continue;
            }
            if heard.told.get(item).is_some_and(|told| *told != 0) {
                rule.kept();
            } else {
                rule.broken(|| format!("agent {agent} was never told of message #{item}"));
            }
        }
    }
    rule
}
