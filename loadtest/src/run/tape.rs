//! The tape of a run: what was done and what was heard. The roles write it, the oracle reads it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::hear::RULES;
use super::plan::Written;
use crate::measure::{Count, Timing};

/// A customer's message, and what became of its deliveries.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// What was planned.
    pub(super) written: Written,
    /// When it was written, by the customer's clock, in epoch seconds.
    pub(super) written_s: u64,
    /// The same customer's message before it, where messages are delivered in order.
    pub(super) before: Option<u32>,
    /// When its first delivery was due.
    pub(super) due: Option<Duration>,
    /// When its first delivery began, and when one was first answered 200.
    pub(super) begun: Option<Duration>,
    /// When one of them was first answered 200.
    pub(super) taken: Option<Duration>,
}

/// An answer of an agent's.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    /// The message of the customer that it answers.
    pub(super) item: u32,
    /// The conversation.
    pub(super) conversation: String,
    /// When the agent meant to send it.
    pub(super) intended: Duration,
    /// The server's id of it, once it was taken.
    pub(super) message: Option<String>,
    /// The problem's code, where it was refused for good.
    pub(super) refused: Option<String>,
    /// Whether its status was heard to be `accepted` or more.
    pub(super) accepted: bool,
    /// Whether it was heard to have failed.
    pub(super) failed: bool,
}

/// What one agent's sockets heard, one after another.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// The number that is all the agent may see; none sees everything.
    pub(super) number: Option<u32>,
    /// Since when it is owed everything: the run's begin, or the last gap that the server announced.
    pub(super) since: Option<Duration>,
    /// Since when its present connection is in; the largest there is while none is.
    pub(super) inside_since: Duration,
    /// Whether what it hears is timed.
    pub(super) timed: bool,
    /// Digests of the events it had since its last whole cursor, each with its connection: a resume may bring them again.
    pub(super) had: HashMap<u64, u16>,
    /// By message of a customer: a digest of the event that told it, and the connection on which it did; 0 if none did.
    pub(super) told: Vec<u64>,
    /// Conversations that it heard of.
    pub(super) conversations: HashSet<String>,
    /// By message of ours: how far it was last told to have come.
    pub(super) statuses: HashMap<String, u8>,
    /// Events.
    pub(super) events: u64,
    /// How often each of [`RULES`] was applied.
    pub(super) looked: [u64; RULES.len()],
    /// Times it came back.
    pub(super) resumed: u64,
    /// Gaps that the server announced.
    pub(super) gaps_announced: u64,
    /// What a socket must never hear, in sentences, at most a few.
    pub(super) wrong: Vec<Wrong>,
}

/// Something that a socket must never hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The rule that it breaks.
    pub(super) rule: &'static str,
    /// What was heard.
    pub(super) what: String,
}

/// How many wrong things a socket keeps.
const WRONG_MAX: usize = 100;

impl Heard {
    /// Notes something that must never be heard.
    pub(super) fn wrong(&mut self, rule: &'static str, what: impl FnOnce() -> String) {
        if self.wrong.len() < WRONG_MAX {
            self.wrong.push(Wrong { rule, what: what() });
        }
    }
}

/// A broadcast of one number.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    /// The server's id of it.
    pub(super) id: String,
    /// The number that it is from.
    pub(super) number: u32,
    /// Whom it is for.
    pub(super) audience: u64,
    /// When it was published, in epoch milliseconds; none while it was not.
    pub(super) published_ms: Option<u64>,
    /// When a pause of it was answered and when it was asked to go on, in epoch milliseconds.
    pub(super) paused_ms: Option<(u64, u64)>,
}

/// Times and counts of a run.
pub(super) struct Measures {
    pub(super) accept: Timing,
    pub(super) push: Timing,
    pub(super) command: Timing,
    pub(super) reply: Timing,
    pub(super) resume: Timing,
    pub(super) rest: Timing,
    pub(super) ready: Timing,
    pub(super) recovery: Timing,
    pub(super) lag: Timing,
    pub(super) posts: Count,
    pub(super) items: Count,
    pub(super) events: Count,
    pub(super) refused: Count,
}

impl Measures {
    /// Without a sample; what is counted in the warm-up is in no figure.
    fn new(warm_up: Duration) -> Self {
        let count = |name: &str, unit: &str| Count::new(name, unit).measured_from(warm_up);
        Self {
            accept: Timing::new("webhook_accept", "from when a delivery was due to its 200"),
            push: Timing::new("webhook_push", "from when a customer's message was due to each agent who hears of it"),
            command: Timing::new("agent_command", "from when an agent meant to send to the answer"),
            reply: Timing::new("agent_reply", "from when an agent meant to send to the event that the provider has it"),
            resume: Timing::new("resume", "from a lost connection's return to `resumed`"),
            rest: Timing::new("rest", "from when a program meant to ask to the whole answer"),
            ready: Timing::new("ready_after_kill", "from the start of a server that had ended to `/readyz`"),
            recovery: Timing::new("recovery", "from the end of a server to the next delivery that is taken"),
            lag: Timing::new("generator_lag", "how late the generator began what was due"),
            posts: count("webhooks_taken", "deliveries"),
            items: count("items_taken", "messages"),
            events: count("events_heard", "events"),
            refused: count("webhooks_refused", "deliveries"),
        }
    }
}

