//! The bounds of a number's sends, exact in any second.

use std::collections::{HashMap, VecDeque};

use super::plan::Pair;

/// Microseconds of a second.
const SECOND_US: u64 = 1_000_000;

/// What came in the last second, and the most that came in any.
#[derive(Default)]
pub(super) struct Window {
    at_us: VecDeque<u64>,
    busiest: usize,
}

impl Window {
    /// How many came in the second that ends now; what came exactly a second ago is out of it.
    pub(super) fn within(&mut self, now_us: u64) -> usize {
        while self.at_us.front().is_some_and(|at| at + SECOND_US <= now_us) {
            self.at_us.pop_front();
        }
        self.at_us.len()
    }

    /// Counts one more; times do not go back.
    pub(super) fn add(&mut self, now_us: u64) {
        self.within(now_us);
        self.at_us.push_back(now_us);
        self.busiest = self.busiest.max(self.at_us.len());
    }

    /// The most that came in any second.
    pub(super) const fn busiest(&self) -> usize {
        self.busiest
    }
}

/// When each recipient's bucket is full again.
#[derive(Default)]
pub(super) struct Pairs(HashMap<u64, u64>);

impl Pairs {
    /// Takes one for this recipient; false if its bucket is empty.
    pub(super) fn take(&mut self, pair: Pair, recipient: u64, now_us: u64) -> bool {
        let interval_us = pair.interval_ms * 1_000;
        let full_at = self.0.entry(recipient).or_default();
        let allowed = *full_at <= now_us + interval_us * u64::from(pair.burst.saturating_sub(1));
        if allowed {
            *full_at = now_us.max(*full_at) + interval_us;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_holds_in_every_second_and_is_used_up() {
        // 5 a second at most, tried every 70 ms in bursts of three.
        let (mut window, mut taken) = (Window::default(), Vec::new());
        for now in (0..10_000_000).step_by(70_000).flat_map(|at| [at, at, at + 1]) {
            if window.within(now) < 5 {
                window.add(now);
                taken.push(now);
            }
        }
        for (index, from) in taken.iter().enumerate() {
            let within = taken[index..].iter().filter(|at| *at - from < SECOND_US).count();
            assert!(within <= 5, "{within} from {from}");
        }
        assert_eq!((window.busiest(), taken.len() >= 45), (5, true));
    }

    #[test]
    fn a_second_ends_exactly() {
        let mut window = Window::default();
        window.add(10);
        assert_eq!((window.within(SECOND_US + 9), window.within(SECOND_US + 10)), (1, 0));
    }

    #[test]
    fn a_pair_has_its_burst_and_then_its_interval() {
        let (pair, mut pairs) = (Pair { interval_ms: 6_000, burst: 3 }, Pairs::default());
        let now = 50_000_000;
        let taken: Vec<bool> = (0..5).map(|_| pairs.take(pair, 1, now)).collect();
        assert_eq!(taken, [true, true, true, false, false]);
        assert!(pairs.take(pair, 2, now));
        assert!(!pairs.take(pair, 1, now + 5_999_999));
        assert!(pairs.take(pair, 1, now + 6_000_000));
        assert!(!pairs.take(pair, 1, now + 6_000_000));
    }
}
