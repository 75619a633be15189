//! What came of a run.

use serde::{Deserialize, Serialize};

use super::{Better, Document, Threshold, shown};

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every rule held, every threshold was reached, and the load was the one that was asked for.
    Passed,
    /// A rule was broken or a threshold missed.
    Failed,
    /// The load was not the one that was asked for: the figures mean nothing.
    Invalid,
}

impl Verdict {
    /// The word that the document has for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
        }
    }
}

/// How far the generator may stay behind its schedule before the figures mean nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Pieces of work that may be dropped, in percent of those planned.
    pub dropped_percent: f64,
    /// The 99th percentile of the lag, in microseconds.
    pub lag_p99_us: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { dropped_percent: 0.0, lag_p99_us: 100_000 }
    }
}

impl Document {
    /// Judges the run: a broken rule fails it whatever else is true, a generator out of its bounds makes it
    /// invalid, and a missed threshold fails it. `thresholds` and `reasons` are written anew; sentences that
    /// `generator.invalid_because` holds already count, and those about these bounds are added to them.
    pub fn judge(&mut self, thresholds: &[Threshold], bounds: &Bounds) {
        self.thresholds = thresholds.iter().map(|threshold| threshold.check(self)).collect();
        for because in self.against_the_generator(bounds) {
            if !self.generator.invalid_because.contains(&because) {
                self.generator.invalid_because.push(because);
            }
        }
        let broken = self.rules.iter().filter(|rule| rule.violations > 0);
        let broken: Vec<_> = broken
            .map(|rule| {
                format!(
                    "The rule `{}` was broken {} times of {}.",
                    rule.rule,
                    shown::number(rule.violations as f64),
                    shown::number(rule.looked_at as f64)
                )
            })
            .collect();
        let missed: Vec<_> = self.thresholds.iter().filter(|threshold| !threshold.passed).collect();
        self.verdict = match (broken.is_empty(), self.generator.invalid_because.is_empty(), missed.is_empty()) {
            (false, ..) | (true, true, false) => Verdict::Failed,
            (true, false, _) => Verdict::Invalid,
            (true, true, true) => Verdict::Passed,
        };
        let missed = missed.into_iter().map(|threshold| match threshold.value {
            None => format!("The threshold `{}` was missed: nothing was measured.", threshold.rule()),
            Some(_) => {
                let word = if threshold.better == Better::Lower { "above" } else { "below" };
                format!("The threshold `{}` was missed: {} is {word} it.", threshold.rule(), threshold.measured())
            }
        });
        self.reasons = broken.into_iter().chain(self.generator.invalid_because.iter().cloned()).chain(missed).collect();
    }
    fn against_the_generator(&self, bounds: &Bounds) -> Vec<String> {
        let generator = &self.generator;
        let mut against = Vec::new();
        let dropped = generator.dropped as f64 * 100.0 / generator.planned.max(1) as f64;
        if generator.dropped > 0 && dropped > bounds.dropped_percent {
            against.push(format!(
                "The generator dropped {} of {} planned ({dropped:.2} %); {} % may be.",
                shown::number(generator.dropped as f64),
                shown::number(generator.planned as f64),
                bounds.dropped_percent
            ));
        }
        if generator.lag.p99_us > bounds.lag_p99_us {
            against.push(format!(
                "The generator began its work late: the 99th percentile is {}, the bound {}.",
                shown::micros(generator.lag.p99_us as f64),
                shown::micros(bounds.lag_p99_us as f64)
            ));
        }
        against
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Rule, sample};

    #[test]
    fn rules_come_before_the_generator_and_the_generator_before_thresholds() {
        let bounds = Bounds { dropped_percent: 1.0, lag_p99_us: 1_000 };
        for (broken, dropped, lag, bound, verdict, reasons) in [
            (false, 0, 0, 100.0, Verdict::Passed, 0),
            (false, 10, 1_000, 100.0, Verdict::Passed, 0),
            (false, 0, 0, 0.5, Verdict::Failed, 1),
            (true, 0, 0, 100.0, Verdict::Failed, 1),
            (false, 11, 0, 100.0, Verdict::Invalid, 1),
            (false, 0, 1_001, 100.0, Verdict::Invalid, 1),
            (false, 11, 1_001, 0.5, Verdict::Invalid, 3),
            (true, 11, 1_001, 0.5, Verdict::Failed, 4),
        ] {
            let mut document = sample::small();
            let mut rule = Rule::new("once", "");
            rule.kept();
            if broken {
                rule.broken(|| "one was twice".into());
            }
            document.rules.push(rule);
            (document.generator.planned, document.generator.dropped) = (1_000, dropped);
            document.generator.lag.p99_us = lag;
            let threshold = Threshold { of: "webhook_accept.p50_ms".into(), bound, better: Better::Lower };
            // Judged twice, it says the same.
            for _ in 0..2 {
                document.judge(std::slice::from_ref(&threshold), &bounds);
                assert_eq!((document.verdict, document.reasons.len()), (verdict, reasons), "{:?}", document.reasons);
            }
        }
    }

    #[test]
    fn reasons_tell_what_and_how_much() {
        let document = sample::rich();
        assert_eq!(document.verdict, Verdict::Failed);
        let [rule, tail, nothing] = &document.reasons[..] else { panic!("{:?}", document.reasons) };
        assert_eq!(rule, "The rule `every_accepted_message_is_stored_exactly_once` was broken 23 times of 48,000.");
        assert!(
            tail.starts_with("The threshold `webhook_accept.p99_9_ms <= 50` was missed: ")
                && tail.ends_with("above it.")
        );
        assert_eq!(nothing, "The threshold `reply_send.p99_ms <= 250` was missed: nothing was measured.");
    }

    #[test]
    fn what_the_driver_held_against_itself_counts() {
        let mut document = sample::small();
        document.generator.invalid_because.push("The generator used 99 % of its core.".into());
        document.judge(&[], &Bounds::default());
        assert_eq!((document.verdict, document.reasons.len()), (Verdict::Invalid, 1));
    }
}
