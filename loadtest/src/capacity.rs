//! The most a server carries: a scenario at one rate after another, halving the distance between what held and what did not.

use std::fmt::Write as _;

use anyhow::{Result, bail};

use crate::document::{Bounds, Document, Verdict};
use crate::options::Options;
use crate::scenario::{self, Scenario};
use crate::{run, shelf};

/// The generator's CPU in its busiest second, in percent of its one core, above which nothing is said about the server.
pub const CPU_MAX: f64 = 90.0;
/// The rule that a server breaks by being too slow: under more than it carries it is no fault.
const IN_TIME: &str = "came_to_rest";
/// How often the rate is doubled at most, and how often the distance is halved.
const DOUBLINGS: u32 = 8;
const HALVINGS: u32 = 4;

/// One run at one rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The scenario's rates times this.
    pub times: f64,
    /// Arrivals a second on average, customers and programs together.
    pub per_second: f64,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, where it did not hold.
    pub why: String,
}

/// What came of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server carried it.
    Held,
    /// It did not: a threshold was missed, so much waited for its answers that the rest was dropped, or it was not through
    /// in time.
    Missed,
    /// The generator was the limit: nothing is known of the server.
    Unknown,
    /// A rule was broken: the server is wrong, at whatever rate.
    Wrong,
}

impl Outcome {
    /// Of a run's document.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        let wrong = document.rules.iter().any(|rule| rule.violations > 0 && rule.rule != IN_TIME);
        let is_late = document.generator.lag.p99_us > Bounds::default().lag_p99_us;
        match document.verdict {
            _ if wrong => Self::Wrong,
            _ if is_late || busiest_cpu(document) > CPU_MAX => Self::Unknown,
            Verdict::Invalid if is_backed_up(document) => Self::Missed,
            Verdict::Invalid => Self::Unknown,
            Verdict::Failed => Self::Missed,
            Verdict::Passed => Self::Held,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Missed => "missed",
            Self::Unknown => "unknown",
            Self::Wrong => "wrong",
        }
    }
}

/// The generator's CPU in the busiest second of the measured phase. A mean over minutes hides a peak that lasts seconds.
fn busiest_cpu(document: &Document) -> f64 {
    let measured = document.scenario.phases.iter().find(|phase| phase.name == "measured");
    let (from, to) = measured.map_or((f64::MIN, f64::MAX), |phase| (phase.from_s, phase.to_s));
    let series = document.series.iter().find(|series| series.name == "generator_cpu");
    // A sample is about the second before it.
    let points = series.into_iter().flat_map(|series| &series.points).filter(|(s, _)| *s > from && *s <= to);
    points.map(|(_, percent)| *percent).fold(0.0, f64::max)
}

/// Whether a generator that was on time dropped work: then it was the server that did not keep up, and what waited for it
/// filled the generator's queues. What is dropped is one reason against the generator; with a second one it may have been
/// the limit.
fn is_backed_up(document: &Document) -> bool {
    document.generator.dropped > 0 && document.generator.invalid_because.len() == 1
}

/// Why a rate did not hold, in a sentence; empty where it did.
fn why(document: &Document, outcome: Outcome) -> String {
    let generator = &document.generator;
    match outcome {
        Outcome::Held => String::new(),
        Outcome::Missed if document.verdict == Verdict::Invalid => {
            format!(
                "it did not keep up: {} of {} planned waited so long for others that they were dropped.",
                generator.dropped, generator.planned
            )
        }
        Outcome::Unknown if busiest_cpu(document) > CPU_MAX => {
            format!("the generator used {:.0} % of its core in its busiest second.", busiest_cpu(document))
        }
        // Its lag stands behind what it dropped.
        Outcome::Unknown => generator.invalid_because.last().cloned().unwrap_or_default(),
        Outcome::Missed | Outcome::Wrong => document.reasons.first().cloned().unwrap_or_default(),
    }
}

/// Which rate is tried next; none when enough is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    held: f64,
    missed: Option<f64>,
    doubled: u32,
    halved: u32,
}

impl Default for Search {
    fn default() -> Self {
        Self { held: 0.0, missed: None, doubled: 0, halved: 0 }
    }
}

