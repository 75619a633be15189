//! The log of a shard: one conditional append a record, segments of 1,024 records, each with the epoch that fences it.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::Instant;

use super::outcome::{Verdict, condition_failed, not_applied, read_failed, unexpected};
use super::{CqlStore, Head};
use crate::store::span::check;
use crate::store::{Fence, JournalRecord, Lease, Position, Put, StoreError};

/// Records of a segment: at the 8 KB of a busy record a partition of 8 MB.
const SEGMENT_RECORDS: u64 = 1_024;
/// Records that one request reads: at the 128 KB of the largest record 16 MB.
const READ_RECORDS: usize = 128;
/// Pauses between attempts of an append whose outcome is unknown.
const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Attempts at what has to be deleted with a record.
const DELETION_ATTEMPTS: u32 = 5;

/// position, writer, timestamp, bytes.
type Stored = (i64, Option<i64>, Option<i64>, Option<Vec<u8>>);

/// The segment that holds a position, which is from 1.
pub(super) const fn segment_of(position: Position) -> i64 {
    ((position.saturating_sub(1)) / SEGMENT_RECORDS) as i64
}

/// The last position before a segment begins.
pub(super) const fn before_segment(segment: i64) -> Position {
    segment as u64 * SEGMENT_RECORDS
}

impl CqlStore {
    /// Writes the facts, then appends the record under a lease. An attempt whose outcome nobody knows is repeated with
    /// the same bytes until it is known, or the deadline has passed.
    pub(super) async fn append(
        &self,
        lease: &Lease,
        ts_us: i64,
        record: &[u8],
        facts: &[Put],
    ) -> Result<Position, Fence> {
        check(facts)?;
        if lease.epoch == 0 {
            return Err(self.fenced(lease.shard).await);
        }
        let position = lease.position + 1;
        let head = self.enter_segment(lease, segment_of(position)).await?;
        if ts_us <= lease.last_ts_us {
            return Err(not_applied("a record's timestamp is not above the last one's").into());
        }
        if head.position < lease.position {
            return Err(astray());
        }
        if head.position >= position {
            self.judge_refused(lease, position, ts_us, record).await?;
            return Ok(position);
        }
        // A deletion is of no use before the record: were that refused, what is still in use would be gone.
        let ends: Vec<Put> = facts.iter().filter(|put| put.value.is_none()).cloned().collect();
        let facts = match ends.is_empty() {
            true => Cow::Borrowed(facts),
            false => Cow::Owned(facts.iter().filter(|put| put.value.is_some()).cloned().collect()),
        };
        let began = Instant::now();
        let (mut pause, mut written, mut doubt) = (PAUSE, false, None);
        loop {
            let attempt = async {
                if !written {
                    self.write_rows(&facts).await?;
                    written = true;
                }
                self.try_append(lease, position, ts_us, record).await
            };
            match attempt.await {
                Err(Fence::Store(StoreError::Unknown(why))) => doubt = Some(why),
                // It says nothing of the attempt before, which may have been applied.
                Err(Fence::Store(StoreError::NotApplied(_))) if doubt.is_some() => {}
                // A database that is busy, or back in a moment, is no reason to give the shard up.
                Err(Fence::Store(StoreError::NotApplied(_))) if began.elapsed() + pause < self.0.request_timeout => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                    continue;
                }
                outcome => {
                    metrics::histogram!("tidegate_cql_append_seconds").record(began.elapsed());
                    outcome?;
                    let head = Head { epoch: lease.epoch, segment: segment_of(position), position };
                    self.0.heads.insert(lease.shard, head);
                    self.delete_rows(&ends).await;
                    return Ok(position);
                }
            }
            metrics::counter!("tidegate_cql_unknown_appends_total").increment(1);
            if let Some(why) = doubt.take_if(|_| began.elapsed() + pause >= self.0.commit_deadline) {
                return Err(Fence::Store(StoreError::Unknown(why)));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Deletes rows of a record that is committed. Nobody can be told any more that it failed.
    async fn delete_rows(&self, rows: &[Put]) {
        for _ in 0..DELETION_ATTEMPTS {
            match self.write_rows(rows).await {
                Ok(()) => return,
                Err(error) => tracing::error!(%error, "failed to delete rows of a committed record; trying again"),
            }
            tokio::time::sleep(PAUSE_MAX).await;
        }
    }

    async fn try_append(&self, lease: &Lease, position: Position, ts_us: i64, record: &[u8]) -> Result<(), Fence> {
        let segment = segment_of(position);
        self.enter_segment(lease, segment).await?;
        let (epoch, shard) = (lease.epoch as i64, i32::from(lease.shard));
        let values = (epoch, ts_us, record, shard, segment, position as i64, epoch);
        let verdict = self.decide(&self.0.statements.meta.append, values).await?;
        if verdict.applied {
            return Ok(());
        }
        match verdict.number("epoch") {
            Some(seen) if seen == epoch => self.judge_refused(lease, position, ts_us, record).await,
            Some(seen) => Err(Fence::Fenced { seen_epoch: Some(seen as u64) }),
            // The segment has outlived its epoch: it is fenced again, if the lease is still the present one.
            None => {
                self.0.heads.remove(&lease.shard);
                Err(StoreError::Unknown("the segment has no epoch any more".into()).into())
            }
        }
    }

    /// Judges an append that was refused though the epoch is ours: something stands at its place already.
    async fn judge_refused(&self, lease: &Lease, position: Position, ts_us: i64, record: &[u8]) -> Result<(), Fence> {
        let statement = &self.0.statements.meta.record_get;
        let values = (i32::from(lease.shard), segment_of(position), position as i64);
        let answer = self.0.session.execute_unpaged(statement, values).await.map_err(read_failed)?;
        let rows = answer.into_rows_result().map_err(|error| unexpected("shard_journal", error))?;
        let stored: Option<Stored> = rows.maybe_first_row().map_err(|error| unexpected("shard_journal", error))?;
        match stored {
            Some((_, _, Some(stored_ts_us), Some(payload))) if stored_ts_us == ts_us && payload == record => Ok(()),
            _ => Err(astray()),
        }
    }

    /// Makes sure that a segment carries the epoch of this lease. The lease's row is asked first, so that an owner that
    /// was deposed opens no segment which its successor does not know of.
    pub(super) async fn enter_segment(&self, lease: &Lease, segment: i64) -> Result<Head, Fence> {
        let head = self.0.heads.get(&lease.shard).map(|head| *head).filter(|head| head.epoch == lease.epoch);
        if let Some(head) = head.filter(|head| head.segment >= segment) {
            return Ok(head);
        }
        // Never back: one of these that was given up and comes late must not hide a segment from a successor.
        let values = (segment, i32::from(lease.shard), lease.epoch as i64, segment);
        let rolled = self.decide(&self.0.statements.meta.lease_roll, values).await?;
        let seen_epoch = rolled.number("epoch").unwrap_or_default() as u64;
        if !rolled.applied && seen_epoch != lease.epoch {
            return Err(Fence::Fenced { seen_epoch: Some(seen_epoch) });
        }
        self.fence(lease.shard, segment, lease.epoch).await?;
        let head = Head { epoch: lease.epoch, segment, position: head.map_or(lease.position, |head| head.position) };
        self.0.heads.insert(lease.shard, head);
        Ok(head)
    }

    /// Puts an epoch on a segment. Whoever has an older one is refused from then on, and what was under way is decided.
    pub(super) async fn fence(&self, shard: u16, segment: i64, epoch: u64) -> Result<(), Fence> {
        let meta = &self.0.statements.meta;
        let (mine, number) = (epoch as i64, i32::from(shard));
        loop {
            let seen = self.segment_epoch(number, segment).await?;
            let verdict = match seen {
                Some(seen) if seen == mine => break,
                Some(seen) if seen > mine => return Err(Fence::Fenced { seen_epoch: Some(seen as u64) }),
                Some(seen) => self.decide(&meta.fence, (mine, number, segment, seen)).await?,
                None => self.decide(&meta.fence_first, (mine, number, segment)).await?,
            };
            if verdict.applied {
                break;
            }
        }
        Ok(())
    }

    async fn segment_epoch(&self, shard: i32, segment: i64) -> Result<Option<i64>, StoreError> {
        let statement = &self.0.statements.meta.fence_get;
        let answer = self.0.session.execute_unpaged(statement, (shard, segment)).await.map_err(read_failed)?;
        let rows = answer.into_rows_result().map_err(|error| unexpected("shard_journal", error))?;
        let row: Option<(Option<i64>,)> = rows.maybe_first_row().map_err(|error| unexpected("shard_journal", error))?;
        Ok(row.and_then(|(epoch,)| epoch))
    }

    /// The last record of a segment: where it stands, and its timestamp.
    pub(super) async fn last_record(&self, shard: u16, segment: i64) -> Result<Option<(Position, i64)>, StoreError> {
        let statement = &self.0.statements.meta.last_record;
        let answer =
            self.0.session.execute_unpaged(statement, (i32::from(shard), segment)).await.map_err(read_failed)?;
        let rows = answer.into_rows_result().map_err(|error| unexpected("shard_journal", error))?;
        let row: Option<(i64, Option<i64>)> =
            rows.maybe_first_row().map_err(|error| unexpected("shard_journal", error))?;
        Ok(row.map(|(position, ts_us)| (position as u64, ts_us.unwrap_or_default())))
    }

    /// Records after a position, which is not before the checkpoint.
    pub(super) async fn records(
        &self,
        shard: u16,
        mut after: Position,
        limit: usize,
    ) -> Result<Vec<JournalRecord>, StoreError> {
        let mut records = Vec::new();
        while records.len() < limit {
            let segment = segment_of(after + 1);
            let asked = READ_RECORDS.min(limit - records.len());
            let values = (i32::from(shard), segment, after as i64, i32::try_from(asked).unwrap_or(i32::MAX));
            let answer =
                self.0.session.execute_unpaged(&self.0.statements.meta.records, values).await.map_err(read_failed)?;
            let rows = answer.into_rows_result().map_err(|error| unexpected("shard_journal", error))?;
            let rows = rows.rows::<Stored>().map_err(|error| unexpected("shard_journal", error))?;
            let before = records.len();
            for row in rows {
                let record = whole(row.map_err(|error| unexpected("shard_journal", error))?)?;
                if record.position != after + 1 {
                    return Err(unexpected("shard_journal", format!("a record is missing before {}", record.position)));
                }
                after = record.position;
                records.push(record);
            }
            // A segment that ended early is the last one; one that is full may have a successor.
            if records.len() - before < asked && segment_of(after + 1) == segment {
                break;
            }
            if records.len() == before {
                break;
            }
        }
        Ok(records)
    }
}

fn astray() -> Fence {
    not_applied("the lease does not stand at the journal's end; acquire the shard again").into()
}

fn whole((position, writer, ts_us, payload): Stored) -> Result<JournalRecord, StoreError> {
    match (writer, ts_us, payload) {
        (Some(writer), Some(ts_us), Some(payload)) => {
            Ok(JournalRecord { position: position as u64, epoch: writer as u64, ts_us, payload })
        }
        _ => Err(unexpected("shard_journal", format!("record {position} is not whole"))),
    }
}

impl CqlStore {
    /// Does a conditional write and tells what it met.
    pub(super) async fn decide<V: scylla::serialize::row::SerializeRow>(
        &self,
        statement: &scylla::statement::prepared::PreparedStatement,
        values: V,
    ) -> Result<Verdict, StoreError> {
        let answer = self.0.session.execute_unpaged(statement, values).await;
        Verdict::read(answer.map_err(|error| condition_failed(&error))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_lie_in_segments_without_a_gap() {
        assert_eq!([0, 1, 1_024, 1_025, 2_048, 2_049].map(segment_of), [0, 0, 0, 1, 1, 2]);
        assert_eq!(before_segment(segment_of(1_025)), 1_024);
        assert_eq!(before_segment(0), 0);
    }
}
