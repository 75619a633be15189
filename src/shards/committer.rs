//! Record forming: one append under way, and what arrives meanwhile forms the next record.
//!
//! Commit at once, collect while committing: there is no fixed wait. Gathering the shards' appends
//! into one fsync is the engine's affair.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::error::CommandError;
use super::owner::Owner;
use super::record::{EntryPlace, RecordWriter, UnreadableRecord};
use crate::domain::effect::EffectId;
use crate::domain::ids::WorkspaceId;
use crate::store::{Position, Put};

/// A record is closed for more at this size: the journal's rows stay under 128 KiB (`storage.md` §4).
const RECORD_BYTES_MAX: usize = 96 * 1024;
/// A record is closed for more at this many facts, so that one commit stays a few milliseconds.
const RECORD_FACTS_MAX: usize = 2_000;

/// A turn that waits for its record.
pub(super) trait Staged {
    /// The record is durable at this position.
    fn committed(self: Box<Self>, owner: &Rc<Owner>, position: Position);
    /// The record will not be; nothing of it happened, or nobody knows.
    fn refused(self: Box<Self>, error: &CommandError);
}

/// A record and all that hangs on it.
pub(super) struct Batch {
    pub(super) writer: RecordWriter,
    pub(super) facts: Vec<Put>,
    pub(super) staged: Vec<Box<dyn Staged>>,
    /// What the feed keeps of it, for each workspace.
    pub(super) feed: Vec<(WorkspaceId, Vec<u8>)>,
    /// Effects whose answers it records.
    pub(super) closed: Vec<EffectId>,
}

impl Batch {
    fn new() -> Self {
        Self {
            writer: RecordWriter::new(),
            facts: Vec::new(),
            staged: Vec::new(),
            feed: Vec::new(),
            closed: Vec::new(),
        }
    }

    fn has_room(&self, (events, effects): (usize, usize)) -> bool {
        self.writer.len() < RECORD_BYTES_MAX
            && self.facts.len() < RECORD_FACTS_MAX
            && self.writer.has_room(events, effects)
    }
}

/// What hangs on the record under way.
#[derive(Default)]
pub(super) struct UnderWay {
    pub(super) staged: Vec<Box<dyn Staged>>,
    pub(super) closed: Vec<EffectId>,
}

/// The records of one shard that are not yet committed.
#[derive(Default)]
pub(super) struct Committer {
    forming: RefCell<VecDeque<Batch>>,
    under_way: RefCell<Option<UnderWay>>,
    running: Cell<bool>,
}

impl Committer {
    /// Adds a turn to the record that is forming. Answers whether somebody must start committing.
    pub(super) fn stage(
        &self,
        size: (usize, usize),
        facts: Vec<Put>,
        write: impl FnOnce(&mut RecordWriter) -> Result<(EntryPlace, Box<dyn Staged>), UnreadableRecord>,
    ) -> Result<bool, UnreadableRecord> {
        let mut forming = self.forming.borrow_mut();
        if !forming.back().is_some_and(|batch| batch.has_room(size)) {
            forming.push_back(Batch::new());
        }
        if let Some(batch) = forming.back_mut() {
            let start = batch.writer.len();
            let staged = match write(&mut batch.writer) {
                Ok((_, staged)) => staged,
                Err(error) => {
                    // A record that was begun for this turn alone must not wait for a committer that never comes.
                    if batch.staged.is_empty() && batch.closed.is_empty() {
                        forming.pop_back();
                    }
                    return Err(error);
                }
            };
            if let Some((workspace, segment)) = batch.writer.feed_segment(start) {
                match batch.feed.iter_mut().find(|(of, _)| *of == workspace) {
                    Some((_, bytes)) => bytes.extend_from_slice(&segment),
                    None => batch.feed.push((workspace, segment)),
                }
            }
            batch.facts.extend(facts);
            batch.staged.push(staged);
        }
        Ok(!self.running.replace(true))
    }

    /// Adds answered effects to the record that is forming.
    pub(super) fn close(&self, ids: &[EffectId]) -> Result<bool, UnreadableRecord> {
        let mut forming = self.forming.borrow_mut();
        if !forming.back().is_some_and(|batch| batch.has_room((0, 0))) {
            forming.push_back(Batch::new());
        }
        if let Some(batch) = forming.back_mut() {
            batch.writer.closes(ids)?;
            batch.closed.extend_from_slice(ids);
        }
        Ok(!self.running.replace(true))
    }

    /// Hangs something on the newest record, formed or under way; gives it back when there is none.
    pub(super) fn follow(&self, staged: Box<dyn Staged>) -> Option<Box<dyn Staged>> {
        if let Some(batch) = self.forming.borrow_mut().back_mut() {
            batch.staged.push(staged);
            return None;
        }
        match self.under_way.borrow_mut().as_mut() {
            Some(record) => {
                record.staged.push(staged);
                None
            }
            None => Some(staged),
        }
    }

    /// Whether a record is forming already: what is not urgent goes with it.
    pub(super) fn is_forming(&self) -> bool {
        !self.forming.borrow().is_empty()
    }

    /// Records that are formed and wait, the newest of which may still grow.
    pub(super) fn records_waiting(&self) -> usize {
        self.forming.borrow().len()
    }

    /// Whether nothing is forming or under way.
    pub(super) fn is_idle(&self) -> bool {
        !self.running.get()
    }

    /// Takes the oldest record; what hangs on it stays here until [`Self::finish`]. None: committing pauses.
    pub(super) fn begin(&self) -> Option<Batch> {
        let Some(mut batch) = self.forming.borrow_mut().pop_front() else {
            self.running.set(false);
            return None;
        };
        let (staged, closed) = (std::mem::take(&mut batch.staged), std::mem::take(&mut batch.closed));
        *self.under_way.borrow_mut() = Some(UnderWay { staged, closed });
        Some(batch)
    }

    /// What hung on the record under way, which has ended.
    pub(super) fn finish(&self) -> UnderWay {
        self.under_way.borrow_mut().take().unwrap_or_default()
    }

    /// Everything that waits, formed or under way; afterwards nothing waits.
    pub(super) fn abandon(&self) -> UnderWay {
        let mut waiting = self.finish();
        for batch in self.forming.borrow_mut().drain(..) {
            waiting.staged.extend(batch.staged);
            waiting.closed.extend(batch.closed);
        }
        self.running.set(false);
        waiting
    }
}

/// Commits what forms, until nothing does.
pub(super) async fn run(owner: Rc<Owner>) {
    let _fuse = Fuse(&owner);
    // Whatever is ready on this arbiter decides first, into the same record.
    tokio::task::yield_now().await;
    while let Some(batch) = owner.committer().begin() {
        let Batch { writer, facts, feed, .. } = batch;
        match owner.append(writer.into_bytes(), facts).await {
            Ok(position) => {
                owner.keep_feed(position, owner.committed_at(), feed);
                let UnderWay { staged, closed } = owner.committer().finish();
                owner.forget_effects(&closed);
                for turn in staged {
                    turn.committed(&owner, position);
                }
                owner.record_ended(position);
            }
            Err(fence) => owner.commit_failed(fence),
        }
    }
}

/// A panic while a committed record is applied or told leaves memory behind the log, and nobody to commit
/// what comes next: this process must not go on.
struct Fuse<'a>(&'a Rc<Owner>);

impl Drop for Fuse<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(format!("shard {} panicked over a committed record", self.0.number()));
        }
    }
}
