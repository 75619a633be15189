//! The hub of one arbiter: takes what is published, keeps the tails, wakes the sessions.
//!
//! It never writes to a socket and queues nothing for one: it appends to the workspace's tail and
//! wakes those who see the news. Each session then reads as much as its reader can take.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, timeout};

use super::close::Close;
use super::connection::{Connection, Phase};
use super::counts::{self, Counts};
use super::cursor::Cursor;
use super::entry::FeedEntry;
use super::frame::{Encoding, Scratch};
use super::handle::{HubHandle, Notice, Overflow};
use super::outgoing::Outgoing;
use super::ports::{Denial, Ports};
use super::room::Room;
use super::settings::Settings;
use super::tail::Tail;
use crate::clock::Clock;
use crate::domain::ids::{MemberId, WorkspaceId};

/// How many notices are taken before sessions are woken.
const NOTICES_AT_ONCE: usize = 256;

/// The hub of this arbiter. Cheap to clone, not to be sent to another thread.
#[derive(Clone)]
pub struct Hub(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) ports: Ports,
    pub(super) settings: Settings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) handle: HubHandle,
    rooms: RefCell<HashMap<WorkspaceId, Rc<Room>>>,
    connections: RefCell<BTreeMap<u64, Rc<Connection>>>,
    last_number: Cell<u64>,
    /// Rises with every revocation and refresh, so that an admission under way asks again.
    pub(super) access_changes: Cell<u64>,
    scratch: RefCell<Scratch>,
    replays: Arc<Semaphore>,
    counts: Counts,
}

impl Hub {
    /// Starts a hub on this arbiter and adds it to `handle`. Called once by each HTTP worker, on
    /// its own thread, inside its actix runtime.
    #[must_use]
    pub fn start(handle: &HubHandle, ports: Ports, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let (notices, overflow) = handle.add_line(settings.line_max);
        let replays = Arc::new(Semaphore::new(settings.replays_max));
        let hub = Self(Rc::new(Inner {
            ports,
            settings,
            clock,
            handle: handle.clone(),
            rooms: RefCell::default(),
            connections: RefCell::default(),
            last_number: Cell::new(0),
            access_changes: Cell::new(0),
            scratch: RefCell::default(),
            replays,
            counts: Counts::new(),
        }));
        actix::spawn(hub.clone().run(notices, overflow));
        hub
    }

