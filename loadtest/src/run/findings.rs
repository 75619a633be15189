//! What a run found, as a document.

use anyhow::Result;

use super::collect::Call;
use super::oracle::{Evidence, judge};
use super::tape::{Measures, Tape};
use super::watch::Watched;
use crate::document::{self, Bounds, Document, Environment, Names, Phase, Rule, Threshold};
use crate::scenario::Scenario;

/// What the run left to be told.
pub(super) struct Seen<'a> {
    pub(super) tape: &'a Tape,
    pub(super) evidence: &'a Evidence,
    /// The last words of a server that ended though nobody asked it to.
    pub(super) died: Option<String>,
    pub(super) watched: Watched,
    pub(super) disk_bytes: u64,
}

/// Single values that every run tells, where there is anything to tell.
const FIGURES: [&str; 5] = [
    "broadcast.rate_per_s",
    "broadcast.start_ms",
    "broadcast.pause_ms",
    "server_cpu_s_per_1000_messages",
    "disk_bytes_per_message",
];

/// The scenario's thresholds, read before anything is started.
///
/// # Errors
/// One has another form, or names what is not measured.
pub(super) fn thresholds(scenario: &Scenario) -> Result<Vec<Threshold>> {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let names = Names {
        timings: own(&[
            "webhook_accept",
            "webhook_push",
            "agent_command",
            "agent_reply",
            "resume",
            "rest",
            "ready_after_kill",
            "recovery",
        ]),
        counts: own(&["webhooks_taken", "items_taken", "events_heard", "webhooks_refused"]),
        gauges: own(&["server_cpu", "server_rss", "generator_cpu", "provider_cpu"]),
        figures: own(&FIGURES),
    };
    scenario.thresholds.iter().map(|text| Threshold::read(text, &names)).collect()
}

/// All of it, judged.
pub(super) fn document(
    scenario: &Scenario,
    environment: Environment,
    thresholds: &[Threshold],
    seen: Seen<'_>,
) -> Result<Document> {
    let Seen { tape, evidence, died, watched, disk_bytes } = seen;
    let phase = |name: &str, from_s: f64, to_s: f64| Phase { name: name.to_owned(), from_s, to_s };
    let shown = document::Scenario {
        name: scenario.name.clone(),
        about: scenario.about.clone(),
        seed: scenario.seed,
        toml: toml::to_string_pretty(scenario)?,
        phases: vec![
            phase("warm-up", 0.0, scenario.warm_up_s),
            phase("measured", scenario.warm_up_s, scenario.seconds),
            phase("drain", scenario.seconds, evidence.ended.as_secs_f64()),
        ],
    };
    let mut document = Document::new(shown, environment);
    document.environment.store = store_of(&document.environment.settings);
    document.rules = match died {
        None => judge(evidence),
        Some(words) => {
            let mut rule = Rule::new("server_died", "the server ends only when it is asked to");
            rule.broken(|| format!("it said last: {words}"));
            vec![rule]
        }
    };
    document.rules.push(came_to_rest(tape, evidence));
    measures(&mut document, tape.measures.take());
    let server_seconds = watched.server_seconds;
    for gauge in [watched.server_cpu, watched.server_rss, watched.generator_cpu, watched.provider_cpu] {
        document.gauge(gauge);
    }
    broadcasts(&mut document, evidence);
    let taken = evidence.items.iter().filter(|item| item.taken.is_some()).count();
    let messages = taken + evidence.answers.len() + evidence.calls.iter().filter(|call| call.reached()).count();
    if messages > 0 {
        let per_message = 1.0 / messages as f64;
        document.figure("server_cpu_s_per_1000_messages", server_seconds * 1_000.0 * per_message, "s", "cost");
        document.figure("disk_bytes_per_message", disk_bytes as f64 * per_message, "bytes", "cost");
    }
    told(&mut document, evidence);
    document.marks =
        tape.marks.take().into_iter().map(|(at, text)| document::Mark { s: at.as_secs_f64(), text }).collect();
    document.generator.planned = tape.planned.get();
    document.generator.begun = tape.begun_count.get();
    document.generator.dropped = tape.dropped.get();
    document.generator.cpu_percent = document.value("generator_cpu.mean").unwrap_or_default();
    document.notes.extend(tape.complaints.take().into_iter().map(|(what, times)| format!("{times} times: {what}")));
    document.judge(thresholds, &Bounds::default());
    Ok(document)
}

