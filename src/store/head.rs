//! The rules of one shard's journal: who may append, what comes next, how far the checkpoint may move.
//!
//! Pure, and the same in every engine that holds the journal itself.

use xxhash_rust::xxh3::xxh3_128;

use super::{Fence, Lease, Owner, Position, StoreError};

/// Where a shard's journal stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShardHead {
    /// The present epoch; 0 before the first owner.
    pub(super) epoch: u64,
    /// Who took it.
    pub(super) owner: Option<Owner>,
    /// The last committed record.
    pub(super) position: Position,
    /// Its timestamp, in microseconds; `i64::MIN` before the first.
    pub(super) last_ts_us: i64,
    /// What it was made of, as far as this process wrote it.
    pub(super) last_digest: Option<u128>,
    /// Records up to here need no replay.
    pub(super) checkpoint: Position,
}

/// What becomes of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is the next record.
    Next(Position),
    /// It is the last record, sent again: there is nothing to do.
    Again(Position),
}

impl Default for ShardHead {
    /// A shard that nobody has owned.
    fn default() -> Self {
        Self { epoch: 0, owner: None, position: 0, last_ts_us: i64::MIN, last_digest: None, checkpoint: 0 }
    }
}

impl ShardHead {
    /// Judges an append under `lease`.
    pub(super) fn admit(&self, lease: &Lease, ts_us: i64, record: &[u8]) -> Result<Admission, Fence> {
        self.check_epoch(lease)?;
        let next = lease.position + 1;
        if lease.position == self.position {
            if ts_us <= self.last_ts_us {
                return Err(not_applied("a record's timestamp is not above the last one's"));
            }
            return Ok(Admission::Next(next));
        }
        if next == self.position && ts_us == self.last_ts_us && self.last_digest == Some(xxh3_128(record)) {
            return Ok(Admission::Again(next));
        }
        Err(not_applied("the lease does not stand at the journal's end; acquire the shard again"))
    }

    /// Takes an admitted record as the last one.
    pub(super) fn append(&mut self, position: Position, ts_us: i64, record: &[u8]) {
        self.position = position;
        self.last_ts_us = ts_us;
        self.last_digest = Some(xxh3_128(record));
    }

    /// Judges a settling up to `upto`: rows of an older state must not follow those of a newer one.
    pub(super) fn may_settle(&self, lease: &Lease, upto: Position) -> Result<(), Fence> {
        self.check_epoch(lease)?;
        if upto < self.checkpoint {
            return Err(not_applied("the checkpoint is past that record already"));
        }
        if upto > self.position {
            return Err(not_applied("that record is not committed"));
        }
        Ok(())
    }

    /// Gives the shard to `owner` in the next epoch.
    pub(super) fn take(&mut self, shard: u16, owner: Owner, expect: Option<u64>) -> Result<Lease, Fence> {
        if expect.is_some_and(|expected| expected != self.epoch) {
            return Err(Fence::Fenced { seen_epoch: Some(self.epoch) });
        }
        self.epoch += 1;
        self.owner = Some(owner);
        Ok(Lease {
            shard,
            epoch: self.epoch,
            position: self.position,
            last_ts_us: self.last_ts_us.max(0),
            checkpoint: self.checkpoint,
        })
    }

    fn check_epoch(&self, lease: &Lease) -> Result<(), Fence> {
        if lease.epoch == self.epoch && self.epoch > 0 {
            return Ok(());
        }
        Err(Fence::Fenced { seen_epoch: Some(self.epoch) })
    }
}

fn not_applied(why: &str) -> Fence {
    Fence::Store(StoreError::NotApplied(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { node: 1, incarnation: 1 };

    #[test]
    fn the_next_record_and_the_last_one_again_are_admitted() {
        let mut head = ShardHead::default();
        let mut lease = head.take(3, OWNER, None).expect("is free");
        assert_eq!(head.admit(&lease, 10, b"a"), Ok(Admission::Next(1)));
        head.append(1, 10, b"a");
        assert_eq!(head.admit(&lease, 10, b"a"), Ok(Admission::Again(1)));
        assert!(head.admit(&lease, 10, b"b").is_err(), "other bytes at the same place");
        assert!(head.admit(&lease, 11, b"a").is_err(), "another time at the same place");
        lease.position = 1;
        assert!(head.admit(&lease, 10, b"b").is_err(), "a timestamp that does not rise");
        assert_eq!(head.admit(&lease, 11, b"b"), Ok(Admission::Next(2)));
        lease.position = 2;
        assert!(head.admit(&lease, 12, b"c").is_err(), "a place beyond the end");
    }

    #[test]
    fn an_older_epoch_is_told_the_present_one() {
        let mut head = ShardHead::default();
        let unowned = Lease { shard: 3, epoch: 0, position: 0, last_ts_us: 0, checkpoint: 0 };
        assert_eq!(head.admit(&unowned, 1, b"a"), Err(Fence::Fenced { seen_epoch: Some(0) }));
        let old = head.take(3, OWNER, Some(0)).expect("is free");
        head.take(3, OWNER, None).expect("is anybody's");
        assert_eq!(head.admit(&old, 1, b"a"), Err(Fence::Fenced { seen_epoch: Some(2) }));
        assert_eq!(head.may_settle(&old, 0), Err(Fence::Fenced { seen_epoch: Some(2) }));
        assert_eq!(head.take(3, OWNER, Some(1)), Err(Fence::Fenced { seen_epoch: Some(2) }));
    }
}
