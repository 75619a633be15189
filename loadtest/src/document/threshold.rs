//! What figures must reach, as scenario files write it: `webhook_accept.p99_ms <= 50`.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::{Document, Latencies, shown};

pub use crate::report::Better;

/// What can be asked of a timing; each may end in `.uncorrected`.
const OF_TIMING: [&str; 7] = ["p50_ms", "p90_ms", "p99_ms", "p99_9_ms", "p99_99_ms", "mean_ms", "max_ms"];
/// What can be asked of a count.
const OF_COUNT: [&str; 3] = ["total", "rate_per_s", "peak_per_s"];
/// What can be asked of a gauge.
const OF_GAUGE: [&str; 3] = ["mean", "max", "last"];
/// What asks for the latency since the work did begin.
const UNCORRECTED: &str = ".uncorrected";

/// A bound for a value of the document.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The value's name.
    pub of: String,
    /// The value that is just good enough.
    pub bound: f64,
    /// Which way is better.
    pub better: Better,
}

/// A threshold and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholded {
    /// The value's name: `webhook_accept.p99_ms`.
    pub of: String,
    /// The value that is just good enough.
    pub bound: f64,
    /// Which way is better.
    pub better: Better,
    /// What was measured; none where nothing was, which passes no threshold.
    pub value: Option<f64>,
    /// Whether it is good enough.
    pub passed: bool,
}

/// Names that a document of a scenario will have, so that a threshold on any other is told before the run.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Of timings.
    pub timings: Vec<String>,
    /// Of counts.
    pub counts: Vec<String>,
    /// Of gauges.
    pub gauges: Vec<String>,
    /// Of single figures.
    pub figures: Vec<String>,
}

impl Names {
    /// Whether a threshold can ask for this.
    fn have(&self, of: &str) -> bool {
        let asks = |names: &[String], parts: &[&str], of: &str| {
            of.rsplit_once('.').is_some_and(|(name, part)| parts.contains(&part) && names.iter().any(|n| n == name))
        };
        self.figures.iter().any(|figure| figure == of)
            || asks(&self.counts, &OF_COUNT, of)
            || asks(&self.gauges, &OF_GAUGE, of)
            || asks(&self.timings, &OF_TIMING, of.strip_suffix(UNCORRECTED).unwrap_or(of))
    }

    /// All that a threshold can ask for, for the message about what it cannot.
    fn list(&self) -> String {
        let mut told = Vec::new();
        let parts = [(&self.timings, &OF_TIMING[..]), (&self.counts, &OF_COUNT), (&self.gauges, &OF_GAUGE)];
        for (names, parts) in parts {
            told.extend(names.iter().map(|name| format!("{name}.{{{}}}", parts.join(","))));
        }
        told.extend(self.figures.iter().cloned());
        told.join(", ")
    }
}

impl Threshold {
    /// Reads `name <= number` or `name >= number`, where the name is one of `names`.
    ///
    /// # Errors
    /// It has another form, or there is no such name; the message says what there is.
    pub fn read(text: &str, names: &Names) -> Result<Self> {
        let form = || format!("the threshold `{text}` is not of the form `webhook_accept.p99_ms <= 50`");
        let (of, better, bound) = match (text.split_once("<="), text.split_once(">=")) {
            (Some((of, bound)), None) => (of, Better::Lower, bound),
            (None, Some((of, bound))) => (of, Better::Higher, bound),
            _ => bail!("{}: it needs one `<=` or `>=`", form()),
        };
        let (of, bound) = (of.trim(), bound.trim());
        let number: f64 = bound.parse().with_context(|| format!("{}: `{bound}` is no number", form()))?;
        if of.is_empty() || !number.is_finite() {
            bail!("{}: it needs a name before the sign and a finite number after it", form());
        }
        if !names.have(of) {
            bail!(
                "the threshold `{text}` asks for `{of}`, which this scenario does not measure; there is: {} (latencies \
                 also with `{UNCORRECTED}` behind them)",
                names.list()
            );
        }
        Ok(Self { of: of.to_owned(), bound: number, better })
    }

    /// Holds it against a document.
    #[must_use]
    pub fn check(&self, document: &Document) -> Thresholded {
        let value = document.value(&self.of);
        let passed = value.is_some_and(|value| match self.better {
            Better::Lower => value <= self.bound,
            Better::Higher => value >= self.bound,
        });
        Thresholded { of: self.of.clone(), bound: self.bound, better: self.better, value, passed }
    }
}

impl Thresholded {
    /// `webhook_accept.p99_ms <= 50`.
    #[must_use]
    pub fn rule(&self) -> String {
        let sign = if self.better == Better::Lower { "<=" } else { ">=" };
        format!("{} {sign} {}", self.of, self.bound)
    }

    /// What was measured, with as many digits as set it apart from the bound.
    #[must_use]
    pub fn measured(&self) -> String {
        match self.value {
            None => "not measured".to_owned(),
            // Within a percent three digits may read like the bound.
            Some(value) if (value - self.bound).abs() <= self.bound.abs() * 0.01 => value.to_string(),
            Some(value) => shown::number(value),
        }
    }
}

