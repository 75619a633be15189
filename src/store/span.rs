//! Where a scan begins and ends among whole keys, and which keys an engine takes.

use std::ops::Bound;

use super::{Put, RowKey, ScanRange, StoreError, Table};

/// A scan gives at most so many rows.
pub(super) const SCAN_ROWS_MAX: usize = 10_000;
/// A whole key has at most so many bytes.
const KEY_BYTES_MAX: usize = 65_535;

/// The first and the last whole key.
pub(super) type Span = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The first and the last whole key of a scan; none when no key can lie between them.
pub(super) fn span_of(table: Table, pk: &[u8], range: &ScanRange) -> Option<Span> {
    let whole = |ck: &[u8]| RowKey::new(table, pk, ck).into_bytes();
    let empty = match (&range.from, &range.to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        _ => false,
    };
    if empty {
        return None;
    }
    let from = match &range.from {
        Bound::Included(ck) => Bound::Included(whole(ck)),
        Bound::Excluded(ck) => Bound::Excluded(whole(ck)),
        Bound::Unbounded => Bound::Included(whole(&[])),
    };
    let to = match &range.to {
        Bound::Included(ck) => Bound::Included(whole(ck)),
        Bound::Excluded(ck) => Bound::Excluded(whole(ck)),
        Bound::Unbounded => Bound::Excluded(after_prefix(whole(&[]))),
    };
    Some((from, to))
}

/// The clustering key of a whole key of this partition.
pub(super) fn ck_of(pk: &[u8], key: &[u8]) -> Vec<u8> {
    key.get(3 + pk.len()..).unwrap_or_default().to_vec()
}

/// How many rows a scan gives at most.
pub(super) fn rows_max(range: &ScanRange) -> usize {
    range.limit.clamp(1, SCAN_ROWS_MAX)
}

/// Refuses what no engine can keep, before anything is written.
pub(super) fn check(rows: &[Put]) -> Result<(), StoreError> {
    for row in rows {
        if row.key.as_bytes().len() > KEY_BYTES_MAX {
            return Err(StoreError::NotApplied(format!("a key has more than {KEY_BYTES_MAX} bytes")));
        }
        if row.key.pk().is_empty() {
            return Err(StoreError::NotApplied("a partition key is empty".into()));
        }
        if Table::from_u8(row.key.table()).is_none() {
            return Err(StoreError::NotApplied(format!("no table has the number {}", row.key.table())));
        }
    }
    Ok(())
}

/// The first key that does not begin with `prefix`. A table's number is below 255, so there is one.
fn after_prefix(mut prefix: Vec<u8>) -> Vec<u8> {
    while prefix.last() == Some(&u8::MAX) {
        prefix.pop();
    }
    if let Some(last) = prefix.last_mut() {
        *last += 1;
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_ends_where_the_next_begins() {
        for pk in [&b""[..], b"\x00", b"\xff", b"a\xff\xff", b"abc"] {
            let (from, to) = span_of(Table::Feed, pk, &ScanRange::first(1)).expect("has room");
            let (Bound::Included(from), Bound::Excluded(to)) = (from, to) else { panic!("unexpected bounds") };
            for ck in [&b""[..], b"\x00", b"\xff\xff\xff"] {
                let key = RowKey::new(Table::Feed, pk, ck).into_bytes();
                assert!(from <= key && key < to);
                assert_eq!(ck_of(pk, &key), ck);
            }
            let longer = RowKey::new(Table::Feed, &[pk, b"\x00"].concat(), b"").into_bytes();
            assert!(longer >= to);
            assert!(RowKey::new(Table::Ingress, b"", b"").into_bytes() >= to);
        }
    }

    #[test]
    fn bounds_that_cross_hold_nothing() {
        let range = |from, to| ScanRange { from, to, reverse: false, limit: 1 };
        let (a, b) = (b"a".to_vec(), b"b".to_vec());
        let empty = [
            range(Bound::Included(b), Bound::Included(a.clone())),
            range(Bound::Included(a.clone()), Bound::Excluded(a.clone())),
            range(Bound::Excluded(a.clone()), Bound::Included(a.clone())),
            range(Bound::Excluded(a.clone()), Bound::Excluded(a.clone())),
        ];
        assert!(empty.iter().all(|range| span_of(Table::Feed, b"p", range).is_none()));
        assert!(span_of(Table::Feed, b"p", &range(Bound::Included(a.clone()), Bound::Included(a))).is_some());
    }
}