    async fn run(self, mut notices: mpsc::Receiver<Notice>, overflow: Arc<Overflow>) {
        let mut ticks = tokio::time::interval(self.0.settings.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut taken = Vec::new();
        loop {
            // All that has arrived, so that whoever is busy with sockets finds more in the tail:
            // under load it is this that fills frames.
            let arrived = tokio::select! {
                count = notices.recv_many(&mut taken, NOTICES_AT_ONCE) => Some(count),
                _ = ticks.tick() => None,
            };
            // What was lost was lost before what has arrived: nobody may read on past it.
            self.recover(overflow.take()).await;
            match arrived {
                Some(0) => return,
                Some(_) => self.take(&mut taken).await,
                None => self.tick().await,
            }
        }
    }

    async fn recover(&self, lost: u8) {
        if lost & Overflow::ENTRIES != 0 {
            self.interrupted().await;
        }
        if lost & Overflow::ACCESS != 0 {
            for room in self.rooms() {
                self.refresh(room.workspace, None);
            }
        }
        if lost & Overflow::GO_AWAY != 0 {
            self.go_away().await;
        }
    }

    async fn take(&self, notices: &mut Vec<Notice>) {
        let mut touched: Vec<Rc<Room>> = Vec::new();
        for notice in notices.drain(..) {
            match notice {
                Notice::Batch(batch) => self.append(&batch, &mut touched),
                Notice::Signal(signal) => {
                    if let Some(room) = self.touch(signal.workspace(), &mut touched) {
                        room.signals.borrow_mut().put(signal);
                    }
                }
                Notice::Revoke(workspace, member) => self.revoke(workspace, member),
                Notice::Refresh(workspace, member) => self.refresh(workspace, member),
                Notice::Interrupted => self.interrupted().await,
                Notice::GoAway => self.go_away().await,
            }
        }
        let window = self.0.settings.window;
        for room in touched {
            let show = |session: &Connection| session.news(&room.tail.borrow(), &room.signals.borrow(), window);
            room.for_each(self.0.settings.wakes_in_a_row, show).await;
        }
    }

    fn append(&self, batch: &[FeedEntry], touched: &mut Vec<Rc<Room>>) {
        for entry in batch {
            if let Some(room) = self.touch(entry.workspace(), touched) {
                room.tail.borrow_mut().push(entry.clone());
            }
        }
    }

    /// The room of a workspace that has one here, noted among those whose sessions have news. The
    /// last one noted is looked at first, for neighbours are mostly of one workspace.
    fn touch<'a>(&self, workspace: WorkspaceId, touched: &'a mut Vec<Rc<Room>>) -> Option<&'a Rc<Room>> {
        let found = match touched.iter().rposition(|room| room.workspace == workspace) {
            Some(found) => found,
            None => {
                let room = self.0.rooms.borrow().get(&workspace).map(Rc::clone)?;
                touched.push(room);
                touched.len() - 1
            }
        };
        touched.get(found)
    }

    fn revoke(&self, workspace: WorkspaceId, member: MemberId) {
        self.0.access_changes.set(self.0.access_changes.get() + 1);
        for session in self.members(workspace, Some(member)) {
            session.close(Close::Revoked);
        }
    }

    fn refresh(&self, workspace: WorkspaceId, member: Option<MemberId>) {
        self.0.access_changes.set(self.0.access_changes.get() + 1);
        for session in self.members(workspace, member) {
            let Some((identity, renewal)) = session.hold() else { continue };
            let renewed = self.0.ports.gatekeeper.renew(identity);
            let within = self.0.settings.port_within;
            actix::spawn(async move {
                match timeout(within, renewed).await {
                    Ok(Ok(grant)) => session.renewed(renewal, grant),
                    Ok(Err(Denial::Refused(_))) => session.close(Close::Revoked),
                    Ok(Err(Denial::TryLater)) | Err(_) => session.close(Close::TryLater),
                }
            });
        }
    }

    fn members(&self, workspace: WorkspaceId, member: Option<MemberId>) -> Vec<Rc<Connection>> {
        let Some(room) = self.0.rooms.borrow().get(&workspace).map(Rc::clone) else { return Vec::new() };
        let mut sessions = room.some_sessions(0, usize::MAX);
        if let Some(member) = member {
            sessions.retain(|session| session.state.borrow().is_member(member));
        }
        sessions
    }

    async fn interrupted(&self) {
        for room in self.rooms() {
            for session in room.some_sessions(0, usize::MAX) {
                session.leave_tail(&room.tail.borrow());
            }
            room.restart();
            self.open_tail(&room);
            room.for_each(self.0.settings.wakes_in_a_row, Connection::wake).await;
        }
    }

    async fn go_away(&self) {
        let present: Vec<_> = self.0.connections.borrow().values().cloned().collect();
        for some in present.chunks(self.0.settings.wakes_in_a_row) {
            some.iter().for_each(|connection| connection.close(Close::GoingAway));
            tokio::task::yield_now().await;
        }
    }

    async fn tick(&self) {
        let now = Instant::now();
        let present: Vec<_> = self.0.connections.borrow().values().cloned().collect();
        for some in present.chunks(self.0.settings.wakes_in_a_row) {
            some.iter().for_each(|connection| connection.tick(now, &self.0.settings));
            tokio::task::yield_now().await;
        }
        let mut rooms = self.0.rooms.borrow_mut();
        let before = rooms.len();
        rooms.retain(|_, room| !room.deserted(now, self.0.settings.tail_keep));
        self.0.handle.tails_ended(before - rooms.len());
        drop(rooms);
        for room in self.rooms() {
            self.open_tail(&room);
        }
    }

    fn rooms(&self) -> Vec<Rc<Room>> {
        self.0.rooms.borrow().values().cloned().collect()
    }

    /// The workspace's room, which collects entries from now on.
    pub(super) fn room(&self, workspace: WorkspaceId) -> Rc<Room> {
        let settings = &self.0.settings;
        let room = Rc::clone(self.0.rooms.borrow_mut().entry(workspace).or_insert_with(|| {
            self.0.handle.tail_began();
            Room::new(workspace, Tail::new(settings.tail_entries_max, settings.tail_bytes_max))
        }));
        room.wanted();
        self.open_tail(&room);
        room
    }

    /// Asks the feed where a closed tail begins; a failed question is asked again at the next tick.
    fn open_tail(&self, room: &Rc<Room>) {
        if room.tail.borrow().is_open() || room.opening.replace(true) {
            return;
        }
        let (hub, room) = (self.clone(), Rc::clone(room));
        let generation = room.generation.get();
        actix::spawn(async move {
            let head = timeout(hub.0.settings.port_within, hub.0.ports.feed.head(room.workspace)).await;
            if room.generation.get() != generation {
                return;
            }
            room.opening.set(false);
            if let Ok(Ok(head)) = head {
                room.tail.borrow_mut().open(&head);
                room.opened.send_replace(true);
                room.for_each(hub.0.settings.wakes_in_a_row, Connection::wake).await;
            }
        });
    }

    /// Takes in a new socket.
    pub(super) fn connect(&self, encoding: Encoding) -> Rc<Connection> {
        let number = self.0.last_number.get() + 1;
        self.0.last_number.set(number);
        let connection = Connection::new(number, encoding, self.hello());
        self.0.connections.borrow_mut().insert(number, Rc::clone(&connection));
        self.0.handle.count(true);
        counts::opened();
        // It may have been let through just before the notice that sent everybody away.
        if self.0.handle.is_closed() {
            connection.close(Close::GoingAway);
        }
        connection
    }

    /// Whether the socket is still there.
    pub(super) fn is_present(&self, connection: &Connection) -> bool {
        self.0.connections.borrow().contains_key(&connection.number)
    }

    /// Forgets a socket that is gone.
    pub(super) fn disconnect(&self, connection: &Connection) {
        if self.0.connections.borrow_mut().remove(&connection.number).is_some() {
            self.0.handle.count(false);
            counts::closed(connection.state.borrow().closing);
        }
        let mut state = connection.state.borrow_mut();
        // A command under way may keep the connection for a while, but not a page of a replay.
        state.phase = Phase::Greeting;
        if let Some(member) = state.member.take() {
            member.room.leave(connection.number);
        }
    }

    /// What goes to a socket next; reads on from the store where that is due.
    pub(super) fn outgoing(&self, connection: &Rc<Connection>) -> Outgoing {
        let now = self.0.clock.now();
        let mut outgoing = connection.outgoing(&mut self.0.scratch.borrow_mut(), &self.0.settings, now);
        if outgoing.frame.is_some() {
            self.0.counts.sent(outgoing.events);
        }
        if let Some(cursor) = outgoing.load.take() {
            self.load(connection, cursor);
        }
        outgoing
    }

    fn load(&self, connection: &Rc<Connection>, cursor: Cursor) {
        let Some(workspace) = connection.state.borrow().member.as_ref().map(|member| member.identity.workspace) else {
            return;
        };
        let (hub, connection) = (self.clone(), Rc::clone(connection));
        actix::spawn(async move {
            // The semaphore is never closed; waiting for it is bounded by the patience with slow readers.
            let Ok(permit) = Arc::clone(&hub.0.replays).acquire_owned().await else { return };
            if !hub.is_present(&connection) {
                return;
            }
            let settings = &hub.0.settings;
            let read = hub.0.ports.feed.read(workspace, cursor, settings.page_entries);
            match timeout(settings.port_within, read).await {
                Ok(Ok(page)) => connection.page(page, permit),
                Ok(Err(_)) | Err(_) => connection.close(Close::TryLater),
            }
        });
    }
}
