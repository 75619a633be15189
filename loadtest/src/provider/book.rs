//! All that the provider remembers since `start`: its ledger, what is owed, and the bounds of numbers.

mod ledger;
mod owed;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use self::ledger::Ledger;
pub(super) use self::owed::{Batch, Owed};
use self::owed::{Due, Written};
use super::chance::Chance;
use super::pace::{Pairs, Window};
use super::plan::{Event, Mood, Plan};
use super::refusal::{FULL, Refusal};
use super::schedule::{Kind, steps};
use super::send::Send;
use super::sent::{Sent, Word};
use super::told::{Counts, Line, NumberCounts, Tally};
use super::verdict::{self, Outcome};
use crate::deliveries::epoch_millis;

/// Sends that are kept.
const SENDS_MAX: usize = 10_000_000;
/// Items that are owed.
const OWED_MAX: usize = 40_000_000;
/// Different numbers, and different templates: Meta's customers have fewer.
const NAMES_MAX: usize = 20_000;

/// What a send is answered.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) outcome: Outcome,
    pub(super) delay_ms: f64,
    /// The message's id, if it was accepted.
    pub(super) wamid: String,
}

/// A number's part.
#[derive(Default)]
struct OfNumber {
    asked: Window,
    accepted: Window,
    pairs: Pairs,
    /// By recipient.
    recipients: HashMap<u64, Recipient>,
    /// Recipients whom something reached.
    reached: u64,
    sends: u64,
}

/// A number's recipient.
#[derive(Clone, Copy, Default)]
struct Recipient {
    /// Sends that were decided, by which the next one is drawn.
    occurrences: u32,
    is_reached: bool,
}

/// The book.
pub(super) struct Book {
    /// Sets ids of this process apart from those of any other.
    run: String,
    round: u32,
    began: Instant,
    began_ms: u64,
    sends_max: usize,
    sends: Ledger,
    inbound: Vec<Written>,
    events: Vec<Event>,
    due: BinaryHeap<Reverse<Due>>,
    numbers: Names,
    of_numbers: Vec<OfNumber>,
    templates: Names,
    counts: Counts,
}

/// Names that stand for themselves as their place in a list.
#[derive(Default)]
struct Names {
    list: Vec<Arc<str>>,
    places: HashMap<Arc<str>, u32>,
}

impl Names {
    /// Its place; none if there are too many others.
    fn place(&mut self, name: &str) -> Option<u32> {
        if let Some(place) = self.places.get(name) {
            return Some(*place);
        }
        if self.list.len() >= NAMES_MAX {
            return None;
        }
        let (place, name) = (self.list.len() as u32, Arc::<str>::from(name));
        self.list.push(Arc::clone(&name));
        self.places.insert(name, place);
        Some(place)
    }

    fn name(&self, place: u32) -> &str {
        self.list.get(place as usize).map_or("", |name| name)
    }
}

impl Book {
    /// An empty one; it begins now.
    pub(super) fn new() -> Self {
        let began_ms = epoch_millis();
        Self {
            run: format!("{began_ms:011x}{:06x}", std::process::id()),
            round: 0,
            began: Instant::now(),
            began_ms,
            sends_max: SENDS_MAX,
            sends: Ledger::default(),
            inbound: Vec::new(),
            events: Vec::new(),
            due: BinaryHeap::new(),
            numbers: Names::default(),
            of_numbers: Vec::new(),
            templates: Names::default(),
            counts: Counts::default(),
        }
    }

    /// Begins again, with the plan's events; what is on its way belongs to nothing any more.
    pub(super) fn start(&mut self, plan: &Plan) {
        let mut next = Self::new();
        next.run = std::mem::take(&mut self.run);
        next.round = self.round + 1;
        next.sends_max = self.sends_max;
        if plan.webhook.is_some() {
            next.events.clone_from(&plan.events);
            for (n, event) in plan.events.iter().enumerate() {
                let post_us = event.at_ms.saturating_mul(1_000);
                next.due.push(Reverse(Due { post_us, n: n as u32, kind: Kind::Event, happened_us: post_us }));
            }
        }
        *self = next;
    }

    /// Microseconds since it began.
    pub(super) fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    /// Takes a send that came now.
    pub(super) fn take(&mut self, plan: &Plan, number: &str, send: &Send<'_>) -> Taken {
        let now_us = self.now_us();
        self.take_at(plan, number, send, now_us)
    }

    fn take_at(&mut self, plan: &Plan, number: &str, send: &Send<'_>, now_us: u64) -> Taken {
        let mood = plan.mood(now_us);
        if self.sends.len() >= self.sends_max || self.due.len() >= OWED_MAX {
            self.counts.ledger_full += 1;
            return self.unkept(Refusal::new(FULL, "The provider can keep no more sends."));
        }
        let template_at = if send.template.is_empty() { Some(0) } else { self.template(&send.template) };
        let (Some(number_at), Some(template_at)) = (self.number(number), template_at) else {
            return self.unkept(Refusal::new(100, "There are too many numbers or templates."));
        };
        let to = xxh3_64(send.to.as_bytes());
        let refusal = self.bound(plan, number_at, to, now_us);
        let recipient = self.of_numbers[number_at as usize].recipients.entry(to).or_default();
        let occurrence = recipient.occurrences;
        let chance = Chance::of_pair(plan.seed, number, &send.to, occurrence);
        // Bounds hang on when a send came: what they refuse must not move what is drawn.
        let (outcome, delay_ms, counts) = match refusal {
            Some(refusal) => (Outcome::Refused(refusal), chance.latency_ms(mood.latency), false),
            None => decide(plan, &mood, send, chance),
        };
        recipient.occurrences = occurrence.saturating_add(u32::from(counts));
        let (word, code) = match outcome {
            Outcome::Accepted { fails } => (Word::Accepted, fails.unwrap_or_default()),
            Outcome::Silent { fails, .. } => (Word::Silent, fails.unwrap_or_default()),
            Outcome::Refused(refusal) => (Word::Refused, refusal.code),
        };
        let mut sent = Sent::new(now_us, (number_at, template_at), send, occurrence, (word, code));
        let n = self.sends.len() as u32;
        let wamid = self.wamid(n);
        match word {
            Word::Refused => *self.counts.refused.entry(code).or_default() += 1,
            Word::Accepted => self.counts.accepted += 1,
            Word::Silent => self.counts.silent += 1,
        }
        if word != Word::Refused {
            let of = &mut self.of_numbers[number_at as usize];
            of.accepted.add(now_us);
            of.sends += 1;
            let recipient = of.recipients.entry(to).or_default();
            of.reached += u64::from(!std::mem::replace(&mut recipient.is_reached, true));
            if plan.webhook.is_some() {
                self.owe(plan, &mut sent, n, code != 0, chance);
            }
        }
        self.sends.push(sent);
        Taken { outcome, delay_ms, wamid }
    }

