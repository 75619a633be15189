//! State rows on their way to the store: what a shard's readers see over what the engine returns.
//!
//! A commit makes the record and its facts durable; state rows (snapshots, outbox, timers, lists,
//! feed) wait here, coalesced by key, until they are settled.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::store::{Page, Put, Row, RowKey, ScanRange, Table};

/// Rows that are newer than the store's.
#[derive(Default)]
pub(super) struct Overlay {
    /// Written since the last settle began.
    waiting: BTreeMap<RowKey, Option<Vec<u8>>>,
    /// Being settled now: perhaps no row, and the checkpoint alone.
    settling: Option<BTreeMap<RowKey, Option<Vec<u8>>>>,
    /// Rows that wait and may be in the store already, for nobody knows what became of their settling.
    doubtful: BTreeSet<RowKey>,
    waiting_bytes: usize,
    settles: u64,
}

impl Overlay {
    pub(super) fn put(&mut self, key: RowKey, value: Vec<u8>) {
        self.waiting_bytes += key.as_bytes().len() + value.len();
        self.waiting.insert(key, Some(value));
    }

    pub(super) fn delete(&mut self, key: RowKey) {
        self.waiting_bytes += key.as_bytes().len();
        self.waiting.insert(key, None);
    }

    /// Deletes a row whose key is written once in its life: one that never reached the store leaves no trace.
    pub(super) fn delete_once(&mut self, key: RowKey) {
        let waited = matches!(self.waiting.get(&key), Some(Some(_)));
        let leaving = self.settling.as_ref().is_some_and(|settling| settling.contains_key(&key));
        if waited && !leaving && !self.doubtful.contains(&key) {
            self.waiting.remove(&key);
        } else {
            self.delete(key);
        }
    }

    /// Writes a row that [`Self::delete_once`] may take back: one that lies over another on its way stays in doubt.
    pub(super) fn put_for_now(&mut self, key: RowKey, value: Vec<u8>) {
        let leaving = self.settling.as_ref().is_some_and(|settling| settling.contains_key(&key));
        if leaving || matches!(self.waiting.get(&key), Some(None)) {
            self.doubtful.insert(key.clone());
        }
        self.put(key, value);
    }

    /// Writes a row that may be in the store already.
    pub(super) fn put_again(&mut self, key: RowKey, value: Vec<u8>) {
        self.doubtful.insert(key.clone());
        self.put(key, value);
    }

    /// What is on its way for this key: a value, a deletion, or nothing.
    pub(super) fn get(&self, key: &RowKey) -> Option<&Option<Vec<u8>>> {
        self.waiting.get(key).or_else(|| self.settling.as_ref()?.get(key))
    }

    /// Bytes that wait for the next settle.
    pub(super) const fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    pub(super) const fn is_settling(&self) -> bool {
        self.settling.is_some()
    }

    /// Whether no row waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes what waits, as rows with this timestamp; it stays visible until [`Self::settled`].
    pub(super) fn begin_settle(&mut self, ts_us: i64) -> Vec<Put> {
        self.waiting_bytes = 0;
        // Whatever becomes of them, from here on `settling` says that they may be there.
        self.doubtful.clear();
        self.settling
            .insert(std::mem::take(&mut self.waiting))
            .iter()
            .map(|(key, value)| Put { key: key.clone(), value: value.clone(), ts_us, ttl_s: 0 })
            .collect()
    }

    /// What was being settled is in the store.
    pub(super) fn settled(&mut self) {
        self.settling = None;
        self.settles += 1;
    }

    /// How often rows have left for the store.
    pub(super) const fn settles(&self) -> u64 {
        self.settles
    }

    /// The settle failed, or nobody knows: its rows wait again, under anything newer.
    pub(super) fn settle_failed(&mut self) {
        for (key, value) in self.settling.take().into_iter().flatten() {
            self.waiting_bytes += key.as_bytes().len() + value.as_ref().map_or(0, Vec::len);
            self.doubtful.insert(key.clone());
            self.waiting.entry(key).or_insert(value);
        }
    }

    /// Lays what is on its way over a page that the store returned for the same range.
    pub(super) fn lay_over(&self, table: Table, pk: &[u8], range: &ScanRange, page: Page) -> Page {
        let low = match &range.from {
            Bound::Included(ck) => Bound::Included(RowKey::new(table, pk, ck)),
            Bound::Excluded(ck) => Bound::Excluded(RowKey::new(table, pk, ck)),
            Bound::Unbounded => Bound::Included(RowKey::new(table, pk, &[])),
        };
        // A page that was cut short says nothing about what is past its last row.
        let cut = page.more.then(|| page.rows.last().map(|row| row.ck.clone())).flatten();
        let mut rows: BTreeMap<Vec<u8>, Row> = page.rows.into_iter().map(|row| (row.ck.clone(), row)).collect();
        for layer in self.settling.iter().chain([&self.waiting]) {
            for (key, value) in layer.range((low.clone(), Bound::Unbounded)) {
                if key.table() != table as u8 || key.pk() != pk || !within_high(&range.to, key.ck()) {
                    break;
                }
                let ck = key.ck();
                let past_cut = cut
                    .as_ref()
                    .is_some_and(|last| if range.reverse { ck < last.as_slice() } else { ck > last.as_slice() });
                if past_cut {
                    continue;
                }
                match value {
                    Some(value) => {
                        rows.insert(ck.to_vec(), Row { ck: ck.to_vec(), value: value.clone(), ts_us: i64::MAX });
                    }
                    None => {
                        rows.remove(ck);
                    }
                }
            }
        }
        let mut rows: Vec<Row> =
            if range.reverse { rows.into_values().rev().collect() } else { rows.into_values().collect() };
        let more = page.more || rows.len() > range.limit;
        rows.truncate(range.limit);
        Page { rows, more }
    }
}

