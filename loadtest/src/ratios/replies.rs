//! Agents' replies while ten numbers send broadcasts at their full rate, held against the same agents without one. The
//! provider takes 50 ms for each send in both.

use anyhow::{Context, Result};

use crate::document::{Document, Verdict};
use crate::options::Options;
use crate::report::{Better, Mark, Report};
use crate::run;
use crate::scenario::{self, Scenario};
use crate::statistics::median;

/// Numbers that send, and what each of them may in a second.
const NUMBERS: u64 = 10;
const RATE: u64 = 1_000;
/// When the broadcasts begin, and how long nothing is measured: long enough for both.
const BEGIN_S: u64 = 1;
const WARM_UP_S: u64 = 8;

pub(super) async fn run(options: &Options) -> Result<Report> {
    // Odd, so that one round in which the disk was slow is not half of what is told.
    let rounds = options.rounds.unwrap_or(3);
    let seconds = WARM_UP_S + options.seconds.unwrap_or(20);
    let mut report = Report::begin("replies");
    report.did(format!(
        "{rounds} rounds in turn: {seconds} s (the first {WARM_UP_S} are not measured) of agents who answer customers; \
         then the same while {NUMBERS} numbers send broadcasts at {RATE}/s each; the provider answers after 50 ms and \
         reports nothing"
    ));
    let (mut quiet, mut busy, mut broken) = (Side::default(), Side::default(), 0);
    for _ in 0..rounds {
        for (side, sending) in [(&mut quiet, false), (&mut busy, true)] {
            let document = run::run(&played(seconds, sending)?, options).await?;
            broken += document.rules.iter().map(|rule| rule.violations).sum::<u64>();
            side.add(&document).with_context(|| format!("with broadcasts: {sending}"))?;
        }
    }
    for (name, side) in [("without", &quiet), ("with", &busy)] {
        report.figure(format!("{name} broadcasts: reply p50"), median(&side.p50_ms), "ms");
        report.figure(format!("{name} broadcasts: reply p99"), median(&side.p99_ms), "ms");
        report.figure(format!("{name} broadcasts: generator's lag p99"), median(&side.lag_ms), "ms");
        report.figure(format!("{name} broadcasts: CPU of the server"), median(&side.cpu_percent), "% of a core");
    }
    report.figure("broadcasts: rate", median(&busy.rate), "sends/s");
    report.mark(Mark {
        name: "agent reply p99 under ten numbers' broadcasts, over without".to_owned(),
        value: median(&busy.p99_ms) / median(&quiet.p99_ms).max(f64::MIN_POSITIVE),
        unit: "times",
        better: Better::Lower,
        accept: 2.0,
        aim: Some(1.2),
    });
    report.check("rules broken", 0, broken);
    report.check("runs whose load was the one that was asked for", 2 * rounds as u64, quiet.valid + busy.valid);
    Ok(report)
}

/// What the agents and their customers do, and with `sending` the broadcasts beside them.
fn played(seconds: u64, sending: bool) -> Result<Scenario> {
    // Enough for each number until the end of the time.
    let recipients = NUMBERS * RATE * (seconds - BEGIN_S);
    let broadcasts = if sending {
        format!("[[broadcasts]]\nat_s = {BEGIN_S}\nnumbers = {NUMBERS}\nrecipients = {recipients}")
    } else {
        String::new()
    };
    // So many people that hardly anybody is answered twice within the pause that a pair must keep.
    let text = format!(
        r#"
        name = "replies"
        about = "Agents answer customers."
        seconds = {seconds}
        warm_up_s = {WARM_UP_S}
        drain_s = 60
        [workspace]
        numbers = {NUMBERS}
        rate_per_second = {RATE}
        [provider]
        rate_per_second = {RATE}
        latency = {{ median_ms = 50, p99_ms = 50 }}
        receipts = {{ loss_percent = 100 }}
        [[customers]]
        people = 200_000
        arrivals = {{ shape = "constant", per_second = 100 }}
        [[agents]]
        sockets = 10
        answers_percent = 100
        think_ms = [200, 1_000]
        {broadcasts}
        "#
    );
    scenario::read(&text, false)
}

#[derive(Default)]
struct Side {
    p50_ms: Vec<f64>,
    p99_ms: Vec<f64>,
    lag_ms: Vec<f64>,
    cpu_percent: Vec<f64>,
    rate: Vec<f64>,
    /// Runs that say something.
    valid: u64,
}

impl Side {
    fn add(&mut self, document: &Document) -> Result<()> {
        let value = |of: &str| document.value(of).with_context(|| format!("no `{of}` was measured"));
        self.p50_ms.push(value("agent_reply.p50_ms")?);
        self.p99_ms.push(value("agent_reply.p99_ms")?);
        self.cpu_percent.push(value("server_cpu.mean")?);
        self.rate.extend(document.value("broadcast.rate_per_s"));
        self.lag_ms.push(document.generator.lag.p99_us as f64 / 1_000.0);
        self.valid += u64::from(document.verdict != Verdict::Invalid);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_differ_in_the_broadcasts_alone() {
        let (quiet, mut busy) = (played(28, false).unwrap(), played(28, true).unwrap());
        assert_eq!(busy.broadcasts.len(), 1);
        assert_eq!(busy.broadcasts[0].recipients, 270_000);
        busy.broadcasts.clear();
        assert_eq!(toml::to_string(&quiet).unwrap(), toml::to_string(&busy).unwrap());
    }
}
