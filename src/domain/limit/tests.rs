//! Tests of limit scopes.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::golden::{Live, check};
use crate::domain::ids::MemberId;

const DAY_MS: i64 = 24 * 3_600 * 1_000;

fn scope(limit: u32) -> Live<LimitScope> {
    let mut live = Live::new(1);
    let tier = LimitTier::Limited(limit);
    live.ask(0, LimitCommand::SetTier { tier, at: Timestamp(0), author: Author::System }).unwrap();
    live
}

fn reserve(live: &mut Live<LimitScope>, now: i64, customers: &[u128]) -> (Vec<bool>, Option<i64>) {
    let recipients = customers.iter().copied().map(AddressId).collect();
    match live.ask(now, LimitCommand::Reserve { recipients }).unwrap().answer {
        LimitAnswer::Reserved { granted, come_back } => (granted, come_back.map(Timestamp::millis)),
        LimitAnswer::Noted => panic!("a reservation is answered with its permits"),
    }
}

fn give_back(live: &mut Live<LimitScope>, now: i64, customer: u128) {
    live.ask(now, LimitCommand::GiveBack { recipients: vec![AddressId(customer)] }).unwrap();
}

fn accepted(live: &mut Live<LimitScope>, at: i64, customer: u128) {
    live.ask(at, LimitCommand::Accepted { recipients: vec![AddressId(customer)], at: Timestamp(at) }).unwrap();
}

#[test]
fn different_customers_count_and_the_same_one_does_not() {
    let mut live = scope(2);
    assert_eq!(reserve(&mut live, 1_500, &[1, 2, 3, 1]), (vec![true, true, false, true], Some(DAY_MS + 2_000)));
    assert_eq!(live.state.used(&Rules::default(), Timestamp(1_500)), 2);
    assert_eq!(live.state.free_at(&Rules::default(), Timestamp(1_500)), Timestamp(DAY_MS + 2_000));
    assert_eq!(reserve(&mut live, DAY_MS + 1_999, &[3]).0, [false], "by the second, and never too early");
    assert_eq!(reserve(&mut live, DAY_MS + 2_000, &[3]).0, [true]);
    live.assert_replays();
}

#[test]
fn a_definite_refusal_gives_back_and_an_acceptance_restarts_the_day() {
    let mut live = scope(1);
    reserve(&mut live, 1_000, &[1]);
    give_back(&mut live, 2_000, 1);
    assert_eq!(reserve(&mut live, 3_000, &[2]).0, [true]);
    accepted(&mut live, 60_000, 2);
    give_back(&mut live, 61_000, 2);
    assert_eq!(reserve(&mut live, 62_000, &[3]), (vec![false], Some(DAY_MS + 60_000)), "what was accepted stays");
    live.assert_replays();
}

#[test]
fn giving_back_a_second_message_leaves_the_first_counted() {
    let mut live = scope(1);
    reserve(&mut live, 1_000, &[1]);
    accepted(&mut live, 1_000, 1);
    reserve(&mut live, 50_000, &[1]);
    give_back(&mut live, 51_000, 1);
    assert_eq!(live.state.free_at(&Rules::default(), Timestamp(52_000)), Timestamp(DAY_MS + 1_000));
    live.assert_replays();
}

#[test]
fn a_tier_below_use_stops_new_permits_and_takes_none_back() {
    let mut live = scope(3);
    reserve(&mut live, 1_000, &[1, 2]);
    reserve(&mut live, 5_000, &[3]);
    let lower = LimitCommand::SetTier { tier: LimitTier::Limited(1), at: Timestamp(6), author: Author::System };
    live.ask(6_000, lower).unwrap();
    assert_eq!(
        (live.state.used(&Rules::default(), Timestamp(6_000)), live.state.free(&Rules::default(), Timestamp(6_000))),
        (3, Some(0))
    );
    assert_eq!(
        live.state.free_at(&Rules::default(), Timestamp(6_000)),
        Timestamp(DAY_MS + 5_000),
        "all but none must go first"
    );
    let older = LimitCommand::SetTier { tier: LimitTier::Unlimited, at: Timestamp(5), author: Author::System };
    live.ask(7_000, older).unwrap();
    assert_eq!(live.state.tier(&Rules::default()), LimitTier::Limited(1));
}

#[test]
fn an_unlimited_portfolio_remembers_what_a_lower_tier_needs() {
    let mut live = Live::<LimitScope>::new(1);
    let set = |tier, at| LimitCommand::SetTier { tier, at: Timestamp(at), author: Author::System };
    live.ask(0, set(LimitTier::Unlimited, 1)).unwrap();
    for block in 0..110_u128 {
        let customers: Vec<u128> = (block * 1_000..(block + 1) * 1_000).collect();
        assert!(reserve(&mut live, 1_000 + block as i64 * 1_000, &customers).0.iter().all(|granted| *granted));
    }
    assert_eq!(live.state.used(&Rules::default(), Timestamp(200_000)), 100_000);
    live.ask(200_000, set(LimitTier::Limited(100_000), 2)).unwrap();
    assert_eq!(reserve(&mut live, 200_000, &[999_999]).0, [false]);
}

