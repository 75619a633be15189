//! Lets the engine drop rows whose time is over while it merges tables.
//!
//! Where writes may arrive in any order, what is over is kept for ten days more, so that an older write
//! that comes late does not bring a row back (providers redeliver for up to seven).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use fjall::compaction::filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict};

use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::store::Table;
use crate::store::cell::Cell;

const LATE_WRITES_S: i64 = 10 * 24 * 3_600;

/// Makes one filter for each merging.
pub(super) struct Expiry {
    clock: AssertUnwindSafe<Arc<dyn Clock>>,
}

impl Expiry {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock: AssertUnwindSafe(clock) }
    }
}

impl Factory for Expiry {
    fn name(&self) -> &str {
        "expiry"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(ExpiredBy(self.clock.now()))
    }
}

struct ExpiredBy(Timestamp);

impl CompactionFilter for ExpiredBy {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        let over = may_go(item.key(), &item.value()?, self.0);
        Ok(if over { Verdict::Remove } else { Verdict::Keep })
    }
}

/// Whether a stored row may be dropped. The engine's own rows belong to no table and stay.
fn may_go(key: &[u8], value: &[u8], now: Timestamp) -> bool {
    let Some(table) = key.first().and_then(|number| Table::from_u8(*number)) else { return false };
    let grace_s = if table.in_order() { 0 } else { LATE_WRITES_S };
    // What cannot be read stays, so that a reader can say so.
    Cell::decode(table.word(), value).is_ok_and(|cell| cell.may_go(grace_s, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_that_are_over_go() {
        let at = |seconds: i64| Timestamp(seconds * 1_000);
        let expiring = Cell::new(Some(vec![1]), 1, 60, at(0)).encode();
        let lasting = Cell::new(Some(vec![1]), 1, 0, at(0)).encode();
        let late = 60 + LATE_WRITES_S;
        let cases = [
            (Table::Receipt as u8, &expiring, 59, false),
            (Table::Receipt as u8, &expiring, 60, true),
            (Table::Receipt as u8, &lasting, i64::MAX / 1_000, false),
            (Table::Private as u8, &expiring, late - 1, false),
            (Table::Private as u8, &expiring, late, true),
            (0, &expiring, late, false),
        ];
        for (table, value, seconds, goes) in cases {
            assert_eq!(may_go(&[table, 0, 0], value, at(seconds)), goes, "table {table} at {seconds} s");
        }
        assert!(!may_go(&[Table::Receipt as u8], b"cut", at(late)));
    }
}
