//! What the processes use of the machine while a run goes on, looked at each second.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::tape::Tape;
use crate::machine::{cpu_seconds, rss_bytes};
use crate::measure::Gauge;
use crate::server::Running;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// Of a shorter time no share is told: the kernel counts in hundredths of a second.
const SHORTEST: Duration = Duration::from_millis(100);

/// What was seen.
pub(super) struct Watched {
    pub(super) server_cpu: Gauge,
    pub(super) server_rss: Gauge,
    pub(super) generator_cpu: Gauge,
    pub(super) provider_cpu: Gauge,
    /// CPU seconds of the server in the whole run, all its processes together.
    pub(super) server_seconds: f64,
}

impl Watched {
    /// Nothing yet; means are those of the time that is measured.
    pub(super) fn new(measured: &Range<Duration>) -> Self {
        let gauge = |name: &str, unit: &str, group: &str| Gauge::new(name, unit, group).measured(measured.clone());
        let percent = |name: &str| gauge(name, "% of a core", "CPU");
        Self {
            server_cpu: percent("server_cpu"),
            server_rss: gauge("server_rss", "MiB", "memory"),
            generator_cpu: percent("generator_cpu"),
            provider_cpu: percent("provider_cpu"),
            server_seconds: 0.0,
        }
    }
}

/// Looks until it is aborted. The server's process is whichever is the newest: one that is starting is looked at, too.
pub(super) async fn watch(tape: Rc<Tape>, watched: Rc<RefCell<Watched>>, server: Rc<Cell<Running>>, provider: u32) {
    let mut before: Option<Look> = None;
    loop {
        let now = Look::at(server.get(), provider);
        watched.borrow_mut().take(&tape, before.as_ref(), &now);
        before = Some(now);
        sleep(EVERY).await;
    }
}

/// CPU seconds that the processes had used at a moment.
struct Look {
    at: Instant,
    generator: f64,
    provider: f64,
    /// The server's process; none while there is none.
    server: Option<Seen>,
}

/// What the server's process had used.
struct Seen {
    running: Running,
    seconds: f64,
    rss_bytes: u64,
}

impl Look {
    fn at(server: Running, provider: u32) -> Self {
        Self {
            at: Instant::now(),
            generator: cpu_seconds(std::process::id()).unwrap_or_default(),
            provider: cpu_seconds(provider).unwrap_or_default(),
            server: Seen::of(server),
        }
    }
}

impl Seen {
    fn of(running: Running) -> Option<Self> {
        let (seconds, rss_bytes) = (cpu_seconds(running.pid).ok()?, rss_bytes(running.pid).ok()?);
        Some(Self { running, seconds, rss_bytes })
    }
}

impl Watched {
    fn take(&mut self, tape: &Tape, before: Option<&Look>, now: &Look) {
        let at = tape.now();
        if let Some(server) = &now.server {
            self.server_rss.sample(at, server.rss_bytes as f64 / 1_048_576.0);
        }
        let Some(before) = before else { return };
        let between = now.at - before.at;
        sample(&mut self.generator_cpu, at, now.generator - before.generator, between);
        sample(&mut self.provider_cpu, at, now.provider - before.provider, between);
        if let Some(server) = &now.server {
            // A new process has used all that it used since it was started. What one that ended had used since it was last
            // looked at is lost, a second's at most: nobody can ask for it any more.
            let (used, over) = match &before.server {
                Some(known) if known.running.pid == server.running.pid => (server.seconds - known.seconds, between),
                _ => (server.seconds, now.at.saturating_duration_since(server.running.since)),
            };
            sample(&mut self.server_cpu, at, used, over);
            self.server_seconds += used;
        }
    }
}

/// Takes CPU seconds that were used over this time.
fn sample(gauge: &mut Gauge, at: Duration, used: f64, over: Duration) {
    if over >= SHORTEST {
        gauge.sample(at, used * 100.0 / over.as_secs_f64());
    }
}

/// Bytes of all files under a folder; those that go away meanwhile count nothing.
pub(super) fn bytes_of(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => bytes_of(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_process_is_measured_over_its_own_age() {
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let look = |ms: u64, server: Option<(u32, u64, f64)>| Look {
            at: at(ms),
            generator: 0.2 * ms as f64 / 1_000.0,
            provider: 0.0,
            server: server.map(|(pid, since, seconds)| Seen {
                running: Running { pid, since: at(since) },
                seconds,
                rss_bytes: 3 << 20,
            }),
        };
        let looks = [
            look(10_000, Some((1, 0, 5.0))),
            look(11_000, Some((1, 0, 5.5))),
            look(12_000, None),
            // It is half a second old, and one that is younger than a tenth tells nothing.
            look(13_000, Some((2, 12_500, 0.4))),
            look(14_000, Some((3, 13_950, 0.04))),
            look(15_000, Some((3, 13_950, 0.14))),
        ];
        let tape = Tape::begin(0, Duration::ZERO, Vec::new(), 0);
        let mut watched = Watched::new(&(Duration::ZERO..Duration::MAX));
        watched.take(&tape, None, &looks[0]);
        for two in looks.windows(2) {
            watched.take(&tape, Some(&two[0]), &two[1]);
        }
        assert!((watched.server_seconds - 1.04).abs() < 1e-9, "{}", watched.server_seconds);
        let figures = |gauge: Gauge| gauge.finish().figures.iter().map(|figure| figure.value).collect::<Vec<_>>();
        // 50, 80 and 10 percent.
        assert_eq!(figures(watched.server_cpu), [46.667, 80.0, 10.0]);
        assert_eq!(figures(watched.generator_cpu), [20.0, 20.0, 20.0]);
        assert_eq!(figures(watched.server_rss), [3.0, 3.0, 3.0]);
    }
}
