//! What is due, batch by batch, and what became of it.

use std::cmp::Reverse;
use std::sync::Arc;

use super::super::chance::Draw;
use super::super::plan::{Event, Plan};
use super::super::schedule::Kind;
use super::super::told::Inbound;
use super::Book;

/// What else customers write than `STOP`.
const ANSWERS: [&str; 6] =
    ["Thank you!", "Yes, please.", "Can you tell me more?", "Não, obrigado.", "👍", "When does it arrive?"];

/// Something to be posted, in microseconds after `start`; in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) post_us: u64,
    /// Of the ledger, or of the events.
    pub(super) n: u32,
    pub(super) kind: Kind,
    pub(super) happened_us: u64,
}

/// What a customer wrote.
pub(super) struct Written {
    /// The message that it answers.
    n: u32,
    at_us: u64,
    text: &'static str,
    quotes: bool,
    taken: u8,
}

/// An item of a post.
#[derive(Debug)]
pub(crate) struct Owed {
    pub(crate) kind: Kind,
    /// Of the ledger, of what customers wrote, or of the events.
    place: u32,
    /// Epoch seconds.
    pub(crate) at: u64,
    /// The `phone_number_id`.
    pub(crate) number: Arc<str>,
    /// The customer; empty for events.
    pub(crate) customer: String,
    pub(crate) token: Option<String>,
    pub(crate) wamid: String,
    pub(crate) is_template: bool,
    /// Why it failed; 0 if it did not.
    pub(crate) code: u32,
    /// What a customer wrote.
    pub(crate) text: &'static str,
    /// The message that is quoted.
    pub(crate) quoted: Option<String>,
    pub(crate) event: Option<Event>,
}

/// Items of one post.
#[derive(Debug)]
pub(crate) struct Batch {
    round: u32,
    pub(crate) items: Vec<Owed>,
}

impl Book {
    /// What is to be posted now, or how many microseconds nothing will be.
    ///
    /// # Errors
    /// Nothing waits for long enough.
    pub(crate) fn due(&mut self, plan: &Plan) -> Result<Batch, u64> {
        let now_us = self.now_us();
        self.due_at(plan, now_us)
    }

    pub(super) fn due_at(&mut self, plan: &Plan, now_us: u64) -> Result<Batch, u64> {
        let receipts = &plan.receipts;
        let Some(Reverse(oldest)) = self.due.peek() else { return Err(u64::MAX) };
        let leaves_us = oldest.post_us.saturating_add(receipts.batch_ms * 1_000);
        if leaves_us > now_us {
            return Err(leaves_us - now_us);
        }
        let mut items = Vec::with_capacity(receipts.batch_max);
        while items.len() < receipts.batch_max
            && let Some(Reverse(due)) = self.due.peek().copied()
            && due.post_us <= now_us
        {
            self.due.pop();
            items.push(self.item(plan, due));
        }
        Ok(Batch { round: self.round, items })
    }

    fn item(&mut self, plan: &Plan, due: Due) -> Owed {
        let at = (self.began_ms + due.happened_us / 1_000) / 1_000;
        let mut item = Owed {
            kind: due.kind,
            place: due.n,
            at,
            number: Arc::from(""),
            customer: String::new(),
            token: None,
            wamid: String::new(),
            is_template: false,
            code: 0,
            text: "",
            quoted: None,
            event: None,
        };
        if due.kind == Kind::Event {
            self.counts.events.scheduled += 1;
            item.event = self.events.get(due.n as usize).cloned();
            item.number = item.event.as_ref().map_or("", |event| event.number.as_str()).into();
            return item;
        }
        let (wamid, sent) = (self.wamid(due.n), &self.sends[due.n as usize]);
        item.number = Arc::clone(&self.numbers.list[sent.number as usize]);
        item.customer = sent.to().to_owned();
        if due.kind == Kind::Reply {
            let chance = sent.chance(plan, &item.number);
            let text = ANSWERS[(chance.bits(Draw::ReplyText, 0) % ANSWERS.len() as u64) as usize];
            item.text = if chance.hits(Draw::ReplyStop, plan.replies.stop_percent) { "STOP" } else { text };
            let quotes = chance.hits(Draw::ReplyQuotes, 50.0);
            item.quoted = quotes.then_some(wamid);
            item.wamid = self.reply_wamid(due.n);
            item.place = self.inbound.len() as u32;
            let (n, at_us, text) = (due.n, due.happened_us, item.text);
            self.inbound.push(Written { n, at_us, text, quotes, taken: 0 });
        } else {
            item.token = sent.token().map(str::to_owned);
            item.is_template = sent.kind() == "template";
            item.code = if due.kind == Kind::Failed { sent.code } else { 0 };
            item.wamid = wamid;
        }
        item
    }

    /// A customer's message's id, from that of the message it answers.
    fn reply_wamid(&self, n: u32) -> String {
        format!("wamid.R{}{:04x}{n:08x}", self.run, self.round)
    }

    /// Whether a batch is of this round, and not of one that ended.
    pub(crate) const fn is_of(&self, batch: &Batch) -> bool {
        self.round == batch.round
    }

    /// Counts a post of it.
    pub(crate) fn posted(&mut self, batch: &Batch) {
        if self.is_of(batch) {
            self.counts.posts += 1;
            for item in &batch.items {
                self.tally(item.kind).posted += 1;
            }
        }
    }

    /// Counts a post that was not taken; 0 for a connection that broke.
    pub(crate) fn refused(&mut self, batch: &Batch, status: u16) {
        if self.is_of(batch) {
            self.counts.refused_posts += 1;
            self.counts.last_refusal = status;
        }
    }

    /// Settles it: taken, or given up.
    pub(crate) fn settle(&mut self, batch: &Batch, is_taken: bool) {
        if !self.is_of(batch) {
            return;
        }
        for item in &batch.items {
            let tally = self.tally(item.kind);
            if !is_taken {
                tally.given_up += 1;
                continue;
            }
            tally.taken += 1;
            let place = item.place as usize;
            match item.kind {
                Kind::Event => {}
                Kind::Reply => self.inbound[place].taken += 1,
                status => self.sends[place].taken[status as usize] += 1,
            }
        }
    }

    /// What customers wrote, from this place on.
    pub(crate) fn inbound(&self, from: usize, limit: usize) -> impl Iterator<Item = Inbound<'_>> {
        self.inbound.iter().enumerate().skip(from).take(limit).map(|(n, written)| {
            let sent = &self.sends[written.n as usize];
            Inbound {
                n: n as u64,
                wamid: self.reply_wamid(written.n),
                number: self.numbers.name(sent.number).into(),
                from: sent.to().into(),
                text: written.text.into(),
                at_ms: self.began_ms + written.at_us / 1_000,
                answers: self.wamid(written.n),
                quotes: written.quotes,
                taken: written.taken,
            }
        })
    }
}
