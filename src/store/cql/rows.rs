//! Rows: plain writes with their own timestamps, reads by key and by range.

use std::collections::BTreeMap;
use std::ops::Bound;

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;

use super::CqlStore;
use super::layout::Layout;
use super::outcome::{not_applied, read_failed, unexpected, write_failed};
use super::statements::RowStatements;
use crate::domain::time::Timestamp;
use crate::store::cell::Cell;
use crate::store::span::{check, rows_max};
use crate::store::{Page, Put, Row, RowKey, ScanRange, StoreError, Table};

/// Rows of one partition that go as one request, and their bytes: half a segment of Cassandra's commit log is the
/// most it takes, 16 MiB as shipped and 4 MiB in the tests.
const BATCH_ROWS: usize = 200;
const BATCH_BYTES: usize = 512 * 1024;
/// Requests of one call that are under way at once.
const AT_ONCE: usize = 64;
/// The longest time to live that CQL knows, in seconds: 20 years.
const TTL_MAX_S: u32 = 630_720_000;

/// table, pk, slice.
type Partition<'a> = (u8, &'a [u8], Option<i64>);
/// timestamp, TTL, value, pk, ck; and with a slice.
type Values<'a> = (i64, i32, Option<Vec<u8>>, &'a [u8], &'a [u8]);
type SlicedValues<'a> = (i64, i32, Option<Vec<u8>>, &'a [u8], i64, &'a [u8]);
/// ck, value, its timestamp.
type Found = (Vec<u8>, Option<Vec<u8>>, Option<i64>);

impl CqlStore {
    /// Writes rows; on an error some may be there.
    pub(super) async fn write_rows(&self, rows: &[Put]) -> Result<(), StoreError> {
        check(rows)?;
        let now = self.0.clock.now();
        let mut parts: BTreeMap<Partition<'_>, Vec<&Put>> = BTreeMap::new();
        for row in rows {
            let statements = self.statements_of(row.key.table())?;
            parts.entry((row.key.table(), row.key.pk(), statements.layout.slice(&row.key))).or_default().push(row);
        }
        let slices = parts.keys().filter_map(|(_, pk, slice)| Some((*pk, (*slice)?)));
        stream::iter(slices).map(Ok).try_for_each_concurrent(AT_ONCE, |(pk, slice)| self.note_slice(pk, slice)).await?;
        let requests = parts.into_iter().flat_map(|((table, _, slice), rows)| {
            cut(&rows).into_iter().map(move |rows| (table, slice, rows)).collect::<Vec<_>>()
        });
        stream::iter(requests)
            .map(Ok)
            .try_for_each_concurrent(AT_ONCE, |(table, slice, rows)| async move {
                let statements = self.statements_of(table)?;
                self.write_part(statements, slice, &rows, now).await
            })
            .await
    }

    /// Writes rows of one partition.
    async fn write_part(
        &self,
        statements: &RowStatements,
        slice: Option<i64>,
        rows: &[&Put],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let _turn = self.turn().await?;
        let sent = match slice {
            None => self.send(&statements.put, rows.iter().map(|put| values(put, now)).collect()).await,
            Some(slice) => {
                let values = rows.iter().map(|put| {
                    let (ts_us, ttl_s, value, pk, ck) = values(put, now);
                    (ts_us, ttl_s, value, pk, slice, ck)
                });
                let values: Vec<SlicedValues<'_>> = values.collect();
                self.send(&statements.put, values).await
            }
        };
        sent.map_err(|error| write_failed(&error))
    }

    /// One row as a statement, several as one batch of their partition.
    async fn send<V: scylla::serialize::row::SerializeRow>(
        &self,
        put: &PreparedStatement,
        mut values: Vec<V>,
    ) -> Result<(), scylla::errors::ExecutionError> {
        if values.len() == 1
            && let Some(only) = values.pop()
        {
            return self.0.session.execute_unpaged(put, only).await.map(|_| ());
        }
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_is_idempotent(true);
        for _ in 0..values.len() {
            batch.append_statement(put.clone());
        }
        self.0.session.batch(&batch, values).await.map(|_| ())
    }

    /// Remembers that a partition has a slice, once a process.
    async fn note_slice(&self, pk: &[u8], slice: i64) -> Result<(), StoreError> {
        if self.0.slices.get(pk).is_some_and(|noted| *noted == slice) {
            return Ok(());
        }
        let _turn = self.turn().await?;
        let noted = self.0.session.execute_unpaged(&self.0.statements.slice_put, (pk, slice)).await;
        noted.map_err(|error| write_failed(&error))?;
        self.0.slices.insert(pk.to_vec(), slice);
        Ok(())
    }