#[test]
fn an_unlimited_portfolio_keeps_no_record_of_acceptances_and_nobody_counts_for_less() {
    let mut live = Live::<LimitScope>::new(1);
    let set = |tier, at| LimitCommand::SetTier { tier, at: Timestamp(at), author: Author::System };
    live.ask(0, set(LimitTier::Unlimited, 1)).unwrap();
    reserve(&mut live, 1_000, &[1, 2, 3]);
    let accept = |customer, at| LimitCommand::Accepted { recipients: vec![AddressId(customer)], at: Timestamp(at) };
    assert!(live.ask(61_000, accept(1, 61_000)).unwrap().events.is_empty());
    assert_eq!(live.ask(61_001, accept(2, 61_001)).unwrap().events.len(), 1, "it came later than it counts from");
    give_back(&mut live, 62_000, 3);
    live.ask(63_000, set(LimitTier::Limited(2), 2)).unwrap();
    assert_eq!(reserve(&mut live, 64_000, &[4]), (vec![false], Some(DAY_MS + 61_000)));
    // A further message to who was accepted without a record, which is certainly not sent, leaves the first counted.
    assert_eq!(reserve(&mut live, 65_000, &[1]).0, [true]);
    give_back(&mut live, 66_000, 1);
    assert_eq!(reserve(&mut live, DAY_MS + 60_999, &[4]).0, [false]);
    assert_eq!(reserve(&mut live, DAY_MS + 66_000, &[4]).0, [true]);
    live.assert_replays();
}

#[test]
fn nobody_said_anything_is_two_thousand() {
    assert_eq!(LimitScope::default().free(&Rules::default(), Timestamp(0)), Some(2_000));
    assert_eq!(TIERS[1], TIER_DEFAULT);
}

#[test]
fn a_portfolio_of_which_nobody_said_anything_has_the_tier_that_is_set() {
    let mut live = Live::<LimitScope>::new(1);
    live.rules.tier = LimitTier::Limited(1);
    assert_eq!(reserve(&mut live, 1_000, &[1, 2]).0, [true, false]);
    live.rules.tier = LimitTier::Unlimited;
    assert_eq!(reserve(&mut live, 1_000, &[2]).0, [true]);
    live.assert_replays();
}

#[test]
fn customers_count_for_the_period_that_is_set() {
    let mut live = scope(1);
    live.rules.counts_for = Duration::from_millis(60_500);
    assert_eq!(reserve(&mut live, 1_000, &[1, 2]), (vec![true, false], Some(62_000)));
    assert_eq!(reserve(&mut live, 61_999, &[2]).0, [false]);
    assert_eq!(reserve(&mut live, 62_000, &[2]).0, [true]);
    assert_eq!(live.state.used(&live.rules, Timestamp(62_000)), 1);
    // Replay forgets as it was decided then, whatever the period is by then.
    live.assert_replays();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However sends end, no moving 24 hours hold more different customers than the limit.
    #[test]
    fn never_more_than_the_limit_in_any_day(
        limit in 1..6_u32,
        steps in prop::collection::vec((0..40_000_000_i64, 0..12_u128, 0..3_u8, 0..600_000_i64), 1..120),
    ) {
        let mut live = scope(limit);
        // What the provider took: (when, whom). A send in doubt may have been taken when it was reserved.
        let mut taken: Vec<(i64, u128)> = Vec::new();
        let mut under_way: Vec<(i64, u128, u8)> = Vec::new();
        let mut now = 1_000;
        for (gap, customer, end, delay) in steps {
            let until = now + gap;
            // What is under way ends in its order, before the next send.
            under_way.sort_unstable();
            while under_way.first().is_some_and(|(at, _, _)| *at <= until) {
                let (at, customer, end) = under_way.remove(0);
                if end == 0 {
                    accepted(&mut live, at, customer);
                    taken.push((at, customer));
                } else {
                    give_back(&mut live, at, customer);
                }
            }
            now = until;
            let free_at = live.state.free_at(&Rules::default(), Timestamp(now)).millis();
            let (granted, come_back) = reserve(&mut live, now, &[customer]);
            if granted == [true] {
                match end {
                    2 => taken.push((now, customer)),
                    end => under_way.push((now + delay, customer, end)),
                }
            } else {
                prop_assert_eq!(come_back, Some(free_at));
                prop_assert!(free_at > now);
            }
        }
        for (end, _) in &taken {
            let day = taken.iter().filter(|(at, _)| *at > end - DAY_MS && at <= end);
            let customers: BTreeSet<u128> = day.map(|(_, customer)| *customer).collect();
            prop_assert!(customers.len() <= limit as usize, "{} customers in the day to {}", customers.len(), end);
        }
        live.assert_replays();
        // What is kept of it says the same, now and later.
        let kept: LimitScope = rmp_serde::from_slice(&rmp_serde::to_vec_named(&live.state).unwrap()).unwrap();
        prop_assert_eq!(&kept, &live.state);
        for at in [now, now + DAY_MS / 2, now + DAY_MS].map(Timestamp) {
            let told = |scope: &LimitScope| (scope.used(&live.rules, at), scope.free_at(&live.rules, at));
            prop_assert_eq!(told(&kept), told(&live.state));
        }
    }
}

#[test]
fn stored_bytes_stay() {
    let at = Timestamp(1_795_165_200_000);
    check(
        include_str!("../../../tests/golden/limit_events.txt"),
        &[
            LimitEvent::Opened { workspace: WorkspaceId(1) },
            LimitEvent::Reserved { customers: vec![1, u64::MAX], at, counts_for_s: None, later_s: None },
            LimitEvent::GivenBack { customers: vec![2] },
            LimitEvent::Accepted { customers: vec![3], at },
            LimitEvent::TierSet { tier: LimitTier::Limited(250), at, author: Author::System },
            LimitEvent::TierSet { tier: LimitTier::Unlimited, at, author: Author::Member(MemberId(4)) },
            LimitEvent::Reserved { customers: vec![1], at, counts_for_s: Some(3_600), later_s: None },
            LimitEvent::Reserved { customers: vec![1], at, counts_for_s: Some(3_600), later_s: Some(60) },
        ],
    );
}
