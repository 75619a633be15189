//! Whoever shares a portfolio gets its due, whenever it asks.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp(1_000_000);

fn request(count: u32) -> Request {
    let (reply, _) = oneshot::channel();
    let recipients = (0..u128::from(count)).map(AddressId).collect();
    Request { recipients, so_far: Granted::default(), reply }
}

/// Serves turns as [`Limits::serve`] does, from so many free permits; what each workspace got. `away` says how many turns
/// of others pass before one who has its block asks for the next.
fn share(queue: &Queue, mut free: u64, away: &[usize]) -> BTreeMap<WorkspaceId, u64> {
    let mut got = BTreeMap::new();
    let mut returns: Vec<(usize, WorkspaceId)> = Vec::new();
    for turn in 0.. {
        let (back, still): (Vec<_>, Vec<_>) = returns.into_iter().partition(|(at, _)| *at <= turn);
        returns = still;
        for (_, workspace) in back {
            queue.push(workspace, request(BLOCK_MAX as u32), NOW);
        }
        let next = (free > 0).then(|| queue.next(Some(free))).flatten();
        let Some((workspace, mut one, count)) = next else {
            if free == 0 || returns.is_empty() {
                return got;
            }
            continue;
        };
        let taken = (count as u64).min(free);
        free -= taken;
        *got.entry(workspace).or_default() += taken;
        one.recipients.drain(..count);
        if count == 0 || one.recipients.is_empty() {
            let away = away[workspace.0 as usize % away.len()];
            returns.push((turn + 1 + away, workspace));
        } else {
            queue.put_back(workspace, one);
        }
    }
    got
}

proptest! {
    /// Workspaces on one portfolio, each within 5 % of its due, whatever blocks they ask for first and however long they are
    /// busy with a block before they ask for the next.
    #[test]
    fn workspaces_share_what_is_free(
        sharers in 2_u128..5,
        free in 250_u64..100_000,
        first in prop::collection::vec(64_u32..=BLOCK_MAX as u32, 5),
        away in 0_usize..4,
    ) {
        let queue = Queue::new(LimitScopeId(1));
        for (workspace, count) in (0..sharers).zip(first) {
            queue.push(WorkspaceId(workspace), request(count), NOW);
        }
        let got = share(&queue, free, &[away]);
        let due = free as f64 / sharers as f64;
        prop_assert_eq!(got.values().sum::<u64>(), free, "all of it is dealt");
        for (workspace, taken) in got {
            prop_assert!((taken as f64 / due - 1.0).abs() < 0.05, "{workspace}: {taken} of {due}");
        }
    }

    /// However far behind another is, two blocks are kept for it and no more.
    #[test]
    fn nobody_waits_long_for_who_is_slow(free in 1_u64..100_000, ahead in 0_u64..1_000_000) {
        let mut waiting = Waiting::default();
        for (workspace, got) in [(WorkspaceId(0), ahead), (WorkspaceId(1), 0)] {
            waiting.shares.insert(workspace, Share { got, asked_at: NOW });
        }
        let least = (free.saturating_sub(BEHIND_MAX) / 2).min(BLOCK_MAX as u64);
        prop_assert!(waiting.allowed(ahead, Some(free)) as u64 >= least);
    }

    /// At the level nothing is left, but for what cannot be divided.
    #[test]
    fn the_level_is_where_nothing_is_left(got in prop::collection::vec(0_u64..10_000, 1..8), free in 0_u64..20_000) {
        let level = level(got.clone(), free);
        let dealt: u64 = got.iter().map(|got| level.saturating_sub(*got)).sum();
        prop_assert!(dealt >= free && dealt < free + got.len() as u64, "{level}: {dealt} of {free}");
    }
}

#[test]
fn whoever_waits_alone_is_served_whole() {
    let queue = Queue::new(LimitScopeId(1));
    assert!(queue.push(WorkspaceId(1), request(150), NOW));
    assert!(!queue.push(WorkspaceId(1), request(30), NOW), "somebody serves already");
    let next = |free| queue.next(free).map(|(_, request, count)| (request.recipients.len(), count));
    assert_eq!(next(Some(20)), Some((150, 150)));
    assert_eq!(next(None), Some((30, 30)));
    assert_eq!(next(None), None);
    assert!(queue.push(WorkspaceId(1), request(1), NOW), "nobody serves any more");
}

#[test]
fn a_share_is_kept_for_ten_seconds_and_no_history_beyond() {
    let queue = Queue::new(LimitScopeId(1));
    let (one, other) = (WorkspaceId(1), WorkspaceId(2));
    let next = |free| queue.next(Some(free)).map(|(workspace, _, count)| (workspace, count));
    for workspace in [one, other] {
        queue.push(workspace, request(100), NOW);
    }
    assert_eq!((next(200), next(100)), (Some((one, 100)), Some((other, 100))));
    // Sixty are left, and both have had the same: half of them are for the one that is busy.
    queue.push(one, request(100), NOW);
    assert_eq!(next(60), Some((one, 30)));
    queue.push(one, request(70), NOW);
    assert_eq!(next(30), Some((one, 0)), "the other's due");
    assert_eq!(next(30), None);
    let later = NOW + SHARES_FOR + Duration::from_millis(1);
    queue.push(one, request(70), later);
    assert_eq!(next(30), Some((one, 70)), "it asks no more");
    // Who comes anew is two blocks behind at most, however much was served before it came.
    for _ in 0..5 {
        queue.push(one, request(200), later);
        assert_eq!(next(30_000), Some((one, 200)));
    }
    for _ in 0..2 {
        queue.push(other, request(200), later);
        assert_eq!(next(3_000), Some((other, 200)));
    }
    queue.push(one, request(200), later);
    queue.push(other, request(200), later);
    assert_eq!((next(100), next(50)), (Some((one, 50)), Some((other, 50))), "both are even from here on");
}
