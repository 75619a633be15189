//! What a run found, for people and for machines.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::machine::{self, Ticks};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// A larger value.
    Higher,
    /// A smaller value.
    Lower,
}

/// A raw figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
}

/// A figure that a budget speaks of.
#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    /// What it is.
    pub name: String,
    /// How much was measured.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// The value that is good enough.
    pub accept: f64,
    /// The value that is aimed for, where there is one.
    pub aim: Option<f64>,
}

impl Mark {
    /// `aim`, `accept` or `missed`.
    #[must_use]
    pub fn reached(&self) -> &'static str {
        let meets = |bound: f64| match self.better {
            Better::Higher => self.value >= bound,
            Better::Lower => self.value <= bound,
        };
        match (self.aim.is_some_and(meets), meets(self.accept)) {
            (true, _) => "aim",
            (false, true) => "accept",
            (false, false) => "missed",
        }
    }
}

/// Whether the work that was measured was done at all.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was counted.
    pub name: String,
    /// What it should be.
    pub expected: u64,
    /// What it is.
    pub found: u64,
}

/// All that a run found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    scenario: String,
    command: String,
    build: &'static str,
    cores: usize,
    load_before: f64,
    stolen_percent: f64,
    did: Vec<String>,
    figures: Vec<Figure>,
    marks: Vec<Mark>,
    checks: Vec<Check>,
    #[serde(skip)]
    ticks: Ticks,
}

impl Report {
    /// An empty report of a run that begins now.
    #[must_use]
    pub fn begin(scenario: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            command: std::env::args().collect::<Vec<_>>().join(" "),
            build: if cfg!(debug_assertions) { "debug: figures mean nothing" } else { "release" },
            cores: machine::cores(),
            load_before: machine::load_average(),
            stolen_percent: 0.0,
            did: Vec::new(),
            figures: Vec::new(),
            marks: Vec::new(),
            checks: Vec::new(),
            ticks: Ticks::now(),
        }
    }

    /// Tells what was run.
    pub fn did(&mut self, what: impl Into<String>) {
        self.did.push(what.into());
    }

    /// Adds a raw figure.
    pub fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { name: name.into(), value, unit });
    }

    /// Adds a figure of the budget.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.push(mark);
    }

    /// Adds a count that must be right for the rest to mean anything.
    pub fn check(&mut self, name: impl Into<String>, expected: u64, found: u64) {
        self.checks.push(Check { name: name.into(), expected, found });
    }

    /// Ends the run.
    pub fn end(&mut self) {
        self.stolen_percent = Ticks::now().stolen_percent_since(self.ticks);
    }

    /// Whether every count was right.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.checks.iter().all(|check| check.expected == check.found)
    }

    /// For machines.
    ///
    /// # Errors
    /// A figure is not a number.
    pub fn json(&self) -> serde_json::Result<String> {
        let mut whole = serde_json::to_value(self)?;
        whole["sound"] = self.is_sound().into();
        for (mark, told) in self.marks.iter().zip(whole["marks"].as_array_mut().into_iter().flatten()) {
            told["reached"] = mark.reached().into();
        }
        serde_json::to_string_pretty(&whole)
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{}", self.scenario)?;
        writeln!(text, "  command  {}", self.command)?;
        writeln!(
            text,
            "  machine  {} cores, load {:.1} before, {:.1} % stolen; {}",
            self.cores, self.load_before, self.stolen_percent, self.build
        )?;
        for what in &self.did {
            writeln!(text, "  ran      {what}")?;
        }
        for figure in &self.figures {
            writeln!(text, "  {:<62} {:>12} {}", figure.name, shown(figure.value), figure.unit)?;
        }
        self.write_marks(text)?;
        for check in &self.checks {
            let word = if check.expected == check.found { "ok" } else { "WRONG: the figures above mean nothing" };
            writeln!(text, "  check    {}: {} of {}: {word}", check.name, check.found, check.expected)?;
        }
        Ok(())
    }
}

impl Report {
    fn write_marks(&self, text: &mut String) -> std::fmt::Result {
        for mark in &self.marks {
            let aim = mark.aim.map(|aim| format!(", aim {}", shown(aim))).unwrap_or_default();
            let sign = if mark.better == Better::Higher { ">=" } else { "<=" };
            writeln!(
                text,
                "= {:<62} {:>12} {} (accept {sign} {}{aim}): {}",
                mark.name,
                shown(mark.value),
                mark.unit,
                shown(mark.accept),
                mark.reached()
            )?;
        }
        Ok(())
    }
}

/// The marks of several reports, one a line.
#[must_use]
pub fn marks_of(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        // Writing to a string cannot fail.
        let _ = report.write_marks(&mut text);
    }
    text
}

/// A value with as many digits as mean something.
fn shown(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(value: f64, better: Better, accept: f64, aim: Option<f64>) -> Mark {
        Mark { name: "share".into(), value, unit: "%", better, accept, aim }
    }

    #[test]
    fn marks_know_which_way_is_better() {
        for (value, better, accept, aim, reached) in [
            (40.0, Better::Higher, 30.0, Some(40.0), "aim"),
            (35.0, Better::Higher, 30.0, Some(40.0), "accept"),
            (29.9, Better::Higher, 30.0, Some(40.0), "missed"),
            (0.2, Better::Lower, 0.5, Some(0.2), "aim"),
            (0.6, Better::Lower, 0.5, Some(0.2), "missed"),
            (1.0, Better::Lower, 2.0, None, "accept"),
        ] {
            assert_eq!(mark(value, better, accept, aim).reached(), reached);
        }
    }

    #[test]
    fn a_wrong_count_is_told_in_both_forms() {
        let mut report = Report::begin("webhooks");
        report.figure("deliveries", 12_345.6, "/s");
        report.mark(mark(35.0, Better::Higher, 30.0, Some(40.0)));
        report.check("items", 10, 10);
        assert!(report.is_sound() && report.text().contains("12346 /s") && report.text().contains(": accept"));
        report.check("items", 10, 9);
        let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(json["sound"], false);
        assert_eq!(json["marks"][0]["reached"], "accept");
        assert!(report.text().contains("9 of 10: WRONG"));
    }
}
