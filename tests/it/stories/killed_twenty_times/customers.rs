//! What a thousand customers write.

use proptest::prelude::Rng;
use proptest::test_runner::TestRng;
use serde_json::{Value, json};
use tidegate::clock::{Clock, WallClock};
use tidegate::domain::time::Timestamp;

use crate::house::whatsapp::{delivery, text};

/// Items in one delivery, at most.
const BATCH_MAX: usize = 40;

/// One message of a customer.
pub(super) struct Written {
    pub(super) customer: String,
    pub(super) wamid: String,
    pub(super) item: Value,
}

/// Everything that customers write, in order.
pub(super) struct Traffic(pub(super) Vec<Written>);

impl Traffic {
    /// `messages` from `customers`, in turn: texts, pictures, reactions, and now and then STOP.
    pub(super) fn new(customers: usize, messages: usize) -> Self {
        // The provider's times lie in the last hour, so that windows are open.
        let begin = WallClock::new().now().0 - 3_600_000;
        let written = (0..messages).map(|number| {
            let customer = format!("1555{:07}", 2_000_000 + number % customers);
            let wamid = format!("wamid.{number:05}");
            let at = Timestamp(begin + number as i64 * 300);
            let item = match (number / customers + number) % 17 {
                3 => json!({
                    "from": customer, "id": wamid, "timestamp": (at.0 / 1_000).to_string(), "type": "image",
                    "image": {"id": format!("media-{number}"), "mime_type": "image/jpeg", "sha256": "x", "caption": "Look"},
                }),
                5 => json!({
                    "from": customer, "id": wamid, "timestamp": (at.0 / 1_000).to_string(), "type": "reaction",
                    "reaction": {"message_id": format!("wamid.{:05}", number % customers), "emoji": "👍"},
                }),
                11 => text(&customer, &wamid, at, "STOP"),
                _ => text(&customer, &wamid, at, &format!("Message {number}")),
            };
            Written { customer, wamid, item }
        });
        Self(written.collect())
    }

    /// Each message `copies` times, all shuffled, in batches of any size.
    pub(super) fn shuffled(&self, copies: usize, chance: &mut TestRng) -> Vec<Value> {
        let mut items: Vec<&Value> =
            self.0.iter().flat_map(|written| std::iter::repeat_n(&written.item, copies)).collect();
        for index in (1..items.len()).rev() {
            items.swap(index, chance.next_u32() as usize % (index + 1));
        }
        let mut deliveries = Vec::new();
        let mut rest = items.as_slice();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at((1 + chance.next_u32() as usize % BATCH_MAX).min(rest.len()));
            deliveries.push(delivery(&batch.iter().map(|item| (*item).clone()).collect::<Vec<_>>(), &[]));
            rest = after;
        }
        deliveries
    }

    /// Each message once, in order, in batches.
    pub(super) fn in_order(&self) -> Vec<Value> {
        let batch =
            |written: &[Written]| delivery(&written.iter().map(|one| one.item.clone()).collect::<Vec<_>>(), &[]);
        self.0.chunks(BATCH_MAX).map(batch).collect()
    }
}
