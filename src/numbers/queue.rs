//! The replies that wait on one number: in order within a conversation, one of each under way.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::domain::effect::EffectId;
use crate::domain::ids::ConversationId;
use crate::domain::message::MessageRef;
use crate::domain::time::Timestamp;

/// A reply that is to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The effect that asks for it; it is closed by the reply's outcome.
    pub effect: EffectId,
    /// Whose thread.
    pub conversation: ConversationId,
    /// Which message.
    pub message: MessageRef,
    /// Which attempt, from 1.
    pub attempt: u16,
    /// When it was decided.
    pub queued_at: Timestamp,
}

/// The waiting replies of one conversation.
struct Lane<T> {
    waiting: VecDeque<(Reply, T)>,
    standing: Standing,
}

/// Whether a conversation's next reply may be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It stands in the line of the ready.
    Ready,
    /// One is under way: the next leaves after its answer.
    Busy,
    /// Not before then.
    Held(Timestamp),
}

/// Replies and what travels with each.
pub(super) struct Queue<T> {
    lanes: HashMap<ConversationId, Lane<T>>,
    ready: VecDeque<ConversationId>,
    held: BTreeSet<(Timestamp, ConversationId)>,
    waiting: usize,
    waiting_max: usize,
}

impl<T> Queue<T> {
    /// A queue in which at most `waiting_max` replies wait.
    #[must_use]
    pub(super) fn new(waiting_max: usize) -> Self {
        Self { lanes: HashMap::new(), ready: VecDeque::new(), held: BTreeSet::new(), waiting: 0, waiting_max }
    }

    /// Whether none waits.
    #[cfg(test)]
    const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Puts a reply behind those of its conversation.
    ///
    /// # Errors
    /// The queue is full: what travels with it comes back.
    pub(super) fn push(&mut self, reply: Reply, with: T) -> Result<(), T> {
        if self.waiting >= self.waiting_max {
            return Err(with);
        }
        self.waiting += 1;
        let lane = self.lanes.entry(reply.conversation).or_insert_with(|| {
            self.ready.push_back(reply.conversation);
            Lane { waiting: VecDeque::new(), standing: Standing::Ready }
        });
        lane.waiting.push_back((reply, with));
        Ok(())
    }

