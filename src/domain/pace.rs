//! Pacing arithmetic: how fast a number may send, and how soon the same customer may be written to again.
//!
//! Pure and in memory: after a restart buckets start as they say here, and debts are forgotten, for
//! nothing was sent meanwhile.

use std::collections::HashMap;
use std::time::Duration;

use super::ids::AddressId;
use super::time::Timestamp;

/// One message to one customer per this span on average (`product.md` §2).
pub const PAIR_INTERVAL: Duration = Duration::from_secs(6);
/// How many messages to one customer may leave at once.
pub const PAIR_BURST: u32 = 3;
/// A number's rate when nobody says otherwise, in messages a second.
pub const NUMBER_RATE_DEFAULT: u32 = 80;
/// The rate of a number that is shared with the phone app, in messages a second.
pub const NUMBER_RATE_SHARED: u32 = 20;
/// The highest rate of a number, in messages a second.
pub const NUMBER_RATE_MAX: u32 = 1_000;

/// The least burst that a bucket has, where its cap is at least 2.
pub const BURST_MIN: u32 = 2;

/// A token bucket whose output never passes a cap in any second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Tokens a second.
    pub per_second: u32,
    /// Tokens that may be there at once.
    pub burst: u32,
}

impl Bucket {
    /// The fastest bucket that is drained every `tick` and lets at most `cap_per_second` leave in any second.
    ///
    /// In any second `rate + burst − 1` may leave, and a burst must hold what a tick brings, and one more:
    /// `rate = cap − burst + 1`, `burst = max(burst_min, ⌈rate × tick⌉ + 1)`. A `burst_min` counts as half the cap at
    /// most, or it would leave no rate. A cap of 1 has a burst of 1; a cap of 0 is none.
    #[must_use]
    pub fn under(cap_per_second: u32, tick: Duration, burst_min: u32) -> Option<Self> {
        let cap = u64::from(cap_per_second);
        let least = u64::from(burst_min).min(cap.div_ceil(2)).max(u64::from(BURST_MIN));
        let tick_us = u64::try_from(tick.as_micros()).unwrap_or(u64::MAX);
        let burst_of = |rate: u64| (rate.saturating_mul(tick_us).div_ceil(1_000_000) + 1).max(least);
        // The left side grows with the rate, so the largest one that fits is found by halving.
        let fits = |rate: u64| rate + burst_of(rate) - 1 <= cap;
        let (mut low, mut high) = (0, cap);
        while low < high {
            let middle = (low + high).div_ceil(2);
            if fits(middle) { low = middle } else { high = middle - 1 }
        }
        match (low, cap) {
            (_, 0) => None,
            (0, _) => Some(Self { per_second: 1, burst: 1 }),
            (rate, _) => Some(Self { per_second: rate as u32, burst: burst_of(rate) as u32 }),
        }
    }
}

/// How often one customer may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairRate {
    /// One message per this span on average.
    pub interval: Duration,
    /// How many messages may leave at once; at least 1.
    pub burst: u32,
}

impl PairRate {
    /// How far ahead of the present a pair's bucket may be owed and still give a turn.
    fn ahead(self) -> Duration {
        self.interval.saturating_mul(self.burst.saturating_sub(1))
    }
}

impl Default for PairRate {
    fn default() -> Self {
        Self { interval: PAIR_INTERVAL, burst: PAIR_BURST }
    }
}

/// The pair rate of one number: when each customer may next be written to.
///
/// Bounded: pairs that are idle cost nothing and leave when room is needed.
#[derive(Clone, Debug)]
pub struct PairPace {
    /// When the bucket of a pair would be full again.
    full_at: HashMap<AddressId, Timestamp>,
    pairs_max: usize,
    rate: PairRate,
}

impl PairPace {
    /// A pace that remembers at most `pairs_max` busy pairs.
    #[must_use]
    pub fn new(pairs_max: usize, rate: PairRate) -> Self {
        Self { full_at: HashMap::new(), pairs_max: pairs_max.max(1), rate }
    }

    /// When the next message to this customer may leave: `now`, if it may at once.
    #[must_use]
    pub fn next_free(&self, customer: AddressId, now: Timestamp) -> Timestamp {
        let ahead = self.rate.ahead();
        self.full_at.get(&customer).map_or(now, |full_at| (*full_at - ahead).max(now))
    }

    /// Takes the customer's turn.
    ///
    /// # Errors
    /// When to come back, if the pair has no turn now, or if no further pair can be remembered.
    pub fn take(&mut self, customer: AddressId, now: Timestamp) -> Result<(), Timestamp> {
        let free_at = self.next_free(customer, now);
        if free_at > now {
            return Err(free_at);
        }
        if !self.full_at.contains_key(&customer) && self.full_at.len() >= self.pairs_max {
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= self.pairs_max {
                // Every pair is busy: the soonest of them makes room.
                let soonest = self.full_at.values().min().copied();
                return Err(soonest.unwrap_or(now + self.rate.interval));
            }
        }
        let full_at = self.full_at.entry(customer).or_insert(now);
        *full_at = (*full_at).max(now) + self.rate.interval;
        Ok(())
    }