impl Document {
    /// A value by the name that thresholds use; none where there is no such name, or nothing was measured under it.
    #[must_use]
    pub fn value(&self, of: &str) -> Option<f64> {
        if let Some(figure) = self.figures.iter().find(|figure| figure.name == of) {
            return figure.value.is_finite().then_some(figure.value);
        }
        let (of, uncorrected) = of.strip_suffix(UNCORRECTED).map_or((of, false), |of| (of, true));
        let (name, part) = of.rsplit_once('.')?;
        let timing = self.timings.iter().find(|timing| timing.name == name && timing.count > 0)?;
        of_latencies(if uncorrected { &timing.uncorrected } else { &timing.corrected }, part)
    }
}

fn of_latencies(latencies: &Latencies, part: &str) -> Option<f64> {
    let us = match part {
        "p50_ms" => latencies.p50_us as f64,
        "p90_ms" => latencies.p90_us as f64,
        "p99_ms" => latencies.p99_us as f64,
        "p99_9_ms" => latencies.p99_9_us as f64,
        "p99_99_ms" => latencies.p99_99_us as f64,
        "mean_ms" => latencies.mean_us,
        "max_ms" => latencies.max_us as f64,
        _ => return None,
    };
    Some(us / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sample;

    fn names() -> Names {
        Names {
            timings: vec!["webhook_accept".into()],
            counts: vec!["broadcast".into()],
            gauges: vec!["server_cpu".into()],
            figures: vec!["recovery_s".into()],
        }
    }

    #[test]
    fn thresholds_are_read() {
        for (text, of, better, bound) in [
            ("webhook_accept.p99_ms <= 50", "webhook_accept.p99_ms", Better::Lower, 50.0),
            (" webhook_accept.p99_9_ms.uncorrected<=0.5 ", "webhook_accept.p99_9_ms.uncorrected", Better::Lower, 0.5),
            ("broadcast.rate_per_s >= 800", "broadcast.rate_per_s", Better::Higher, 800.0),
            ("server_cpu.max<=150", "server_cpu.max", Better::Lower, 150.0),
            ("recovery_s <= 1e1", "recovery_s", Better::Lower, 10.0),
        ] {
            assert_eq!(Threshold::read(text, &names()).unwrap(), Threshold { of: of.into(), bound, better });
        }
    }

    #[test]
    fn what_is_no_threshold_is_told_with_what_there_is() {
        for (text, expected) in [
            ("webhook_accept.p99_ms < 50", "one `<=` or `>=`"),
            ("1 <= webhook_accept.p99_ms >= 50", "one `<=` or `>=`"),
            ("webhook_accept.p99_ms <= soon", "`soon` is no number"),
            ("webhook_accept.p99_ms <= inf", "finite number"),
            ("<= 5", "a name before the sign"),
            (
                "webhook_acept.p99_ms <= 5",
                "`webhook_acept.p99_ms`, which this scenario does not measure; there is: webhook_accept.{p50_ms,",
            ),
            (
                "webhook_accept.p98_ms <= 5",
                "broadcast.{total,rate_per_s,peak_per_s}, server_cpu.{mean,max,last}, recovery_s",
            ),
            ("broadcast.total.uncorrected >= 5", "does not measure"),
            ("recovery_s.p99_ms <= 5", "does not measure"),
        ] {
            let error = format!("{:#}", Threshold::read(text, &names()).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn values_are_found_by_name() {
        let document = sample::small();
        for (of, expected) in [
            ("webhook_accept.max_ms", Some(3.0)),
            ("webhook_accept.p50_ms.uncorrected", Some(2.0)),
            ("webhook_accept.p98_ms", None),
            ("webhook_accept", None),
            ("other.p50_ms", None),
        ] {
            let found = document.value(of);
            assert_eq!(found.is_some(), expected.is_some(), "{of}");
            assert!(found.zip(expected).is_none_or(|(found, expected)| (found - expected).abs() < 0.01), "{of}");
        }
    }

    #[test]
    fn the_bound_itself_is_good_enough_and_nothing_measured_is_not() {
        let mut document = sample::small();
        document.figure("share", 40.0, "%", "g");
        for (of, better, bound, passed) in [
            ("share", Better::Higher, 40.0, true),
            ("share", Better::Lower, 40.0, true),
            ("share", Better::Higher, 40.1, false),
            ("share", Better::Lower, 39.9, false),
            ("absent", Better::Lower, 1e9, false),
        ] {
            let threshold = Threshold { of: of.into(), bound, better };
            assert_eq!(threshold.check(&document).passed, passed, "{threshold:?}");
        }
    }

    #[test]
    fn what_was_measured_does_not_look_like_the_bound_that_it_missed() {
        for (value, bound, expected) in [
            (Some(50.04), 50.0, "50.04"),
            (Some(51.04), 50.0, "51.0"),
            (Some(1_234.567), 50.0, "1,235"),
            (Some(800.25), 800.0, "800.25"),
            (None, 1.0, "not measured"),
        ] {
            let (of, better) = ("x".to_owned(), Better::Lower);
            assert_eq!(Thresholded { of, bound, better, value, passed: false }.measured(), expected);
        }
    }
}