    /// One row.
    pub(super) async fn read_row(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        let statements = self.statements_of(key.table())?;
        let _turn = self.turn().await?;
        let (pk, ck) = (key.pk(), key.ck());
        let answer = match statements.layout.slice(key) {
            None => self.0.session.execute_unpaged(&statements.get, (pk, ck)).await,
            Some(slice) => self.0.session.execute_unpaged(&statements.get, (pk, slice, ck)).await,
        };
        let rows = read(answer, key.table())?;
        let now = self.0.clock.now();
        rows.into_iter().find_map(|found| live(found, now).transpose()).transpose()
    }

    /// Several rows, in the order asked.
    pub(super) async fn read_rows(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(AT_ONCE) {
            found.extend(try_join_all(keys.iter().map(|key| self.read_row(key))).await?);
        }
        Ok(found)
    }

    /// Rows of one partition in key order.
    pub(super) async fn scan_rows(&self, table: Table, pk: &[u8], range: &ScanRange) -> Result<Page, StoreError> {
        let statements = self.statements_of(table as u8)?;
        let limit = rows_max(range);
        let Some((low, high)) = bounds(range) else { return Ok(Page::default()) };
        let mut rows = Vec::new();
        for slice in self.slices(statements.layout, pk, &low, high.as_deref(), range.reverse).await? {
            let (mut low, mut high) = (low.clone(), high.clone());
            loop {
                // One more than asked tells whether there are more; those that are over do not count.
                let missing = limit + 1 - rows.len();
                let found = self
                    .scan_part(statements, table, pk, slice, (&low, high.as_deref()), range.reverse, missing)
                    .await?;
                let complete = found.len() < missing;
                let last = found.last().map(|(ck, _, _)| ck.clone());
                let now = self.0.clock.now();
                for found in found {
                    rows.extend(live(found, now)?);
                }
                match last {
                    Some(last) if !complete && rows.len() <= limit => {
                        if range.reverse {
                            high = Some(last);
                        } else {
                            low = after(&last);
                        }
                    }
                    _ => break,
                }
            }
            if rows.len() > limit {
                break;
            }
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Page { rows, more })
    }

    /// The slices that a range may touch, in the order of the scan; one without a number where a table has none.
    async fn slices(
        &self,
        layout: Layout,
        pk: &[u8],
        low: &[u8],
        high: Option<&[u8]>,
        reverse: bool,
    ) -> Result<Vec<Option<i64>>, StoreError> {
        let Some(lowest) = layout.slice_of(low) else { return Ok(vec![None]) };
        let highest = high.and_then(|high| layout.slice_of(high)).unwrap_or(i64::MAX);
        let _turn = self.turn().await?;
        let answer = self.0.session.execute_unpaged(&self.0.statements.slices_get, (pk, lowest, highest)).await;
        let answer = answer.map_err(read_failed)?.into_rows_result().map_err(|error| unexpected("slice", error))?;
        let slices = answer.rows::<(i64,)>().map_err(|error| unexpected("slice", error))?;
        let mut slices: Vec<Option<i64>> =
            slices.map(|row| row.map(|(slice,)| Some(slice))).collect::<Result<_, _>>().map_err(read_failed)?;
        if reverse {
            slices.reverse();
        }
        Ok(slices)
    }

    #[expect(clippy::too_many_arguments, reason = "what a range of one slice is takes as many")]
    async fn scan_part(
        &self,
        statements: &RowStatements,
        table: Table,
        pk: &[u8],
        slice: Option<i64>,
        (low, high): (&[u8], Option<&[u8]>),
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Found>, StoreError> {
        let statement = statements
            .scan(reverse, high.is_some())
            .ok_or_else(|| not_applied(format!("rows of {} stand alone and are not scanned", table.word())))?;
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let _turn = self.turn().await?;
        let session = &self.0.session;
        let answer = match (slice, high) {
            (None, None) => session.execute_unpaged(statement, (pk, low, limit)).await,
            (None, Some(high)) => session.execute_unpaged(statement, (pk, low, high, limit)).await,
            (Some(slice), None) => session.execute_unpaged(statement, (pk, slice, low, limit)).await,
            (Some(slice), Some(high)) => session.execute_unpaged(statement, (pk, slice, low, high, limit)).await,
        };
        read(answer, table as u8)
    }

    fn statements_of(&self, table: u8) -> Result<&RowStatements, StoreError> {
        self.0.statements.of(table).ok_or_else(|| not_applied(format!("no rows of table {table} are kept here")))
    }
}

/// What a put writes: the second at which it is over, then its bytes; nothing is a deletion.
fn values(put: &Put, now: Timestamp) -> Values<'_> {
    let value = put.value.as_ref().map(|value| Cell::encode_timed(value, put.ttl_s, now));
    let ttl_s = if value.is_some() { put.ttl_s.min(TTL_MAX_S) } else { 0 };
    (put.ts_us, i32::try_from(ttl_s).unwrap_or(i32::MAX), value, put.key.pk(), put.key.ck())
}

