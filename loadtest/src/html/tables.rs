//! The tables of the page.

use std::fmt::Write as _;

use super::escape::{escaped, name, sentence};
use crate::document::{Better, Document, Latencies, Rule, Thresholded, shown};

/// Examples of a broken rule that are not folded away.
const EXAMPLES_SHOWN: usize = 5;

/// What must hold for every event, with what broke it.
pub(super) fn rules(document: &Document) -> String {
    if document.rules.is_empty() {
        return String::new();
    }
    // What is broken comes first, and each in its order.
    let (broken, held): (Vec<&Rule>, Vec<&Rule>) = document.rules.iter().partition(|rule| rule.violations > 0);
    let rows = broken.into_iter().chain(held).map(rule);
    format!("<ul class=\"rules\">\n{}</ul>\n", rows.collect::<String>())
}

fn rule(rule: &Rule) -> String {
    let (class, sign) = match (rule.violations, rule.looked_at) {
        (0, 0) => ("unseen", "–"),
        (0, _) => ("ok", "✓"),
        _ => ("bad", "✗"),
    };
    let looked_at = shown::number(rule.looked_at as f64);
    let count = match rule.violations {
        0 if rule.looked_at == 0 => "looked at nothing".to_owned(),
        0 => format!("{looked_at} looked at"),
        broken => format!("{} of {looked_at} broke it", shown::number(broken as f64)),
    };
    let mut row = format!(
        "<li class=\"{class}\"><span class=\"sign\">{sign}</span><div><strong>{}</strong><span class=\"count\">{count}</span><p>{}</p>",
        name(&rule.rule),
        escaped(&rule.about)
    );
    // Writing to a string cannot fail.
    let (shown, folded) = rule.examples.split_at(rule.examples.len().min(EXAMPLES_SHOWN));
    if !shown.is_empty() {
        let _ = write!(row, "<ol>\n{}</ol>", items(shown));
    }
    if !folded.is_empty() {
        let (many, start, items) = (folded.len(), shown.len() + 1, items(folded));
        let _ = write!(row, "<details><summary>{many} more</summary><ol start=\"{start}\">\n{items}</ol></details>");
    }
    row + "</div></li>\n"
}

fn items(examples: &[String]) -> String {
    examples.iter().map(|example| format!("<li>{}</li>\n", escaped(example))).collect()
}

/// What the figures had to reach.
pub(super) fn thresholds(document: &Document) -> String {
    let row = |threshold: &Thresholded| {
        let (class, sign) = if threshold.passed { ("ok", "✓") } else { ("bad", "✗") };
        let value = threshold.measured();
        let at = if threshold.better == Better::Lower { "≤" } else { "≥" };
        format!(
            "<tr class=\"{class}\"><th scope=\"row\"><span class=\"sign\">{sign}</span>{}</th><td>{value}</td><td>{at} {}</td></tr>\n",
            name(&threshold.of),
            threshold.bound
        )
    };
    let rows: Vec<_> = document.thresholds.iter().map(row).collect();
    table("thresholds", &["", "measured", "bound"], &rows)
}

/// Corrected and uncorrected latencies.
pub(super) fn timings(document: &Document) -> String {
    let mut rows = Vec::new();
    for timing in &document.timings {
        if timing.count == 0 {
            let name = name(&timing.name);
            rows.push(format!(
                "<tr><th scope=\"row\">{name}</th><td>0</td><td colspan=\"8\" class=\"none\">no sample</td></tr>\n"
            ));
            continue;
        }
        rows.push(format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td>{}</tr>\n",
            name(&timing.name),
            shown::number(timing.count as f64),
            cells(&timing.corrected)
        ));
        let uncorrected = cells(&timing.uncorrected);
        rows.push(format!("<tr class=\"second\"><th scope=\"row\">uncorrected</th><td></td>{uncorrected}</tr>\n"));
    }
    table("timings", &["corrected", "count", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "max", "mean", "min"], &rows)
}

fn cells(latencies: &Latencies) -> String {
    let told = latencies.percentiles().into_iter().map(|(_, us)| us as f64);
    let told = told.chain([latencies.max_us as f64, latencies.mean_us, latencies.min_us as f64]);
    let told = told.map(|us| format!("<td>{}</td>", shown::micros(us)));
    told.collect()
}

