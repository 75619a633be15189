//! How long the checkpoint has been behind the log. A log in a database lasts a week: whoever went on deciding while
//! nothing is settled would lose what no row holds.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::Position;

/// From here on each failed settling is an alarm.
pub(super) const ALARM_AFTER: Duration = Duration::from_secs(60 * 60);
/// From here on nothing is decided, long before the first record is gone.
pub(super) const REFUSE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Since when there are records that are in no row, in machine time: it is the database's clock that ends them.
#[derive(Default)]
pub(super) struct Lag {
    since: Cell<Option<Instant>>,
    checkpoint: Cell<Position>,
}

impl Lag {
    /// A record was committed.
    pub(super) fn committed(&self, now: Instant) {
        if self.since.get().is_none() {
            self.since.set(Some(now));
        }
    }

    /// Everything up to a record is in rows, by a settling that began then; `last` is the last record there is now.
    pub(super) fn settled(&self, began: Instant, upto: Position, last: Position) {
        self.checkpoint.set(upto);
        self.since.set((upto < last).then_some(began));
    }

    /// Whether the checkpoint is at this record.
    pub(super) fn is_settled(&self, upto: Position) -> bool {
        self.checkpoint.get() == upto
    }

    /// How long the oldest record has been in no row.
    pub(super) fn at(&self, now: Instant) -> Duration {
        self.since.get().map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Whether nothing may be decided any more.
    pub(super) fn is_too_long(&self, now: Instant) -> bool {
        self.at(now) >= REFUSE_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_the_oldest_record_that_is_in_no_row() {
        let (lag, start) = (Lag::default(), Instant::now());
        let after = |hours: u64| start + Duration::from_secs(hours * 3_600);
        assert_eq!(lag.at(after(99)), Duration::ZERO, "there is no record");
        lag.committed(start);
        lag.committed(after(20));
        assert_eq!(lag.at(after(2)), Duration::from_secs(7_200));
        assert!(!lag.is_too_long(after(23)) && lag.is_too_long(after(24)));
        lag.settled(after(22), 7, 9);
        assert_eq!(lag.at(after(24)), Duration::from_secs(7_200), "what came while it settled");
        assert!(lag.is_settled(7) && !lag.is_settled(9));
        lag.settled(after(25), 9, 9);
        assert!(!lag.is_too_long(after(99)));
    }
}
