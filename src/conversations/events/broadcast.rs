//! What is said of a broadcast's events. Its recipients are counted, not told one by one: the ledger has them.

use serde_json::{Value, json};

use super::Said;
use crate::conversations::api::Moment;
use crate::domain::broadcast::job::BroadcastEvent as Event;
use crate::domain::ids::BroadcastId;

/// A broadcast's event's word and data.
pub(super) fn say(broadcast: BroadcastId, event: &Event) -> Said {
    let (word, mut data) = match event {
        Event::Created { plan, retries, author, .. } => {
            ("broadcast.created", json!({ "account": plan.account, "retries": retries, "author": author }))
        }
        Event::Edited { author, .. } => ("broadcast.edited", json!({ "author": author })),
        Event::Scheduled { starts_at, author, .. } => {
            ("broadcast.scheduled", json!({ "starts_at": Moment(*starts_at), "author": author }))
        }
        Event::Started { author, .. } => ("broadcast.started", json!({ "author": author })),
        Event::Halted { reason, author, .. } => ("broadcast.paused", json!({ "reason": reason, "author": author })),
        Event::Lifted { reason, author, .. } => ("broadcast.resumed", json!({ "reason": reason, "author": author })),
        Event::RateChanged { per_second, author, .. } => {
            ("broadcast.rate_changed", json!({ "rate_per_second": per_second, "author": author }))
        }
        Event::AudienceFrozen { audience, .. } => (
            "broadcast.frozen",
            json!({
                "recipients": audience.recipients,
                "duplicates": audience.duplicates,
                "without_consent": audience.without_consent,
                "unreachable": audience.unreachable,
            }),
        ),
        Event::Completed { .. } => ("broadcast.sent", json!({})),
        Event::Reopened { .. } => ("broadcast.reopened", json!({})),
        Event::Expired { .. } => ("broadcast.expired", json!({})),
        Event::Cancelled { author, .. } => ("broadcast.cancelled", json!({ "author": author })),
        Event::Deleted { author, .. } => ("broadcast.deleted", json!({ "author": author })),
        Event::ChunkTold { .. } | Event::KeyUsed { .. } => return None,
    };
    if let Value::Object(fields) = &mut data {
        fields.insert("broadcast".to_owned(), json!(broadcast));
    }
    Some((word, data))
}
