//! Wake-ups: due timers become commands, and once an hour the next hour's are read from their rows.

use std::rc::Rc;
use std::time::Duration;

use super::super::kinds;
use super::super::timers::Alarm;
use super::{Owner, Phase};
use crate::domain::time::Timestamp;
use crate::store::{ScanRange, StoreError, Table};

/// How far ahead wake-ups are kept in memory.
const AHEAD: Duration = Duration::from_secs(3_600);
/// Rows read at once.
const PAGE: usize = 1_000;
/// The first pause before an entity that could not be woken is woken again; it doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

impl Owner {
    /// Wakes what is due, until the shard ends.
    pub(in super::super) async fn wake_loop(self: Rc<Self>) {
        loop {
            let next = self.timers.borrow().next();
            tokio::select! {
                () = self.node.surroundings.clock.sleep_until(next) => {}
                () = self.timers_changed.notified() => continue,
            }
            if self.phase() != Phase::Open {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            let now = self.now();
            let horizon = self.timers.borrow().horizon();
            if now >= horizon
                && let Err(error) = self.load_timers(now + AHEAD).await
            {
                tracing::warn!(shard = self.number, %error, "failed to read wake-ups; trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let due = self.timers.borrow_mut().take_due(now);
            for alarm in due {
                self.wake(alarm);
            }
        }
    }

    /// Puts quiet entities to rest and lets answered effects reach the log, until the shard ends.
    pub(in super::super) async fn sweep_loop(self: Rc<Self>) {
        let every = self.node.options.sweep_interval;
        let mut pause = self.first_after(every);
        loop {
            let next = self.now() + std::mem::replace(&mut pause, every);
            tokio::select! {
                () = self.node.surroundings.clock.sleep_until(next) => {}
                // The cap is kept also where business time stands still.
                () = tokio::time::sleep(Duration::from_secs(10)) => {}
                () = self.crowded.notified() => {}
            }
            self.flush_answered();
            self.put_to_rest().await;
        }
    }

    fn wake(self: &Rc<Self>, alarm: Alarm) {
        let mut woken = kinds::wake(self, alarm.kind, alarm.id);
        let owner = Rc::clone(self);
        self.spawn(async move {
            // Who could not be woken is woken again, ever later. An entity whose state asks for another time
            // re-arms by its own decision.
            let mut pause = PAUSE_FIRST;
            while !woken.await {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
                woken = kinds::wake(&owner, alarm.kind, alarm.id);
            }
        });
    }

    /// Reads the wake-ups due before `horizon` into memory; overdue ones fire at once.
    pub(in super::super) async fn load_timers(&self, horizon: Timestamp) -> Result<(), StoreError> {
        let before = self.timers.borrow().horizon();
        // Whoever re-arms while rows are read is kept already.
        self.timers.borrow_mut().set_horizon(horizon);
        let outcome = self.read_timers(horizon).await;
        if outcome.is_err() {
            // What was not read is read again.
            self.timers.borrow_mut().set_horizon(before);
        }
        outcome
    }

    async fn read_timers(&self, horizon: Timestamp) -> Result<(), StoreError> {
        let pk = self.number.to_be_bytes();
        let mut range = ScanRange::first(PAGE);
        loop {
            let page = self.scan_state(Table::Timer, &pk, range.clone()).await?;
            let last = page.rows.last().map(|row| row.ck.clone());
            for alarm in page.rows.iter().filter_map(|row| Alarm::from_ck(&row.ck)) {
                if alarm.due > horizon {
                    return Ok(());
                }
                self.timers.borrow_mut().set(alarm);
            }
            match last {
                Some(last) if page.more => range = range.after(last),
                _ => return Ok(()),
            }
        }
    }
}
