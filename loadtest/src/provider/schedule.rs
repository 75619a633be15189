//! What becomes of an accepted message: which statuses are posted when, and whether its recipient writes back.

use super::chance::{Chance, Draw};
use super::plan::{Receipts, Replies};

/// Repetitions come within so much.
const REPEATS_WITHIN_US: f64 = 2_000_000.0;

/// What is owed to the business for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Kind {
    Sent,
    Delivered,
    Read,
    Failed,
    Reply,
    /// Of an account; owed for no message.
    Event,
}

/// The statuses, in the order of [`Kind`].
pub(super) const STATUSES: [&str; 4] = ["sent", "delivered", "read", "failed"];

/// Something owed: `post` and `happened` in microseconds after the message was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) post_us: u64,
    pub(super) happened_us: u64,
}

/// All that is owed, repetitions last.
pub(super) fn steps(receipts: &Receipts, replies: &Replies, is_failed: bool, kind: &str, chance: Chance) -> Vec<Step> {
    let mut steps = Vec::with_capacity(4);
    let mut then = |kind, happened_us| steps.push(Step { kind, post_us: happened_us, happened_us });
    let sent = chance.spread_us(Draw::SentTime, receipts.sent_ms, receipts.spread);
    let mut reply = None;
    if is_failed {
        then(Kind::Failed, sent);
    } else {
        then(Kind::Sent, sent);
        // A reaction yields only `sent`. Each is a moment later than the last, so that their order is one.
        if kind != "reaction" {
            let delivered = sent + 1 + chance.spread_us(Draw::DeliveredTime, receipts.delivered_ms, receipts.spread);
            let is_read = chance.hits(Draw::Read, receipts.read_percent);
            if !(is_read && chance.hits(Draw::WithoutDelivered, receipts.read_without_delivered_percent)) {
                then(Kind::Delivered, delivered);
            }
            if is_read {
                then(Kind::Read, delivered + 1 + chance.spread_us(Draw::ReadTime, receipts.read_ms, receipts.spread));
            }
            if chance.hits(Draw::Reply, replies.percent) {
                let at = delivered + 1 + chance.spread_us(Draw::ReplyTime, replies.after_ms, replies.spread);
                reply = Some(Step { kind: Kind::Reply, post_us: at, happened_us: at });
            }
        }
    }
    if chance.hits(Draw::Shuffle, receipts.shuffle_percent) {
        shuffle(&mut steps, chance);
    }
    steps.retain(|step| {
        let spared = step.kind == Kind::Failed && !receipts.lose_failures;
        spared || !chance.hits_at(Draw::Loss, step.kind as u64 * 8, receipts.loss_percent)
    });
    for index in 0..steps.len() {
        let step = steps[index];
        let of = step.kind as u64 * 8;
        if chance.hits_at(Draw::Repeat, of, receipts.repeat_percent) {
            for time in 0..=chance.bits(Draw::RepeatTimes, of) % 3 {
                let later = chance.unit(Draw::RepeatAt, of + time * 64) * REPEATS_WITHIN_US;
                steps.push(Step { post_us: step.post_us + 1 + later as u64, ..step });
            }
        }
    }
    steps.extend(reply);
    steps
}

