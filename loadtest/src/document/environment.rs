//! Where and with what a run was made.

use std::fs;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::deliveries::epoch_seconds;
use crate::machine::{self, Ticks};

/// Where and with what a run was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// When it began: RFC 3339 in UTC, to the second.
    pub started_at: String,
    /// The CPU's model, as the kernel tells it.
    pub cpu: String,
    /// Cores that the harness may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The machine's memory in bytes.
    pub memory_bytes: u64,
    /// What the server says of its build.
    pub server_build: String,
    /// The harness's version and profile: `0.1.0, release`.
    pub harness: String,
    /// The server's store engine.
    pub store: String,
    /// Settings that the server was started with, as `key=value`.
    pub settings: Vec<String>,
    /// The command that made the run.
    pub command: String,
    /// The machine's load average before the run.
    pub load_before: f64,
    /// CPU time that the host gave to others meanwhile, in percent of all.
    pub stolen_percent: f64,
    /// Whether the server and the generator share this machine.
    pub same_host: bool,
    #[serde(skip)]
    ticks: Ticks,
}

impl Environment {
    /// This machine and this program, for a run that begins now; what concerns the server is left empty.
    #[must_use]
    pub fn begin() -> Self {
        let profile = if cfg!(debug_assertions) { "debug: figures mean nothing" } else { "release" };
        Self {
            started_at: rfc_3339(epoch_seconds()),
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: machine::cores(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_bytes: field(&read("/proc/meminfo"), "MemTotal").as_deref().map_or(0, kib_of) * 1_024,
            harness: format!("{}, {profile}", env!("CARGO_PKG_VERSION")),
            command: std::env::args().collect::<Vec<_>>().join(" "),
            load_before: machine::load_average(),
            same_host: true,
            ticks: Ticks::now(),
            ..Self::default()
        }
    }

    /// Ends the run: tells what the host took of it.
    pub fn end(&mut self) {
        let stolen = Ticks::now().stolen_percent_since(self.ticks);
        self.stolen_percent = (stolen * 100.0).round() / 100.0;
    }
}

/// Files of the kernel; one that is not there has nothing to say.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first value of a name in lines of `name: value`.
fn field(text: &str, name: &str) -> Option<String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.into_iter().find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

fn kib_of(text: &str) -> u64 {
    text.trim_end_matches("kB").trim().parse().unwrap_or_default()
}

/// A time in epoch seconds as RFC 3339 in UTC.
pub(crate) fn rfc_3339(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        let cpu = "processor\t: 0\nmodel name\t: A CPU: fast\nprocessor\t: 1\nmodel name\t: B\n";
        assert_eq!(field(cpu, "model name").as_deref(), Some("A CPU: fast"));
        assert_eq!(field("MemTotal:  16314 kB\n", "MemTotal").as_deref().map(kib_of), Some(16_314));
        assert_eq!(field("", "x"), None);
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(rfc_3339(1_767_225_600), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_run_begins_with_what_is_known() {
        let environment = Environment::begin();
        assert!(environment.cores > 0 && environment.same_host && environment.started_at.ends_with('Z'));
    }
}
