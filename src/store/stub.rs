//! temporary
use super::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
#[derive(Default)]
pub struct Inner {
    rows: BTreeMap<RowKey, (Vec<u8>, i64)>,
    journal: BTreeMap<(u16, u64), JournalRecord>,
    epochs: BTreeMap<u16, (u64, u64)>,
}
#[derive(Clone, Default)]
pub struct AnyStore(pub Arc<Mutex<Inner>>);
impl AnyStore {
    fn put(i: &mut Inner, rows: Vec<Put>) {
        for p in rows {
            match p.value {
                Some(v) => {
                    i.rows.insert(p.key, (v, p.ts_us));
                }
                None => {
                    i.rows.remove(&p.key);
                }
            }
        }
    }
}
impl Store for AnyStore {
    async fn identity(&self, p: StoreIdentity) -> Result<StoreIdentity, StoreError> {
        Ok(p)
    }
    async fn put_facts(&self, rows: Vec<Put>) -> Result<(), StoreError> {
        Self::put(&mut self.0.lock().unwrap(), rows);
        Ok(())
    }
    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        Ok(self.0.lock().unwrap().rows.get(key).map(|(v, t)| Row {
            ck: key.ck().to_vec(),
            value: v.clone(),
            ts_us: *t,
        }))
    }
    async fn get_many(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        let mut o = vec![];
        for k in keys {
            o.push(self.get(k).await?);
        }
        Ok(o)
    }
    async fn scan(&self, table: Table, pk: &[u8], r: ScanRange) -> Result<Page, StoreError> {
        let i = self.0.lock().unwrap();
        let mut rows: Vec<Row> = i
            .rows
            .iter()
            .filter(|(k, _)| {
                k.table() == table as u8 && k.pk() == pk && (r.from.clone(), r.to.clone()).contains_ck(k.ck())
            })
            .map(|(k, (v, t))| Row { ck: k.ck().to_vec(), value: v.clone(), ts_us: *t })
            .collect();
        if r.reverse {
            rows.reverse();
        }
        let more = rows.len() > r.limit;
        rows.truncate(r.limit);
        Ok(Page { rows, more })
    }
    async fn commit(&self, l: &mut Lease, ts_us: i64, record: Vec<u8>, facts: Vec<Put>) -> Result<Position, Fence> {
        let mut i = self.0.lock().unwrap();
        if i.epochs.get(&l.shard).map(|e| e.0) != Some(l.epoch) {
            return Err(Fence::Fenced { seen_epoch: None });
        }
        l.position += 1;
        l.last_ts_us = ts_us;
        i.journal.insert(
            (l.shard, l.position),
            JournalRecord { position: l.position, epoch: l.epoch, ts_us, payload: record },
        );
        Self::put(&mut i, facts);
        Ok(l.position)
    }
    async fn settle(&self, l: &Lease, upto: Position, rows: Vec<Put>) -> Result<(), Fence> {
        let mut i = self.0.lock().unwrap();
        i.epochs.get_mut(&l.shard).unwrap().1 = upto;
        Self::put(&mut i, rows);
        Ok(())
    }
    async fn replay(&self, shard: u16, after: Position, limit: usize) -> Result<Vec<JournalRecord>, StoreError> {
        Ok(self
            .0
            .lock()
            .unwrap()
            .journal
            .range((shard, after + 1)..=(shard, u64::MAX))
            .take(limit)
            .map(|(_, r)| r.clone())
            .collect())
    }
    async fn acquire(&self, shard: u16, _o: Owner, _e: Option<u64>) -> Result<Lease, Fence> {
        let mut i = self.0.lock().unwrap();
        let e = i.epochs.entry(shard).or_default();
        e.0 += 1;
        let (epoch, checkpoint) = *e;
        let last = i
            .journal
            .range((shard, 0)..=(shard, u64::MAX))
            .next_back()
            .map(|(_, r)| (r.position, r.ts_us))
            .unwrap_or((checkpoint, 0));
        Ok(Lease { shard, epoch, position: last.0, last_ts_us: last.1, checkpoint })
    }
    async fn beat(&self, _: Owner, _: u64) -> Result<(), StoreError> {
        Ok(())
    }
    async fn members(&self) -> Result<(u64, Vec<Member>), StoreError> {
        Ok((0, vec![]))
    }
    async fn change_member(&self, _: u64, _: Member) -> Result<bool, StoreError> {
        Ok(true)
    }
    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
trait C {
    fn contains_ck(&self, ck: &[u8]) -> bool;
}
impl C for (std::ops::Bound<Vec<u8>>, std::ops::Bound<Vec<u8>>) {
    fn contains_ck(&self, ck: &[u8]) -> bool {
        use std::ops::Bound::*;
        (match &self.0 {
            Included(a) => ck >= a.as_slice(),
            Excluded(a) => ck > a.as_slice(),
            Unbounded => true,
        }) && (match &self.1 {
            Included(a) => ck <= a.as_slice(),
            Excluded(a) => ck < a.as_slice(),
            Unbounded => true,
        })
    }
}
