//! Agents: each has one socket after another, hears what it may see, thinks, and answers some of it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until, timeout};

use super::entry::{Entry, each, rank, written};
use super::hear::{Heeds, hear};
use super::tape::{Heard, Reply, Tape};
use crate::chance::Chance;
use crate::frames::{self, Kind};
use crate::scenario::{Agents, Encoding, Herd};
use crate::socket::{AGENT_PATH, Socket};

/// How long an agent may take to come in.
const ENTER_WITHIN: Duration = Duration::from_secs(30);
/// How long one waits who was not let in, and before a refused command is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// What one who does not read still takes: its own buffer and not the kernel's usual ones.
const SLOW_RECEIVE_BYTES: u32 = 65_536;
const READ_BYTES: usize = 65_536;
/// Longer than any run.
const NEVER: Duration = Duration::from_secs(30 * 86_400);
/// Conversations that are kept for who asks for one.
const CONVERSATIONS_MAX: usize = 5_000;

/// One agent.
pub(super) struct Agent {
    tape: Rc<Tape>,
    addr: SocketAddr,
    /// Its place among all agents, and among those of its kind; how many of its kind see what it sees, and its place there.
    index: usize,
    rank_of_kind: u64,
    of_kind: u64,
    kind: Rc<Agents>,
    token: String,
    chance: Chance,
    queue: RefCell<VecDeque<usize>>,
    /// Answers that were sent and are not answered.
    pending: RefCell<BTreeSet<usize>>,
    wanted: Notify,
    connections: Cell<u16>,
}

/// Where an agent comes back to, since when it is away, and when its connections are still to be lost.
struct Away {
    cursor: Option<String>,
    since: Duration,
    losses: VecDeque<Herd>,
}

impl Agent {
    /// An agent who has not come in yet; `index` is its place in the tape.
    #[expect(clippy::too_many_arguments, reason = "it is all that an agent is, given once")]
    pub(super) fn new(
        tape: &Rc<Tape>,
        addr: SocketAddr,
        index: usize,
        (rank_of_kind, of_kind): (u64, u64),
        kind: &Rc<Agents>,
        token: String,
        chance: Chance,
        number: Option<u32>,
    ) -> Rc<Self> {
        // Who stops reading says nothing of how soon one hears.
        let timed = kind.stall.is_none();
        tape.heard.borrow_mut().push(Heard { number, timed, ..Heard::default() });
        Rc::new(Self {
            tape: Rc::clone(tape),
            addr,
            index,
            rank_of_kind,
            of_kind,
            kind: Rc::clone(kind),
            token,
            chance,
            queue: RefCell::default(),
            pending: RefCell::default(),
            wanted: Notify::new(),
            connections: Cell::default(),
        })
    }

    /// Works until the run is over; `entered` has one permit more when it came in.
    pub(super) fn start(self: Rc<Self>, entered: Rc<Semaphore>) -> JoinHandle<()> {
        tokio::task::spawn_local(async move {
            let mut losses: Vec<Herd> = self.kind.herd.clone();
            losses.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
            let mut away = Away { cursor: None, since: self.tape.now(), losses: losses.into() };
            let mut entered = Some(entered);
            loop {
                let ended = self.attend(&mut away, &mut entered).await;
                // What is told from here on until it is in again is replayed.
                if self.goes_out() {
                    away.since = self.tape.now();
                }
                if let Err(error) = ended {
                    if self.tape.ended_at.get().is_none() {
                        self.tape.complain(format!("a socket ended: {error}"));
                    }
                    sleep(AGAIN_AFTER).await;
                }
            }
        })
    }

    /// Notes that it is not in any more, if it was.
    fn goes_out(&self) -> bool {
        let inside_since = &mut self.tape.heard.borrow_mut()[self.index].inside_since;
        std::mem::replace(inside_since, Duration::MAX) != Duration::MAX
    }

