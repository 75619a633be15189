//! The HTTP workers' own threads, on which every actor lives: each reports itself once, and its death is
//! the process's.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle};
use tokio::sync::Notify;

use crate::shards::Shards;

/// How long workers may take to begin.
const BEGIN_WITHIN: Duration = Duration::from_secs(30);

/// The arbiters of the workers that have begun.
pub(super) struct Arbiters {
    begun: Mutex<Vec<ArbiterHandle>>,
    more: Notify,
    stopping: AtomicBool,
    shards: Arc<Shards>,
}

thread_local! {
    /// Dropped with the worker's thread.
    static LAST_WORD: RefCell<Vec<LastWord>> = const { RefCell::new(Vec::new()) };
}

/// Tells that a worker has ended.
struct LastWord(Arc<Arbiters>);

impl Drop for LastWord {
    fn drop(&mut self) {
        if !self.0.stopping.load(Ordering::Acquire) {
            // The log may be gone already: what it keeps for each thread ends in any order.
            self.0.shards.node().fail_unlogged("a worker's thread has ended, and its actors with it".to_owned());
        }
    }
}

impl Arbiters {
    pub(super) fn new(shards: Arc<Shards>) -> Arc<Self> {
        Arc::new(Self { begun: Mutex::default(), more: Notify::new(), stopping: AtomicBool::new(false), shards })
    }

    /// Called by each worker on its own thread.
    pub(super) fn report(self: &Arc<Self>) {
        LAST_WORD.with_borrow_mut(|words| words.push(LastWord(Arc::clone(self))));
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(Arbiter::current());
        self.more.notify_one();
    }

    /// Waits until this many have begun.
    pub(super) async fn all(&self, count: usize) -> Option<Vec<ArbiterHandle>> {
        let waiting = async {
            loop {
                let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if begun.len() >= count {
                    return begun;
                }
                self.more.notified().await;
            }
        };
        tokio::time::timeout(BEGIN_WITHIN, waiting).await.ok()
    }

    /// From here on a worker's end is expected.
    pub(super) fn expect_the_end(&self) {
        self.stopping.store(true, Ordering::Release);
    }
}
