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

/// The records of one shard that are not yet committed.
#[derive(Default)]
pub(super) struct Committer {
    forming: RefCell<VecDeque<Batch>>,
    /// The turns of the record under way.
    under_way: RefCell<Option<Vec<Box<dyn Staged>>>>,
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
            let (_, staged) = write(&mut batch.writer)?;
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
            Some(turns) => {
                turns.push(staged);
                None
            }
            None => Some(staged),
        }
    }

    /// Whether a record is forming already: what is not urgent goes with it.
    pub(super) fn is_forming(&self) -> bool {
        !self.forming.borrow().is_empty()
    }

    /// Whether nothing is forming or under way.
    pub(super) fn is_idle(&self) -> bool {
        !self.running.get()
    }

    /// Takes the oldest record; its turns stay here until [`Self::finish`]. None: committing pauses.
    pub(super) fn begin(&self) -> Option<Batch> {
        let Some(mut batch) = self.forming.borrow_mut().pop_front() else {
            self.running.set(false);
            return None;
        };
        *self.under_way.borrow_mut() = Some(std::mem::take(&mut batch.staged));
        Some(batch)
    }

    /// The turns of the record under way, which has ended.
    pub(super) fn finish(&self) -> Vec<Box<dyn Staged>> {
        self.under_way.borrow_mut().take().unwrap_or_default()
    }

    /// Every turn that waits, formed or under way; afterwards nothing waits.
    pub(super) fn abandon(&self) -> Vec<Box<dyn Staged>> {
        let mut turns = self.finish();
        for batch in self.forming.borrow_mut().drain(..) {
            turns.extend(batch.staged);
        }
        self.running.set(false);
        turns
    }
}

/// Commits what forms, until nothing does.
pub(super) async fn run(owner: Rc<Owner>) {
    // Whatever is ready on this arbiter decides first, into the same record.
    tokio::task::yield_now().await;
    while let Some(batch) = owner.committer().begin() {
        let Batch { writer, facts, feed, closed, .. } = batch;
        match owner.append(writer.into_bytes(), facts).await {
            Ok(position) => {
                owner.keep_feed(position, owner.committed_at(), feed);
                owner.forget_effects(&closed);
                for turn in owner.committer().finish() {
                    turn.committed(&owner, position);
                }
                owner.record_ended(position);
            }
            Err(fence) => {
                owner.commit_failed(fence).await;
            }
        }
    }
}
