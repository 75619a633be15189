//! The document for who reads it in a terminal.

use std::fmt::{Result, Write as _};

use super::{Document, Latencies, shown};

impl Document {
    /// A summary: the verdict with its reasons, rules, thresholds, latencies, and figures by group.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> Result {
        let Self { scenario, environment, generator, .. } = self;
        writeln!(text, "{}: {}", scenario.name, self.verdict.word().to_uppercase())?;
        for reason in &self.reasons {
            writeln!(text, "  {reason}")?;
        }
        writeln!(text, "\n  started  {}, seed {}", environment.started_at, scenario.seed)?;
        writeln!(text, "  server   {}; store {}", environment.server_build, environment.store)?;
        writeln!(
            text,
            "  machine  {} cores, load {:.1} before, {:.1} % stolen; harness {}",
            environment.cores, environment.load_before, environment.stolen_percent, environment.harness
        )?;
        writeln!(
            text,
            "  load     {} planned, {} begun, {} dropped; lag p99 {}; generator {:.0} % of one core",
            shown::number(generator.planned as f64),
            shown::number(generator.begun as f64),
            shown::number(generator.dropped as f64),
            shown::micros(generator.lag.p99_us as f64),
            generator.cpu_percent
        )?;
        self.write_rules(text)?;
        self.write_thresholds(text)?;
        self.write_timings(text)?;
        self.write_figures(text)?;
        for mark in &self.marks {
            writeln!(text, "  at {:>7}  {}", shown::moment(mark.s), mark.text)?;
        }
        for note in &self.notes {
            writeln!(text, "  note     {note}")?;
        }
        Ok(())
    }

    fn write_rules(&self, text: &mut String) -> Result {
        if !self.rules.is_empty() {
            writeln!(text, "\nrules")?;
        }
        for rule in &self.rules {
            let word = match (rule.violations, rule.looked_at) {
                (0, 0) => "unseen",
                (0, _) => "ok",
                _ => "BROKEN",
            };
            let (violations, looked_at) = (shown::number(rule.violations as f64), shown::number(rule.looked_at as f64));
            writeln!(text, "  {word:<7} {}: {violations} of {looked_at} broke it", rule.rule)?;
            for example in &rule.examples {
                writeln!(text, "            {example}")?;
            }
        }
        Ok(())
    }

    fn write_thresholds(&self, text: &mut String) -> Result {
        if !self.thresholds.is_empty() {
            writeln!(text, "\nthresholds")?;
        }
        for threshold in &self.thresholds {
            let word = if threshold.passed { "ok" } else { "MISSED" };
            let value = threshold.measured();
            writeln!(text, "  {word:<7} {}: {value}", threshold.rule())?;
        }
        Ok(())
    }

    fn write_timings(&self, text: &mut String) -> Result {
        let width = self.timings.iter().map(|timing| timing.name.chars().count()).max().unwrap_or(0).max(7);
        if !self.timings.is_empty() {
            writeln!(
                text,
                "\n{:<width$}  {:>11} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
                "latency", "count", "p50", "p90", "p99", "p99.9", "p99.99", "max"
            )?;
        }
        let row = |text: &mut String, name: &str, count: &str, latencies: &Latencies| -> Result {
            write!(text, "{name:<width$}  {count:>11}")?;
            for (_, us) in latencies.percentiles() {
                write!(text, " {:>9}", shown::micros(us as f64))?;
            }
            writeln!(text, " {:>9}", shown::micros(latencies.max_us as f64))
        };
        for timing in &self.timings {
            row(text, &timing.name, &shown::number(timing.count as f64), &timing.corrected)?;
            row(text, "", "uncorrected", &timing.uncorrected)?;
        }
        Ok(())
    }

    fn write_figures(&self, text: &mut String) -> Result {
        for group in self.groups() {
            writeln!(text, "\n{group}")?;
            for figure in self.figures.iter().filter(|figure| figure.group == group) {
                writeln!(text, "  {:<48} {:>16}", figure.name, shown::value(figure.value, &figure.unit))?;
            }
        }
        if !self.figures.is_empty() {
            writeln!(text)?;
        }
        Ok(())
    }

    /// The groups of the figures, each once, in the order in which they come.
    pub(crate) fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for figure in &self.figures {
            if !groups.contains(&figure.group.as_str()) {
                groups.push(&figure.group);
            }
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use crate::document::sample;

    #[test]
    fn the_summary_tells_the_verdict_its_reasons_and_the_figures() {
        let text = sample::rich().text();
        for expected in [
            "storm: FAILED\n  The rule `every_accepted_message_is_stored_exactly_once` was broken 23 times of 48,000.\n",
            "  BROKEN  every_accepted_message_is_stored_exactly_once: 23 of 48,000 broke it\n            message <script>",
            "  unseen  ",
            "  MISSED  webhook_accept.p99_9_ms <= 50: ",
            "  uncorrected ",
            "\ncpu\n",
            "server_cpu.max ",
            "  at    0:45  server killed",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
    }
}