/// Everything that was begun comes to its end: a server that takes nothing is not right because nothing can be held
/// against it.
fn came_to_rest(tape: &Tape, evidence: &Evidence) -> Rule {
    let mut rule = Rule::new("came_to_rest", "all that was begun comes to its end in the time for it");
    for why in tape.standstills.take().into_iter().chain(evidence.rest.clone()) {
        rule.broken(|| why);
    }
    let unpublished = evidence.sent.iter().filter(|sent| sent.published_ms.is_none()).count();
    if unpublished > 0 {
        rule.broken(|| format!("{unpublished} broadcasts were not published"));
    }
    rule.kept();
    rule
}

fn measures(document: &mut Document, measures: Measures) {
    let Measures { accept, push, command, reply, resume, rest, ready, recovery, lag, .. } = measures;
    document.generator.lag = lag.finish().corrected;
    for timing in [accept, push, command, reply, resume, rest, ready, recovery] {
        if timing.count() > 0 {
            document.timing(timing);
        }
    }
    for count in [measures.posts, measures.items, measures.events, measures.refused] {
        document.count(count);
    }
}

/// How fast broadcasts went out, and how soon they began and paused.
fn broadcasts(document: &mut Document, evidence: &Evidence) {
    let broadcast = |call: &Call| Some(call.token.as_deref()?.strip_prefix("b1.")?.split('.').next()?.to_owned());
    let reached = evidence.calls.iter().filter(|call| call.reached());
    let times: Vec<(String, u64)> = reached.filter_map(|call| Some((broadcast(call)?, call.at_ms))).collect();
    let ends = times.iter().map(|(_, at)| *at);
    let (Some(first), Some(last)) = (ends.clone().min(), ends.max()) else { return };
    // While all of them are paused nothing is to be sent.
    let pauses =
        evidence.sent.iter().map(|sent| sent.paused_ms.map_or(0, |(from, to)| to.min(last).saturating_sub(from)));
    let sending_ms = (last - first).saturating_sub(pauses.min().unwrap_or_default());
    let rate = times.len() as f64 * 1_000.0 / (sending_ms.max(1) as f64);
    document.figure("broadcast.rate_per_s", rate, "/s", "broadcasts");
    if let Some(published) = evidence.sent.iter().filter_map(|sent| sent.published_ms).min() {
        document.figure("broadcast.start_ms", first.saturating_sub(published) as f64, "ms", "broadcasts");
    }
    let paused = evidence.sent.iter().filter_map(|sent| Some((sent.id.split_once('_')?.1, sent.paused_ms?)));
    let late = paused.map(|(id, (from, to))| {
        let of_it = times.iter().filter(|(broadcast, at)| broadcast == id && (from..to).contains(at));
        of_it.map(|(_, at)| at - from).max().unwrap_or_default()
    });
    if let Some(longest) = late.max() {
        document.figure("broadcast.pause_ms", longest as f64, "ms", "broadcasts");
    }
}

/// What was done, in counts.
fn told(document: &mut Document, evidence: &Evidence) {
    let refused = evidence.replies.iter().filter(|reply| reply.refused.is_some()).count();
    let accepted = evidence.replies.iter().filter(|reply| reply.accepted).count();
    let resumed: u64 = evidence.heard.iter().map(|heard| heard.resumed).sum();
    let gaps: u64 = evidence.heard.iter().map(|heard| heard.gaps_announced).sum();
    let reached = evidence.calls.iter().filter(|call| call.reached()).count();
    for (name, value) in [
        ("messages written", evidence.items.len() as f64),
        ("conversations read at the end", evidence.threads.len() as f64),
        ("answers of agents", evidence.replies.len() as f64),
        ("answers refused", refused as f64),
        ("answers that the provider took", accepted as f64),
        ("calls of the provider", evidence.calls.len() as f64),
        ("calls that reached somebody", reached as f64),
        ("sockets that came back", resumed as f64),
        ("gaps announced", gaps as f64),
    ] {
        document.figure(name, value, "", "what was done");
    }
}

fn store_of(settings: &[String]) -> String {
    let engine = settings.iter().rev().find_map(|setting| setting.strip_prefix("store.engine="));
    engine.unwrap_or("embedded").to_owned()
}
