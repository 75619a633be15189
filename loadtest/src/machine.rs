//! What the kernel says about a process and about the machine.

use std::fs;

use anyhow::{Context, Result};

/// Bytes of a page; x86-64 and the usual arm64 kernels.
const PAGE_BYTES: u64 = 4_096;
/// Ticks of a CPU second in `/proc`, the same on every architecture that Linux serves here.
const TICKS_PER_SECOND: f64 = 100.0;

/// Bytes that a process holds in memory.
///
/// # Errors
/// The process is gone.
pub fn rss_bytes(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).context("the process is gone")?;
    let pages: u64 = text.split(' ').nth(1).context("statm has no second field")?.parse()?;
    Ok(pages * PAGE_BYTES)
}

/// CPU seconds that a process has used, in user and kernel mode, all threads together.
///
/// # Errors
/// The process is gone.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    cpu_of(&text).context("the kernel's line has another form")
}

/// The name stands in brackets and may hold anything: fields are counted after the last bracket.
fn cpu_of(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some((user + kernel) as f64 / TICKS_PER_SECOND)
}

/// The machine's CPU ticks: all of them, and those the host gave to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticks {
    all: u64,
    stolen: u64,
}

impl Ticks {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        fs::read_to_string("/proc/stat").ok().as_deref().and_then(Self::of).unwrap_or_default()
    }

    fn of(stat: &str) -> Option<Self> {
        let fields: Vec<u64> = stat.lines().next()?.split_whitespace().skip(1).flat_map(str::parse).collect();
        // Guest time is counted under user time already.
        Some(Self { all: fields.iter().take(8).sum(), stolen: *fields.get(7)? })
    }

    /// The share that was stolen since `before`, in percent.
    #[must_use]
    pub fn stolen_percent_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        self.stolen.saturating_sub(before.stolen) as f64 * 100.0 / all as f64
    }
}

/// Processes that wanted to run in the last minute, on average.
#[must_use]
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

/// Cores that this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_read_past_any_name() {
        let line = "77 (a) b) S 1 77 77 0 -1 4194304 100 0 0 0 250 50 3 4 20 0 5 0 100 1000 25";
        assert_eq!(cpu_of(line), Some(3.0));
        assert_eq!(cpu_of("nonsense"), None);
    }

    #[test]
    fn this_process_has_memory_and_time() {
        let pid = std::process::id();
        assert!(rss_bytes(pid).unwrap() > 100_000);
        assert!(cpu_seconds(pid).unwrap() >= 0.0);
        assert!(rss_bytes(u32::MAX).is_err());
    }

    #[test]
    fn stolen_time_is_a_share_of_all() {
        let before = Ticks::of("cpu 10 0 10 80 0 0 0 0 0 0\n").unwrap();
        let after = Ticks::of("cpu 60 0 20 90 0 0 0 30 5 5\n").unwrap();
        assert!((after.stolen_percent_since(before) - 30.0).abs() < 1e-9);
        assert!(before.stolen_percent_since(before).abs() < 1e-9);
    }
}
