//! Wake-ups of a shard's entities, at most one each: the next hour in memory, the rest in rows.

use std::collections::BTreeSet;

use super::rows::{time_key, time_of_key};
use crate::domain::entity::EntityKind;
use crate::domain::time::Timestamp;
use crate::store::{RowKey, Table};

/// A wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alarm {
    pub(super) due: Timestamp,
    pub(super) kind: EntityKind,
    pub(super) id: u128,
}

impl Alarm {
    /// The row that keeps it over a restart.
    pub(super) fn key(&self, shard: u16) -> RowKey {
        let mut ck = Vec::with_capacity(25);
        ck.extend_from_slice(&time_key(self.due));
        ck.push(self.kind as u8);
        ck.extend_from_slice(&self.id.to_be_bytes());
        RowKey::new(Table::Timer, &shard.to_be_bytes(), &ck)
    }

    /// The wake-up that a row keeps.
    pub(super) fn from_ck(ck: &[u8]) -> Option<Self> {
        Some(Self {
            due: time_of_key(ck)?,
            kind: EntityKind::from_u8(*ck.get(8)?)?,
            id: u128::from_be_bytes(ck.get(9..25)?.try_into().ok()?),
        })
    }
}

/// The wake-ups that are due before the horizon.
pub(super) struct Timers {
    soon: BTreeSet<Alarm>,
    horizon: Timestamp,
}

impl Timers {
    pub(super) const fn new() -> Self {
        Self { soon: BTreeSet::new(), horizon: Timestamp(i64::MIN) }
    }

    /// From now on, wake-ups due before `horizon` are kept here.
    pub(super) fn set_horizon(&mut self, horizon: Timestamp) {
        self.horizon = horizon;
    }

    pub(super) const fn horizon(&self) -> Timestamp {
        self.horizon
    }

    /// Keeps a wake-up; answers whether it is now the first.
    pub(super) fn set(&mut self, alarm: Alarm) -> bool {
        if alarm.due > self.horizon {
            return false;
        }
        self.soon.insert(alarm);
        self.soon.first() == Some(&alarm)
    }

    pub(super) fn cancel(&mut self, alarm: &Alarm) {
        self.soon.remove(alarm);
    }

    /// When the first is due; at the latest when the horizon must move.
    pub(super) fn next(&self) -> Timestamp {
        self.soon.first().map_or(self.horizon, |alarm| alarm.due.min(self.horizon))
    }

    /// Takes out what is due, in order.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<Alarm> {
        let mut due = Vec::new();
        while let Some(first) = self.soon.first() {
            if first.due > now {
                break;
            }
            due.extend(self.soon.pop_first());
        }
        due
    }

    pub(super) fn clear(&mut self) {
        self.soon.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(due: i64) -> Alarm {
        Alarm { due: Timestamp(due), kind: EntityKind::Conversation, id: due as u128 }
    }

    #[test]
    fn due_ones_come_out_in_order() {
        let mut timers = Timers::new();
        timers.set_horizon(Timestamp(100));
        assert!(timers.set(alarm(30)));
        assert!(!timers.set(alarm(40)));
        assert!(timers.set(alarm(10)));
        assert!(!timers.set(alarm(200)), "what is beyond the horizon stays in its row");
        timers.cancel(&alarm(40));
        assert_eq!(timers.next(), Timestamp(10));
        assert_eq!(timers.take_due(Timestamp(30)), [alarm(10), alarm(30)]);
        assert_eq!(timers.next(), Timestamp(100));
    }

    #[test]
    fn a_row_keeps_a_wake_up() {
        let one = alarm(77);
        assert_eq!(Alarm::from_ck(one.key(3).ck()), Some(one));
        assert_eq!(Alarm::from_ck(&[1, 2]), None);
    }
}
