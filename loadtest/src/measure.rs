//! Recorders for the path that generates load: one owner each, no lock, and no allocation but when a second ends.
//!
//! Each is kept in memory until its `finish`, which gives what the [`crate::document`] holds. Times are durations
//! since the start of the run; what lies past [`SECONDS_MAX`] is counted in its last second.

mod count;
mod gauge;
mod latency;
mod seconds;

use std::time::Duration;

pub use count::{Count, Counted};
pub use gauge::{Gauge, Gauged};
pub use latency::Latency;

use crate::document;
use seconds::Seconds;

/// The longest run whose seconds are told apart: a day.
pub const SECONDS_MAX: u64 = 86_400;

/// Latencies of one kind of work that is begun by a schedule.
pub struct Timing {
    name: String,
    about: String,
    corrected: Latency,
    uncorrected: Latency,
    by_second: Seconds,
}

impl Timing {
    /// Without a sample. `name` is what thresholds call it (`webhook_accept`), `about` is a sentence for people.
    #[must_use]
    pub fn new(name: impl Into<String>, about: impl Into<String>) -> Self {
        let (corrected, uncorrected) = (Latency::new(), Latency::new());
        Self { name: name.into(), about: about.into(), corrected, uncorrected, by_second: Seconds::default() }
    }

    /// Records one piece of work that ended `since_start`: how long it took since it was to begin (`corrected`),
    /// and since it did begin (`uncorrected`). A generator that comes late cannot hide a slow server from the first.
    pub fn record(&mut self, since_start: Duration, corrected: Duration, uncorrected: Duration) {
        self.corrected.record(corrected);
        self.uncorrected.record(uncorrected);
        self.by_second.record(whole_second(since_start), latency::micros(corrected));
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.corrected.count()
    }

    /// The corrected latency so far, for who wants to look.
    #[must_use]
    pub const fn corrected(&self) -> &Latency {
        &self.corrected
    }

    /// Ends it.
    #[must_use]
    pub fn finish(self) -> document::Timing {
        document::Timing {
            name: self.name,
            about: self.about,
            count: self.corrected.count(),
            corrected: self.corrected.summary(),
            uncorrected: self.uncorrected.summary(),
            by_second: self.by_second.finish(),
        }
    }
}

fn whole_second(since_start: Duration) -> u64 {
    since_start.as_secs().min(SECONDS_MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_latencies_and_the_seconds_of_the_corrected_one_are_kept() {
        let mut timing = Timing::new("webhook_accept", "From the planned start to the answer.");
        for n in 1..=1_000_u64 {
            let took = Duration::from_micros(n);
            timing.record(Duration::from_millis(n * 2 - 1), took + Duration::from_millis(100), took);
        }
        let told = timing.finish();
        assert_eq!((told.count, told.by_second.len()), (1_000, 2));
        assert_eq!((told.uncorrected.min_us, told.uncorrected.p50_us, told.uncorrected.max_us), (1, 500, 1_000));
        assert!((100_490..=100_610).contains(&told.corrected.p50_us), "{}", told.corrected.p50_us);
        assert!(told.by_second.iter().all(|second| second.count == 500 && second.p50_us > 100_000));
    }

    #[test]
    fn a_run_longer_than_a_day_ends_in_its_last_second() {
        let mut timing = Timing::new("t", "");
        timing.record(Duration::MAX, Duration::MAX, Duration::ZERO);
        let told = timing.finish();
        assert_eq!(told.by_second[0].s, SECONDS_MAX - 1);
        assert!(told.corrected.max_us >= 600_000_000 && told.uncorrected.max_us == 0);
    }
}
