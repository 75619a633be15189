//! A document with something of everything, for tests.

use std::time::Duration;

use super::{Bounds, Document, Environment, Mark, Names, Phase, Rule, Scenario, Threshold};
use crate::measure::{Count, Gauge, Latency, Timing};

/// The run lasts so many seconds; the server is killed in second [`KILLED`] and serves again in [`BACK`].
const SECONDS: u64 = 120;
const KILLED: u64 = 45;
const BACK: u64 = 52;

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    /// Evenly from 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Latencies with a long tail around `middle` microseconds.
    fn latency(&mut self, middle: f64) -> f64 {
        let spread = (self.next() + self.next() + self.next() - 1.5) * 0.8;
        let tail = if self.next() > 0.992 { 8.0 + 20.0 * self.next() } else { 1.0 };
        middle * spread.exp() * tail
    }
}

/// Judged and failed: a broken rule, a missed threshold, two minutes with a kill in them, long names.
pub(crate) fn rich() -> Document {
    let mut numbers = Numbers(7);
    let mut document = Document::new(scenario(), environment());
    for (name, about, middle, per_second) in [
        ("webhook_accept", "From the planned start of a webhook to the last byte of its answer.", 2_400.0, 400),
        ("socket_event", "From the accepted webhook to the event on every agent's socket.", 5_200.0, 250),
        ("broadcast_first_send_after_a_pause_of_the_number", "From resuming to the first send.", 90_000.0, 1),
    ] {
        document.timing(timing(&mut numbers, name, about, middle, per_second));
    }
    document.timing(Timing::new("reply_send", "From an agent's reply to its send; none was made."));
    for (name, unit, base) in [("webhooks_accepted", "webhooks", 400.0), ("broadcast", "messages", 790.0)] {
        let mut count = Count::new(name, unit).group("throughput");
        for s in (0..SECONDS).filter(|s| !(KILLED..BACK).contains(s)) {
            count.add(Duration::from_millis(s * 1_000 + 500), (base * (0.95 + 0.1 * numbers.next())) as u64);
        }
        document.count(count);
    }
    let mut cpu = [Gauge::new("server_cpu", "%", "cpu"), Gauge::new("generator_cpu", "%", "cpu")];
    let mut rss = Gauge::new("server_rss", "bytes", "memory");
    for s in 0..SECONDS {
        let at = Duration::from_secs(s);
        let up = !(KILLED..BACK - 2).contains(&s);
        let busy = if up { 95.0 + 30.0 * numbers.next() } else { 0.0 };
        cpu[0].sample(at, busy);
        cpu[1].sample(at, 40.0 + 8.0 * numbers.next());
        let since = if s < KILLED { s } else { s.saturating_sub(BACK) };
        if up {
            rss.sample(at, (90.0 + 0.8 * since as f64 + 3.0 * numbers.next()).round() * 1_048_576.0);
        }
    }
    cpu.into_iter().for_each(|gauge| document.gauge(gauge));
    document.gauge(rss);
    document.figure("webhook_bytes_mean", 652.4, "bytes", "sizes");
    document.figure("recovery_s", 6.82, "s", "recovery");
    document.figure("replayed_from_the_journal_after_the_kill", 1_882.0, "messages", "recovery");
    document.rules = rules();
    document.marks = vec![
        Mark { s: 45.0, text: "server killed (SIGKILL)".into() },
        Mark { s: 47.5, text: "server started again".into() },
        Mark { s: 100.0, text: "all agents' sockets closed & reopened".into() },
    ];
    generator(&mut document, &mut numbers);
    document.notes = vec!["The sandbox's clock ran <2 s> ahead.".into(), "Receipts were not checked.".into()];
    let names = Names {
        timings: vec!["webhook_accept".into(), "socket_event".into(), "reply_send".into()],
        counts: vec!["broadcast".into()],
        figures: vec!["recovery_s".into()],
        ..Names::default()
    };
    let thresholds = [
        "webhook_accept.p50_ms <= 20",
        "webhook_accept.p99_9_ms <= 50",
        "socket_event.p99_ms.uncorrected <= 150",
        "broadcast.peak_per_s >= 800",
        "recovery_s <= 10",
        "reply_send.p99_ms <= 250",
    ];
    let thresholds: Vec<_> = thresholds.iter().map(|text| Threshold::read(text, &names).unwrap()).collect();
    document.judge(&thresholds, &Bounds::default());
    document
}

