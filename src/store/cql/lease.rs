//! Who owns a shard: taking it, and moving its checkpoint.

use super::journal::{before_segment, segment_of};
use super::outcome::{not_applied, read_failed, unexpected};
use super::{CqlStore, Head};
use crate::store::{Fence, Lease, Owner, Position, Put, StoreError};

/// The row of a shard's lease.
#[derive(Clone, Debug, Default)]
struct LeaseRow {
    epoch: i64,
    owner: Vec<u8>,
    incarnation: i64,
    segment: i64,
    checkpoint: Position,
    checkpoint_ts_us: i64,
}

impl LeaseRow {
    /// Whether this start of this node took it.
    fn is_of(&self, owner: Owner) -> bool {
        self.owner == owner.node.to_be_bytes() && self.incarnation as u64 == owner.incarnation
    }
}

impl CqlStore {
    /// Takes a shard in the next epoch, fences its log, and finds its end.
    pub(super) async fn take_lease(&self, shard: u16, owner: Owner, expect: Option<u64>) -> Result<Lease, Fence> {
        loop {
            let known = self.lease_row(shard).await?;
            let epoch = match expect {
                // Won before, when the database went away under what comes after.
                Some(expected) if known.is_of(owner) && known.epoch as u64 == expected + 1 => known.epoch,
                Some(expected) if known.epoch as u64 != expected => {
                    return Err(Fence::Fenced { seen_epoch: Some(known.epoch as u64) });
                }
                _ if self.win(shard, owner, known.epoch).await? => known.epoch + 1,
                _ => continue,
            };
            match self.enter(shard, epoch as u64).await {
                // Somebody took the next one already; whoever insists on no epoch takes the one after that.
                Err(Fence::Fenced { .. }) if expect.is_none() => {}
                outcome => return outcome,
            }
        }
    }

    /// Makes a node the owner in the epoch after `known`; whether it is. An answer that was lost is looked up.
    pub(super) async fn win(&self, shard: u16, owner: Owner, known: i64) -> Result<bool, StoreError> {
        let meta = &self.0.statements.meta;
        let (node, incarnation, number) = (owner.node.to_be_bytes(), owner.incarnation as i64, i32::from(shard));
        let verdict = if known == 0 {
            self.decide(&meta.lease_first, (1_i64, &node[..], incarnation, number)).await
        } else {
            self.decide(&meta.lease_take, (known + 1, &node[..], incarnation, number, known)).await
        };
        match verdict {
            Ok(verdict) => Ok(verdict.applied),
            Err(StoreError::Unknown(_)) => {
                let row = self.lease_row(shard).await?;
                Ok(row.epoch == known + 1 && row.is_of(owner))
            }
            Err(error) => Err(error),
        }
    }

    /// Fences the log for an epoch that was won, and tells where it ends.
    async fn enter(&self, shard: u16, epoch: u64) -> Result<Lease, Fence> {
        // Read again: only the owner before could have opened another segment, and now it cannot.
        let row = self.lease_row(shard).await?;
        if row.epoch as u64 != epoch {
            return Err(Fence::Fenced { seen_epoch: Some(row.epoch as u64) });
        }
        self.fence(shard, row.segment, epoch).await?;
        let begins_after = before_segment(row.segment);
        let mut last = self.last_record(shard, row.segment).await?;
        if last.is_none() && row.segment > 0 {
            // A segment is opened when the one before it is full, and may be empty still.
            let before = self.last_record(shard, row.segment - 1).await?;
            last = Some((begins_after, before.map_or(row.checkpoint_ts_us, |(_, ts_us)| ts_us)));
        }
        let (position, last_ts_us) = last.unwrap_or_default();
        // What is before the checkpoint may have reached the end of its time.
        let position = position.max(row.checkpoint);
        self.0.heads.insert(shard, Head { epoch, segment: row.segment, position });
        Ok(Lease {
            shard,
            epoch,
            position,
            last_ts_us: last_ts_us.max(row.checkpoint_ts_us),
            checkpoint: row.checkpoint,
        })
    }

    /// Writes state rows, then moves the checkpoint. The epoch is looked at before a row is written and is the
    /// condition of the checkpoint; rows that a deposed owner wrote between are those of committed records, with
    /// their timestamps, and give way to whatever its successor writes.
    pub(super) async fn settle_rows(&self, lease: &Lease, upto: Position, rows: &[Put]) -> Result<(), Fence> {
        let row = self.lease_row(lease.shard).await?;
        if lease.epoch == 0 || row.epoch as u64 != lease.epoch {
            return Err(Fence::Fenced { seen_epoch: Some(row.epoch as u64) });
        }
        if upto < row.checkpoint {
            return Err(not_applied("the checkpoint is past that record already").into());
        }
        if upto > lease.position {
            return Err(not_applied("that record is not committed").into());
        }
        self.write_rows(rows).await?;
        let values = (upto as i64, lease.last_ts_us, i32::from(lease.shard), lease.epoch as i64, upto as i64);
        let verdict = self.decide(&self.0.statements.meta.checkpoint, values).await?;
        let seen_epoch = verdict.number("epoch").unwrap_or_default() as u64;
        // Refused under our own epoch, it is past that record already.
        if verdict.applied || seen_epoch == lease.epoch {
            return Ok(());
        }
        Err(Fence::Fenced { seen_epoch: Some(seen_epoch) })
    }

    /// Records after a position and after the checkpoint.
    pub(super) async fn replay_records(
        &self,
        shard: u16,
        after: Position,
        limit: usize,
    ) -> Result<Vec<crate::store::JournalRecord>, StoreError> {
        let row = self.lease_row(shard).await?;
        let after = after.max(row.checkpoint);
        debug_assert!(segment_of(after + 1) <= row.segment + 1, "no record is past the open segment");
        self.records(shard, after, limit).await
    }

    /// The refusal of whoever has no epoch.
    pub(super) async fn fenced(&self, shard: u16) -> Fence {
        match self.lease_row(shard).await {
            Ok(row) => Fence::Fenced { seen_epoch: Some(row.epoch as u64) },
            Err(error) => error.into(),
        }
    }

    async fn lease_row(&self, shard: u16) -> Result<LeaseRow, StoreError> {
        type Columns = (Option<i64>, Option<Vec<u8>>, Option<i64>, Option<i64>, Option<i64>, Option<i64>);
        let statement = &self.0.statements.meta.lease_get;
        let answer = self.0.session.execute_unpaged(statement, (i32::from(shard),)).await.map_err(read_failed)?;
        let rows = answer.into_rows_result().map_err(|error| unexpected("shard_lease", error))?;
        let row: Option<Columns> = rows.maybe_first_row().map_err(|error| unexpected("shard_lease", error))?;
        let Some((epoch, owner, incarnation, segment, checkpoint, checkpoint_ts_us)) = row else {
            return Ok(LeaseRow::default());
        };
        Ok(LeaseRow {
            epoch: epoch.unwrap_or_default(),
            owner: owner.unwrap_or_default(),
            incarnation: incarnation.unwrap_or_default(),
            segment: segment.unwrap_or_default(),
            checkpoint: checkpoint.unwrap_or_default() as u64,
            checkpoint_ts_us: checkpoint_ts_us.unwrap_or_default(),
        })
    }
}