    /// One connection, to its end.
    async fn attend(self: &Rc<Self>, away: &mut Away, entered: &mut Option<Rc<Semaphore>>) -> Result<()> {
        let (encoding, tape) = (self.kind.encoding, &self.tape);
        let protocol = match encoding {
            Encoding::Json => "tidegate.v1.json",
            Encoding::Msgpack => "tidegate.v1.msgpack",
        };
        let begun = tape.now();
        let receive = self.kind.stall.map(|_| SLOW_RECEIVE_BYTES);
        let opened = timeout(ENTER_WITHIN, Socket::open_as(self.addr, AGENT_PATH, protocol, receive)).await;
        let mut socket = opened.map_err(|_| anyhow!("it was not upgraded in time"))??;
        let enters = match &away.cursor {
            None => json!({"type": "identify", "token": self.token}),
            Some(cursor) => json!({"type": "resume", "token": self.token, "cursor": cursor}),
        };
        self.say(&mut socket, &enters).await?;
        self.connections.set(self.connections.get() + 1);
        self.queue.replace(self.pending.borrow().iter().copied().collect());
        let (mut seq, mut inside, mut read) = (0, false, Vec::with_capacity(READ_BYTES));
        loop {
            let lost = away.losses.front().copied();
            let lost_at = lost.map_or(NEVER, |herd| secs(herd.at_s));
            tokio::select! {
                // A connection that is to be lost is, however much there is to read on it.
                biased;
                () = tape.started.notified() => continue,
                () = sleep_until(tape.begun() + lost_at), if tape.is_started() => {
                    drop(socket);
                    away.losses.pop_front();
                    self.goes_out();
                    let of = [self.index as u64, lost_at.as_millis() as u64];
                    let away_ms = lost.map_or(0, |herd| herd.away_ms);
                    sleep(Duration::from_millis(self.chance.of("away").below(away_ms + 1, &of))).await;
                    away.since = tape.now();
                    return Ok(());
                }
                count = socket.stream.read_buf(&mut read) => {
                    if count? == 0 {
                        bail!("the server closed the connection");
                    }
                    self.stalls().await;
                }
                () = self.wanted.notified(), if inside => {}
            }
            let came = self.take(&mut socket, &read, encoding, away, &mut seq).await?;
            read.clear();
            if came && !inside {
                inside = true;
                tape.heard.borrow_mut()[self.index].inside_since = tape.now();
                if tape.heard.borrow()[self.index].since.is_none() {
                    tape.heard.borrow_mut()[self.index].since = Some(tape.now());
                } else {
                    tape.heard.borrow_mut()[self.index].resumed += 1;
                    tape.time(|measures| &mut measures.resume, away.since, begun);
                }
                if let Some(entered) = entered.take() {
                    entered.add_permits(1);
                }
            }
            if inside {
                self.send_waiting(&mut socket).await?;
            }
        }
    }