    /// Gives a turn back, for a message that certainly did not leave.
    pub fn give_back(&mut self, customer: AddressId) {
        if let Some(full_at) = self.full_at.get_mut(&customer) {
            *full_at = *full_at - self.rate.interval;
        }
    }

    /// Nobody writes to this customer before `until`: the provider said so.
    pub fn hold(&mut self, customer: AddressId, until: Timestamp) {
        let full_at = self.full_at.entry(customer).or_insert(until);
        *full_at = (*full_at).max(until + self.rate.ahead());
    }

    /// How many pairs are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.full_at.len()
    }

    /// Whether no pair is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.full_at.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    #[test]
    fn buckets_stay_under_their_cap_and_use_it() {
        let cases = [(80, 79, 2), (1_000, 990, 11), (20, 19, 2), (2, 1, 2), (1, 1, 1)];
        for (cap, per_second, burst) in cases {
            assert_eq!(Bucket::under(cap, TICK, BURST_MIN), Some(Bucket { per_second, burst }), "cap {cap}");
        }
        assert_eq!(Bucket::under(0, TICK, BURST_MIN), None);
    }

    #[test]
    fn a_larger_least_burst_takes_from_the_rate_and_never_all_of_it() {
        for (cap, burst_min, per_second, burst) in [(80, 10, 71, 10), (80, 100, 41, 40), (3, 100, 2, 2), (1, 100, 1, 1)]
        {
            assert_eq!(Bucket::under(cap, TICK, burst_min), Some(Bucket { per_second, burst }), "cap {cap}");
        }
    }

    #[test]
    fn a_pair_has_the_interval_and_the_burst_that_are_set() {
        let rate = PairRate { interval: Duration::from_secs(2), burst: 1 };
        let mut pace = PairPace::new(10, rate);
        assert_eq!(pace.take(AddressId(1), Timestamp(0)), Ok(()));
        assert_eq!(pace.take(AddressId(1), Timestamp(0)), Err(Timestamp(2_000)));
        assert_eq!(pace.take(AddressId(1), Timestamp(2_000)), Ok(()));
    }

    #[test]
    fn three_leave_at_once_and_the_fourth_waits() {
        let (mut pace, start) = (PairPace::new(10, PairRate::default()), Timestamp(1_000));
        for _ in 0..PAIR_BURST {
            assert_eq!(pace.take(AddressId(1), start), Ok(()));
        }
        assert_eq!(pace.take(AddressId(1), start), Err(start + PAIR_INTERVAL));
        assert_eq!(pace.take(AddressId(2), start), Ok(()));
        assert_eq!(pace.take(AddressId(1), start + PAIR_INTERVAL), Ok(()));
        pace.give_back(AddressId(1));
        assert_eq!(pace.take(AddressId(1), start + PAIR_INTERVAL), Ok(()));
    }

    #[test]
    fn idle_pairs_make_room_and_busy_ones_do_not() {
        let (mut pace, start) = (PairPace::new(2, PairRate::default()), Timestamp(0));
        assert_eq!(pace.take(AddressId(1), start), Ok(()));
        assert_eq!(pace.take(AddressId(2), start), Ok(()));
        let Err(later) = pace.take(AddressId(3), start) else { panic!("two busy pairs fill a pace of two") };
        assert_eq!(pace.take(AddressId(3), later), Ok(()));
        assert_eq!(pace.len(), 1);
    }

    #[test]
    fn a_held_customer_waits_until_then() {
        let mut pace = PairPace::new(2, PairRate::default());
        pace.hold(AddressId(1), Timestamp(60_000));
        assert_eq!(pace.take(AddressId(1), Timestamp(0)), Err(Timestamp(60_000)));
        assert_eq!(pace.take(AddressId(1), Timestamp(60_000)), Ok(()));
    }

    proptest! {
        #[test]
        fn no_bucket_passes_its_cap(cap in 1..2_000_u32, tick_ms in 1..100_u64, burst_min in 2..100_u32) {
            let Some(bucket) = Bucket::under(cap, Duration::from_millis(tick_ms), burst_min) else {
                return Err(TestCaseError::fail("a cap above 0 has a bucket"));
            };
            prop_assert!(bucket.per_second + bucket.burst - 1 <= cap);
        }

        #[test]
        fn never_more_than_the_burst_and_its_refill(gaps in prop::collection::vec(0..8_000_i64, 1..60)) {
            let (mut pace, mut now, mut left) = (PairPace::new(4, PairRate::default()), Timestamp(0), Vec::new());
            for gap in gaps {
                now = Timestamp(now.0 + gap);
                if pace.take(AddressId(1), now).is_ok() {
                    left.push(now.0);
                }
            }
            let interval = PAIR_INTERVAL.as_millis() as i64;
            for (index, first) in left.iter().enumerate() {
                for (count, last) in left[index..].iter().enumerate() {
                    let allowed = i64::from(PAIR_BURST) + (last - first) / interval;
                    prop_assert!((count as i64) < allowed);
                }
            }
        }
    }
}