fn table(class: &str, heads: &[&str], rows: &[String]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    format!(
        "<div class=\"wide\"><table class=\"{class}\">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{}</tbody></table></div>\n",
        rows.concat()
    )
}

/// Single values by group.
pub(super) fn figures(document: &Document) -> String {
    let mut cards = String::new();
    for group in document.groups() {
        let of_group = document.figures.iter().filter(|figure| figure.group == group);
        let rows = of_group
            .map(|figure| (figure.name.clone(), shown::value(figure.value, &figure.unit).replace(' ', "\u{a0}")));
        let title = if group.is_empty() { String::new() } else { format!("<h3>{}</h3>", escaped(group)) };
        // Writing to a string cannot fail.
        let _ = writeln!(cards, "<div class=\"card\">{title}{}</div>", pairs(rows));
    }
    if cards.is_empty() { cards } else { format!("<div class=\"cards\">\n{cards}</div>\n") }
}

/// Whether the load was the one that was asked for.
pub(super) fn generator(document: &Document) -> String {
    let generator = &document.generator;
    let lag = |us: u64| shown::micros(us as f64);
    let count = |count: u64| shown::number(count as f64);
    let facts = [
        ("planned", count(generator.planned)),
        ("begun", count(generator.begun)),
        ("dropped", count(generator.dropped)),
        ("lag, 50 %", lag(generator.lag.p50_us)),
        ("lag, 99 %", lag(generator.lag.p99_us)),
        ("lag, longest", lag(generator.lag.max_us)),
        ("CPU of one core", shown::value(generator.cpu_percent, "%")),
    ];
    let tiles = facts.map(|(what, value)| format!("<div><dt>{what}</dt><dd>{value}</dd></div>\n"));
    let hint = "Lag is how much later than planned work was begun.";
    format!("<p class=\"hint\">{hint}</p>\n<dl class=\"tiles\">\n{}</dl>\n", tiles.concat())
        + &sentences(&generator.invalid_because)
}

/// Where and with what the run was made.
pub(super) fn environment(document: &Document) -> String {
    let environment = &document.environment;
    let machine = [
        ("CPU", environment.cpu.clone()),
        ("cores", environment.cores.to_string()),
        ("memory", shown::value(environment.memory_bytes as f64, "bytes")),
        ("kernel", environment.kernel.clone()),
        ("load before", format!("{:.2}", environment.load_before)),
        ("stolen by the host", format!("{:.2} %", environment.stolen_percent)),
        ("server and generator", if environment.same_host { "on this machine" } else { "on two machines" }.to_owned()),
    ];
    let programs = [
        ("server", environment.server_build.clone()),
        ("store", environment.store.clone()),
        ("harness", environment.harness.clone()),
        ("scenario", document.scenario.name.clone()),
        ("seed", document.scenario.seed.to_string()),
        ("started", environment.started_at.clone()),
    ];
    let owned = |(what, value): (&str, String)| (what.to_owned(), value);
    let settings = match environment.settings.as_slice() {
        [] => "none but the defaults".to_owned(),
        settings => escaped(&settings.join("\n")),
    };
    format!(
        "<div class=\"cards\">\n<div class=\"card\"><h3>Machine</h3>{}</div>\n<div class=\"card\"><h3>Run</h3>{}</div>\n\
         <div class=\"card\"><h3>Settings of the server</h3><pre>{settings}</pre><h3>Command</h3><pre>{}</pre></div>\n</div>\n",
        pairs(machine.into_iter().map(owned)),
        pairs(programs.into_iter().map(owned)),
        escaped(&environment.command)
    )
}

fn pairs(rows: impl Iterator<Item = (String, String)>) -> String {
    let rows = rows.map(|(what, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>\n", name(&what), escaped(&value)));
    format!("<dl class=\"pairs\">\n{}</dl>", rows.collect::<String>())
}

/// Sentences, each on its line.
pub(super) fn sentences(sentences: &[String]) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let list = sentences.iter().map(|text| format!("<li>{}</li>\n", sentence(text)));
    format!("<ul class=\"sentences\">\n{}</ul>\n", list.collect::<String>())
}
