//! The guard rails: when a broadcast is doing harm, it is halted until somebody looks (`product.md` §2).

use super::job::HaltReason;
use super::recipient::RecipientState;
use super::tally::Tally;

/// Nothing is judged before so many have left.
pub const JUDGED_AFTER: u32 = 200;
/// Opt-outs among those who have it, in thousandths: more halt it.
pub const OPT_OUTS_PERMILLE: u32 = 10;
/// Failures among those it was sent to, in thousandths: more halt it.
pub const FAILURES_PERMILLE: u32 = 100;

/// How a broadcast stands: its counts, and how many have it and withdrew their consent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The counts.
    pub tally: Tally,
    /// Those who have it and withdrew their consent.
    pub opted_out: u32,
}

/// Why a broadcast is to be halted; none where it may go on. What came since somebody last looked is judged: `before` is how
/// it stood then.
///
/// Who had left is subtracted as a whole and not state by state: one who had it then and has read it since is no new one. An
/// opt-out comes later than what it answers, and may be of somebody who had it before: it halts only where there are too
/// many among all who have it, too.
#[must_use]
pub fn judge(now: &Standing, before: &Standing) -> Option<HaltReason> {
    let over = |part: u32, whole: u32, permille: u32| u64::from(part) * 1_000 > u64::from(whole) * u64::from(permille);
    let since = |of: fn(&Tally) -> u32| of(&now.tally).saturating_sub(of(&before.tally));
    let opted_out = now.opted_out.saturating_sub(before.opted_out);
    let (sent, delivered, failed) = (since(left), since(Tally::delivered), since(failed));
    if sent < JUDGED_AFTER {
        return None;
    }
    if over(opted_out, delivered, OPT_OUTS_PERMILLE) && over(now.opted_out, now.tally.delivered(), OPT_OUTS_PERMILLE) {
        return Some(HaltReason::OptOuts);
    }
    over(failed, sent, FAILURES_PERMILLE).then_some(HaltReason::ErrorRate)
}

fn failed(tally: &Tally) -> u32 {
    tally.of(RecipientState::Failed)
}

/// All that were sent, whatever became of them.
fn left(tally: &Tally) -> u32 {
    failed(tally) + tally.of(RecipientState::Accepted) + tally.of(RecipientState::Sent) + tally.delivered()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Counts = &'static [(RecipientState, u32)];

    fn tally(states: Counts) -> Tally {
        let mut tally = Tally::pending(2_000);
        for (state, count) in states {
            (0..*count).for_each(|_| tally.change(RecipientState::Pending, *state));
        }
        tally
    }

    #[test]
    fn harm_is_seen_once_there_is_enough_to_judge() {
        use RecipientState::{Accepted, Delivered, Failed, Read, Sent};
        let cases: [(Counts, u32, Option<HaltReason>); 8] = [
            (&[(Failed, 199)], 0, None),
            (&[(Failed, 200)], 0, Some(HaltReason::ErrorRate)),
            (&[(Failed, 100), (Accepted, 300), (Sent, 300), (Delivered, 200), (Read, 100)], 0, None),
            (
                &[(Failed, 101), (Accepted, 300), (Sent, 300), (Delivered, 200), (Read, 100)],
                0,
                Some(HaltReason::ErrorRate),
            ),
            (&[(Delivered, 600), (Read, 400)], 10, None),
            (&[(Delivered, 600), (Read, 400)], 11, Some(HaltReason::OptOuts)),
            (&[(Accepted, 1_000), (Delivered, 100)], 2, Some(HaltReason::OptOuts)),
            (&[], 0, None),
        ];
        for (states, opted_out, halted) in cases {
            let now = Standing { tally: tally(states), opted_out };
            assert_eq!(judge(&now, &Standing::default()), halted, "{states:?} and {opted_out}");
        }
    }

    #[test]
    fn who_had_it_before_and_reads_it_since_is_judged_once() {
        use RecipientState::{Accepted, Delivered, Failed, Read};
        let standing = |states, opted_out| Standing { tally: tally(states), opted_out };
        // It was halted for seven of six hundred, and somebody let it go on.
        let before = standing(&[(Accepted, 300), (Delivered, 600)], 7);
        // Nobody new has it: the same people read it.
        assert_eq!(judge(&standing(&[(Delivered, 300), (Read, 600)], 12), &before), None);
        let more: Counts = &[(Delivered, 400), (Read, 700)];
        assert_eq!(judge(&standing(more, 12), &before), None, "five of five hundred delivered since");
        assert_eq!(judge(&standing(more, 13), &before), Some(HaltReason::OptOuts));
        let failing: Counts = &[(Accepted, 300), (Read, 600), (Failed, 200)];
        assert_eq!(judge(&standing(failing, 7), &before), Some(HaltReason::ErrorRate));
    }

    #[test]
    fn a_late_opt_out_of_who_had_it_before_is_not_held_against_few_since() {
        use RecipientState::{Accepted, Delivered};
        let standing = |states, opted_out| Standing { tally: tally(states), opted_out };
        let before = standing(&[(Delivered, 700)], 0);
        // Of the two hundred that left since, fifty are delivered; three who had it before say STOP.
        assert_eq!(judge(&standing(&[(Delivered, 750), (Accepted, 150)], 3), &before), None);
        assert_eq!(judge(&standing(&[(Delivered, 750), (Accepted, 150)], 8), &before), Some(HaltReason::OptOuts));
    }
}
