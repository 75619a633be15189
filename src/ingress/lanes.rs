//! A delivery's items, in the order in which each actor must hear them: one lane an actor.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::Ingress;
use super::carry::Carried;
use super::facts::{self, Target};
use crate::broken::{self, Fault};
use crate::domain::broadcast::CHUNK_MAX;
use crate::domain::ids::DeliveryId;
use crate::domain::inbound::InboundKind;
use crate::domain::time::Timestamp;
use crate::shards::{CommandError, DeferredItem, KeptDelivery, KeptReason, Shards};

/// An actor that panics over an item this often gets it no more.
pub(super) const PANICS_MAX: u8 = 3;
/// A receipt whose message is not known is tried again so often: its send may not have its outcome yet.
pub(super) const TRIES_MAX: u8 = 6;

/// The pause before an actor that panicked over an item gets it again. It is more than none, so that the item stands
/// in another row than the one that the sweep takes away.
const PANICKED_PAUSE: Duration = Duration::from_secs(1);

/// Items of one lane that are with their actor at once: the actor takes them in order, and their commits share
/// records.
const AT_ONCE: usize = 16;

/// Items for one actor, in order.
pub(super) type Lane = Vec<DeferredItem>;

/// Each actor's items, in the order in which they came.
pub(super) fn lanes(shards: &Shards, items: Vec<DeferredItem>) -> Vec<Lane> {
    let mut items: Vec<(Option<Target>, DeferredItem)> =
        items.into_iter().map(|item| (facts::target(&shards.node().keys, &item), item)).collect();
    // A stable sort leaves the items of one actor in their order.
    items.sort_by_key(|(target, _)| *target);
    let mut lanes: Vec<(Option<Target>, Lane)> = Vec::new();
    for (target, item) in items {
        match lanes.last_mut() {
            Some((same, lane)) if *same == target => lane.push(item),
            _ => lanes.push((target, vec![item])),
        }
    }
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

/// An item that its actor did not take.
pub(super) enum Left {
    /// The sweep of the shard takes it, from then on.
    Later(u16, Timestamp, Box<DeferredItem>),
    /// Nobody can take it.
    Kept(DeliveryId, Box<KeptDelivery>),
}

/// Whether an item is a receipt for a broadcast's message.
fn is_evidence(item: &DeferredItem) -> bool {
    matches!(&item.item.kind, InboundKind::Receipt(said) if facts::broadcast(said).is_some())
}

/// Whether an item is a customer's message.
fn is_message(item: &DeferredItem) -> bool {
    matches!(item.item.kind, InboundKind::Message(_))
}

impl Ingress {
    /// Brings a lane's items to their actor. Answers how many it took, and the others.
    pub(super) async fn carry_lane(&self, mut lane: Lane) -> (usize, Vec<Left>) {
        let mut taken = 0;
        let mut left = Vec::new();
        // Most deliveries are one item, and need no machinery for several.
        if lane.len() == 1
            && let Some(item) = lane.pop()
        {
            return match self.carry(&item).await {
                Ok(Carried::Taken) => (1, left),
                outcome => (0, vec![self.leave(item, outcome)]),
            };
        }
        if lane.first().is_some_and(is_evidence) {
            return self.carry_evidence_lane(lane).await;
        }
        if let [first, second, ..] = lane.as_mut_slice()
            && [&*first, &*second].into_iter().all(is_message)
            && broken::happens(Fault::SwapOrder)
        {
            std::mem::swap(first, second);
        }
        // Each is handed over when it is first polled, so the actor hears them in order.
        let carrying = lane.into_iter().map(|item| async move {
            let outcome = self.carry(&item).await;
            (item, outcome)
        });
        let mut carried = stream::iter(carrying).buffered(AT_ONCE);
        while let Some((item, outcome)) = carried.next().await {
            match outcome {
                Ok(Carried::Taken) => taken += 1,
                outcome => left.push(self.leave(item, outcome)),
            }
        }
        (taken, left)
    }

    /// Brings the receipts of one chunk to it, many in one fact.
    async fn carry_evidence_lane(&self, lane: Lane) -> (usize, Vec<Left>) {
        let mut taken = 0;
        let mut left = Vec::new();
        for some in lane.chunks(usize::from(CHUNK_MAX)) {
            match self.carry_evidence(some).await {
                Ok(Carried::Taken) => taken += some.len(),
                outcome => left.extend(some.iter().map(|item| self.leave(item.clone(), outcome.clone()))),
            }
        }
        (taken, left)
    }

    /// What is to be done with an item that its actor did not take.
    pub(super) fn leave(&self, mut item: DeferredItem, outcome: Result<Carried, CommandError>) -> Left {
        let now = self.shards.node().surroundings.clock.now();
        let target = facts::target(&self.shards.node().keys, &item);
        let shard = target.map_or(0, |target| self.shards.shard_of(target.id()));
        let pause = match outcome {
            Ok(Carried::Unmatched) => {
                item.tries = item.tries.saturating_add(1);
                if item.tries > TRIES_MAX {
                    return self.keep(&item, KeptReason::Unmatched);
                }
                Duration::from_secs(1 << item.tries.min(6))
            }
            Err(CommandError::Panicked) => {
                item.panics = item.panics.saturating_add(1);
                if item.panics >= PANICS_MAX {
                    metrics::counter!("tidegate_items_unprocessable_total").increment(1);
                    tracing::error!(shard, "an actor panicked three times over an item; it is kept as unprocessable");
                    return self.keep(&item, KeptReason::Unprocessable);
                }
                PANICKED_PAUSE
            }
            Err(CommandError::Refused(refusal)) => {
                // A fact is not refused for its content; this is a mistake of ours, and it must not be lost.
                tracing::error!(shard, code = refusal.code(), "an actor refused a fact; it is kept as unprocessable");
                metrics::counter!("tidegate_items_unprocessable_total").increment(1);
                return self.keep(&item, KeptReason::Unprocessable);
            }
            Ok(Carried::Taken) | Err(_) => Duration::ZERO,
        };
        Left::Later(shard, now + pause, Box::new(item))
    }

    fn keep(&self, item: &DeferredItem, reason: KeptReason) -> Left {
        let id = self.shards.delivery_id(item.app, item.item.item_id.as_bytes());
        let workspace = Some(item.workspace);
        let kept = facts::kept(reason, item.channel, item.app, workspace, item.arrived_at, &item.item);
        Left::Kept(id, Box::new(kept))
    }
}
