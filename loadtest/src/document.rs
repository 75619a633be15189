//! The document that a run ends in: everything that was found, for programs as JSON, and read back from it.
//!
//! `loadtest/report.md` describes the same fields for who parses it.

mod environment;
mod judge;
mod latencies;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod shown;
mod text;
mod threshold;

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

pub use environment::Environment;
pub(crate) use environment::rfc_3339;
pub use judge::{Bounds, Verdict};
pub use latencies::{Latencies, Second, Timing};
pub use threshold::{Better, Names, Threshold, Thresholded};

use crate::measure;

/// The form of the documents that this program writes and reads.
pub const SCHEMA: &str = "tidegate-loadtest/1";

/// Examples of a rule's violations that are kept.
pub const EXAMPLES_MAX: usize = 20;

/// All that a run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was run.
    pub scenario: Scenario,
    /// Where and with what it was run.
    pub environment: Environment,
    /// What came of it; see [`Document::judge`].
    pub verdict: Verdict,
    /// Why it did not pass, in sentences; empty where it passed.
    pub reasons: Vec<String>,
    /// What must hold for every event.
    pub rules: Vec<Rule>,
    /// What the figures must reach.
    pub thresholds: Vec<Thresholded>,
    /// Latencies.
    pub timings: Vec<Timing>,
    /// Values over time.
    pub series: Vec<Series>,
    /// Single values.
    pub figures: Vec<Figure>,
    /// What happened when, in order of time.
    pub marks: Vec<Mark>,
    /// Whether the load was the one that was asked for.
    pub generator: Generator,
    /// What a reader should know besides, in sentences.
    pub notes: Vec<String>,
}

/// What was run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name; documents of one name can be compared.
    pub name: String,
    /// What it does, in a sentence or a few.
    pub about: String,
    /// The seed of everything that was drawn at random.
    pub seed: u64,
    /// The scenario file as it was run, with what the command line changed.
    pub toml: String,
    /// Its phases, in order of time.
    pub phases: Vec<Phase>,
}

/// A part of the run with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// When it began, in seconds since the start of the run.
    pub from_s: f64,
    /// When it ended, in seconds since the start of the run.
    pub to_s: f64,
}

/// What must hold for every event that it looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub rule: String,
    /// What must hold, in a sentence.
    pub about: String,
    /// How many events it looked at; a rule that looked at none proves nothing.
    pub looked_at: u64,
    /// How many of them broke it.
    pub violations: u64,
    /// The first of these in sentences, at most [`EXAMPLES_MAX`].
    pub examples: Vec<String>,
}

impl Rule {
    /// A rule that has looked at nothing.
    #[must_use]
    pub fn new(rule: impl Into<String>, about: impl Into<String>) -> Self {
        Self { rule: rule.into(), about: about.into(), ..Self::default() }
    }

    /// Counts an event that kept it.
    pub const fn kept(&mut self) {
        self.looked_at += 1;
    }

    /// Counts an event that broke it; the sentence is made for the first [`EXAMPLES_MAX`] alone.
    pub fn broken(&mut self, example: impl FnOnce() -> String) {
        self.looked_at += 1;
        self.violations += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example());
        }
    }
}

/// A value over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// Of what; `bytes` is shown as KiB, MiB and GiB.
    pub unit: String,
    /// Series of one group and unit are drawn in one chart.
    pub group: String,
    /// Seconds since the start and the value then, in order of time.
    #[serde(deserialize_with = "finite_points")]
    pub points: Vec<(f64, f64)>,
}

/// A single value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is, as thresholds call it.
    pub name: String,
    /// How much; a value that is no number is `null` in JSON.
    #[serde(deserialize_with = "number_or_null")]
    pub value: f64,
    /// Of what; `bytes` is shown as KiB, MiB and GiB.
    pub unit: String,
    /// Figures of one group stand together.
    pub group: String,
}

/// Something that happened at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// When, in seconds since the start of the run.
    pub s: f64,
    /// What: `server killed`.
    pub text: String,
}

/// Whether the load was the one that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// How much later than planned work was begun.
    pub lag: Latencies,
    /// Pieces of work that the schedule asked for.
    pub planned: u64,
    /// How many of them were begun.
    pub begun: u64,
    /// How many were given up before they began, because a bound of the generator was reached.
    pub dropped: u64,
    /// CPU that the generator used, in percent of one core.
    pub cpu_percent: f64,
    /// Why the figures mean nothing, in sentences; empty where they do.
    pub invalid_because: Vec<String>,
}

