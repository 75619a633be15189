//! Many sockets that read what is pushed, on threads of their own, and count it.
//!
//! The n-th event of each socket is taken for the same event: everybody is told the same ones, and at most a few
//! are under way at once. An event has *arrived* once every socket has had it.

mod reader;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout};

use crate::machine;

/// The events that one crowd can count.
pub const EVENTS_MAX: usize = 1 << 20;
/// How long everything that was sent may take to arrive.
const ARRIVE_WITHIN: Duration = Duration::from_secs(30);
/// Of so many sockets one notes how long each event took.
const TIMED_ONE_IN: usize = 16;

/// How a crowd reads.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it connects.
    pub addr: SocketAddr,
    /// The path of the socket.
    pub path: &'static str,
    /// The tokens it identifies with, in turn; empty: it does not identify, and each frame is one event.
    pub tokens: Vec<String>,
    /// Sockets.
    pub sockets: usize,
    /// Events that one post makes.
    pub events_a_post: usize,
}

/// Sockets that read until the crowd is dropped.
pub struct Crowd {
    shared: Arc<Shared>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

struct Shared {
    plan: Plan,
    threads: usize,
    begun: Instant,
    /// By event: on how many threads every socket has had it.
    arrived_on: Vec<AtomicU32>,
    /// By event: when it was posted, in microseconds since the beginning.
    posted_us: Vec<AtomicU64>,
    /// Posts that may be under way; one comes free when the last event of one has arrived.
    free: Semaphore,
    arrived: AtomicU64,
    last_arrival_us: AtomicU64,
    deliveries: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    closed: AtomicU64,
    latencies_us: std::sync::Mutex<Vec<u32>>,
    over: AtomicBool,
}

/// What a crowd has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Events that every socket has had.
    pub arrived: u64,
    /// Events, each counted once a socket.
    pub deliveries: u64,
    /// Frames that carried them.
    pub frames: u64,
    /// Bytes of those frames, their heads not counted.
    pub bytes: u64,
    /// Sockets that the server closed.
    pub closed: u64,
    /// When the last event arrived, in microseconds since the beginning.
    pub last_arrival_us: u64,
}

impl Crowd {
    /// Opens every socket; returns when all have entered.
    ///
    /// # Errors
    /// One could not enter.
    pub async fn open(plan: Plan) -> Result<Self> {
        let threads = machine::cores().min(plan.sockets).max(1);
        let shared = Arc::new(Shared {
            threads,
            begun: Instant::now(),
            arrived_on: (0..EVENTS_MAX).map(|_| AtomicU32::new(0)).collect(),
            posted_us: (0..EVENTS_MAX).map(|_| AtomicU64::new(0)).collect(),
            free: Semaphore::new(0),
            arrived: AtomicU64::new(0),
            last_arrival_us: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            latencies_us: std::sync::Mutex::default(),
            over: AtomicBool::new(false),
            plan,
        });
        let (entered, mut waiting) = mpsc::channel(threads);
        let mut crowd = Self { shared: Arc::clone(&shared), threads: Vec::new() };
        for thread in 0..threads {
            let (shared, entered) = (Arc::clone(&shared), entered.clone());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            crowd.threads.push(std::thread::spawn(move || {
                runtime.block_on(reader::read(&shared, thread, entered));
            }));
        }
        drop(entered);
        for _ in 0..threads {
            waiting.recv().await.context("a thread of the crowd ended")??;
        }
        Ok(crowd)
    }

    /// What was counted so far.
    #[must_use]
    pub fn counted(&self) -> Counted {
        let read = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        Counted {
            arrived: read(&self.shared.arrived),
            deliveries: read(&self.shared.deliveries),
            frames: read(&self.shared.frames),
            bytes: read(&self.shared.bytes),
            closed: read(&self.shared.closed),
            last_arrival_us: read(&self.shared.last_arrival_us),
        }
    }

    /// Microseconds since the crowd opened.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.shared.now_us()
    }

    /// Notes that the post which makes the events from `first` on leaves now.
    pub fn posted(&self, first: u64) {
        let now = self.now_us();
        for event in 0..self.shared.plan.events_a_post {
            if let Some(slot) = self.shared.posted_us.get(first as usize + event) {
                slot.store(now, Ordering::Release);
            }
        }
    }

    /// Lets so many posts be under way.
    pub fn allow(&self, posts: usize) {
        self.shared.free.add_permits(posts);
    }

    /// Waits until one more post may go.
    ///
    /// # Errors
    /// Nothing arrives any more.
    pub async fn turn(&self) -> Result<()> {
        match timeout(ARRIVE_WITHIN, self.shared.free.acquire()).await {
            Ok(permit) => permit.map(tokio::sync::SemaphorePermit::forget).map_err(|_| anyhow!("the crowd is over")),
            Err(_) => bail!("no event arrived within {ARRIVE_WITHIN:?}: {:?}", self.counted()),
        }
    }

    /// Lets no post go until the next [`Crowd::allow`].
    pub fn forbid(&self) {
        self.shared.free.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Waits until so many events have arrived.
    ///
    /// # Errors
    /// They did not come in time.
    pub async fn wait_for(&self, events: u64) -> Result<()> {
        let end = Instant::now() + ARRIVE_WITHIN;
        while self.counted().arrived < events {
            if Instant::now() >= end {
                bail!("{events} events did not arrive within {ARRIVE_WITHIN:?}: {:?}", self.counted());
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// How long events took from post to socket since this was last asked, in microseconds: a sample.
    #[must_use]
    pub fn take_latencies_us(&self) -> Vec<u32> {
        std::mem::take(&mut *self.shared.latencies())
    }
}

impl Shared {
    fn now_us(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn latencies(&self) -> std::sync::MutexGuard<'_, Vec<u32>> {
        self.latencies_us.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Every socket of one thread has had this event.
    fn arrived_on_a_thread(&self, event: usize) {
        let before = self.arrived_on[event].fetch_add(1, Ordering::AcqRel);
        if before as usize + 1 == self.threads {
            self.last_arrival_us.store(self.now_us(), Ordering::Release);
            self.arrived.fetch_add(1, Ordering::AcqRel);
            if (event + 1).is_multiple_of(self.plan.events_a_post) {
                self.free.add_permits(1);
            }
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            // It looks at the flag several times a second, and has nothing to say at its end.
            let _ = thread.join();
        }
    }
}
