//! When things are to begin: an open loop's times, fixed by a shape and a seed before the run begins.

use std::time::Duration;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// The most arrivals a second that a shape may have.
const PER_SECOND_MAX: f64 = 100_000.0;

/// How often something begins, over the time of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "snake_case", deny_unknown_fields)]
pub enum Arrivals {
    /// The same time between any two.
    Constant {
        /// How many a second.
        per_second: f64,
    },
    /// Independent of each other, as customers are: the times between them are exponential.
    Poisson {
        /// How many a second, on average.
        per_second: f64,
    },
    /// Evenly more (or fewer) from the beginning to the end.
    Ramp {
        /// How many a second at the beginning.
        from_per_second: f64,
        /// How many a second at the end.
        to_per_second: f64,
    },
    /// A base with one burst on top.
    Spike {
        /// How many a second before and after it.
        per_second: f64,
        /// How many a second in it.
        peak_per_second: f64,
        /// When it begins, in seconds.
        at_s: f64,
        /// How long it lasts, in seconds.
        for_s: f64,
    },
}

impl Arrivals {
    /// Refuses a rate that is none.
    ///
    /// # Errors
    /// A rate that is negative, no number or above 100,000 a second; a burst that begins before the run.
    pub fn check(&self) -> Result<()> {
        for rate in self.rates() {
            if !(0.0..=PER_SECOND_MAX).contains(&rate) {
                bail!("a rate is 0 to {PER_SECOND_MAX} a second, and {rate} is not");
            }
        }
        match self {
            Self::Spike { at_s, for_s, .. } if !(*at_s >= 0.0 && *for_s >= 0.0) => {
                bail!("`at_s` and `for_s` of a spike are 0 or more")
            }
            _ => Ok(()),
        }
    }

    fn rates(&self) -> [f64; 2] {
        match *self {
            Self::Constant { per_second } | Self::Poisson { per_second } => [per_second; 2],
            Self::Ramp { from_per_second, to_per_second } => [from_per_second, to_per_second],
            Self::Spike { per_second, peak_per_second, .. } => [per_second, peak_per_second],
        }
    }

    /// The same shape with every rate multiplied.
    #[must_use]
    pub fn scaled(&self, by: f64) -> Self {
        let mut scaled = self.clone();
        match &mut scaled {
            Self::Constant { per_second } | Self::Poisson { per_second } => *per_second *= by,
            Self::Ramp { from_per_second, to_per_second } => {
                *from_per_second *= by;
                *to_per_second *= by;
            }
            Self::Spike { per_second, peak_per_second, .. } => {
                *per_second *= by;
                *peak_per_second *= by;
            }
        }
        scaled
    }

    /// How many are to have begun by then, in seconds of a run that lasts so many, as a number with a fraction.
    #[must_use]
    pub fn begun_by(&self, at: f64, lasts: f64) -> f64 {
        match *self {
            Self::Constant { per_second } | Self::Poisson { per_second } => per_second * at,
            Self::Ramp { from_per_second, to_per_second } => {
                let slope = if lasts > 0.0 { (to_per_second - from_per_second) / lasts } else { 0.0 };
                (slope * at / 2.0 + from_per_second) * at
            }
            Self::Spike { per_second, peak_per_second, at_s, for_s } => {
                per_second * at + (peak_per_second - per_second) * (at - at_s).clamp(0.0, for_s)
            }
        }
    }

    /// The times, rising, of all that begin within `lasts`.
    #[must_use]
    pub fn times(&self, lasts: Duration, chance: &Chance) -> Vec<Duration> {
        let lasts_s = lasts.as_secs_f64();
        let all = self.begun_by(lasts_s, lasts_s);
        let mut times = Vec::with_capacity(all as usize + 1);
        // Even ones stand in the middle of their share of the time: none falls on its end.
        let (mut wanted, mut drawn) = (if matches!(self, Self::Poisson { .. }) { 0.0 } else { -0.5 }, 0);
        loop {
            wanted += match self {
                // Between two draws of 53 bits no step is infinite.
                Self::Poisson { .. } => -(1.0 - chance.unit(&[drawn])).ln(),
                _ => 1.0,
            };
            drawn += 1;
            if wanted > all {
                return times;
            }
            times.push(Duration::from_secs_f64(self.time_of(wanted, lasts_s)));
        }
    }

    /// When so many are to have begun: the function above, the other way round.
    fn time_of(&self, wanted: f64, lasts: f64) -> f64 {
        let (mut low, mut high) = (0.0, lasts);
        // To the microsecond: an hour is halved 32 times.
        while high - low > 1e-6 {
            let middle = f64::midpoint(low, high);
            if self.begun_by(middle, lasts) < wanted {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(arrivals: &Arrivals, seconds: u64) -> Vec<Duration> {
        arrivals.times(Duration::from_secs(seconds), &Chance::new(7))
    }

    /// How many begin in each second.
    fn by_second(times: &[Duration]) -> Vec<usize> {
        let mut counts = vec![0; times.last().map_or(0, |last| last.as_secs() as usize + 1)];
        times.iter().for_each(|at| counts[at.as_secs() as usize] += 1);
        counts
    }

    #[test]
    fn a_constant_rate_is_even() {
        let times = times(&Arrivals::Constant { per_second: 50.0 }, 4);
        assert_eq!(times.len(), 200);
        for two in times.windows(2) {
            assert!((two[1] - two[0]).as_millis().abs_diff(20) <= 1, "{two:?}");
        }
    }

    #[test]
    fn a_ramp_and_a_spike_have_their_rates_where_they_are() {
        let ramp = by_second(&times(&Arrivals::Ramp { from_per_second: 0.0, to_per_second: 100.0 }, 10));
        assert_eq!(ramp.iter().sum::<usize>(), 500);
        assert_eq!(ramp.len(), 10);
        assert!(ramp.windows(2).all(|two| two[0] < two[1]), "{ramp:?}");
        let spike = Arrivals::Spike { per_second: 10.0, peak_per_second: 200.0, at_s: 2.0, for_s: 1.0 };
        let counts = by_second(&times(&spike, 5));
        assert!((199..=201).contains(&counts[2]), "{counts:?}");
        assert!([0, 1, 3, 4].iter().all(|second| (9..=11).contains(&counts[*second])), "{counts:?}");
    }

    #[test]
    fn independent_arrivals_keep_the_rate_and_vary() {
        let times = times(&Arrivals::Poisson { per_second: 100.0 }, 60);
        assert!((5_600..6_400).contains(&times.len()), "{}", times.len());
        assert!(times.is_sorted());
        let counts = by_second(&times);
        let mean = 100.0;
        let variance = counts.iter().map(|count| (*count as f64 - mean).powi(2)).sum::<f64>() / counts.len() as f64;
        assert!((50.0..200.0).contains(&variance), "as large as the mean: {variance}");
    }

    #[test]
    fn a_seed_repeats_and_another_differs() {
        let poisson = Arrivals::Poisson { per_second: 20.0 };
        let of = |seed| poisson.times(Duration::from_secs(5), &Chance::new(seed));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for wrong in [-1.0, f64::NAN, f64::INFINITY, 200_000.0] {
            assert!(Arrivals::Constant { per_second: wrong }.check().is_err(), "{wrong}");
        }
        let early = Arrivals::Spike { per_second: 1.0, peak_per_second: 2.0, at_s: -1.0, for_s: 1.0 };
        assert!(early.check().is_err());
        assert!(Arrivals::Ramp { from_per_second: 0.0, to_per_second: 5.0 }.check().is_ok());
        assert!(times(&Arrivals::Constant { per_second: 0.0 }, 5).is_empty());
    }
}
