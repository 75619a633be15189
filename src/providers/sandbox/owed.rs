//! Webhook items that are owed, by the time they are due.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::ledger::{InboundLine, Line, SendLine, What};
use crate::clock::Clock;
use crate::domain::time::Timestamp;

/// What an item speaks of.
pub(super) enum Origin {
    Sent(SendLine),
    Inbound(InboundLine),
}

/// One owed item.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) number: u64,
    pub(super) index: u16,
    pub(super) due: i64,
    pub(super) origin: Arc<Origin>,
}

impl Item {
    /// What it says, and whether twice.
    pub(super) fn what(&self) -> Option<(&What, bool)> {
        match &*self.origin {
            Origin::Sent(line) => line.owes.get(usize::from(self.index)).map(|owe| (&owe.what, owe.twice)),
            Origin::Inbound(_) => Some((&What::Inbound, false)),
        }
    }
}

#[derive(Default)]
struct Waiting {
    items: BTreeMap<(i64, u64, u16), Item>,
    reserved: usize,
    in_flight: usize,
}

/// The items that wait, with a bound on them and on those in flight together.
pub(super) struct Owed {
    waiting: Mutex<Waiting>,
    changed: Notify,
    items_max: usize,
}

impl Owed {
    pub(super) fn new(items_max: usize) -> Self {
        Self { waiting: Mutex::default(), changed: Notify::new(), items_max }
    }

    /// Keeps room for `items`; false if there is none.
    pub(super) fn reserve(&self, items: usize) -> bool {
        let mut waiting = self.locked();
        let fits = waiting.items.len() + waiting.reserved + waiting.in_flight + items <= self.items_max;
        if fits {
            waiting.reserved += items;
        }
        fits
    }

    /// Gives room back.
    pub(super) fn release(&self, items: usize) {
        let mut waiting = self.locked();
        waiting.reserved = waiting.reserved.saturating_sub(items);
    }

    /// Takes the items at `indexes` of a written line. What an earlier process left is taken over the bound.
    pub(super) fn owe(&self, line: Line, indexes: impl IntoIterator<Item = u16>) {
        let number = line.number();
        let origin = match line {
            Line::Send(line) => Arc::new(Origin::Sent(line)),
            Line::Inbound(line) => Arc::new(Origin::Inbound(line)),
            Line::Posted(_) => return,
        };
        let mut waiting = self.locked();
        for index in indexes {
            let due = match &*origin {
                Origin::Sent(line) => line.owes.get(usize::from(index)).map_or(line.at, |owe| owe.due),
                Origin::Inbound(line) => line.at,
            };
            let item = Item { number, index, due, origin: Arc::clone(&origin) };
            waiting.items.insert((due, number, index), item);
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Waits until an item is due.
    pub(super) async fn due(&self, clock: &dyn Clock) {
        loop {
            let first = self.locked().items.keys().next().map(|(due, _, _)| Timestamp(*due));
            match first {
                None => self.changed.notified().await,
                Some(due) if due <= clock.now() => return,
                Some(due) => tokio::select! {
                    () = clock.sleep_until(due) => return,
                    () = self.changed.notified() => {}
                },
            }
        }
    }

    /// Up to `items_max` items that are due by `now`, in order; they are in flight until [`Self::taken`].
    pub(super) fn take_due(&self, now: Timestamp, items_max: usize) -> Vec<Item> {
        let mut waiting = self.locked();
        let mut batch = Vec::new();
        while batch.len() < items_max
            && let Some(first) = waiting.items.first_entry()
            && first.key().0 <= now.millis()
        {
            batch.push(first.remove());
        }
        waiting.in_flight += batch.len();
        batch
    }

    /// The front door has taken `items`.
    pub(super) fn taken(&self, items: usize) {
        let mut waiting = self.locked();
        waiting.in_flight = waiting.in_flight.saturating_sub(items);
    }

    /// Nothing is in flight or due by `now`.
    pub(super) fn is_quiet(&self, now: Timestamp) -> bool {
        let waiting = self.locked();
        let due = waiting.items.keys().next().is_some_and(|(due, _, _)| *due <= now.millis());
        waiting.in_flight == 0 && waiting.reserved == 0 && !due
    }

    /// Items waiting or in flight.
    pub(super) fn len(&self) -> usize {
        let waiting = self.locked();
        waiting.items.len() + waiting.in_flight
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