/// Gives the moments at which they would be posted to others of them: in reverse, or the first after all others.
fn shuffle(steps: &mut [Step], chance: Chance) {
    let moments: Vec<u64> = steps.iter().map(|step| step.post_us).collect();
    let mut order: Vec<usize> = (0..steps.len()).collect();
    if chance.bits(Draw::ShuffleHow, 0).is_multiple_of(2) {
        order.reverse();
    } else {
        let first = order.len().min(1);
        order.rotate_left(first);
    }
    for (moment, index) in moments.into_iter().zip(order) {
        steps[index].post_us = moment;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(receipts: Receipts, replies: Replies, is_failed: bool) -> Vec<Vec<Step>> {
        let of = |key: u32| steps(&receipts, &replies, is_failed, "text", Chance::new(9, &key.to_le_bytes()));
        (0..10_000).map(of).collect()
    }

    fn kinds(steps: &[Step]) -> Vec<Kind> {
        steps.iter().map(|step| step.kind).collect()
    }

    fn count(all: &[Vec<Step>], matches: impl Fn(&[Step]) -> bool) -> usize {
        all.iter().filter(|steps| matches(steps)).count()
    }

    #[test]
    fn a_perfect_message_is_sent_delivered_and_read_in_time() {
        let receipts = Receipts { sent_ms: 10, delivered_ms: 20, read_ms: 30, ..Receipts::default() };
        let expected = [(Kind::Sent, 10_000), (Kind::Delivered, 30_001), (Kind::Read, 60_002)];
        let expected = expected.map(|(kind, post_us)| Step { kind, post_us, happened_us: post_us });
        assert!(many(receipts, Replies::default(), false).iter().all(|steps| *steps == expected));
        let reaction = steps(&receipts, &Replies::default(), false, "reaction", Chance::new(1, b"a"));
        assert_eq!(kinds(&reaction), [Kind::Sent]);
    }

    #[test]
    fn each_status_is_lost_by_itself_and_failures_are_not() {
        let receipts = Receipts { loss_percent: 20.0, ..Receipts::default() };
        let all = many(receipts, Replies::default(), false);
        for kind in [Kind::Sent, Kind::Delivered, Kind::Read] {
            let there = count(&all, |steps| kinds(steps).contains(&kind));
            assert!((7_800..8_200).contains(&there), "{kind:?} {there}");
        }
        let whole = count(&all, |steps| steps.len() == 3);
        assert!((4_900..5_350).contains(&whole), "{whole}");
        assert!(many(receipts, Replies::default(), true).iter().all(|steps| kinds(steps) == [Kind::Failed]));
        let lossy = Receipts { lose_failures: true, ..receipts };
        let failed = count(&many(lossy, Replies::default(), true), |steps| !steps.is_empty());
        assert!((7_800..8_200).contains(&failed), "{failed}");
    }

    #[test]
    fn a_repetition_is_later_and_says_the_same() {
        let receipts = Receipts { repeat_percent: 100.0, read_percent: 0.0, ..Receipts::default() };
        for steps in many(receipts, Replies::default(), false) {
            for kind in [Kind::Sent, Kind::Delivered] {
                let of: Vec<&Step> = steps.iter().filter(|step| step.kind == kind).collect();
                assert!((2..=4).contains(&of.len()), "{of:?}");
                assert!(
                    of[1..].iter().all(|step| step.post_us > of[0].post_us && step.happened_us == of[0].happened_us)
                );
            }
        }
    }

    #[test]
    fn a_shuffle_posts_in_another_order_than_things_happened() {
        let receipts = Receipts { shuffle_percent: 30.0, ..Receipts::default() };
        let shuffled = |steps: &[Step]| {
            let mut posted = steps.to_vec();
            posted.sort_by_key(|step| step.post_us);
            kinds(&posted) != [Kind::Sent, Kind::Delivered, Kind::Read]
        };
        let all = many(receipts, Replies::default(), false);
        let some = count(&all, shuffled);
        assert!((2_800..3_200).contains(&some), "{some}");
        for steps in all {
            assert!(steps.windows(2).all(|pair| pair[0].happened_us < pair[1].happened_us));
        }
    }

    #[test]
    fn some_are_read_and_never_delivered_and_still_answered() {
        let receipts = Receipts { read_percent: 50.0, read_without_delivered_percent: 50.0, ..Receipts::default() };
        let replies = Replies { percent: 10.0, after_ms: 100, ..Replies::default() };
        let all = many(receipts, replies, false);
        let only_read = count(&all, |steps| kinds(steps).starts_with(&[Kind::Sent, Kind::Read]));
        assert!((2_300..2_700).contains(&only_read), "{only_read}");
        let answered = count(&all, |steps| steps.last().is_some_and(|step| step.kind == Kind::Reply));
        assert!((850..1_150).contains(&answered), "{answered}");
        assert_eq!(count(&many(receipts, replies, true), |steps| steps.len() > 1), 0);
    }
}
