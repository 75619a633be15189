//! A batch that forms: what the requests of one fsync write, and what they are answered then.

use std::collections::{BTreeMap, HashMap};

use super::disk::Disk;
use super::request::Reply;
use crate::domain::time::Timestamp;
use crate::store::cell::Cell;
use crate::store::{JournalRecord, Position, Put, StoreError, Table};

/// Tells one asker how its batch went.
type Answer = Box<dyn FnOnce(Result<(), StoreError>)>;

/// Writes and answers of one batch. Of a key's writes the last stays: the engine gives a batch one sequence
/// number, under which two writes of a key would have no order.
pub(super) struct Gather {
    pub(super) now: Timestamp,
    rows: Vec<(Vec<u8>, Option<Cell>)>,
    /// Where the rows stand that may come out of order.
    unordered: HashMap<Vec<u8>, usize>,
    own: BTreeMap<Vec<u8>, Vec<u8>>,
    records: Vec<(u16, JournalRecord)>,
    trims: Vec<(u16, Position)>,
    answers: Vec<Answer>,
    bytes: usize,
    sync: bool,
    broken: Option<StoreError>,
}

impl Gather {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            rows: Vec::new(),
            unordered: HashMap::new(),
            own: BTreeMap::new(),
            records: Vec::new(),
            trims: Vec::new(),
            answers: Vec::new(),
            bytes: 0,
            sync: false,
            broken: None,
        }
    }

    /// How many rows it writes, records among them, and how many bytes. A request without a row counts as one.
    pub(super) fn size(&self) -> (usize, usize) {
        let rows = self.rows.len() + self.own.len() + self.records.len() + self.trims.len();
        (rows.max(self.answers.len()), self.bytes)
    }

    /// Its answers wait for the disk.
    pub(super) fn must_sync(&mut self) {
        self.sync = true;
    }

    /// Takes rows. Where writes may come out of order, an older one gives way to what is there.
    pub(super) fn put(&mut self, disk: &Disk, rows: Vec<Put>) -> Result<(), StoreError> {
        for row in rows {
            let in_order = Table::from_u8(row.key.table()).is_some_and(Table::in_order);
            let (key, cell) = Cell::of(row, self.now);
            let bytes = key.len() + cell.value.as_ref().map_or(0, Vec::len);
            if in_order {
                // It needs no marker of a deletion: nothing older comes after it.
                let cell = cell.value.is_some().then_some(cell);
                self.rows.push((key, cell));
            } else if let Some((_, old)) = self.unordered.get(&key).and_then(|place| self.rows.get_mut(*place)) {
                if old.as_ref().is_none_or(|old| cell.supersedes(old)) {
                    *old = Some(cell);
                }
            } else if is_newer(disk, &key, &cell)? {
                self.unordered.insert(key.clone(), self.rows.len());
                self.rows.push((key, Some(cell)));
            } else {
                continue;
            }
            self.bytes += bytes;
        }
        Ok(())
    }

    pub(super) fn append(&mut self, shard: u16, record: JournalRecord) {
        self.bytes += record.payload.len();
        self.records.push((shard, record));
        self.sync = true;
    }

    pub(super) fn trim(&mut self, shard: u16, position: Position) {
        self.trims.push((shard, position));
    }

    /// Writes a row of the engine's own; the last write of a key stays.
    pub(super) fn own(&mut self, key: &[u8], value: Vec<u8>) {
        self.own.insert(key.to_vec(), value);
    }

    /// Answers a request once the batch is written. A failed disk fails the whole batch.
    pub(super) fn answer<T: 'static, E: From<StoreError> + 'static>(
        &mut self,
        reply: Reply<T, E>,
        outcome: Result<T, E>,
        broken: Option<StoreError>,
    ) {
        if self.broken.is_none() {
            self.broken = broken;
        }
        // An asker that has gone has nothing more to hear.
        self.answers.push(Box::new(move |written| drop(reply.send(written.map_err(E::from).and(outcome)))));
    }

    /// Writes everything. Answers whether the disk was waited for.
    pub(super) fn write(&mut self, disk: &Disk) -> Result<bool, StoreError> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let mut batch = disk.batch(self.rows.len() + self.own.len() + self.records.len() + self.trims.len());
        // In the order of their keys: what the engine compares for one is still near for the next. The sort is stable,
        // so the last write of a key is the last of its run.
        self.rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut rows = self.rows.drain(..).peekable();
        while let Some((key, cell)) = rows.next() {
            if rows.peek().is_none_or(|(next, _)| *next != key) {
                batch.row(key, cell.as_ref());
            }
        }
        drop(rows);
        for (key, value) in std::mem::take(&mut self.own) {
            batch.own(&key, value);
        }
        for (shard, record) in self.records.drain(..) {
            batch.append(shard, &record);
        }
        for (shard, position) in self.trims.drain(..) {
            batch.trim(shard, position);
        }
        if batch.len() == 0 {
            return Ok(false);
        }
        metrics::histogram!("tidegate_store_batch_rows").record(batch.len() as f64);
        batch.write(self.sync).map_err(|why| StoreError::Final(format!("a commit could not be written: {why}")))?;
        Ok(self.sync)
    }

    /// Answers every request.
    pub(super) fn tell(self, written: &Result<(), StoreError>) {
        for answer in self.answers {
            answer(written.clone());
        }
    }
}

/// Whether a write stays when it meets what the folder has.
fn is_newer(disk: &Disk, key: &[u8], cell: &Cell) -> Result<bool, StoreError> {
    match disk.cell(key) {
        Ok(old) => Ok(old.is_none_or(|old| cell.supersedes(&old))),
        Err(error @ StoreError::Corrupt { .. }) => {
            tracing::error!(%error, "overwriting a row that cannot be read");
            Ok(true)
        }
        Err(error) => Err(error),
    }
}
