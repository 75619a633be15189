//! How the rest of the process reaches the sockets of all arbiters, from any thread.
//!
//! One message per committed batch and arbiter crosses threads. The lines are bounded: when one is
//! full, its hub learns that it missed something and reads the store instead, so nothing is
//! silently lost and no publisher waits.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::mpsc;

use super::entry::FeedEntry;
use super::signal::Signal;
use crate::domain::ids::{MemberId, WorkspaceId};

/// What crosses to an arbiter.
#[derive(Clone)]
pub(super) enum Notice {
    Batch(Arc<[FeedEntry]>),
    Signal(Arc<Signal>),
    Revoke(WorkspaceId, MemberId),
    Refresh(WorkspaceId, Option<MemberId>),
    Interrupted,
    GoAway,
}

/// What a full line remembers of the notices it could not take.
#[derive(Default)]
pub(super) struct Overflow(AtomicU8);

impl Overflow {
    /// Entries were missed.
    pub(super) const ENTRIES: u8 = 1;
    /// A revocation or refresh was missed: ask for everybody again.
    pub(super) const ACCESS: u8 = 2;
    /// Everybody is to be sent away.
    pub(super) const GO_AWAY: u8 = 4;

    fn set(&self, bit: u8) {
        self.0.fetch_or(bit, Ordering::AcqRel);
    }

    /// Takes what was remembered.
    pub(super) fn take(&self) -> u8 {
        if self.0.load(Ordering::Acquire) == 0 { 0 } else { self.0.swap(0, Ordering::AcqRel) }
    }
}

struct Line {
    notices: mpsc::Sender<Notice>,
    overflow: Arc<Overflow>,
}

/// The way to the sockets of every arbiter. Cheap to clone.
#[derive(Clone, Default)]
pub struct HubHandle(Arc<Inner>);

#[derive(Default)]
struct Inner {
    lines: RwLock<Vec<Line>>,
    sessions: AtomicUsize,
    tails: AtomicUsize,
    closed: AtomicBool,
}

impl HubHandle {
    /// A handle to no arbiter yet; each worker adds its own with [`super::Hub::start`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Pushes committed entries, in order within each shard. Call it after the commit, and in the
    /// order of the commits of a shard.
    pub fn publish(&self, batch: &Arc<[FeedEntry]>) {
        if !batch.is_empty() {
            self.send(Overflow::ENTRIES, || Notice::Batch(Arc::clone(batch)));
        }
    }

    /// Shows a signal to those who are there; a full line drops it, for it rests on nothing.
    pub fn signal(&self, signal: &Arc<Signal>) {
        self.send(0, || Notice::Signal(Arc::clone(signal)));
    }

    /// Closes the sockets of a member with a code that says not to come back.
    pub fn revoke(&self, workspace: WorkspaceId, member: MemberId) {
        self.send(Overflow::ACCESS, || Notice::Revoke(workspace, member));
    }

    /// Asks the gatekeeper again what the members of a workspace (or one of them) may see. Until
    /// it has answered they are shown nothing.
    pub fn refresh(&self, workspace: WorkspaceId, member: Option<MemberId>) {
        self.send(Overflow::ACCESS, || Notice::Refresh(workspace, member));
    }

    /// Entries may have been missed (a link between nodes broke): every session reads on from the
    /// store.
    pub fn interrupted(&self) {
        self.send(Overflow::ENTRIES, || Notice::Interrupted);
    }

    /// Refuses new sockets and closes the present ones with a code that says to come back.
    pub fn go_away(&self) {
        self.0.closed.store(true, Ordering::Release);
        self.send(Overflow::GO_AWAY, || Notice::GoAway);
    }

    /// Whether new sockets are refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    /// How many sockets are open on all arbiters.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.sessions.load(Ordering::Acquire)
    }

    /// Whether some tail on any arbiter takes entries. Tails outlive their sessions for a while, and whoever comes back
    /// reads on in one: entries that are published to nobody's tail are safe to leave out, and no others.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.0.tails.load(Ordering::Acquire) > 0
    }

    /// A tail begins to take entries. Called before its head is asked for.
    pub(super) fn tail_began(&self) {
        self.0.tails.fetch_add(1, Ordering::AcqRel);
    }

    /// So many tails are gone.
    pub(super) fn tails_ended(&self, count: usize) {
        self.0.tails.fetch_sub(count, Ordering::AcqRel);
    }

    pub(super) fn count(&self, opened: bool) {
        if opened {
            self.0.sessions.fetch_add(1, Ordering::AcqRel);
        } else {
            self.0.sessions.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// A line to a new arbiter.
    pub(super) fn add_line(&self, bound: usize) -> (mpsc::Receiver<Notice>, Arc<Overflow>) {
        let (notices, received) = mpsc::channel(bound);
        let overflow = Arc::new(Overflow::default());
        let line = Line { notices, overflow: Arc::clone(&overflow) };
        self.0.lines.write().unwrap_or_else(PoisonError::into_inner).push(line);
        (received, overflow)
    }

    fn send(&self, lost: u8, notice: impl Fn() -> Notice) {
        for line in self.0.lines.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Err(mpsc::error::TrySendError::Full(_)) = line.notices.try_send(notice()) {
                line.overflow.set(lost);
            }
        }
    }
}
