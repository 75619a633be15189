//! Rest: entities that are quiet fall asleep, those idle too long or over the cap leave memory.

use super::super::resident::{Census, Resident};
use super::{EntityKey, Owner};
use crate::actors::Retired;
use crate::domain::time::Timestamp;

/// Entities put to rest before others on the arbiter have their turn: about 0.3 ms.
const AT_ONCE: usize = 128;

/// What is to become of a quiet entity.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Its actor ends, its snapshot stays in memory.
    Sleep,
    /// It leaves memory.
    Leave(Retired),
}

impl Owner {
    /// Puts entities to rest that are quiet: the actors of those that nobody asked for a while end, those idle too
    /// long leave memory, and the longest unused over the cap.
    pub(in super::super) async fn put_to_rest(&self) {
        let surplus = self.cap.surplus(self.directory.borrow().len());
        for some in self.tired(surplus).chunks(AT_ONCE) {
            for (key, used_at, rest) in some {
                self.rest(*key, *used_at, *rest);
            }
            tokio::task::yield_now().await;
        }
        let census = self.census();
        self.cap.looked(surplus, census.resident);
        let gauge = |name: &'static str| metrics::gauge!(name, "shard" => self.number.to_string());
        gauge("tidegate_resident_entities").set(census.resident as f64);
        gauge("tidegate_awake_entities").set(census.awake as f64);
    }

    /// What there is in memory.
    pub(in super::super) fn census(&self) -> Census {
        let directory = self.directory.borrow();
        let awake = directory.values().filter(|resident| resident.awake().is_some()).count();
        Census { resident: directory.len(), awake, open_effects: self.open_effects() }
    }

    /// Who is to rest, how, and when each was last used; so many leave, if so many are quiet.
    fn tired(&self, surplus: usize) -> Vec<(EntityKey, Timestamp, Rest)> {
        let (now, options) = (self.now(), &self.node.options);
        let (sleep_since, idle_since) = (now - options.sleep_after, now - options.idle);
        let directory = self.directory.borrow();
        let (mut tired, mut sleepy): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
        for (key, resident) in directory.iter().filter(|(_, resident)| resident.is_quiet()) {
            let used_at = resident.used_at();
            let sleeps = used_at <= sleep_since && resident.awake().is_some();
            if used_at <= idle_since {
                tired.push((*key, used_at, Rest::Leave(Retired::Idle)));
            } else if surplus > 0 || sleeps {
                sleepy.push((used_at, *key, sleeps));
            }
        }
        let leave = surplus.saturating_sub(tired.len());
        if (1..sleepy.len()).contains(&leave) {
            sleepy.select_nth_unstable(leave);
        }
        for (place, (used_at, key, sleeps)) in sleepy.into_iter().enumerate() {
            if place < leave {
                tired.push((key, used_at, Rest::Leave(Retired::OverCap)));
            } else if sleeps {
                tired.push((key, used_at, Rest::Sleep));
            }
        }
        tired
    }

    /// Puts one to rest, unless somebody asked it meanwhile. What it committed is on its way to the store before.
    fn rest(&self, key: EntityKey, used_at: Timestamp, rest: Rest) {
        let mut directory = self.directory.borrow_mut();
        let Some(resident) = directory.get_mut(&key).filter(|resident| resident.is_quiet()) else { return };
        if resident.used_at() != used_at {
            return;
        }
        if let Some(slot) = resident.awake() {
            if self.dirty.borrow().contains(&key) && self.keep_snapshot(key, slot).is_err() {
                return;
            }
            let snapshot = if rest == Rest::Sleep { slot.snapshot() } else { Ok(Vec::new()) };
            let Ok(snapshot) = snapshot else { return };
            self.dirty.borrow_mut().remove(&key);
            slot.kill();
            *resident = Resident::Asleep { snapshot: snapshot.into_boxed_slice(), used_at };
        }
        match rest {
            Rest::Sleep => metrics::counter!("tidegate_slept_total").increment(1),
            Rest::Leave(reason) => {
                directory.remove(&key);
                self.drop_broadcasts(key.0, key.1);
                metrics::counter!("tidegate_retired_total", "reason" => reason.word()).increment(1);
            }
        }
    }
}
