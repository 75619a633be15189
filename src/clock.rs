//! Business time and ids come from outside: one clock and one source of ids, handed in.
//!
//! Windows, limits, timers, pacing and lifetimes go by this clock. I/O deadlines and pings go by
//! the machine's (tokio's). No other module reads a clock or draws a random number.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::domain::time::Timestamp;

/// A future that a clock gives.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Business time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment; never goes backwards.
    fn now(&self) -> Timestamp;
    /// Waits until `now` is at or past `at`, also when the clock is moved by hand.
    fn sleep_until(&self, at: Timestamp) -> Sleep<'_>;
}

/// Where fresh ids and secrets come from.
pub trait IdSource: Send + Sync + 'static {
    /// 128 bits: 48 of time, 80 of chance, as a ULID has them.
    fn ulid(&self, now: Timestamp) -> u128;
    /// Fills a secret.
    fn fill(&self, secret: &mut [u8]);
}

/// Clock and ids, handed to whatever needs them as one value.
#[derive(Clone)]
pub struct Surroundings {
    /// Business time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn IdSource>,
}

impl Surroundings {
    /// Wall time and the machine's chance.
    #[must_use]
    pub fn real() -> Self {
        Self { clock: Arc::new(WallClock::new()), ids: Arc::new(RandomIds) }
    }
}

/// Wall time plus an offset that `advance` moves forward, never back.
pub struct WallClock {
    offset_ms: AtomicI64,
    latest_ms: AtomicI64,
    moved: watch::Sender<()>,
}

impl WallClock {
    /// Wall time as it is.
    #[must_use]
    pub fn new() -> Self {
        Self { offset_ms: AtomicI64::new(0), latest_ms: AtomicI64::new(i64::MIN), moved: watch::Sender::new(()) }
    }

    /// Moves business time forward against wall time.
    pub fn advance(&self, span: Duration) {
        self.offset_ms.fetch_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.moved.send_replace(());
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let shown = i64::try_from(wall.as_millis()).unwrap_or(i64::MAX) + self.offset_ms.load(Ordering::SeqCst);
        Timestamp(self.latest_ms.fetch_max(shown, Ordering::SeqCst).max(shown))
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Box::pin(async move {
            let mut moved = self.moved.subscribe();
            loop {
                let now = self.now();
                if now >= at {
                    return;
                }
                // A step of the machine's clock is noticed within a minute.
                let wait = at.since(now).min(Duration::from_secs(60));
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = moved.changed() => {}
                }
            }
        })
    }
}

/// A clock that stands still until it is moved: for tests.
pub struct FrozenClock {
    now_ms: watch::Sender<i64>,
}

impl FrozenClock {
    /// A clock that shows `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self { now_ms: watch::Sender::new(at.0) }
    }

    /// Moves it forward.
    pub fn advance(&self, span: Duration) {
        self.now_ms.send_modify(|now| *now += i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
    }
}

impl Clock for FrozenClock {
    fn now(&self) -> Timestamp {
        Timestamp(*self.now_ms.borrow())
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Box::pin(async move {
            let mut shown = self.now_ms.subscribe();
            // The sender lives as long as this clock does, so waiting cannot fail.
            let _ = shown.wait_for(|now| *now >= at.0).await;
        })
    }
}

/// The machine's chance.
pub struct RandomIds;

impl IdSource for RandomIds {
    fn ulid(&self, now: Timestamp) -> u128 {
        let mut chance = [0; 16];
        self.fill(&mut chance[6..]);
        (u128::from(now.0.max(0) as u64 & 0xFFFF_FFFF_FFFF) << 80) | u128::from_be_bytes(chance)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that draws random numbers")]
    fn fill(&self, secret: &mut [u8]) {
        // Without the machine's chance there are no secrets: going on would hand out guessable tokens.
        if getrandom::fill(secret).is_err() {
            std::process::abort();
        }
    }
}

/// Ids in order, the same in every run: for tests.
pub struct CountedIds {
    next: AtomicU64,
}

impl CountedIds {
    /// Ids from `first` on.
    #[must_use]
    pub fn from(first: u64) -> Self {
        Self { next: AtomicU64::new(first) }
    }
}

impl IdSource for CountedIds {
    fn ulid(&self, now: Timestamp) -> u128 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (u128::from(now.0.max(0) as u64 & 0xFFFF_FFFF_FFFF) << 80) | u128::from(number)
    }

    fn fill(&self, secret: &mut [u8]) {
        let mut state = self.next.fetch_add(1, Ordering::Relaxed).wrapping_add(0x9E37_79B9_7F4A_7C15);
        for byte in secret {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
    }
}
