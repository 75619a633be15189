//! One distribution of latencies.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use crate::document::Latencies;

/// The longest latency that is told apart from longer ones: ten minutes.
const MAX_US: u64 = 600_000_000;
/// Decimal digits that are right in every value.
const DIGITS: u8 = 3;

/// A histogram in whole microseconds up to ten minutes; whatever is longer counts as ten minutes.
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl Latency {
    /// Without a sample.
    #[must_use]
    pub fn new() -> Self {
        Self(histogram(DIGITS))
    }

    /// Records a sample.
    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(micros(took));
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that `share` (0 to 1) of the samples do not exceed, in microseconds; 0 of no sample.
    #[must_use]
    pub fn quantile_us(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
    }

    /// What the document holds of it.
    #[must_use]
    pub fn summary(&self) -> Latencies {
        let at = |share: f64| self.quantile_us(share);
        Latencies {
            min_us: self.0.min(),
            mean_us: (self.0.mean() * 10.0).round() / 10.0,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p99_9_us: at(0.999),
            p99_99_us: at(0.999_9),
            max_us: self.0.max(),
            hdr: encoded(&self.0),
        }
    }
}

/// Whole microseconds of a duration.
pub(super) fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// An empty histogram with so many right digits.
#[expect(clippy::expect_used, reason = "the bounds are constants that it takes")]
pub(super) fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_US, digits).expect("the bounds are in order and the digits below six")
}

fn encoded(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    match V2DeflateSerializer::new().serialize(histogram, &mut bytes) {
        Ok(_) => STANDARD.encode(bytes),
        // Memory takes every byte; should it not, the percentiles are still told.
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_known_samples_are_right_to_three_digits() {
        let mut latency = Latency::new();
        for us in 1..=100_000 {
            latency.record(Duration::from_micros(us));
        }
        let told = latency.summary();
        for (found, expected) in [
            (told.min_us, 1),
            (told.p50_us, 50_000),
            (told.p90_us, 90_000),
            (told.p99_us, 99_000),
            (told.p99_9_us, 99_900),
            (told.p99_99_us, 99_990),
            (told.max_us, 100_000),
        ] {
            assert!(found.abs_diff(expected) * 1_000 <= expected, "{found} for {expected}");
        }
        assert!((told.mean_us - 50_000.5).abs() < 50.0, "{}", told.mean_us);
    }

    #[test]
    fn no_sample_is_all_zeros() {
        let told = Latency::new().summary();
        assert_eq!((told.min_us, told.p50_us, told.p99_99_us, told.max_us), (0, 0, 0, 0));
        assert!(told.mean_us.abs() < f64::EPSILON);
    }

    #[test]
    fn the_whole_histogram_comes_back_from_the_document() {
        let mut latency = Latency::new();
        for us in [3, 70, 70, 900_000, 599_000_000] {
            latency.record(Duration::from_micros(us));
        }
        let back = latency.summary().histogram().unwrap();
        assert_eq!(back, latency.0);
    }
}
