//! One socket's state, apart from the socket: what it may see, how far it has read, what waits
//! for it. The hub wakes it; its actor asks it for frames. It keeps no entries of its own.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;

use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::body::Body;
use super::client::Interest;
use super::close::Close;
use super::counts;
use super::cursor::Cursor;
use super::entry::{FeedEntry, Viewer};
use super::frame::Encoding;
use super::ports::{Grant, Identity, Page, Problem};
use super::room::Room;
use super::settings::Settings;
use super::signal::Signals;
use super::tail::Tail;
use super::window::{Window, WindowSize};
use crate::domain::ids::MemberId;

/// The most unsent answers and announcements: commands in flight and a few of ours.
const CONTROLS_MAX: usize = 96;

/// One socket.
pub(super) struct Connection {
    /// Its number on this arbiter.
    pub(super) number: u64,
    pub(super) encoding: Encoding,
    pub(super) state: RefCell<State>,
    waker: RefCell<Option<Waker>>,
    /// Woken and not yet polled: waking again would be waste.
    woken: Cell<bool>,
}

pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) member: Option<Member>,
    pub(super) interest: Option<Interest>,
    /// Objects of its own that wait for the socket.
    pub(super) controls: VecDeque<Body>,
    /// The number of the last entry sent.
    pub(super) seq: u64,
    pub(super) window: Window,
    pub(super) closing: Option<Close>,
    /// Commands that were accepted and not answered yet.
    pub(super) in_flight: u16,
    /// The number of the last signal looked at.
    pub(super) signal: u64,
    /// Visible entries outside the interest: how many, and how many were told.
    pub(super) outside: u64,
    pub(super) outside_told: u64,
    /// What a resume still has to announce: how many entries it replayed so far.
    pub(super) replayed: Option<u64>,
    /// Counts renewals of the viewer; nothing is shown while one is under way.
    pub(super) renewal: u32,
    pub(super) held: bool,
    pub(super) ping_due: bool,
    pub(super) heard_at: Instant,
    pub(super) blocked_since: Option<Instant>,
    pub(super) heartbeat_at: Instant,
}

/// Who was let in, and where.
pub(super) struct Member {
    pub(super) identity: Identity,
    pub(super) viewer: Rc<dyn Viewer>,
    pub(super) room: Rc<Room>,
}

/// How far a socket is.
pub(super) enum Phase {
    /// Neither `identify` nor `resume` came yet.
    Greeting,
    /// The gatekeeper is asked.
    Admitting,
    /// Reads from the store, from this cursor on, until the tail takes over.
    Replaying(Replay),
    /// Reads from the tail.
    Live {
        /// The number of the entry it reads next.
        next: u64,
        /// What it had read when it joined, where the tail begins earlier than that.
        skip: Option<Cursor>,
        /// The end of the tail when it joined: from here on entries are news, not replay.
        news_from: u64,
    },
}

/// Reading from the store.
pub(super) struct Replay {
    pub(super) cursor: Cursor,
    pub(super) backlog: VecDeque<FeedEntry>,
    /// Where the page stands that `backlog` is the rest of.
    pub(super) page_next: Option<Cursor>,
    pub(super) loading: bool,
    /// Bounds the pages that are in memory on one arbiter.
    pub(super) permit: Option<OwnedSemaphorePermit>,
    /// Pages in a row that held nothing and still did not reach the tail.
    pub(super) empty_pages: u8,
}

impl Replay {
    pub(super) fn from(cursor: Cursor) -> Self {
        Self { cursor, backlog: VecDeque::new(), page_next: None, loading: false, permit: None, empty_pages: 0 }
    }
}

