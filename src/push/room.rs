//! One workspace on one arbiter: its tail, its latest signals, its sessions.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::Connection;
use super::signal::Signals;
use super::tail::Tail;
use crate::domain::ids::WorkspaceId;

pub(super) struct Room {
    pub(super) workspace: WorkspaceId,
    pub(super) tail: RefCell<Tail>,
    pub(super) signals: RefCell<Signals>,
    sessions: RefCell<BTreeMap<u64, Rc<Connection>>>,
    /// Whether the tail is open, for those who wait at the door.
    pub(super) opened: watch::Sender<bool>,
    /// Whether the feed is being asked for the tail's head.
    pub(super) opening: Cell<bool>,
    /// Rises when the tail starts over: an answer about an earlier one is worth nothing.
    pub(super) generation: Cell<u64>,
    empty_since: Cell<Option<Instant>>,
}

impl Room {
    pub(super) fn new(workspace: WorkspaceId, tail: Tail) -> Rc<Self> {
        Rc::new(Self {
            workspace,
            tail: RefCell::new(tail),
            signals: RefCell::default(),
            sessions: RefCell::default(),
            opened: watch::Sender::new(false),
            opening: Cell::new(false),
            generation: Cell::new(0),
            empty_since: Cell::new(None),
        })
    }

    /// Starts the tail over: something was missed.
    pub(super) fn restart(&self) {
        self.tail.borrow_mut().restart();
        self.generation.set(self.generation.get() + 1);
        self.opening.set(false);
        self.opened.send_replace(false);
    }

    /// Somebody is at the door: the room stays for them as if the last had just left.
    pub(super) fn wanted(&self) {
        self.empty_since.set(None);
    }

    pub(super) fn join(&self, connection: &Rc<Connection>) {
        self.sessions.borrow_mut().insert(connection.number, Rc::clone(connection));
        self.empty_since.set(None);
    }

    pub(super) fn leave(&self, number: u64) {
        self.sessions.borrow_mut().remove(&number);
    }

    /// Whether nobody has been here for longer than `span`; counted from the first time it is asked.
    pub(super) fn deserted(&self, now: Instant, span: std::time::Duration) -> bool {
        if !self.sessions.borrow().is_empty() || self.opening.get() {
            self.empty_since.set(None);
            return false;
        }
        let since = self.empty_since.get().unwrap_or(now);
        self.empty_since.set(Some(since));
        now.saturating_duration_since(since) > span
    }

    /// At most `count` sessions with a number from `from` on.
    pub(super) fn some_sessions(&self, from: u64, count: usize) -> Vec<Rc<Connection>> {
        self.sessions.borrow().range(from..).take(count).map(|(_, session)| Rc::clone(session)).collect()
    }

    /// Shows something to every session, letting others run after each `in_a_row`.
    pub(super) async fn for_each(&self, in_a_row: usize, show: impl Fn(&Connection)) {
        let mut from = 0;
        loop {
            let some = self.some_sessions(from, in_a_row);
            some.iter().for_each(|session| show(session));
            match some.last() {
                Some(last) if some.len() == in_a_row => from = last.number + 1,
                _ => return,
            }
            tokio::task::yield_now().await;
        }
    }
}