impl Search {
    /// The next rate, as a multiple of the scenario's.
    #[must_use]
    pub fn next(&self) -> Option<f64> {
        match self.missed {
            None if self.doubled < DOUBLINGS => Some(if self.held > 0.0 { self.held * 2.0 } else { 1.0 }),
            Some(missed) if self.halved < HALVINGS => Some(f64::midpoint(self.held, missed)),
            _ => None,
        }
    }

    /// Takes what came of the rate that was next. What is not known ends the search like what was missed: more cannot be
    /// asked of this generator.
    pub fn take(&mut self, times: f64, outcome: Outcome) {
        if self.missed.is_some() {
            self.halved += 1;
        } else {
            self.doubled += 1;
        }
        match outcome {
            Outcome::Held => self.held = times,
            Outcome::Missed | Outcome::Unknown | Outcome::Wrong => self.missed = Some(times),
        }
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In a sentence or two.
    pub text: String,
    /// Whether a rule was broken at any rate.
    pub is_wrong: bool,
}

/// Searches, and tells what was found; `say` hears of each run as it ends, and its report is put on the shelf.
///
/// # Errors
/// The scenario has no rate or no threshold to hold, or a run could not be made.
pub async fn find(scenario: &Scenario, options: &Options, mut say: impl FnMut(&str) -> Result<()>) -> Result<Found> {
    if scenario.thresholds.is_empty() || scenario.customers.is_empty() && scenario.clients.is_empty() {
        bail!("a capacity is searched for with a scenario that has arrivals and `thresholds`");
    }
    let (mut search, mut tried) = (Search::default(), Vec::new());
    while let Some(times) = search.next() {
        let (scaled, per_second) = (scenario.scaled(times), scenario.per_second() * times);
        let one = match scenario::check(&scaled) {
            Ok(()) => {
                let document = run::run(&scaled, options).await?;
                let outcome = Outcome::of(&document);
                let one = Tried { times, per_second, outcome, why: why(&document, outcome) };
                say(&line(&one))?;
                say(&format!("          its report is in {}", shelf::put(&document, &options.out)?.display()))?;
                one
            }
            // More than a scenario may have is more than this generator can make.
            Err(error) => {
                let one = Tried { times, per_second, outcome: Outcome::Unknown, why: format!("{error:#}") };
                say(&line(&one))?;
                one
            }
        };
        let outcome = one.outcome;
        search.take(times, outcome);
        tried.push(one);
        if outcome == Outcome::Wrong {
            break;
        }
    }
    let is_wrong = tried.iter().any(|one| one.outcome == Outcome::Wrong);
    Ok(Found { text: told(&tried), is_wrong })
}

fn line(tried: &Tried) -> String {
    let Tried { times, per_second, outcome, why } = tried;
    format!(
        "{times:>8.2} times, {per_second:>8.0}/s: {}{}{why}",
        outcome.word(),
        if why.is_empty() { "" } else { ": " }
    )
}

fn told(tried: &[Tried]) -> String {
    let held = tried.iter().filter(|one| one.outcome == Outcome::Held);
    let best = held.max_by(|one, other| one.times.total_cmp(&other.times));
    let beyond = tried.iter().filter(|one| best.is_none_or(|best| one.times > best.times));
    let next = beyond.min_by(|one, other| one.times.total_cmp(&other.times));
    let mut text = match best {
        Some(best) => format!("It carried {:.0} a second.", best.per_second),
        None => "It carried none of the rates that were tried.".to_owned(),
    };
    // Writing to a string cannot fail.
    let _ = match next {
        Some(Tried { outcome: Outcome::Unknown, per_second, .. }) => write!(
            text,
            " At {per_second:.0} a second the generator was the limit: the server may carry more, and nothing is said of it."
        ),
        Some(Tried { outcome: Outcome::Wrong, per_second, why, .. }) => {
            write!(text, " At {per_second:.0} a second it was wrong: {why}")
        }
        Some(Tried { per_second, why, .. }) => write!(text, " At {per_second:.0} a second it did not: {why}"),
        None => write!(text, " More was not tried."),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Phase, Rule, Series, sample};

    /// Searches a server that carries so many times the scenario's rate.
    fn search(carries: f64, generator: f64) -> (Vec<f64>, f64) {
        let (mut search, mut asked) = (Search::default(), Vec::new());
        while let Some(times) = search.next() {
            asked.push(times);
            search.take(
                times,
                match times {
                    times if times > generator => Outcome::Unknown,
                    times if times > carries => Outcome::Missed,
                    _ => Outcome::Held,
                },
            );
        }
        (asked, search.held)
    }

    #[test]
    fn it_doubles_and_then_halves_the_distance() {
        let (asked, held) = search(5.3, 1e9);
        assert_eq!(asked, [1.0, 2.0, 4.0, 8.0, 6.0, 5.0, 5.5, 5.25]);
        assert!((held - 5.25).abs() < 1e-9);
        let (asked, held) = search(0.3, 1e9);
        assert_eq!(asked, [1.0, 0.5, 0.25, 0.375, 0.3125]);
        assert!((held - 0.25).abs() < 1e-9);
        assert!((search(1e9, 3.0).1 - 2.875).abs() < 0.2);
        assert_eq!(search(1e9, 1e9).0.len(), 8);
    }

    /// A document with so much dropped, the 99th percentile of the lag, and the generator's CPU second by second.
    fn document(dropped: u64, lag_p99_us: u64, cpu: &[f64]) -> Document {
        let mut document = sample::small();
        let phase = |name: &str, from_s, to_s| Phase { name: name.into(), from_s, to_s };
        document.scenario.phases = vec![phase("warm-up", 0.0, 1.0), phase("measured", 1.0, 3.0)];
        let points = (0..).map(f64::from).zip(cpu.iter().copied()).collect();
        document.series.push(Series { name: "generator_cpu".into(), points, ..Series::default() });
        (document.generator.planned, document.generator.dropped) = (1_000, dropped);
        document.generator.lag.p99_us = lag_p99_us;
        document.judge(&[], &Bounds::default());
        document
    }

    #[test]
    fn what_a_generator_on_time_drops_is_held_against_the_server() {
        for (dropped, lag, cpu, expected) in [
            (0, 0, [0.0, 20.0, 30.0, 40.0], Outcome::Held),
            (5, 0, [0.0, 20.0, 30.0, 40.0], Outcome::Missed),
            (5, 200_000, [0.0, 20.0, 30.0, 40.0], Outcome::Unknown),
            (0, 200_000, [0.0, 20.0, 30.0, 40.0], Outcome::Unknown),
            // One second above the bound is enough, and outside the measured phase there may be any.
            (5, 0, [0.0, 20.0, 95.0, 10.0], Outcome::Unknown),
            (0, 0, [0.0, 20.0, 95.0, 10.0], Outcome::Unknown),
            (0, 0, [99.0, 99.0, 30.0, 40.0], Outcome::Held),
        ] {
            let document = document(dropped, lag, &cpu);
            assert_eq!(Outcome::of(&document), expected, "{dropped} {lag} {cpu:?}");
            assert_eq!(why(&document, expected).is_empty(), expected == Outcome::Held);
        }
    }

    #[test]
    fn a_broken_rule_is_wrong_at_any_rate_unless_it_is_about_time() {
        for (rules, lag, expected) in [
            (&["lost"][..], 200_000, Outcome::Wrong),
            (&["came_to_rest", "lost"], 0, Outcome::Wrong),
            (&["came_to_rest"], 0, Outcome::Missed),
            (&["came_to_rest"], 200_000, Outcome::Unknown),
        ] {
            let mut document = document(5, lag, &[0.0; 4]);
            for name in rules {
                let mut rule = Rule::new(*name, "");
                rule.broken(|| "one".into());
                document.rules.push(rule);
            }
            document.judge(&[], &Bounds::default());
            assert_eq!(Outcome::of(&document), expected, "{rules:?} {lag}");
        }
    }

    #[test]
    fn the_limit_of_the_generator_is_not_taken_for_the_servers() {
        let tried = |times: f64, outcome| Tried { times, per_second: times * 100.0, outcome, why: "why".into() };
        let text = told(&[tried(1.0, Outcome::Held), tried(2.0, Outcome::Unknown)]);
        assert!(text.starts_with("It carried 100 a second. At 200 a second the generator was the limit"), "{text}");
        let text = told(&[tried(1.0, Outcome::Held), tried(2.0, Outcome::Missed), tried(1.5, Outcome::Held)]);
        assert_eq!(text, "It carried 150 a second. At 200 a second it did not: why");
    }
}
