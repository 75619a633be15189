//! Draws: each a pure function of the plan's seed, of the key of what it is about, and of what is drawn.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::plan::Latency;

/// What is drawn. One draw says nothing about another.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(super) enum Draw {
    TemplateError = 1,
    MarketingCap,
    Undeliverable,
    Throttled,
    ThrottledHow,
    Error,
    ErrorHow,
    Silent,
    SilentCloses,
    Slow,
    LatencyAngle,
    LatencyLength,
    Read,
    WithoutDelivered,
    Shuffle,
    ShuffleHow,
    SentTime,
    DeliveredTime,
    ReadTime,
    Reply,
    ReplyStop,
    ReplyTime,
    ReplyQuotes,
    ReplyText,
    /// Of one status: add 8 for each kind.
    Loss = 64,
    /// As `Loss`.
    Repeat = 128,
    /// As `Loss`.
    RepeatTimes = 192,
    /// As `Loss`, and 64 for each repetition.
    RepeatAt = 256,
}

/// The draws of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chance(u64);

impl Chance {
    /// Of what has this key.
    pub(super) fn new(seed: u64, key: &[u8]) -> Self {
        Self(xxh3_64_with_seed(key, seed))
    }

    /// Of a number's sends to one recipient, so many of which were decided before. A sender's token is no part of it: it
    /// differs from run to run, and one seed is to treat the same people alike.
    pub(super) fn of_pair(seed: u64, number: &str, to: &str, occurrence: u32) -> Self {
        let pair = xxh3_64_with_seed(to.as_bytes(), xxh3_64_with_seed(number.as_bytes(), seed));
        Self::new(pair, &occurrence.to_le_bytes())
    }

    /// 64 bits.
    pub(super) fn bits(self, what: Draw, index: u64) -> u64 {
        xxh3_64_with_seed(&(what as u64 + index).to_le_bytes(), self.0)
    }

    /// From 0 (in) to 1 (out).
    pub(super) fn unit(self, what: Draw, index: u64) -> f64 {
        (self.bits(what, index) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True in so many of 100.
    pub(super) fn hits(self, what: Draw, percent: f64) -> bool {
        self.hits_at(what, 0, percent)
    }

    /// As [`Chance::hits`], of one of several draws.
    pub(super) fn hits_at(self, what: Draw, index: u64, percent: f64) -> bool {
        percent > 0.0 && self.unit(what, index) * 100.0 < percent
    }

    /// Microseconds: so many milliseconds, longer or shorter by up to this share.
    pub(super) fn spread_us(self, what: Draw, ms: u64, spread: f64) -> u64 {
        let factor = if spread > 0.0 { 1.0 + spread * (2.0 * self.unit(what, 0) - 1.0) } else { 1.0 };
        (ms as f64 * 1_000.0 * factor) as u64
    }

    /// Milliseconds of an answer.
    pub(super) fn latency_ms(self, latency: Latency) -> f64 {
        /// The 99th percentile of a standard normal distribution.
        const P99: f64 = 2.326_347_9;
        /// Ten times the longest p99 that a plan may have is of no use to anybody.
        const MAX_MS: f64 = 120_000.0;
        if latency.p99_ms <= latency.median_ms {
            return latency.median_ms;
        }
        let sigma = (latency.p99_ms / latency.median_ms).ln() / P99;
        // From (0, 1], so that there is a logarithm.
        let length = (-2.0 * (1.0 - self.unit(Draw::LatencyLength, 0)).ln()).sqrt();
        let normal = length * (std::f64::consts::TAU * self.unit(Draw::LatencyAngle, 0)).cos();
        (latency.median_ms * (sigma * normal).exp()).min(MAX_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seed: u64) -> impl Iterator<Item = Chance> {
        (0..20_000_u32).map(move |key| Chance::new(seed, &key.to_le_bytes()))
    }

    #[test]
    fn shares_are_kept_and_draws_are_of_their_own() {
        let hits = of(7).filter(|chance| chance.hits(Draw::Error, 25.0)).count();
        assert!((4_700..5_300).contains(&hits), "{hits}");
        let both = of(7).filter(|chance| chance.hits(Draw::Error, 50.0) && chance.hits(Draw::Silent, 50.0)).count();
        assert!((4_700..5_300).contains(&both), "{both}");
        assert!(of(7).all(|chance| chance.hits(Draw::Slow, 100.0) && !chance.hits(Draw::Slow, 0.0)));
        let (one, other) = (Chance::new(1, b"a"), Chance::new(2, b"a"));
        assert_eq!(one.bits(Draw::Read, 0), Chance::new(1, b"a").bits(Draw::Read, 0));
        assert_ne!(one.bits(Draw::Read, 0), other.bits(Draw::Read, 0));
    }

    #[test]
    fn each_occurrence_of_a_pair_is_drawn_by_itself() {
        let all = |number: &'static str, occurrence: u32| {
            (0..20_000).map(move |to: u32| Chance::of_pair(7, number, &to.to_string(), occurrence))
        };
        let of = |chance: Chance| chance.hits(Draw::Error, 50.0);
        assert!(all("1", 0).eq(all("1", 0)));
        for other in [all("1", 1), all("1", 300), all("2", 0)] {
            let both = all("1", 0).zip(other).filter(|(one, other)| of(*one) && of(*other)).count();
            assert!((4_700..5_300).contains(&both), "{both}");
        }
    }

    #[test]
    fn latency_has_its_median_and_its_p99() {
        let latency = Latency { median_ms: 20.0, p99_ms: 200.0 };
        let mut drawn: Vec<f64> = of(3).map(|chance| chance.latency_ms(latency)).collect();
        drawn.sort_by(f64::total_cmp);
        assert!((19.0..21.0).contains(&drawn[10_000]), "{}", drawn[10_000]);
        assert!((170.0..235.0).contains(&drawn[19_800]), "{}", drawn[19_800]);
        assert!(of(3).all(|chance| chance.latency_ms(Latency { median_ms: 5.0, p99_ms: 0.0 }) == 5.0));
    }

    #[test]
    fn a_spread_is_even_around_its_time() {
        let drawn: Vec<u64> = of(5).map(|chance| chance.spread_us(Draw::SentTime, 100, 0.5)).collect();
        assert!(drawn.iter().all(|us| (50_000..150_000).contains(us)));
        let mean = drawn.iter().sum::<u64>() / 20_000;
        assert!((99_000..101_000).contains(&mean), "{mean}");
        assert!(of(5).all(|chance| chance.spread_us(Draw::SentTime, 100, 0.0) == 100_000));
    }
}
