//! Which CQL table keeps the rows of a table, and how its partitions are cut.

use crate::store::{RowKey, Table};

/// How a table's primary key is made of a row's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A partition key is a partition: `PRIMARY KEY ((pk), ck)`.
    Whole,
    /// Each row is a partition, for tables that are never scanned: `PRIMARY KEY ((pk, ck))`.
    Point,
    /// A partition would grow without end: `PRIMARY KEY ((pk, slice), ck)`, the slice being the number that the first
    /// 8 bytes of `ck` hold, without its lowest bits. Which slices there are stands in the table `slice`.
    Sliced {
        /// How many bits.
        bits: u32,
    },
}

/// Every table that has rows here, [`Table::Meta`] having its own place in the keyspace of conditions.
pub(super) fn tables() -> impl Iterator<Item = Table> {
    Table::ALL.into_iter().filter(|table| *table != Table::Meta)
}

impl Layout {
    pub(super) const fn of(table: Table) -> Self {
        match table {
            Table::ProviderRef | Table::Address | Table::WindowGate | Table::Delivery | Table::Entity => Self::Point,
            Table::Feed => Self::Sliced { bits: 13 },
            _ => Self::Whole,
        }
    }

    /// The slice of a row.
    pub(super) fn slice(self, key: &RowKey) -> Option<i64> {
        self.slice_of(key.ck())
    }

    /// The slice in which a clustering key is, or would be.
    pub(super) fn slice_of(self, ck: &[u8]) -> Option<i64> {
        let Self::Sliced { bits } = self else { return None };
        let mut first = [0; 8];
        let known = ck.len().min(8);
        first[..known].copy_from_slice(&ck[..known]);
        Some((u64::from_be_bytes(first) >> bits) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_in_the_order_of_keys() {
        let layout = Layout::of(Table::Feed);
        let keys: [&[u8]; 6] = [b"", b"\x00", &8_191_u64.to_be_bytes(), &8_192_u64.to_be_bytes(), b"\x01", b"\xff\xff"];
        let slices: Vec<_> = keys.iter().map(|ck| layout.slice_of(ck)).collect();
        assert!(slices.is_sorted() && keys.is_sorted());
        assert_eq!(slices[..4], [Some(0), Some(0), Some(0), Some(1)]);
        assert_eq!(Layout::of(Table::Message).slice_of(b"x"), None);
    }
}
