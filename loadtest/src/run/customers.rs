//! Customers write: each delivery begins when it is due, whatever became of those before it, and comes again until it
//! is taken, as the provider's do.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, sleep_until, timeout};

use super::plan::Post;
use super::stage::NumberPlace;
use super::tape::Tape;
use crate::deliveries::Prepared;
use crate::webhook::{self, Secret};
use crate::wire::Connection;

/// Deliveries of one part that may wait for a connection; what comes on top is dropped, and the run is not valid.
const BACKLOG_MAX: usize = 20_000;
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Pauses before a delivery comes again.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// What a customer says, behind the number by which it is known.
const TEXT: &str =
    "Hello, my order has not come yet. Could you please look where it is and tell me when it will be here?";

/// Where deliveries go.
pub(super) struct Door {
    pub(super) addr: SocketAddr,
    pub(super) path: String,
    pub(super) secret: Secret,
    pub(super) numbers: Vec<NumberPlace>,
    /// Sets the ids of this run apart from those of any other.
    pub(super) run: u64,
}

/// Deliveries that are due.
#[derive(Default)]
struct Backlog {
    waiting: RefCell<VecDeque<Post>>,
    more: Notify,
    /// Nothing more comes.
    closed: std::cell::Cell<bool>,
}

impl Backlog {
    async fn next(&self) -> Option<Post> {
        loop {
            if let Some(post) = self.waiting.borrow_mut().pop_front() {
                return Some(post);
            }
            if self.closed.get() {
                return None;
            }
            self.more.notified().await;
        }
    }

    fn close(&self) {
        self.closed.set(true);
        self.more.notify_waiters();
        // One that is about to wait finds this.
        self.more.notify_one();
    }
}

/// Starts a part of the customers. It ends when the last of its deliveries is taken, or is aborted with its handle.
pub(super) fn start(tape: &Rc<Tape>, door: &Rc<Door>, posts: Vec<Post>, connections: usize) -> JoinHandle<()> {
    let (tape, door) = (Rc::clone(tape), Rc::clone(door));
    tokio::task::spawn_local(async move {
        let backlog = Rc::new(Backlog::default());
        // Whoever aborts this aborts them: nothing is delivered any more while all is read.
        let mut posters = JoinSet::new();
        for _ in 0..connections {
            posters.spawn_local(deliver(Rc::clone(&tape), Rc::clone(&door), Rc::clone(&backlog)));
        }
        for post in posts {
            sleep_until(tape.begun() + post.due).await;
            let late = tape.now().saturating_sub(post.due);
            tape.measures.borrow_mut().lag.record(post.due, late, late);
            let mut waiting = backlog.waiting.borrow_mut();
            if waiting.len() >= BACKLOG_MAX {
                tape.dropped.set(tape.dropped.get() + 1);
            } else {
                waiting.push_back(post);
                tape.untaken.set(tape.untaken.get() + 1);
                backlog.more.notify_one();
            }
        }
        backlog.close();
        // One that panicked leaves deliveries untaken, which the document tells.
        while posters.join_next().await.is_some() {
            backlog.more.notify_one();
        }
    })
}

async fn deliver(tape: Rc<Tape>, door: Rc<Door>, backlog: Rc<Backlog>) {
    let mut connection = None;
    while let Some(post) = backlog.next().await {
        let request = door.request(&tape, &post);
        let begun = tape.now();
        for item in &post.items {
            if let Some(item) = tape.items.borrow_mut().get_mut(*item as usize) {
                item.due.get_or_insert(post.due);
                item.begun.get_or_insert(begun);
            }
        }
        tape.begun_count.set(tape.begun_count.get() + 1);
        let mut pause = PAUSE;
        while !door.call(&mut connection, &request).await {
            tape.count(|measures| &mut measures.refused, 1);
            connection = None;
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        tape.untaken.set(tape.untaken.get() - 1);
        tape.taken(&post, begun);
    }
}

impl Door {
    /// Whether a delivery was answered 200.
    async fn call(&self, connection: &mut Option<Connection>, request: &[u8]) -> bool {
        let open = match connection {
            Some(open) => open,
            none => match Connection::open(self.addr).await {
                Ok(open) => none.insert(open),
                Err(_) => return false,
            },
        };
        matches!(timeout(ANSWER_WITHIN, open.call(request)).await, Ok(Ok(200)))
    }

    /// A first message of each of so many customers who are not heard of again.
    pub(super) fn first_contacts(&self, all: u32, at_once: u32, written_s: u64) -> Prepared {
        let mut prepared = Prepared::default();
        let mut next = 0;
        while next < all {
            let some: Vec<_> = (next..all.min(next + at_once)).collect();
            next += at_once;
            let texts: Vec<_> = some
                .iter()
                .map(|customer| (format!("1558{customer:08}"), format!("wamid.{:010x}b{customer:08x}", self.run)))
                .collect();
            let items: Vec<_> = some
                .iter()
                .zip(&texts)
                .filter_map(|(customer, (from, wamid))| {
                    let number = self.numbers.get(*customer as usize % self.numbers.len().max(1))?.shown();
                    let (timestamp, context) = (written_s, None);
                    Some(webhook::Item::Message { number, from, name: "Ada", wamid, timestamp, text: TEXT, context })
                })
                .collect();
            prepared.push(&webhook::request(&self.path, &self.secret, &items));
        }
        prepared
    }

    fn request(&self, tape: &Tape, post: &Post) -> Vec<u8> {
        let known = tape.items.borrow();
        let texts: Vec<_> = post
            .items
            .iter()
            .filter_map(|item| Some((item, known.get(*item as usize)?)))
            .map(|(item, known)| {
                let from = address(known.written.part, known.written.customer);
                let wamid = wamid(self.run, *item);
                (known, from, wamid, format!("#{item} {TEXT}"))
            })
            .collect();
        let items: Vec<_> = texts
            .iter()
            .filter_map(|(known, from, wamid, text)| {
                Some(webhook::Item::Message {
                    number: self.numbers.get(known.written.number as usize)?.shown(),
                    from,
                    name: "Grace",
                    wamid,
                    timestamp: known.written_s,
                    text,
                    context: None,
                })
            })
            .collect();
        webhook::request(&self.path, &self.secret, &items)
    }
}

impl Tape {
    fn taken(&self, post: &Post, begun: Duration) {
        let now = self.now();
        for item in &post.items {
            if let Some(item) = self.items.borrow_mut().get_mut(*item as usize) {
                item.taken.get_or_insert(now);
            }
        }
        self.time(|measures| &mut measures.accept, post.due, begun);
        self.count(|measures| &mut measures.posts, 1);
        self.count(|measures| &mut measures.items, post.items.len() as u64);
        // A delivery that had begun before the server ended may have been answered by it just so.
        if let Some(ended) = self.ended_at.get().filter(|ended| begun >= *ended) {
            self.ended_at.set(None);
            self.time(|measures| &mut measures.recovery, ended, ended);
        }
    }
}

/// The address of a customer.
pub(super) fn address(part: u32, customer: u32) -> String {
    format!("1557{part}{customer:07}")
}

/// The provider's id of a message.
pub(super) fn wamid(run: u64, item: u32) -> String {
    format!("wamid.{run:010x}{item:08x}")
}

/// The message that a text is.
pub(super) fn item_of(text: &str) -> Option<u32> {
    text.strip_prefix('#')?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_text() {
        assert_eq!(item_of(&format!("#77 {TEXT}")), Some(77));
        for other in ["77", "#", "# 7", "#x y", "STOP"] {
            assert_eq!(item_of(other), None, "{other}");
        }
    }
}