/// Judged and passed: one timing of three samples, nothing else.
pub(crate) fn small() -> Document {
    let mut document = Document::new(Scenario { name: "small".into(), ..Scenario::default() }, environment());
    let mut timing = Timing::new("webhook_accept", "From start to answer.");
    for ms in [1, 2, 3] {
        let took = Duration::from_millis(ms);
        timing.record(took, took, took);
    }
    document.timing(timing);
    document.judge(&[], &Bounds::default());
    document
}

fn timing(numbers: &mut Numbers, name: &str, about: &str, middle: f64, per_second: u64) -> Timing {
    let mut timing = Timing::new(name, about);
    for s in 0..SECONDS {
        for n in 0..per_second {
            let planned = (s as f64 + n as f64 / per_second as f64) * 1e6;
            let took = numbers.latency(middle);
            // What was planned while the server was away is begun late, and all at once.
            let late = if (KILLED..BACK).contains(&s) { BACK as f64 * 1e6 - planned } else { 0.0 };
            let ended = Duration::from_micros((planned + late + took) as u64);
            timing.record(ended, Duration::from_micros((late + took) as u64), Duration::from_micros(took as u64));
        }
    }
    timing
}

fn generator(document: &mut Document, numbers: &mut Numbers) {
    let mut lag = Latency::new();
    for _ in 0..48_000 {
        lag.record(Duration::from_micros(numbers.latency(180.0) as u64));
    }
    document.generator.lag = lag.summary();
    (document.generator.planned, document.generator.begun) = (78_120, 78_120);
    document.generator.cpu_percent = 43.7;
}

fn rules() -> Vec<Rule> {
    let mut once = Rule::new(
        "every_accepted_message_is_stored_exactly_once",
        "Every message whose webhook was answered 200 is in the history of its conversation exactly once.",
    );
    for n in 0..48_000_u64 {
        if n % 2_087 == 1 {
            once.broken(|| {
                format!("message <script>alert({n})</script> & \"wamid.{n:032x}\" is twice in conversation 01JD{n:08}")
            });
        } else {
            once.kept();
        }
    }
    let mut order = Rule::new("events_in_order", "A socket's events of one conversation come in their order.");
    (0..120_250).for_each(|_| order.kept());
    let mut paused = Rule::new("paused_numbers_do_not_send", "No send leaves within 2 s of a pause.");
    (0..14).for_each(|_| paused.kept());
    vec![once, order, paused, Rule::new("opt_outs", "Nobody who opted out is sent a broadcast.")]
}

fn scenario() -> Scenario {
    let phase = |name: &str, from_s, to_s| Phase { name: name.into(), from_s, to_s };
    Scenario {
        name: "storm".into(),
        about: "Webhooks and one broadcast at a steady rate while the server is killed and started again.".into(),
        seed: 20_260_730,
        toml: "name = \"storm\"\nseed = 20260730\n\n[[phase]]\nname = \"warm-up\" # <not counted>\nseconds = 10\n"
            .into(),
        phases: vec![
            phase("warm-up", 0.0, 10.0),
            phase("steady", 10.0, 45.0),
            phase("kill and recovery with a rather long name", 45.0, 60.0),
            phase("steady again", 60.0, 110.0),
            phase("drain", 110.0, 120.0),
        ],
    }
}

fn environment() -> Environment {
    let mut environment = Environment::begin();
    environment.started_at = "2026-11-30T21:08:00Z".into();
    environment.cpu = "AMD EPYC 7B13 64-Core Processor".into();
    environment.kernel = "6.8.0-1017".into();
    (environment.cores, environment.memory_bytes) = (2, 8_335_130_624);
    environment.server_build = "tidegate 0.1.0 (release, 6cc32d5)".into();
    environment.harness = "0.1.0, release".into();
    environment.store = "fjall".into();
    environment.settings = vec!["server.workers=2".into(), "store.fjall.cache_bytes=67108864".into()];
    environment.command = "loadtest scenario storm.toml --set server.workers=2 --out report.json".into();
    (environment.load_before, environment.stolen_percent) = (0.5, 1.25);
    environment
}
