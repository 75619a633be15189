//! The oracle: holds what the server says against what truly happened, message by message.

mod broadcasts;
mod fate;
mod inbound;
mod limits;
mod outgoing;
mod recipients;
mod replies;
mod sockets;

use std::time::Duration;

use super::collect::{Answer, Call, Recipient, Thread};
use super::stage::NumberPlace;
use super::tape::{Heard, Item, Reply, Sent, Tape};
use crate::document::Rule;
use crate::scenario::Scenario;

/// What a run left behind.
pub(super) struct Evidence {
    pub(super) items: Vec<Item>,
    pub(super) replies: Vec<Reply>,
    pub(super) heard: Vec<Heard>,
    pub(super) sent: Vec<Sent>,
    pub(super) numbers: Vec<NumberPlace>,
    pub(super) threads: Vec<Thread>,
    pub(super) calls: Vec<Call>,
    pub(super) answers: Vec<Answer>,
    /// By broadcast: the server's counts and its recipients.
    pub(super) recipients: Vec<(serde_json::Value, Vec<Recipient>)>,
    /// The tier of the portfolios; 0 is none.
    pub(super) tier: u32,
    /// The most calls that a number may have in any second.
    pub(super) rate_per_second: u32,
    /// When all had come to its end.
    pub(super) ended: Duration,
    /// What was still under way when everything was read; none where nothing moved any more. What must be equal in the
    /// end is judged only then.
    pub(super) rest: Option<String>,
    /// Whether the server was ended in the run: answers that were on their way to it then are not known to it.
    pub(super) troubled: bool,
    /// Conversations of the inbox at the end, and how many there were before the run that nobody wrote to in it.
    pub(super) conversations: u64,
    pub(super) before: u32,
}

impl Evidence {
    /// Takes what the tape has.
    pub(super) fn of(tape: &Tape, scenario: &Scenario, numbers: Vec<NumberPlace>) -> Self {
        Self {
            items: tape.items.take(),
            replies: tape.replies.take(),
            heard: tape.heard.take(),
            sent: tape.sent.borrow().clone(),
            numbers,
            threads: Vec::new(),
            calls: Vec::new(),
            answers: Vec::new(),
            recipients: Vec::new(),
            tier: scenario.workspace.tier,
            rate_per_second: scenario.workspace.rate_per_second,
            ended: tape.now(),
            rest: None,
            troubled: false,
            conversations: 0,
            before: scenario.workspace.conversations,
        }
    }

    /// The number of an account.
    fn number_of(&self, account: &str) -> Option<u32> {
        self.numbers.iter().position(|number| number.account == account).map(|place| place as u32)
    }

    /// What the provider calls a number; empty for one that there is not.
    fn provider_id(&self, number: u32) -> &str {
        self.numbers.get(number as usize).map_or("", |place| &place.provider_id)
    }
}

/// Judges all of it.
pub(super) fn judge(evidence: &Evidence) -> Vec<Rule> {
    let mut rules = inbound::judge(evidence);
    rules.push(conversations(evidence));
    rules.extend(sockets::judge(evidence));
    rules.extend(replies::judge(evidence));
    rules.extend(broadcasts::judge(evidence));
    rules.push(recipients::judge(evidence));
    rules.extend(limits::judge(evidence));
    rules
}

/// What was there before the run is there after it, whatever befell the server.
fn conversations(evidence: &Evidence) -> Rule {
    let mut rule = Rule::new("conversation_lost", "the inbox has every conversation that there was before the run");
    let (all, written) = (evidence.conversations, evidence.threads.len() as u64);
    let missing = (u64::from(evidence.before) + written).saturating_sub(all);
    rule.looked_at = u64::from(evidence.before).saturating_sub(missing);
    (0..missing)
        .for_each(|_| rule.broken(|| format!("the inbox has {all} conversations, {written} of them of the run")));
    rule
}

#[cfg(test)]
mod tests;