impl Connection {
    /// A socket that was just opened; `hello` waits for it.
    pub(super) fn new(number: u64, encoding: Encoding, hello: Body) -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Self {
            number,
            encoding,
            waker: RefCell::new(None),
            woken: Cell::new(false),
            state: RefCell::new(State {
                phase: Phase::Greeting,
                member: None,
                interest: None,
                controls: VecDeque::from([hello]),
                seq: 0,
                window: Window::default(),
                closing: None,
                in_flight: 0,
                signal: 0,
                outside: 0,
                outside_told: 0,
                replayed: None,
                renewal: 0,
                held: false,
                ping_due: false,
                heard_at: now,
                blocked_since: None,
                heartbeat_at: now,
            }),
        })
    }

    /// Asks the actor to look for frames.
    pub(super) fn wake(&self) {
        if !self.woken.replace(true)
            && let Some(waker) = &*self.waker.borrow()
        {
            waker.wake_by_ref();
        }
    }

    /// The actor is being polled, and this wakes it again.
    pub(super) fn polled(&self, waker: &Waker) {
        self.woken.set(false);
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }

    /// Queues an object that is neither entry nor signal.
    pub(super) fn tell(&self, object: &Value) {
        self.state.borrow_mut().tell(object);
        self.wake();
    }

    /// Closes it, after what has to be said first.
    pub(super) fn close(&self, reason: Close) {
        self.state.borrow_mut().closing.get_or_insert(reason);
        self.wake();
    }

    /// Answers a command; nothing if the client gave no `ref`.
    pub(super) fn answer(&self, reference: Option<&str>, result: &Result<Value, Problem>) {
        let Some(reference) = reference else { return };
        match result {
            Ok(ok) => self.tell(&json!({ "type": "answer", "ref": reference, "ok": ok })),
            Err(Problem(problem)) => self.tell(&json!({ "type": "answer", "ref": reference, "problem": problem })),
        }
    }

    /// Takes a pong.
    pub(super) fn pong(&self, payload: &[u8]) {
        let mut state = self.state.borrow_mut();
        if state.window.prove(payload) {
            state.blocked_since = None;
            drop(state);
            self.wake();
        }
    }

    /// Something arrived from the client.
    pub(super) fn heard(&self) {
        let mut state = self.state.borrow_mut();
        // Pings do not put off the deadline for `identify`.
        if !matches!(state.phase, Phase::Greeting) {
            state.heard_at = Instant::now();
        }
    }

    /// News in the tail or among the signals: skips what this reader does not get and wakes it at
    /// the first it does.
    pub(super) fn news(&self, tail: &Tail, signals: &Signals, window: WindowSize) {
        if self.woken.get() {
            return;
        }
        let mut state = self.state.borrow_mut();
        // A pong, a renewal or a page wakes those who wait for one.
        if state.held || state.window.room(window) == 0 {
            return;
        }
        if state.skip_unseen(tail) || state.skip_unseen_signals(signals) {
            drop(state);
            self.wake();
        }
    }

    /// Takes a page of a replay.
    pub(super) fn page(&self, page: Page, permit: OwnedSemaphorePermit) {
        {
            let mut state = self.state.borrow_mut();
            let Phase::Replaying(replay) = &mut state.phase else { return };
            replay.loading = false;
            replay.permit = Some(permit);
            replay.empty_pages = if page.entries.is_empty() { replay.empty_pages + 1 } else { 0 };
            replay.backlog = page.entries.into();
            replay.page_next = Some(page.next);
            if page.gap {
                state.tell_gap();
            }
        }
        self.wake();
    }

    /// Starts a renewal of the viewer: shows nothing until it has come.
    pub(super) fn hold(&self) -> Option<(Identity, u32)> {
        let mut state = self.state.borrow_mut();
        let identity = state.member.as_ref()?.identity;
        state.held = true;
        state.renewal += 1;
        Some((identity, state.renewal))
    }

    /// Ends a renewal, unless a later one has begun.
    pub(super) fn renewed(&self, renewal: u32, grant: Grant) {
        {
            let mut state = self.state.borrow_mut();
            if state.renewal != renewal {
                return;
            }
            state.held = false;
            if let Some(member) = &mut state.member {
                member.viewer = grant.viewer;
            }
            state.tell(&json!({ "type": "access_changed" }));
        }
        self.wake();
    }

    /// The tail lost its thread: who reads from it goes on from the store.
    pub(super) fn leave_tail(&self, tail: &Tail) {
        let mut state = self.state.borrow_mut();
        let Phase::Live { next, .. } = state.phase else { return };
        if next < tail.first_index() {
            state.closing.get_or_insert(Close::SlowReader);
        }
        if let Some(cursor) = state.whole_cursor(tail) {
            state.phase = Phase::Replaying(Replay::from(cursor));
        }
    }

    /// Once a tick: deadlines and heartbeats.
    pub(super) fn tick(&self, now: Instant, settings: &Settings) {
        let mut state = self.state.borrow_mut();
        let overdue = |since: Instant, span| now.saturating_duration_since(since) > span;
        if state.window.room(settings.window) == 0 {
            state.blocked_since.get_or_insert(now);
        }
        let reason = match state.phase {
            Phase::Greeting if overdue(state.heard_at, settings.identify_within) => Some(Close::IdentifyTimeout),
            _ if state.blocked_since.is_some_and(|since| overdue(since, settings.slow_patience)) => {
                Some(Close::SlowReader)
            }
            _ if overdue(state.heard_at, settings.silence_max) => Some(Close::Unresponsive),
            _ => None,
        };
        let beat = overdue(state.heartbeat_at, settings.heartbeat);
        if beat {
            state.heartbeat_at = now;
            state.ping_due = true;
        }
        if let Some(reason) = reason {
            state.closing.get_or_insert(reason);
        }
        if beat || reason.is_some() {
            drop(state);
            self.wake();
        }
    }
}

impl State {
    /// Whether this member sits here.
    pub(super) fn is_member(&self, member: MemberId) -> bool {
        self.member.as_ref().is_some_and(|inside| inside.identity.member == member)
    }

    /// Queues an object that is neither entry nor signal.
    pub(super) fn tell(&mut self, object: &Value) {
        if self.controls.len() >= CONTROLS_MAX {
            self.closing.get_or_insert(Close::Flood);
            return;
        }
        self.controls.push_back(Body::trusted(object.to_string()));
    }

    /// Announces that events are missing for good.
    pub(super) fn tell_gap(&mut self) {
        counts::missed();
        self.tell(&json!({ "type": "gap" }));
    }

    /// What the client has read once it has read everything sent so far; none before it is inside.
    pub(super) fn whole_cursor(&self, tail: &Tail) -> Option<Cursor> {
        match &self.phase {
            Phase::Live { next, skip, .. } => {
                let mut cursor = tail.cursor_at(*next);
                if let Some(skip) = skip {
                    cursor.merge(skip);
                }
                Some(cursor)
            }
            Phase::Replaying(replay) => Some(replay.cursor.clone()),
            Phase::Greeting | Phase::Admitting => None,
        }
    }
}