    /// Takes the next reply that may be taken now; its conversation is busy until it is released.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<(Reply, T)> {
        while let Some((until, conversation)) = self.held.first().copied() {
            if until > now {
                break;
            }
            self.held.pop_first();
            self.stand_ready(conversation);
        }
        while let Some(conversation) = self.ready.pop_front() {
            let Some(lane) = self.lanes.get_mut(&conversation) else { continue };
            if let Some(next) = lane.waiting.pop_front() {
                lane.standing = Standing::Busy;
                self.waiting -= 1;
                return Some(next);
            }
            self.lanes.remove(&conversation);
        }
        None
    }

    /// Puts a reply that was taken back to the front of its conversation, not before `until`.
    pub(super) fn put_back(&mut self, reply: Reply, with: T, until: Timestamp) {
        let conversation = reply.conversation;
        self.waiting += 1;
        let held = Standing::Held(until);
        let lane = self.lanes.entry(conversation).or_insert_with(|| Lane { waiting: VecDeque::new(), standing: held });
        lane.waiting.push_front((reply, with));
        lane.standing = held;
        self.held.insert((until, conversation));
    }

    /// The conversation's reply has its outcome: the next may be taken from `next_from` on.
    pub(super) fn release(&mut self, conversation: ConversationId, next_from: Timestamp, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(&conversation) else { return };
        if lane.standing != Standing::Busy {
            return;
        }
        if next_from > now {
            // Also where none waits: one may come before then.
            lane.standing = Standing::Held(next_from);
            self.held.insert((next_from, conversation));
        } else if lane.waiting.is_empty() {
            self.lanes.remove(&conversation);
        } else {
            self.stand_ready(conversation);
        }
    }

    /// When the next reply may be taken: now, later, or never by itself.
    #[must_use]
    pub(super) fn next_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.ready.is_empty() { self.held.first().map(|(until, _)| (*until).max(now)) } else { Some(now) }
    }

    /// Takes everything that waits.
    pub(super) fn drain(&mut self) -> Vec<(Reply, T)> {
        self.ready.clear();
        self.held.clear();
        self.waiting = 0;
        std::mem::take(&mut self.lanes).into_values().flat_map(|lane| lane.waiting).collect()
    }

    fn stand_ready(&mut self, conversation: ConversationId) {
        if let Some(lane) = self.lanes.get_mut(&conversation) {
            lane.standing = Standing::Ready;
            self.ready.push_back(conversation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::MessageId;
    use proptest::prelude::*;

    fn reply(conversation: u128, number: u64) -> Reply {
        let message = MessageRef { at: Timestamp(0), id: MessageId(u128::from(number)) };
        let effect = EffectId { shard: 0, position: number, index: 0 };
        Reply { effect, conversation: ConversationId(conversation), message, attempt: 1, queued_at: Timestamp(0) }
    }

    #[test]
    fn one_of_a_conversation_is_under_way_and_others_pass() {
        let mut queue = Queue::new(10);
        for (conversation, number) in [(1, 1), (1, 2), (2, 3)] {
            assert!(queue.push(reply(conversation, number), ()).is_ok());
        }
        let now = Timestamp(5);
        assert_eq!(queue.take(now).map(|(reply, ())| reply.effect.position), Some(1));
        assert_eq!(queue.take(now).map(|(reply, ())| reply.effect.position), Some(3));
        assert_eq!(queue.take(now), None);
        assert_eq!(queue.next_at(now), None);
        queue.release(ConversationId(1), now, now);
        assert_eq!(queue.take(now).map(|(reply, ())| reply.effect.position), Some(2));
        queue.release(ConversationId(1), now, now);
        queue.release(ConversationId(2), now, now);
        assert!(queue.is_empty() && queue.lanes.is_empty());
    }

    #[test]
    fn a_full_queue_refuses() {
        let mut queue = Queue::new(1);
        assert!(queue.push(reply(1, 1), 'a').is_ok());
        assert_eq!(queue.push(reply(2, 2), 'b'), Err('b'));
    }

    #[test]
    fn what_is_put_back_waits_and_keeps_its_place() {
        let mut queue = Queue::new(10);
        assert!(queue.push(reply(1, 1), ()).is_ok() && queue.push(reply(1, 2), ()).is_ok());
        let taken = queue.take(Timestamp(0)).map(|(reply, ())| reply);
        queue.put_back(taken.expect("one waits"), (), Timestamp(100));
        assert_eq!(queue.take(Timestamp(99)), None);
        assert_eq!(queue.next_at(Timestamp(50)), Some(Timestamp(100)));
        assert_eq!(queue.take(Timestamp(100)).map(|(reply, ())| reply.effect.position), Some(1));
    }

    #[test]
    fn a_conversation_may_be_held_after_its_reply_and_also_what_comes_then_waits() {
        let (mut queue, now) = (Queue::new(10), Timestamp(5));
        assert!(queue.push(reply(1, 1), ()).is_ok());
        assert!(queue.take(now).is_some());
        queue.release(ConversationId(1), Timestamp(100), now);
        assert!(queue.push(reply(1, 2), ()).is_ok() && queue.push(reply(2, 3), ()).is_ok());
        assert_eq!(queue.take(now).map(|(reply, ())| reply.effect.position), Some(3), "another is not held");
        assert_eq!(queue.take(Timestamp(99)), None);
        assert_eq!(queue.take(Timestamp(100)).map(|(reply, ())| reply.effect.position), Some(2));
    }

    proptest! {
        /// Whatever the order of steps: every reply is taken once, in its conversation's order, and two of one
        /// conversation are never under way.
        #[test]
        fn each_leaves_once_and_in_order(steps in proptest::collection::vec((0_u8..4, 0_u128..4, 0_i64..3), 1..200)) {
            let mut queue = Queue::new(usize::MAX);
            let (mut pushed, mut now) = (0_u64, Timestamp(0));
            let mut busy: HashMap<ConversationId, Reply> = HashMap::new();
            let mut left: HashMap<ConversationId, Vec<u64>> = HashMap::new();
            for (step, conversation, hold) in steps {
                now = Timestamp(now.0 + 1);
                match step {
                    0 => {
                        pushed += 1;
                        prop_assert!(queue.push(reply(conversation, pushed), ()).is_ok());
                    }
                    1 => if let Some((taken, ())) = queue.take(now) {
                        prop_assert!(busy.insert(taken.conversation, taken).is_none());
                    },
                    2 => if let Some(done) = busy.remove(&ConversationId(conversation)) {
                        left.entry(done.conversation).or_default().push(done.effect.position);
                        queue.release(done.conversation, Timestamp(now.0 + hold), now);
                    },
                    _ => if let Some(back) = busy.remove(&ConversationId(conversation)) {
                        queue.put_back(back, (), Timestamp(now.0 + 3));
                    },
                }
            }
            loop {
                for (conversation, done) in busy.drain() {
                    left.entry(conversation).or_default().push(done.effect.position);
                    queue.release(conversation, now, now);
                }
                now = Timestamp(now.0 + 10);
                while let Some((taken, ())) = queue.take(now) {
                    busy.insert(taken.conversation, taken);
                }
                if busy.is_empty() { break }
            }
            prop_assert!(queue.is_empty());
            prop_assert_eq!(left.values().map(Vec::len).sum::<usize>() as u64, pushed);
            prop_assert!(left.values().all(|order| order.is_sorted()));
        }
    }
}