    /// Whether a number's or a pair's bound refuses it.
    fn bound(&mut self, plan: &Plan, number_at: u32, to: u64, now_us: u64) -> Option<Refusal> {
        let of = &mut self.of_numbers[number_at as usize];
        of.asked.add(now_us);
        if plan.rate_per_second > 0 && of.accepted.within(now_us) >= plan.rate_per_second as usize {
            return Some(Refusal::new(130_429, "Too many messages from this number in the last second."));
        }
        let pair = plan.pair?;
        let refused = !of.pairs.take(pair, to, now_us);
        refused.then_some(Refusal::new(131_056, "Too many messages from this number to this recipient."))
    }

    fn owe(&mut self, plan: &Plan, sent: &mut Sent, n: u32, is_failed: bool, chance: Chance) {
        for step in steps(&plan.receipts, &plan.replies, is_failed, sent.kind(), chance) {
            match sent.owed.get_mut(step.kind as usize) {
                Some(owed) => {
                    *owed += 1;
                    self.counts.receipts.scheduled += 1;
                }
                None => self.counts.replies.scheduled += 1,
            }
            let (post_us, happened_us) = (sent.at_us + step.post_us, sent.at_us + step.happened_us);
            self.due.push(Reverse(Due { post_us, n, kind: step.kind, happened_us }));
        }
    }

    fn number(&mut self, name: &str) -> Option<u32> {
        let place = self.numbers.place(name)?;
        if self.of_numbers.len() < self.numbers.list.len() {
            self.of_numbers.push(OfNumber::default());
        }
        Some(place)
    }

    fn template(&mut self, name: &str) -> Option<u32> {
        // The first place is that of no template.
        self.templates.place("")?;
        self.templates.place(name)
    }

    /// A message's id.
    fn wamid(&self, n: u32) -> String {
        format!("wamid.{}{:04x}{n:08x}", self.run, self.round)
    }

    /// Counts a call that is refused before it is read, or without being kept.
    pub(super) fn unkept(&mut self, refusal: Refusal) -> Taken {
        *self.counts.refused.entry(refusal.code).or_default() += 1;
        Taken { outcome: Outcome::Refused(refusal), delay_ms: 0.0, wamid: String::new() }
    }

    /// Counts a read mark.
    pub(super) fn mark(&mut self) {
        self.counts.marks += 1;
    }

    /// Counts a file, and gives its place among them.
    pub(super) fn upload(&mut self) -> u64 {
        self.counts.uploads += 1;
        self.counts.uploads
    }

    /// The counts.
    pub(super) fn counts(&self) -> Counts {
        let of = |of: &OfNumber| NumberCounts {
            accepted: of.sends,
            recipients: of.reached,
            busiest_second: of.accepted.busiest() as u64,
            busiest_second_asked: of.asked.busiest() as u64,
        };
        let named = self.numbers.list.iter().zip(&self.of_numbers);
        let numbers: BTreeMap<String, NumberCounts> =
            named.map(|(name, number)| (name.to_string(), of(number))).collect();
        let since_start_ms = self.now_us() / 1_000;
        Counts { since_start_ms, sends: self.sends.len() as u64, owed: self.owed(), numbers, ..self.counts.clone() }
    }

    /// What is still to be taken.
    pub(super) const fn owed(&self) -> u64 {
        self.counts.receipts.owed() + self.counts.replies.owed() + self.counts.events.owed()
    }

    /// Lines of the ledger, from this place on.
    pub(super) fn lines(&self, from: usize, limit: usize) -> impl Iterator<Item = Line<'_>> {
        self.sends.from(from).take(limit).map(|(n, sent)| {
            let (number, template) = (self.numbers.name(sent.number), self.templates.name(sent.template));
            sent.line(n as u64, self.began_ms, number, template, self.wamid(n as u32))
        })
    }

    fn tally(&mut self, kind: Kind) -> &mut Tally {
        match kind {
            Kind::Reply => &mut self.counts.replies,
            Kind::Event => &mut self.counts.events,
            _ => &mut self.counts.receipts,
        }
    }
}

fn decide(plan: &Plan, mood: &Mood, send: &Send<'_>, chance: Chance) -> (Outcome, f64, bool) {
    let is_template = send.kind == "template";
    let listed = &plan.marketing_templates;
    let is_listed = listed.is_empty() || listed.iter().any(|prefix| send.template.starts_with(prefix.as_str()));
    let verdict = verdict::of(mood, is_template, is_template && is_listed, chance);
    (verdict.outcome, verdict.delay_ms, verdict.counts)
}

#[cfg(test)]
mod tests;
