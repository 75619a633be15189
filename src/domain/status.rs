//! The status lattice: what a message of ours has come to, from evidence in any order.
//!
//! Within one attempt the status is the highest evidence there is; [`MessageStatus`] is declared in
//! that order, `Failed` above `Sent` and below `Delivered`. So `read` fills a missing `delivered`, a
//! late `sent` raises nothing from `failed`, and a late `delivered` or `read` does.

use std::time::Duration;

use super::message::MessageStatus;

/// How long a send without an answer stays in doubt before it becomes unconfirmed.
pub const DOUBT: Duration = Duration::from_secs(15 * 60);

/// How long a send may wait before it may no longer leave.
pub const WAIT_MAX: Duration = Duration::from_secs(10 * 60);

/// What one more piece of evidence about an attempt makes of its status.
#[must_use]
pub fn raised(status: MessageStatus, evidence: MessageStatus) -> MessageStatus {
    status.max(evidence)
}

/// Whether the customer has it: evidence of this kind counts whichever attempt it belongs to.
#[must_use]
pub fn reached(status: MessageStatus) -> bool {
    status >= MessageStatus::Delivered
}

/// Whether nothing of ours is open any more: neither waiting to leave nor waiting for evidence.
#[must_use]
pub fn is_settled(status: MessageStatus) -> bool {
    !matches!(status, MessageStatus::Queued | MessageStatus::InDoubt)
}

/// The status of a message whose attempts have shown these statuses: that of the last attempt,
/// unless the customer has an earlier one. None where nothing is known.
#[must_use]
pub fn of_message(evidence: &[(u16, MessageStatus)]) -> Option<MessageStatus> {
    let last = evidence.iter().map(|(attempt, _)| *attempt).max()?;
    evidence.iter().filter(|(attempt, status)| *attempt == last || reached(*status)).map(|(_, status)| *status).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use MessageStatus::{Accepted, Delivered, Failed, InDoubt, Queued, Read, Sent, Unconfirmed};
    use proptest::prelude::*;

    const ALL: [MessageStatus; 8] = [Queued, InDoubt, Unconfirmed, Accepted, Sent, Failed, Delivered, Read];

    #[test]
    fn each_pair_ends_as_the_rules_say() {
        let cases = [
            (Queued, Accepted, Accepted),
            (Sent, Accepted, Sent),
            (Failed, Sent, Failed),
            (Failed, Delivered, Delivered),
            (Failed, Read, Read),
            (Read, Delivered, Read),
            (Delivered, Failed, Delivered),
            (InDoubt, Unconfirmed, Unconfirmed),
            (Unconfirmed, Accepted, Accepted),
            (Unconfirmed, Failed, Failed),
            (Accepted, InDoubt, Accepted),
        ];
        for (status, evidence, expected) in cases {
            assert_eq!(raised(status, evidence), expected, "{status:?} and {evidence:?}");
        }
    }

    #[test]
    fn a_retry_hides_the_failure_but_not_a_late_delivery_of_the_first_attempt() {
        assert_eq!(of_message(&[(1, Failed), (2, Accepted)]), Some(Accepted));
        assert_eq!(of_message(&[(1, Failed), (1, Delivered), (2, Accepted)]), Some(Delivered));
        assert_eq!(of_message(&[(1, Failed), (1, Sent), (2, Accepted)]), Some(Accepted));
        assert_eq!(of_message(&[]), None);
    }

    proptest! {
        #[test]
        fn any_order_and_repetition_ends_the_same(
            evidence in prop::collection::vec((1_u16..3, prop::sample::select(ALL.to_vec())), 1..8),
            repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
            seed in any::<u64>(),
        ) {
            let mut shuffled = evidence.clone();
            shuffled.extend(repeats.iter().map(|index| evidence[index.index(evidence.len())]));
            shuffled.sort_by_key(|item| seed.wrapping_mul(u64::from(item.0) * 31 + item.1 as u64 + 7));
            prop_assert_eq!(of_message(&evidence), of_message(&shuffled));
            let folded = |items: &[(u16, MessageStatus)]| items.iter().fold(Queued, |status, item| raised(status, item.1));
            prop_assert_eq!(folded(&evidence), folded(&shuffled));
        }
    }
}
