//! Two documents side by side, and what got worse.

use std::fmt::Write as _;

use crate::document::{Better, Document, Environment, Figure, Latencies, Verdict, shown};

/// A value of both documents.
#[derive(Clone, Debug)]
struct Row {
    name: String,
    a: Option<f64>,
    b: Option<f64>,
    unit: String,
    /// Which way is better; none where nobody said.
    better: Option<Better>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        let (a, b) = self.a.zip(self.b)?;
        (a.is_finite() && b.is_finite() && a > 0.0).then_some(b / a)
    }

    /// By how many percent it got worse, negative where it got better. What is no longer measured is infinitely worse.
    fn worse_percent(&self) -> Option<f64> {
        let better = self.better?;
        match (self.a, self.b, self.ratio()) {
            (_, _, Some(ratio)) if better == Better::Lower => Some((ratio - 1.0) * 100.0),
            (_, _, Some(ratio)) if ratio > 0.0 => Some((1.0 / ratio - 1.0) * 100.0),
            (_, _, Some(_)) | (Some(_), None, _) => Some(f64::INFINITY),
            // From nothing to something.
            (Some(_), Some(b), None) if better == Better::Lower && b > 0.0 => Some(f64::INFINITY),
            _ => None,
        }
    }

    fn shown(&self, value: Option<f64>) -> String {
        match value {
            None => "–".to_owned(),
            Some(us) if self.unit == "us" => shown::micros(us),
            Some(value) => shown::value(value, &self.unit),
        }
    }
}

/// What two documents say.
pub(super) struct Comparison {
    rows: Vec<Row>,
    notes: Vec<String>,
    /// What got worse past the bound, in sentences.
    pub(super) worse: Vec<String>,
    verdicts: [Verdict; 2],
    scenario: String,
    bound: f64,
}

impl Comparison {
    /// Compares the later document `b` with `a`; without a bound only what is gone is too much.
    pub(super) fn of(a: &Document, b: &Document, bound: Option<f64>) -> Self {
        let bound = bound.unwrap_or(f64::INFINITY);
        let rows: Vec<Row> = timings(a, b).into_iter().chain(figures(a, b)).collect();
        let mut worse = Vec::new();
        if a.verdict == Verdict::Passed && b.verdict != Verdict::Passed {
            worse.push(format!("the verdict went from passed to {}", b.verdict.word()));
        }
        for row in &rows {
            match row.worse_percent() {
                Some(percent) if percent.is_infinite() => {
                    worse.push(format!("{}: {} to {}", row.name, row.shown(row.a), row.shown(row.b)));
                }
                Some(percent) if percent > bound => worse.push(format!("{}: {percent:.1} % worse", row.name)),
                _ => {}
            }
        }
        Self {
            rows,
            notes: notes(a, b),
            worse,
            verdicts: [a.verdict, b.verdict],
            scenario: b.scenario.name.clone(),
            bound,
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let [a, b] = self.verdicts.map(Verdict::word);
        writeln!(text, "{}: {a}, then {b}", self.scenario)?;
        for note in &self.notes {
            writeln!(text, "  note: {note}")?;
        }
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        writeln!(text, "\n  {:<width$} {:>18} {:>18} {:>8}", "", "a", "b", "b / a")?;
        for row in &self.rows {
            let ratio = row.ratio().map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}"));
            let word = match row.worse_percent() {
                Some(percent) if percent.is_infinite() || percent > self.bound => "  WORSE",
                Some(percent) if percent > 1.0 => "  worse",
                Some(percent) if percent < -1.0 => "  better",
                _ => "",
            };
            writeln!(
                text,
                "  {:<width$} {:>18} {:>18} {ratio:>8}{word}",
                row.name,
                row.shown(row.a),
                row.shown(row.b)
            )?;
        }
        if !self.worse.is_empty() {
            writeln!(text, "\nworse past the bound:")?;
        }
        for worse in &self.worse {
            writeln!(text, "  {worse}")?;
        }
        Ok(())
    }
}