    /// Takes bytes that were read; true if with them it is let in.
    async fn take(
        self: &Rc<Self>,
        socket: &mut Socket,
        read: &[u8],
        encoding: Encoding,
        away: &mut Away,
        seq: &mut u64,
    ) -> Result<bool> {
        let (mut pongs, mut came, mut heeded, mut failed) = (Vec::new(), false, Vec::new(), None);
        let connection = self.connections.get();
        {
            let mut all = self.tape.heard.borrow_mut();
            let heard = &mut all[self.index];
            let mut entry = |entry: &Entry<'_>| {
                if let Some(cursor) = &entry.cursor {
                    away.cursor = Some(cursor.to_string());
                }
                match &*entry.kind {
                    "ready" | "resumed" => came = true,
                    "invalid" => failed = Some(format!("not let in: {}", entry.reason.as_deref().unwrap_or_default())),
                    _ => heeded.extend(hear(&self.tape, heard, entry, connection, seq)),
                }
            };
            let mut unread = Ok(());
            socket.cutter.take(read, |kind, payload| match kind {
                Kind::Text | Kind::Binary if unread.is_ok() => unread = each(encoding, payload, &mut entry),
                Kind::Ping => pongs.extend(frames::client_pong(payload)),
                _ => {}
            })?;
            unread?;
        }
        if !pongs.is_empty() {
            socket.stream.write_all(&pongs).await?;
        }
        if let Some(failed) = failed {
            // It begins anew, and what it missed meanwhile is told by the oracle.
            away.cursor = None;
            bail!(failed);
        }
        heeded.into_iter().for_each(|heeds| self.heed(heeds));
        Ok(came)
    }

    fn heed(self: &Rc<Self>, heeds: Heeds) {
        match heeds {
            Heeds::Item { item, conversation } => self.consider(item, conversation),
            Heeds::Answer { reply, outcome } => self.answered(reply, outcome),
            Heeds::Status { message } => self.accepted(&message),
        }
    }

    /// Thinks about a customer's message, if it is this one of the agents who answers it.
    fn consider(self: &Rc<Self>, item: u32, conversation: String) {
        if self.index == 0 && self.tape.conversations.borrow().len() < CONVERSATIONS_MAX {
            self.tape.conversations.borrow_mut().push(conversation.clone());
        }
        let of = [u64::from(item)];
        let mine = self.chance.of("who").below(self.of_kind, &of) == self.rank_of_kind;
        if self.tape.over.get() || !mine || !self.chance.of("answers").hits(self.kind.answers_percent, &of) {
            return;
        }
        let [least, most] = self.kind.think_ms;
        let think = Duration::from_millis(least + self.chance.of("thinks").below(most - least + 1, &of));
        let (agent, intended) = (Rc::clone(self), self.tape.now() + think);
        self.tape.thinking.set(self.tape.thinking.get() + 1);
        tokio::task::spawn_local(async move {
            sleep(think).await;
            agent.tape.thinking.set(agent.tape.thinking.get() - 1);
            let mut replies = agent.tape.replies.borrow_mut();
            replies.push(Reply { item, conversation, intended, ..Reply::default() });
            agent.ask(replies.len() - 1);
        });
    }

    fn ask(&self, reply: usize) {
        self.pending.borrow_mut().insert(reply);
        self.queue.borrow_mut().push_back(reply);
        self.wanted.notify_one();
    }

    async fn send_waiting(&self, socket: &mut Socket) -> Result<()> {
        loop {
            let Some(reply) = self.queue.borrow_mut().pop_front() else { return Ok(()) };
            self.send(socket, reply).await?;
        }
    }

    async fn send(&self, socket: &mut Socket, reply: usize) -> Result<()> {
        let said = {
            let replies = self.tape.replies.borrow();
            let Some(Reply { conversation, .. }) = replies.get(reply) else { return Ok(()) };
            json!({
                "type": "send", "ref": format!("r{reply}"), "conversation": conversation,
                "client_id": format!("answer-{reply}"),
                "content": {"type": "text", "body": format!("@{reply} Thank you for writing. It is on its way.")},
            })
        };
        self.say(socket, &said).await
    }

    async fn say(&self, socket: &mut Socket, said: &serde_json::Value) -> Result<()> {
        let bytes = written(self.kind.encoding, said)?;
        let frame = match self.kind.encoding {
            Encoding::Json => frames::client_text(&bytes),
            Encoding::Msgpack => frames::client_binary(&bytes),
        };
        Ok(socket.stream.write_all(&frame).await?)
    }

    fn answered(self: &Rc<Self>, reply: usize, outcome: Result<String, (String, bool)>) {
        let mut replies = self.tape.replies.borrow_mut();
        let Some(known) = replies.get_mut(reply) else { return };
        match outcome {
            Err((code, true)) => {
                self.tape.complain(format!("an answer was refused for now: {code}"));
                let agent = Rc::clone(self);
                tokio::task::spawn_local(async move {
                    sleep(AGAIN_AFTER).await;
                    // A connection that came back meanwhile has asked already.
                    if agent.pending.borrow().contains(&reply) {
                        agent.ask(reply);
                    }
                });
                return;
            }
            Err((code, false)) => known.refused = Some(code),
            Ok(message) => known.message = Some(message),
        }
        if !self.pending.borrow_mut().remove(&reply) {
            return;
        }
        let (intended, message) = (known.intended, known.message.clone());
        drop(replies);
        self.tape.time(|measures| &mut measures.command, intended, intended);
        if let Some(message) = message {
            self.tape.by_message.borrow_mut().insert(message.clone(), reply);
            self.accepted(&message);
        }
    }

    /// Notes that the provider has an answer of this agent's, if it has.
    fn accepted(&self, message: &str) {
        let Some(reply) = self.tape.by_message.borrow().get(message).copied() else { return };
        let come = self.tape.heard.borrow()[self.index].statuses.get(message).copied().unwrap_or_default();
        let mut replies = self.tape.replies.borrow_mut();
        let Some(known) = replies.get_mut(reply).filter(|known| !known.accepted) else { return };
        known.failed = come == rank("failed");
        if come >= rank("accepted") && come != rank("failed") {
            known.accepted = true;
            let intended = known.intended;
            drop(replies);
            self.tape.time(|measures| &mut measures.reply, intended, intended);
        }
    }

    /// Does not read for a while, if it is one of those moments.
    async fn stalls(&self) {
        let Some(stall) = self.kind.stall else { return };
        let (from, to) = (secs(stall.at_s), secs(stall.at_s + stall.for_s));
        if (from..to).contains(&self.tape.now()) {
            sleep_until(self.tape.begun() + to).await;
        }
    }
}

/// Seconds of a scenario as a time.
pub(super) fn secs(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Waits until so many came in.
pub(super) async fn all_in(entered: &Semaphore, agents: usize) -> Result<()> {
    let all = u32::try_from(agents).unwrap_or(u32::MAX);
    match timeout(ENTER_WITHIN * 2, entered.acquire_many(all)).await {
        Ok(_) => Ok(()),
        Err(_) => bail!("{} of {agents} agents came in within {:?}", entered.available_permits(), ENTER_WITHIN * 2),
    }
}
