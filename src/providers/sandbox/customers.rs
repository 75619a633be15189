//! The people the sandbox plays: their names, what they write, and what becomes of messages to them.

use super::chance::Chance;
use super::faults::ReceiptFaults;
use super::ledger::{Owe, What};
use super::options::{ReceiptOptions, ReplyOptions};

const NAMES: [&str; 12] = [
    "Joana Teste",
    "Rui Amostra",
    "Inês Exemplo",
    "Tomás Ensaio",
    "Maria Prova",
    "Ana Sample",
    "Li Wei",
    "Kenji Test",
    "Zoë Muster",
    "Omar Nimuna",
    "Priya Namuna",
    "José Demo",
];

const ANSWERS: [&str; 6] =
    ["Thank you!", "Yes, please.", "Can you tell me more?", "Not now.", "👍", "When does it arrive?"];

const OPENINGS: [&str; 6] = [
    "Hello, is anybody there?",
    "Where is my order?",
    "Olá, têm este em azul?",
    "I would like to change my appointment.",
    "How much is shipping?",
    "It does not work ☹",
];

/// The profile name of whoever has this number.
pub(super) fn name_of(recipient: &str) -> &'static str {
    let sum = recipient.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    NAMES[sum % NAMES.len()]
}

/// The number of the `index`th person who writes by themselves.
pub(super) fn number_of(index: u64) -> String {
    format!("3519100{index:05}")
}

/// What somebody writes first.
pub(super) fn opening(chance: &Chance) -> &'static str {
    OPENINGS[(chance.next() % OPENINGS.len() as u64) as usize]
}

/// What becomes of a message of `kind` accepted at `at`: its receipts, and perhaps an answer.
pub(super) fn plan(
    kind: &str,
    at: i64,
    receipts: &ReceiptOptions,
    replies: &ReplyOptions,
    faults: &ReceiptFaults,
    chance: &Chance,
) -> Vec<Owe> {
    let mut owes = Vec::with_capacity(4);
    let mut due = at;
    let mut then = |what, delay_ms: u64| {
        // Between half and one and a half times the delay.
        let delay_ms = delay_ms / 2 + if delay_ms == 0 { 0 } else { chance.next() % (delay_ms + 1) };
        due = due.saturating_add(i64::try_from(delay_ms).unwrap_or(i64::MAX));
        owes.push(Owe { what, due, twice: false });
    };
    let mut reply = None;
    if chance.hits(receipts.failed_share) {
        then(What::Failed(receipts.failed_code), receipts.sent_delay_ms);
    } else {
        then(What::Sent, receipts.sent_delay_ms);
        // A reaction yields only `sent` (`channels.md` §1.4).
        if kind != "reaction" && chance.hits(receipts.delivered_share) {
            then(What::Delivered, receipts.delivered_delay_ms);
            if chance.hits(receipts.read_share) {
                then(What::Read, receipts.read_delay_ms);
                if chance.hits(replies.share) {
                    let stops = chance.hits(replies.stop_share);
                    let answer = ANSWERS[(chance.next() % ANSWERS.len() as u64) as usize];
                    let text = if stops { "STOP" } else { answer }.to_owned();
                    then(What::Reply { text, quotes: chance.hits(replies.quote_share) }, replies.delay_ms);
                    reply = owes.pop();
                }
            }
        }
    }
    spoil(&mut owes, faults, chance);
    owes.extend(reply);
    owes
}

fn spoil(owes: &mut Vec<Owe>, faults: &ReceiptFaults, chance: &Chance) {
    owes.retain(|_| !chance.hits(faults.lost));
    for owe in &mut *owes {
        owe.twice = chance.hits(faults.duplicated);
        if chance.hits(faults.delayed) {
            owe.due = owe.due.saturating_add(i64::try_from(faults.delay_ms).unwrap_or(i64::MAX));
        }
    }
    if chance.hits(faults.reordered) {
        let mut dues: Vec<i64> = owes.iter().map(|owe| owe.due).collect();
        dues.sort_unstable();
        // The same moment keeps the order of the list.
        owes.reverse();
        for (owe, due) in owes.iter_mut().zip(dues) {
            owe.due = due;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::CountedIds;

    fn whats(owes: &[Owe]) -> Vec<What> {
        owes.iter().map(|owe| owe.what.clone()).collect()
    }

    #[test]
    fn plans_follow_the_shares() {
        let chance = Chance::new(Some(3), &CountedIds::from(1));
        let all = ReceiptOptions { delivered_share: 1.0, read_share: 1.0, ..ReceiptOptions::default() };
        let stop = ReplyOptions { share: 1.0, stop_share: 1.0, quote_share: 0.0, delay_ms: 10 };
        let none = ReceiptFaults::default();
        let owes = plan("text", 1_000, &all, &stop, &none, &chance);
        let reply = What::Reply { text: "STOP".into(), quotes: false };
        assert_eq!(whats(&owes), [What::Sent, What::Delivered, What::Read, reply.clone()]);
        assert!(owes.windows(2).all(|pair| pair[0].due <= pair[1].due));
        assert!(owes[0].due >= 1_100 && owes[0].due <= 1_300, "{}", owes[0].due);
        assert_eq!(whats(&plan("reaction", 0, &all, &stop, &none, &chance)), [What::Sent]);

        let failing = ReceiptOptions { failed_share: 1.0, ..all };
        assert_eq!(whats(&plan("text", 0, &failing, &stop, &none, &chance)), [What::Failed(131_026)]);

        let lost = ReceiptFaults { lost: 1.0, ..none };
        assert_eq!(whats(&plan("text", 0, &all, &stop, &lost, &chance)), [reply]);

        let spoilt = ReceiptFaults { duplicated: 1.0, reordered: 1.0, ..none };
        let owes = plan("text", 0, &all, &ReplyOptions::default(), &spoilt, &chance);
        assert_eq!(whats(&owes), [What::Read, What::Delivered, What::Sent]);
        assert!(owes.iter().all(|owe| owe.twice) && owes.windows(2).all(|pair| pair[0].due <= pair[1].due));
    }
}
