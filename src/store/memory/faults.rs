//! Faults on order: what a test wants the store to do with the calls to come.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::store::StoreError;

/// The calls that a fault can be ordered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `identity`.
    Identity,
    /// `put_facts`.
    PutFacts,
    /// `get`, `get_many` and `scan`.
    Read,
    /// `get` of an entity's state. It meets what is ordered for [`Self::Read`] where nothing is ordered for it.
    ReadState,
    /// `commit`.
    Commit,
    /// `settle`.
    Settle,
    /// `replay`.
    Replay,
    /// `acquire`.
    Acquire,
    /// `beat`, `members` and `change_member`.
    Membership,
}

/// What a call meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the call goes on. Ordered before another fault, it lets calls pass first.
    Pass,
    /// It answers `NotApplied`.
    Fail,
    /// A commit's facts are written, and its record is not: it answers `NotApplied`, as an engine without transactions
    /// may. Other calls fail.
    FactsAlone,
    /// A settling's snapshots are written, and neither its other rows nor the checkpoint: a process that dies in the
    /// middle of one may leave that where an engine has no transactions. Other calls fail.
    StatesAlone,
    /// It waits so long, in machine time, and then goes on.
    Delay(Duration),
    /// It happens and answers `Unknown`.
    UnknownApplied,
    /// It does not happen and answers `Unknown`.
    UnknownNotApplied,
    /// It waits for [`Faults::release`] and then goes on.
    Hang,
    /// It answers `Final`, as does every later call; [`super::MemoryStore::failed`] tells the sentence.
    Final(String),
}

/// What a call does after it met its fault.
#[derive(Clone, Copy)]
pub(super) enum Verdict {
    /// It happens.
    Apply,
    /// It happens, but its answer is lost.
    ApplyUnknown,
    /// Its facts, or its snapshots, are written, and nothing else happens.
    InPart,
}

#[derive(Default)]
struct Orders {
    once: HashMap<Operation, VecDeque<Fault>>,
    always: HashMap<Operation, Fault>,
}

/// The orders of one [`super::MemoryStore`] and of everything cloned from it.
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    orders: Mutex<Orders>,
    releases: watch::Sender<u64>,
    hanging: watch::Sender<usize>,
    failed: watch::Sender<Option<String>>,
}

impl Default for Faults {
    fn default() -> Self {
        Self(Arc::new(Inner {
            orders: Mutex::default(),
            releases: watch::Sender::new(0),
            hanging: watch::Sender::new(0),
            failed: watch::Sender::new(None),
        }))
    }
}

impl Faults {
    /// Orders a fault for one call that comes after those already ordered.
    pub fn once(&self, operation: Operation, fault: Fault) {
        self.orders(|orders| orders.once.entry(operation).or_default().push_back(fault));
    }

    /// Orders a fault for every call that has none of its own.
    pub fn always(&self, operation: Operation, fault: Fault) {
        self.orders(|orders| orders.always.insert(operation, fault));
    }

    /// Forgets every order; what hangs goes on hanging.
    pub fn clear(&self) {
        self.orders(|orders| *orders = Orders::default());
    }

    /// Lets everything go on that hangs now.
    pub fn release(&self) {
        self.0.releases.send_modify(|releases| *releases += 1);
    }

    /// Waits until so many calls hang.
    pub async fn wait_hanging(&self, calls: usize) {
        // The sender lives as long as these faults do, so waiting cannot fail.
        let _ = self.0.hanging.subscribe().wait_for(|hanging| *hanging >= calls).await;
    }

    /// What the reading of an entity's state is, as far as orders go.
    pub(super) fn operation_of_state(&self) -> Operation {
        let ordered = self.orders(|orders| {
            let once = orders.once.get(&Operation::ReadState).is_some_and(|faults| !faults.is_empty());
            once || orders.always.contains_key(&Operation::ReadState)
        });
        if ordered { Operation::ReadState } else { Operation::Read }
    }

    pub(super) fn failed(&self) -> watch::Receiver<Option<String>> {
        self.0.failed.subscribe()
    }

    /// Meets the next fault of an operation.
    pub(super) async fn meet(&self, operation: Operation) -> Result<Verdict, StoreError> {
        if let Some(why) = self.0.failed.borrow().clone() {
            return Err(StoreError::Final(why));
        }
        let fault = self.orders(|orders| {
            let once = orders.once.get_mut(&operation).and_then(VecDeque::pop_front);
            once.or_else(|| orders.always.get(&operation).cloned())
        });
        match fault {
            None | Some(Fault::Pass) => Ok(Verdict::Apply),
            Some(Fault::Fail) => Err(failed(operation)),
            Some(Fault::Delay(pause)) => {
                tokio::time::sleep(pause).await;
                Ok(Verdict::Apply)
            }
            Some(Fault::FactsAlone) if operation == Operation::Commit => Ok(Verdict::InPart),
            Some(Fault::StatesAlone) if operation == Operation::Settle => Ok(Verdict::InPart),
            Some(Fault::FactsAlone | Fault::StatesAlone) => Err(failed(operation)),
            Some(Fault::UnknownApplied) => Ok(Verdict::ApplyUnknown),
            Some(Fault::UnknownNotApplied) => Err(unknown(operation)),
            Some(Fault::Hang) => {
                let mut releases = self.0.releases.subscribe();
                let seen = *releases.borrow_and_update();
                let hanging = Hanging::enter(&self.0.hanging);
                let _ = releases.wait_for(|releases| *releases > seen).await;
                drop(hanging);
                Ok(Verdict::Apply)
            }
            Some(Fault::Final(why)) => {
                self.0.failed.send_replace(Some(why.clone()));
                Err(StoreError::Final(why))
            }
        }
    }

    fn orders<T>(&self, change: impl FnOnce(&mut Orders) -> T) -> T {
        change(&mut self.0.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The answer of a call that did not happen.
pub(super) fn failed(operation: Operation) -> StoreError {
    StoreError::NotApplied(format!("{operation:?} fails on order"))
}

/// The answer of a call that nobody knows the outcome of.
pub(super) fn unknown(operation: Operation) -> StoreError {
    StoreError::Unknown(format!("{operation:?} loses its answer on order"))
}

/// Counts a call that hangs, also when its caller gives it up.
struct Hanging<'a>(&'a watch::Sender<usize>);

impl<'a> Hanging<'a> {
    fn enter(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|hanging| *hanging += 1);
        Self(count)
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|hanging| *hanging -= 1);
    }
}
