//! The rate of one number: a bucket of tokens by business time, shared by whoever sends and receives.
//!
//! With rate r and burst b at most r + b − 1 leave in any second, so under a provider's hard cap L
//! the rate is L − b + 1. A changed rate carries its debt over, and a new bucket starts empty: what
//! left before a restart is not known.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as Measure;
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::Clock;

/// Business time as the limiter reads it.
#[derive(Clone)]
struct BusinessTime(Arc<dyn Clock>);

impl Measure for BusinessTime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().millis()).unwrap_or(0))
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, BusinessTime, StateInformationMiddleware>;

struct Filled {
    limiter: Limiter,
    per_second: u32,
    burst: u32,
}

/// A bucket. Cheap to share; tokens are taken one at a time and never given back.
pub(super) struct Bucket {
    filled: Mutex<Filled>,
    clock: BusinessTime,
}

impl Bucket {
    /// An empty bucket that fills with `per_second` tokens up to `burst`; both at least 1.
    #[must_use]
    pub(super) fn empty(clock: Arc<dyn Clock>, per_second: u32, burst: u32) -> Self {
        let clock = BusinessTime(clock);
        let filled = fill(&clock, per_second, burst, 0);
        Self { filled: Mutex::new(filled), clock }
    }

    /// Takes a token if there is one.
    pub(super) fn take(&self) -> bool {
        self.locked().limiter.check().is_ok()
    }

    /// Changes the rate; what was taken stays taken.
    pub(super) fn change(&self, per_second: u32, burst: u32) {
        let mut filled = self.locked();
        if filled.per_second == per_second && filled.burst == burst {
            return;
        }
        // Looking costs a token, which is counted as left again.
        let left = filled.limiter.check().map_or(0, |state| state.remaining_burst_capacity() + 1);
        *filled = fill(&self.clock, per_second, burst, left);
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Filled> {
        self.filled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fill(clock: &BusinessTime, per_second: u32, burst: u32, left: u32) -> Filled {
    let one = NonZeroU32::MIN;
    let rate = NonZeroU32::new(per_second).unwrap_or(one);
    let size = NonZeroU32::new(burst).unwrap_or(one);
    let limiter: Limiter = RateLimiter::direct_with_clock(Quota::per_second(rate).allow_burst(size), clock.clone())
        .with_middleware::<StateInformationMiddleware>();
    if let Some(taken) = NonZeroU32::new(size.get().saturating_sub(left)) {
        // It holds `size` tokens, so taking fewer is never refused.
        let _ = limiter.check_n(taken);
    }
    Filled { limiter, per_second: rate.get(), burst: size.get() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FrozenClock;
    use crate::domain::time::Timestamp;
    use proptest::prelude::*;

    fn bucket(per_second: u32, burst: u32) -> (Arc<FrozenClock>, Bucket) {
        let clock = Arc::new(FrozenClock::new(Timestamp(1_800_000_000_000)));
        (Arc::clone(&clock), Bucket::empty(clock, per_second, burst))
    }

    fn taken(bucket: &Bucket) -> usize {
        std::iter::from_fn(|| bucket.take().then_some(())).count()
    }

    #[test]
    fn it_starts_empty_and_fills_to_its_burst() {
        let (clock, bucket) = bucket(100, 5);
        assert_eq!(taken(&bucket), 0);
        clock.advance(Duration::from_millis(30));
        assert_eq!(taken(&bucket), 3);
        clock.advance(Duration::from_secs(60));
        assert_eq!(taken(&bucket), 5);
    }

    #[test]
    fn a_changed_rate_carries_its_debt_over() {
        let (clock, bucket) = bucket(100, 10);
        clock.advance(Duration::from_millis(40));
        bucket.change(1_000, 10);
        assert_eq!(taken(&bucket), 4);
        clock.advance(Duration::from_millis(5));
        assert_eq!(taken(&bucket), 5);
    }

    proptest! {
        /// In any second at most rate + burst − 1 leave, whatever the steps of the clock.
        #[test]
        fn no_second_passes_the_cap(
            per_second in 1_u32..200,
            burst in 1_u32..20,
            steps in proptest::collection::vec(0_u64..400, 1..80),
        ) {
            let (clock, bucket) = bucket(per_second, burst);
            let mut now = 0;
            let mut left: Vec<u64> = Vec::new();
            for step in steps {
                clock.advance(Duration::from_millis(step));
                now += step;
                left.extend(std::iter::repeat_n(now, taken(&bucket)));
            }
            for (index, start) in left.iter().enumerate() {
                let within = left[index..].iter().take_while(|at| **at < start + 1_000).count();
                prop_assert!((within as u32) < per_second + burst, "{within} in one second");
            }
        }
    }
}