fn within_high(to: &Bound<Vec<u8>>, ck: &[u8]) -> bool {
    match to {
        Bound::Included(high) => ck <= high.as_slice(),
        Bound::Excluded(high) => ck < high.as_slice(),
        Bound::Unbounded => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ck: u8) -> Row {
        Row { ck: vec![ck], value: vec![0], ts_us: 1 }
    }

    fn cks(page: &Page) -> Vec<u8> {
        page.rows.iter().map(|row| row.ck[0]).collect()
    }

    #[test]
    fn what_is_on_its_way_lies_over_the_store() {
        let mut overlay = Overlay::default();
        overlay.put(RowKey::new(Table::Feed, b"p", &[2]), vec![9]);
        overlay.delete(RowKey::new(Table::Feed, b"p", &[3]));
        overlay.put(RowKey::new(Table::Feed, b"q", &[1]), vec![9]);
        let page = Page { rows: vec![row(1), row(3), row(4)], more: false };
        assert_eq!(cks(&overlay.lay_over(Table::Feed, b"p", &ScanRange::first(10), page)), [1, 2, 4]);
        let reversed = Page { rows: vec![row(4), row(3), row(1)], more: false };
        assert_eq!(cks(&overlay.lay_over(Table::Feed, b"p", &ScanRange::last(2), reversed)), [4, 2]);
        assert_eq!(
            cks(&overlay.lay_over(Table::Feed, b"p", &ScanRange::first(10).after(vec![2]), Page::default())),
            [0_u8; 0]
        );
    }

    #[test]
    fn rows_past_a_cut_page_wait_for_the_next_page() {
        let mut overlay = Overlay::default();
        overlay.put(RowKey::new(Table::Feed, b"p", &[9]), vec![9]);
        let page = Page { rows: vec![row(1), row(2)], more: true };
        assert_eq!(cks(&overlay.lay_over(Table::Feed, b"p", &ScanRange::first(2), page)), [1, 2]);
    }

    #[test]
    fn a_row_that_may_be_stored_is_deleted_and_one_that_never_was_leaves_no_trace() {
        let key = |ck| RowKey::new(Table::Outbox, b"p", &[ck]);
        let mut overlay = Overlay::default();
        overlay.put(key(1), vec![1]);
        overlay.delete_once(key(1));
        assert_eq!(overlay.get(&key(1)), None, "it never left");
        overlay.put(key(2), vec![1]);
        overlay.begin_settle(5);
        overlay.settle_failed();
        overlay.delete_once(key(2));
        assert_eq!(overlay.get(&key(2)), Some(&None), "nobody knows whether it is stored");
        overlay.delete_once(key(2));
        assert_eq!(overlay.get(&key(2)), Some(&None), "a second deletion does not undo the first");
        overlay.put_again(key(3), vec![1]);
        overlay.delete_once(key(3));
        assert_eq!(overlay.get(&key(3)), Some(&None));
    }

    #[test]
    fn a_row_that_lies_over_another_on_its_way_is_deleted_and_not_forgotten() {
        let key = |ck| RowKey::new(Table::Timer, b"p", &[ck]);
        let mut overlay = Overlay::default();
        for ck in [1, 2, 3] {
            overlay.put_for_now(key(ck), vec![1]);
        }
        overlay.delete_once(key(3));
        assert_eq!(overlay.get(&key(3)), None, "it never left");
        overlay.begin_settle(5);
        overlay.put_for_now(key(1), vec![1]);
        overlay.settled();
        overlay.delete_once(key(1));
        assert_eq!(overlay.get(&key(1)), Some(&None), "the settled one is in the store");
        overlay.delete_once(key(2));
        overlay.put_for_now(key(2), vec![1]);
        overlay.delete_once(key(2));
        assert_eq!(overlay.get(&key(2)), Some(&None), "its deletion has not left yet");
    }

    #[test]
    fn a_settling_of_no_row_is_one_as_well() {
        let mut overlay = Overlay::default();
        assert!(overlay.is_empty() && !overlay.is_settling());
        assert!(overlay.begin_settle(5).is_empty());
        overlay.put(RowKey::new(Table::Timer, b"p", &[1]), vec![1]);
        assert!(overlay.is_settling() && !overlay.is_empty());
        overlay.settled();
        assert!(!overlay.is_settling() && overlay.begin_settle(6).len() == 1);
    }

    #[test]
    fn a_failed_settle_keeps_rows_under_newer_ones() {
        let mut overlay = Overlay::default();
        let key = RowKey::new(Table::Timer, b"p", &[1]);
        let other = RowKey::new(Table::Timer, b"p", &[2]);
        overlay.put(key.clone(), vec![1]);
        overlay.put(other.clone(), vec![1]);
        assert_eq!(overlay.begin_settle(5).len(), 2);
        overlay.put(key.clone(), vec![2]);
        overlay.settle_failed();
        assert_eq!(overlay.get(&key), Some(&Some(vec![2])));
        assert_eq!(overlay.get(&other), Some(&Some(vec![1])));
    }
}
