//! A send as it is kept: ten million of them are to fit into memory.

use super::chance::Chance;
use super::plan::Plan;
use super::schedule::STATUSES;
use super::send::{KINDS, Send};
use super::told::{Line, Receipt};

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Word {
    Accepted,
    Silent,
    Refused,
}

/// A send.
pub(super) struct Sent {
    pub(super) at_us: u64,
    digest: u64,
    /// Recipient, token and quoted message, one behind the other: one allocation instead of three.
    words: Box<str>,
    /// 0 for none.
    pub(super) code: u32,
    /// Places in the book's lists; a template's 0 is none.
    pub(super) template: u32,
    pub(super) number: u32,
    /// Sends of its number to its recipient that were decided before it.
    occurrence: u32,
    token_len: u16,
    to_len: u8,
    kind: u8,
    pub(super) word: Word,
    /// By status.
    pub(super) owed: [u8; 4],
    pub(super) taken: [u8; 4],
}

impl Sent {
    /// A send of a number and a template, by their places in the book's lists.
    pub(super) fn new(
        at_us: u64,
        (number, template): (u32, u32),
        send: &Send<'_>,
        occurrence: u32,
        (word, code): (Word, u32),
    ) -> Self {
        let words = format!("{}{}{}", send.to, send.token, send.context).into_boxed_str();
        let kind = KINDS.iter().position(|kind| *kind == send.kind).unwrap_or_default() as u8;
        // Reading has bounded both.
        let (to_len, token_len) = (send.to.len() as u8, send.token.len() as u16);
        let digest = send.digest;
        Self {
            at_us,
            digest,
            words,
            code,
            template,
            number,
            occurrence,
            token_len,
            to_len,
            kind,
            word,
            owed: [0; 4],
            taken: [0; 4],
        }
    }

    /// The recipient.
    pub(super) fn to(&self) -> &str {
        &self.words[..usize::from(self.to_len)]
    }

    /// The sender's own data.
    pub(super) fn token(&self) -> Option<&str> {
        let from = usize::from(self.to_len);
        let token = &self.words[from..from + usize::from(self.token_len)];
        (!token.is_empty()).then_some(token)
    }

    fn quoted(&self) -> Option<&str> {
        let quoted = &self.words[usize::from(self.to_len) + usize::from(self.token_len)..];
        (!quoted.is_empty()).then_some(quoted)
    }

    /// The type.
    pub(super) fn kind(&self) -> &'static str {
        KINDS[usize::from(self.kind)]
    }

    /// Its draws.
    pub(super) fn chance(&self, plan: &Plan, number: &str) -> Chance {
        Chance::of_pair(plan.seed, number, self.to(), self.occurrence)
    }

    /// As the ledger tells it.
    pub(super) fn line<'a>(
        &'a self,
        n: u64,
        began_ms: u64,
        number: &'a str,
        template: &'a str,
        wamid: String,
    ) -> Line<'a> {
        let told =
            |index: usize| Receipt { status: STATUSES[index].into(), owed: self.owed[index], taken: self.taken[index] };
        Line {
            n,
            at_us: self.at_us,
            at_ms: began_ms + self.at_us / 1_000,
            number: number.into(),
            to: self.to().into(),
            token: self.token().map(Into::into),
            kind: self.kind().into(),
            template: (!template.is_empty()).then(|| template.into()),
            text_digest: format!("{:016x}", self.digest),
            verdict: ["accepted", "silent", "refused"][self.word as usize].into(),
            code: (self.code != 0).then_some(self.code),
            wamid: (self.word != Word::Refused).then_some(wamid),
            receipts: (0..STATUSES.len()).filter(|index| self.owed[*index] > 0).map(told).collect(),
            quoted: self.quoted().map(Into::into),
        }
    }
}