/// Rows of one partition, cut into requests.
fn cut<'a>(rows: &[&'a Put]) -> Vec<Vec<&'a Put>> {
    let mut parts: Vec<Vec<&Put>> = Vec::new();
    let mut bytes = 0;
    for row in rows {
        let size = row.key.as_bytes().len() + row.value.as_ref().map_or(0, Vec::len);
        match parts.last_mut() {
            Some(part) if part.len() < BATCH_ROWS && bytes + size <= BATCH_BYTES => {
                part.push(row);
                bytes += size;
            }
            _ => {
                parts.push(vec![row]);
                bytes = size;
            }
        }
    }
    parts
}

/// The lowest key that may come, and the lowest that may not; none where nothing can lie between.
fn bounds(range: &ScanRange) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let low = match &range.from {
        Bound::Included(ck) => ck.clone(),
        Bound::Excluded(ck) => after(ck),
        Bound::Unbounded => Vec::new(),
    };
    let high = match &range.to {
        Bound::Included(ck) => Some(after(ck)),
        Bound::Excluded(ck) => Some(ck.clone()),
        Bound::Unbounded => None,
    };
    (high.as_ref().is_none_or(|high| low < *high)).then_some((low, high))
}

/// The key that comes next after this one.
fn after(ck: &[u8]) -> Vec<u8> {
    [ck, &[0]].concat()
}

fn read(
    answer: Result<scylla::response::query_result::QueryResult, scylla::errors::ExecutionError>,
    table: u8,
) -> Result<Vec<Found>, StoreError> {
    let word = Table::from_u8(table).map_or("unknown", Table::word);
    let rows = answer.map_err(read_failed)?.into_rows_result().map_err(|error| unexpected(word, error))?;
    let rows = rows.rows::<Found>().map_err(|error| unexpected(word, error))?;
    rows.collect::<Result<_, _>>().map_err(|error| unexpected(word, error))
}

/// The row that was found, if readers see it.
fn live((ck, value, ts_us): Found, now: Timestamp) -> Result<Option<Row>, StoreError> {
    let (Some(value), Some(ts_us)) = (value, ts_us) else { return Ok(None) };
    let cell = Cell::decode_timed("row", ts_us, &value)?;
    Ok(if cell.is_live(now) { cell.value.map(|value| Row { ck, value, ts_us }) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_become_the_lowest_key_and_the_first_that_is_past() {
        let range = |from, to| ScanRange { from, to, reverse: false, limit: 1 };
        let a = || b"a".to_vec();
        let next = || b"a\0".to_vec();
        assert_eq!(bounds(&range(Bound::Unbounded, Bound::Unbounded)), Some((vec![], None)));
        assert_eq!(bounds(&range(Bound::Included(a()), Bound::Included(a()))), Some((a(), Some(next()))));
        assert_eq!(bounds(&range(Bound::Excluded(a()), Bound::Unbounded)), Some((next(), None)));
        assert_eq!(bounds(&range(Bound::Excluded(a()), Bound::Included(a()))), None);
        assert_eq!(bounds(&range(Bound::Included(a()), Bound::Excluded(a()))), None);
    }

    #[test]
    fn a_partition_is_cut_by_rows_and_by_bytes() {
        let put = |size| Put::new(Table::Message, b"p", b"c", vec![0; size], 1);
        let small: Vec<Put> = (0..BATCH_ROWS + 1).map(|_| put(1)).collect();
        let cut_lengths = |puts: &[Put]| cut(&puts.iter().collect::<Vec<_>>()).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(cut_lengths(&small), [BATCH_ROWS, 1]);
        let large: Vec<Put> = (0..3).map(|_| put(BATCH_BYTES / 2)).collect();
        assert_eq!(cut_lengths(&large), [1, 1, 1]);
        assert_eq!(cut_lengths(&[]), [0_usize; 0]);
    }
}
