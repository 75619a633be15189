//! How far a shard's store is behind, and who waits for it: broadcasts first, then commands, webhooks last.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Appends that are looked back upon, and for how long.
const APPENDS: usize = 128;
const APPENDS_FOR: Duration = Duration::from_secs(10);

/// Who waits until the store has caught up; each includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strain {
    /// Nobody: the store keeps up.
    #[default]
    Calm,
    /// Broadcasts claim nobody.
    Broadcasts,
    /// Commands of agents and API clients are refused, with the time to come back.
    Commands,
    /// Everything: what providers push is kept as facts, for later.
    All,
}

impl Strain {
    const fn from_u8(level: u8) -> Self {
        match level {
            0 => Self::Calm,
            1 => Self::Broadcasts,
            2 => Self::Commands,
            _ => Self::All,
        }
    }
}

/// What a shard's strain is judged by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    /// Records that are formed and wait for the one under way.
    pub(super) records_waiting: usize,
    /// State rows that wait, as a multiple of the size at which they are written.
    pub(super) rows_waiting: usize,
    /// How long the oldest record has been in no row, beyond the pause between two settlings.
    pub(super) lag: Duration,
    /// The 99th percentile of the latest appends.
    pub(super) append_p99: Duration,
}

/// The first figures at which somebody waits. Broadcasts pause at 10 s of lag (`storage.md` §2), and after a day nothing is
/// decided any more (see `lag`). Rows of 8 MiB a settling on 16 shards may hold 2 GiB of memory before nothing more is
/// taken.
const LEVELS: [(Strain, Figures); 3] = [
    (Strain::All, level(128, 16, 86_400, 30_000)),
    (Strain::Commands, level(32, 8, 60, 5_000)),
    (Strain::Broadcasts, level(8, 4, 10, 1_000)),
];

const fn level(records_waiting: usize, rows_waiting: usize, lag_s: u64, append_ms: u64) -> Figures {
    let (lag, append_p99) = (Duration::from_secs(lag_s), Duration::from_millis(append_ms));
    Figures { records_waiting, rows_waiting, lag, append_p99 }
}

impl Figures {
    /// Who waits at these figures: the worst of them decides.
    pub(super) fn judge(&self) -> Strain {
        let reached = |level: &Figures| {
            self.records_waiting >= level.records_waiting
                || self.rows_waiting >= level.rows_waiting
                || self.lag >= level.lag
                || self.append_p99 >= level.append_p99
        };
        LEVELS.iter().find(|(_, level)| reached(level)).map_or(Strain::Calm, |(strain, _)| *strain)
    }
}

/// How long the latest appends took.
#[derive(Default)]
pub(super) struct Appends(VecDeque<(Instant, Duration)>);

impl Appends {
    /// One ended now.
    pub(super) fn ended(&mut self, now: Instant, took: Duration) {
        if self.0.len() == APPENDS {
            self.0.pop_front();
        }
        self.0.push_back((now, took));
    }

    /// The 99th percentile of those of the last 10 s; a single slow one is no sign.
    pub(super) fn p99(&self, now: Instant) -> Duration {
        let latest = self.0.iter().filter(|(at, _)| now.saturating_duration_since(*at) < APPENDS_FOR);
        let (mut slowest, mut second) = (Duration::ZERO, Duration::ZERO);
        for (_, took) in latest {
            if *took > slowest {
                (slowest, second) = (*took, slowest);
            } else {
                second = second.max(*took);
            }
        }
        second
    }
}

/// The strain of each shard, for whoever asks from any thread.
pub(super) struct Strains(Vec<AtomicU8>);

impl Strains {
    pub(super) fn of(shards: u16) -> Self {
        Self((0..shards).map(|_| AtomicU8::new(0)).collect())
    }

    /// Puts a shard's strain in place of the one before, which it answers.
    pub(super) fn set(&self, shard: u16, strain: Strain) -> Strain {
        self.0.get(usize::from(shard)).map_or(strain, |of| Strain::from_u8(of.swap(strain as u8, Ordering::Relaxed)))
    }

    pub(super) fn get(&self, shard: u16) -> Strain {
        self.0.get(usize::from(shard)).map_or(Strain::Calm, |of| Strain::from_u8(of.load(Ordering::Relaxed)))
    }

    /// The worst of all.
    pub(super) fn worst(&self) -> Strain {
        self.0.iter().map(|of| Strain::from_u8(of.load(Ordering::Relaxed))).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_figure_decides_who_waits() {
        let lag = |seconds| Figures { lag: Duration::from_secs(seconds), ..Figures::default() };
        let append = |millis| Figures { append_p99: Duration::from_millis(millis), ..Figures::default() };
        let rows = |rows_waiting| Figures { rows_waiting, ..Figures::default() };
        let records = |records_waiting| Figures { records_waiting, ..Figures::default() };
        let cases = [
            (Figures::default(), Strain::Calm),
            (lag(9), Strain::Calm),
            (lag(10), Strain::Broadcasts),
            (lag(59), Strain::Broadcasts),
            (lag(60), Strain::Commands),
            (lag(86_399), Strain::Commands),
            (lag(86_400), Strain::All),
            (append(999), Strain::Calm),
            (append(1_000), Strain::Broadcasts),
            (append(5_000), Strain::Commands),
            (rows(3), Strain::Calm),
            (rows(4), Strain::Broadcasts),
            (rows(8), Strain::Commands),
            (rows(16), Strain::All),
            (records(7), Strain::Calm),
            (records(8), Strain::Broadcasts),
            (records(32), Strain::Commands),
            (Figures { rows_waiting: 4, ..lag(60) }, Strain::Commands),
        ];
        for (figures, strain) in cases {
            assert_eq!(figures.judge(), strain, "{figures:?}");
        }
    }

    #[test]
    fn one_slow_append_of_a_hundred_is_no_sign_and_old_ones_are_forgotten() {
        let (mut appends, start) = (Appends::default(), Instant::now());
        let slow = Duration::from_secs(2);
        for _ in 0..APPENDS {
            appends.ended(start, slow);
        }
        for _ in 0..APPENDS - 1 {
            appends.ended(start, Duration::from_millis(5));
        }
        assert_eq!(appends.p99(start), Duration::from_millis(5));
        appends.ended(start, slow);
        appends.ended(start, slow);
        assert_eq!(appends.p99(start), slow);
        assert_eq!(appends.p99(start + APPENDS_FOR), Duration::ZERO);
    }

    #[test]
    fn each_shard_has_its_own() {
        let strains = Strains::of(2);
        assert_eq!(strains.set(1, Strain::Commands), Strain::Calm);
        assert_eq!(strains.set(1, Strain::Broadcasts), Strain::Commands);
        assert_eq!(
            (strains.get(0), strains.get(1), strains.worst()),
            (Strain::Calm, Strain::Broadcasts, Strain::Broadcasts)
        );
    }
}