/// A percentile's name and where it stands.
type Part = (&'static str, fn(&Latencies) -> u64);

fn timings(a: &Document, b: &Document) -> Vec<Row> {
    const PARTS: [Part; 3] = [("p50", |of| of.p50_us), ("p99", |of| of.p99_us), ("p99.9", |of| of.p99_9_us)];
    let measured = |document: &Document, name: &str| {
        document
            .timings
            .iter()
            .find(|timing| timing.name == name && timing.count > 0)
            .map(|timing| timing.corrected.clone())
    };
    let names = both(a.timings.iter().map(|timing| &timing.name), b.timings.iter().map(|timing| &timing.name));
    let rows = names.into_iter().flat_map(|name| {
        let (a, b) = (measured(a, name), measured(b, name));
        PARTS.map(|(part, of)| Row {
            name: format!("{name} {part}"),
            // Less than a microsecond is told apart by nobody.
            a: a.as_ref().map(|latencies| of(latencies).max(1) as f64),
            b: b.as_ref().map(|latencies| of(latencies).max(1) as f64),
            unit: "us".to_owned(),
            better: Some(Better::Lower),
        })
    });
    // What neither measured is no row.
    rows.filter(|row| row.a.is_some() || row.b.is_some()).collect()
}

fn figures(a: &Document, b: &Document) -> Vec<Row> {
    let find = |document: &Document, name: &str| document.figures.iter().find(|figure| figure.name == name).cloned();
    let name = |figure: &'_ Figure| figure.name.clone();
    let (of_a, of_b): (Vec<_>, Vec<_>) = (a.figures.iter().map(name).collect(), b.figures.iter().map(name).collect());
    let row = |name: &String| {
        let (in_a, in_b) = (find(a, name), find(b, name));
        let unit = in_a.as_ref().or(in_b.as_ref()).map(|figure| figure.unit.clone()).unwrap_or_default();
        let value = |figure: Option<Figure>| figure.map(|figure| figure.value).filter(|value| value.is_finite());
        Row { name: name.clone(), a: value(in_a), b: value(in_b), unit, better: better(a, b, name) }
    };
    both(of_a.iter(), of_b.iter()).into_iter().map(row).collect()
}

/// Which way a figure is better: as a threshold says; of the rest, rates are better when they are higher, and peaks are chance.
fn better(a: &Document, b: &Document, name: &str) -> Option<Better> {
    let said = b.thresholds.iter().chain(&a.thresholds).find(|threshold| threshold.of == name);
    said.map(|threshold| threshold.better).or_else(|| name.ends_with(".rate_per_s").then_some(Better::Higher))
}

/// Every name once, in the order of the first and then of the second.
fn both<'a>(a: impl Iterator<Item = &'a String>, b: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut names: Vec<&String> = Vec::new();
    for name in a.chain(b) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Why a difference may come from elsewhere.
fn notes(a: &Document, b: &Document) -> Vec<String> {
    let mut notes = Vec::new();
    for (which, document) in [("a", a), ("b", b)] {
        if document.verdict == Verdict::Invalid {
            notes.push(format!("{which} is invalid: its figures mean nothing"));
        }
    }
    let facts = |document: &Document| {
        let Environment { cpu, cores, kernel, memory_bytes, server_build, harness, store, settings, same_host, .. } =
            &document.environment;
        let scenario = &document.scenario;
        [
            ("scenario", scenario.name.clone()),
            ("seed", scenario.seed.to_string()),
            ("CPU", cpu.clone()),
            ("cores", cores.to_string()),
            ("kernel", kernel.clone()),
            ("memory", shown::value(*memory_bytes as f64, "bytes")),
            ("server", server_build.clone()),
            ("harness", harness.clone()),
            ("store", store.clone()),
            ("settings", settings.join(" ")),
            ("same host", same_host.to_string()),
        ]
    };
    let told = |text: String| if text.is_empty() { "nothing".to_owned() } else { text };
    for ((name, of_a), (_, of_b)) in facts(a).into_iter().zip(facts(b)) {
        if of_a != of_b {
            notes.push(format!("{name} differs: {}, then {}", told(of_a), told(of_b)));
        }
    }
    if a.scenario.toml != b.scenario.toml {
        notes.push("the scenario files differ".to_owned());
    }
    for (which, document) in [("a", a), ("b", b)] {
        if document.environment.stolen_percent > 5.0 {
            notes.push(format!("the host took {:.1} % of the CPU from {which}", document.environment.stolen_percent));
        }
    }
    notes
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::document::sample;

    /// A small document with two figures, changed.
    pub(in crate::compare) fn with(change: impl FnOnce(&mut Document)) -> Document {
        let mut document = sample::small();
        document.figure("broadcast.rate_per_s", 100.0, "messages/s", "throughput");
        document.figure("heap", 50.0, "bytes", "memory");
        change(&mut document);
        document
    }

    #[test]
    fn what_got_worse_past_the_bound_is_told() {
        type Change = fn(&mut Document);
        for (change, bound, worse) in [
            ((|_| {}) as Change, 0.0, 0),
            (|b| b.timings[0].corrected.p99_us *= 2, 99.0, 1),
            (|b| b.timings[0].corrected.p99_us *= 2, 101.0, 0),
            (|b| b.timings[0].corrected.p50_us /= 2, 0.0, 0),
            (|b| b.timings[0].uncorrected.p99_us *= 9, 0.0, 0),
            (|b| b.figures[0].value = 80.0, 24.0, 1),
            (|b| b.figures[0].value = 80.0, 26.0, 0),
            (|b| b.figures[0].value = 0.0, 1e9, 1),
            // Nobody said which way this is better.
            (|b| b.figures[1].value = 1e9, 0.0, 0),
            (|b| b.timings.clear(), 1e9, 3),
            (|b| b.verdict = Verdict::Failed, 1e9, 1),
        ] {
            let comparison = Comparison::of(&with(|_| {}), &with(change), Some(bound));
            assert_eq!(comparison.worse.len(), worse, "{}", comparison.text());
        }
    }

    #[test]
    fn the_table_has_both_values_and_their_ratio() {
        let b = with(|b| {
            b.timings[0].corrected.p50_us = 4_000;
            b.timings[0].corrected.p99_us = 1_500;
            b.scenario.seed = 9;
            b.environment.settings = vec!["a=1".into()];
        });
        let mut a = with(|_| {});
        a.timings[0].corrected.p50_us = 2_000;
        a.timings[0].corrected.p99_us = 3_000;
        let text = Comparison::of(&a, &b, Some(50.0)).text();
        let row = |name: &str| {
            text.lines().find(|line| line.contains(name)).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(row("webhook_accept p50"), "webhook_accept p50 2.00 ms 4.00 ms 2.000 WORSE");
        assert_eq!(row("webhook_accept p99 "), "webhook_accept p99 3.00 ms 1.50 ms 0.500 better");
        assert_eq!(row("heap"), "heap 50.0 B 50.0 B 1.000");
        assert!(text.contains("seed differs: 0, then 9") && text.contains("settings differs: "), "{text}");
        assert!(text.ends_with("worse past the bound:\n  webhook_accept p50: 100.0 % worse\n"), "{text}");
    }
}