impl Document {
    /// A document without findings, not yet judged.
    #[must_use]
    pub fn new(scenario: Scenario, environment: Environment) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            scenario,
            environment,
            verdict: Verdict::Invalid,
            reasons: vec!["The run was not judged.".to_owned()],
            rules: Vec::new(),
            thresholds: Vec::new(),
            timings: Vec::new(),
            series: Vec::new(),
            figures: Vec::new(),
            marks: Vec::new(),
            generator: Generator::default(),
            notes: Vec::new(),
        }
    }

    /// Adds latencies.
    pub fn timing(&mut self, timing: measure::Timing) {
        self.timings.push(timing.finish());
    }

    /// Adds a count: its series, its total and its rates.
    pub fn count(&mut self, count: measure::Count) {
        let counted = count.finish();
        self.series.push(counted.series);
        self.figures.extend(counted.figures);
    }

    /// Adds a sampled value: its series, its mean, largest and last.
    pub fn gauge(&mut self, gauge: measure::Gauge) {
        let gauged = gauge.finish();
        self.series.push(gauged.series);
        self.figures.extend(gauged.figures);
    }

    /// Adds a single value.
    pub fn figure(&mut self, name: impl Into<String>, value: f64, unit: impl Into<String>, group: impl Into<String>) {
        self.figures.push(Figure { name: name.into(), value, unit: unit.into(), group: group.into() });
    }

    /// The document as JSON.
    ///
    /// # Errors
    /// None that is known; a number that JSON cannot hold is written as `null`.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).context("writing the document as JSON")
    }

    /// Reads a document.
    ///
    /// # Errors
    /// It is no JSON, of another schema, or a field is missing; the message says which and where.
    pub fn of_json(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Schema {
            schema: String,
        }
        let Schema { schema } = serde_json::from_str(text).context("this is no report of `loadtest`")?;
        if schema != SCHEMA {
            bail!(
                "the report has schema `{schema}`, and this program reads `{SCHEMA}`; make it again, or use the program that wrote it"
            );
        }
        serde_json::from_str(text).context("a field of the report is missing or of another type")
    }

    /// Reads the document in a file.
    ///
    /// # Errors
    /// As [`Document::of_json`], or there is no such file.
    pub fn of_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::of_json(&text).with_context(|| format!("reading {}", path.display()))
    }
}

/// A value that was no number is one again that is none.
fn number_or_null<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

/// Points without those whose value was no number.
fn finite_points<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<(f64, f64)>, D::Error> {
    let points: Vec<(f64, Option<f64>)> = Vec::deserialize(from)?;
    Ok(points.into_iter().filter_map(|(s, value)| value.map(|value| (s, value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_back_from_its_json() {
        let mut document = sample::rich();
        let back = Document::of_json(&document.json().unwrap()).unwrap();
        // The count of ticks at the start is of no use to a reader.
        document.environment = back.environment.clone();
        assert_eq!(back, document);
        assert_eq!(back.environment.settings.len(), 2);
    }

    #[test]
    fn a_value_that_is_no_number_spoils_no_document() {
        let mut document = sample::small();
        document.figure("share", f64::NAN, "%", "g");
        let points = vec![(0.0, 1.0), (1.0, f64::INFINITY), (2.0, 3.0)];
        document.series.push(Series { name: "s".into(), points, ..Series::default() });
        let back = Document::of_json(&document.json().unwrap()).unwrap();
        assert!(back.figures[0].value.is_nan() && back.value("share").is_none());
        assert_eq!(back.series[0].points, [(0.0, 1.0), (2.0, 3.0)]);
    }

    #[test]
    fn what_is_no_document_is_told() {
        let whole = sample::small().json().unwrap();
        for (text, expected) in [
            ("{".to_owned(), "this is no report"),
            ("{}".to_owned(), "this is no report"),
            (whole.replace(SCHEMA, "tidegate-loadtest/9"), "schema `tidegate-loadtest/9`"),
            (whole.replace("\"looked_at\"", "\"x\"").replace("\"marks\"", "\"marked\""), "missing field `marks`"),
        ] {
            let error = format!("{:#}", Document::of_json(&text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_rule_counts_all_and_keeps_the_first_examples() {
        let mut rule = Rule::new("r", "");
        rule.kept();
        (0..50).for_each(|n| rule.broken(|| n.to_string()));
        assert_eq!((rule.looked_at, rule.violations, rule.examples.len()), (51, 50, EXAMPLES_MAX));
        assert_eq!(rule.examples.last().map(String::as_str), Some("19"));
    }
}