impl Default for Measures {
    fn default() -> Self {
        Self::new(Duration::ZERO)
    }
}

/// All of it.
pub(super) struct Tape {
    /// When the run's time began, and the same in epoch milliseconds.
    begun: Cell<(Instant, u64)>,
    /// Traffic before this is judged and not measured.
    pub(super) warm_up: Duration,
    /// Customers' messages, by their place in the plan.
    pub(super) items: RefCell<Vec<Item>>,
    /// Agents' answers.
    pub(super) replies: RefCell<Vec<Reply>>,
    /// Which of them a message of ours is.
    pub(super) by_message: RefCell<HashMap<String, usize>>,
    /// Conversations of which something was heard, at most a few thousand.
    pub(super) conversations: RefCell<Vec<String>>,
    /// What each agent heard.
    pub(super) heard: RefCell<Vec<Heard>>,
    /// Broadcasts.
    pub(super) sent: RefCell<Vec<Sent>>,
    /// Agents' answers that are thought about and not yet meant to be sent.
    pub(super) thinking: Cell<u64>,
    /// What of the run stood still, in sentences.
    pub(super) standstills: RefCell<Vec<String>>,
    /// Heard once when the run's time begins.
    pub(super) started: Notify,
    is_started: Cell<bool>,
    /// Times and counts.
    pub(super) measures: RefCell<Measures>,
    /// What happened to the run, and when.
    pub(super) marks: RefCell<Vec<(Duration, String)>>,
    /// Deliveries planned, begun, and given up because too many waited.
    pub(super) planned: Cell<u64>,
    pub(super) begun_count: Cell<u64>,
    pub(super) dropped: Cell<u64>,
    /// Deliveries that were begun and never taken.
    pub(super) untaken: Cell<u64>,
    /// When the server was last ended, until a delivery is taken again.
    pub(super) ended_at: Cell<Option<Duration>>,
    /// Whether no new traffic begins any more.
    pub(super) over: Cell<bool>,
    /// What stood in the way of a role, at most a few sentences.
    pub(super) complaints: RefCell<BTreeMap<String, u64>>,
}

impl Tape {
    /// A tape of a run whose time begins now, which is `now_ms` in epoch milliseconds.
    pub(super) fn begin(now_ms: u64, warm_up: Duration, items: Vec<Item>, posts: u64) -> Self {
        Self {
            begun: Cell::new((Instant::now(), now_ms)),
            warm_up,
            items: RefCell::new(items),
            replies: RefCell::default(),
            by_message: RefCell::default(),
            conversations: RefCell::default(),
            heard: RefCell::default(),
            sent: RefCell::default(),
            thinking: Cell::default(),
            standstills: RefCell::default(),
            started: Notify::new(),
            is_started: Cell::default(),
            measures: RefCell::new(Measures::new(warm_up)),
            marks: RefCell::default(),
            planned: Cell::new(posts),
            begun_count: Cell::default(),
            dropped: Cell::default(),
            untaken: Cell::default(),
            ended_at: Cell::default(),
            over: Cell::default(),
            complaints: RefCell::default(),
        }
    }

    /// Everybody is in: the run's time begins now.
    pub(super) fn start(&self) {
        let before = self.begun.get();
        self.begun.set((Instant::now(), before.1 + before.0.elapsed().as_millis() as u64));
        for heard in self.heard.borrow_mut().iter_mut() {
            (heard.since, heard.inside_since) = (Some(Duration::ZERO), Duration::ZERO);
        }
        self.is_started.set(true);
        self.started.notify_waiters();
    }

    /// Whether the run's time has begun.
    pub(super) fn is_started(&self) -> bool {
        self.is_started.get()
    }

    /// When the run's time began.
    pub(super) fn begun(&self) -> Instant {
        self.begun.get().0
    }

    /// How long the run has lasted.
    pub(super) fn now(&self) -> Duration {
        self.begun().elapsed()
    }

    /// Now, in epoch milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        self.begun.get().1 + self.now().as_millis() as u64
    }

    /// Takes a time into a measure, unless it was due in the warm-up. `due` and `begun` are where the two ways of
    /// counting begin, and it ended now.
    pub(super) fn time(&self, of: impl FnOnce(&mut Measures) -> &mut Timing, due: Duration, begun: Duration) {
        let now = self.now();
        if due >= self.warm_up {
            of(&mut self.measures.borrow_mut()).record(now, now.saturating_sub(due), now.saturating_sub(begun));
        }
    }

    /// Counts something that happened now.
    pub(super) fn count(&self, of: impl FnOnce(&mut Measures) -> &mut Count, more: u64) {
        of(&mut self.measures.borrow_mut()).add(self.now(), more);
    }

    /// Notes that something happened to the run.
    pub(super) fn mark(&self, what: impl Into<String>) {
        self.marks.borrow_mut().push((self.now(), what.into()));
    }

    /// Notes what stood in the way of a role; the same words are counted.
    pub(super) fn complain(&self, what: String) {
        const KINDS_MAX: usize = 50;
        let mut complaints = self.complaints.borrow_mut();
        if complaints.len() < KINDS_MAX || complaints.contains_key(&what) {
            *complaints.entry(what).or_default() += 1;
        }
    }
}
