//! Actor machinery that knows no domain: the only way to send, and permits that bound what waits.
//!
//! actix counts a mailbox's bound per clone of an address, and `do_send` ignores it (measured:
//! capacity 4, fresh clones, 1,000 of 1,000 accepted). So what waits is counted here: a [`Permit`]
//! travels inside the envelope and is given back when the envelope is opened or dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};

/// A count of what waits somewhere, with a bound.
#[derive(Clone, Debug)]
pub struct Waiting {
    count: Arc<AtomicUsize>,
    max: usize,
}

impl Waiting {
    /// A count of which at most `max` may wait at once.
    #[must_use]
    pub fn at_most(max: usize) -> Self {
        Self { count: Arc::new(AtomicUsize::new(0)), max }
    }

    /// The right to wait, or none where the bound is reached.
    #[must_use]
    pub fn permit(&self) -> Option<Permit> {
        self.permits(1)
    }

    /// The right for `weight` to wait, or none where the bound would be passed.
    #[must_use]
    pub fn permits(&self, weight: usize) -> Option<Permit> {
        let before = self.count.fetch_add(weight, Ordering::Relaxed);
        // The permit exists from here on, so a refusal gives the weight back by dropping it.
        let permit = Permit { count: Arc::clone(&self.count), weight };
        (before + weight <= self.max).then_some(permit)
    }

    /// How much waits now.
    #[must_use]
    pub fn now(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// The right to wait; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    count: Arc<AtomicUsize>,
    weight: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.count.fetch_sub(self.weight, Ordering::Relaxed);
    }
}

/// An actor's address; the only way to send to it.
pub struct Mailbox<A: Actor>(Addr<A>);

impl<A: Actor> Clone for Mailbox<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Actor> Mailbox<A> {
    /// The mailbox at this address.
    #[must_use]
    pub fn new(address: Addr<A>) -> Self {
        Self(address)
    }

    /// Sends what was counted by a permit already. Nothing arrives at an actor that has ended.
    #[expect(clippy::disallowed_methods, reason = "the caller counted it: this is the one place that may")]
    pub fn send_counted<M>(&self, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.0.do_send(message);
    }

    /// Whether the actor still takes messages. A panic in a handler ends an actor.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.0.connected()
    }
}

/// Why an actor left memory. Counted; nothing durable hangs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retired {
    /// Nobody asked it anything for a while.
    Idle,
    /// More were resident than allowed.
    OverCap,
    /// Its shard's log refused a commit: memory might no longer equal the store.
    StaleState,
    /// A handler panicked.
    Panicked,
    /// The shard closes.
    ShuttingDown,
}

impl Retired {
    /// The label in metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::OverCap => "over_cap",
            Self::StaleState => "stale_state",
            Self::Panicked => "panicked",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_given_back() {
        let waiting = Waiting::at_most(2);
        let first = waiting.permit();
        let second = waiting.permit();
        assert!(first.is_some() && second.is_some());
        assert!(waiting.permit().is_none());
        drop(first);
        assert_eq!(waiting.now(), 1);
        assert!(waiting.permit().is_some());
        assert!(waiting.permits(2).is_none());
        drop(second);
        assert_eq!(waiting.now(), 0);
    }
}
