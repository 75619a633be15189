//! A broadcast as answers show it.

use serde_json::{Value, json};

use crate::broadcasts::{BroadcastView, RecipientShown};
use crate::conversations::api::Moment;
use crate::domain::broadcast::job::Status;
use crate::domain::broadcast::{RecipientState, Tally};
use crate::domain::time::Timestamp;

/// A broadcast.
pub(super) fn broadcast(view: &BroadcastView) -> Value {
    let plan = &view.plan;
    let starts_at = match view.status {
        Status::Scheduled(at) => Some(moment(at)),
        _ => None,
    };
    let frozen = view.frozen.map(|frozen| {
        json!({
            "recipients": frozen.recipients,
            "duplicates": frozen.duplicates,
            "without_consent": frozen.without_consent,
            "unreachable": frozen.unreachable,
        })
    });
    json!({
        "id": view.id,
        "version": view.version,
        "name": view.name,
        "status": view.status.word(),
        "reasons": view.halts,
        "starts_at": starts_at,
        "account": plan.account,
        "channel": plan.channel,
        "marketing": plan.marketing,
        "audience": view.audience,
        "content": view.content,
        "unconfirmed": plan.doubtful,
        "send_until": plan.send_until.map(moment),
        "rate_per_second": plan.rate_per_second,
        "frozen": frozen,
        "counts": counts(&view.tally),
        "metrics": metrics(&view.tally),
        "limited_by": view.limited_by.word(),
        "retries": view.retries,
        "created_by": view.created.0,
        "created_at": moment(view.created.1),
    })
}

/// How many recipients have come to exactly what.
pub(super) fn counts(tally: &Tally) -> Value {
    let mut counts = serde_json::Map::new();
    for state in RecipientState::ALL {
        counts.insert(state.word().to_owned(), json!(tally.of(state)));
    }
    counts.insert("replied".to_owned(), json!(tally.replied));
    Value::Object(counts)
}

/// The metrics of `product.md` §6: each count holds those that came further, too.
pub(super) fn metrics(tally: &Tally) -> Value {
    let failed = tally.of(RecipientState::Failed);
    let taken = tally.of(RecipientState::Accepted) + tally.of(RecipientState::Sent) + tally.delivered();
    let (sent, delivered, read) = (failed + taken, tally.delivered(), tally.of(RecipientState::Read));
    json!({
        "recipients": tally.recipients(),
        "sent": sent,
        "delivered": delivered,
        "read": read,
        "replied": tally.replied,
        "failed": failed,
        "bounce_rate": share(failed, sent),
        "read_rate": share(read, delivered),
        "reply_rate": share(tally.replied, delivered),
    })
}

fn share(part: u32, whole: u32) -> Option<f64> {
    (whole > 0).then(|| (f64::from(part) / f64::from(whole) * 10_000.0).round() / 10_000.0)
}

/// A recipient's row of the ledger. Its name is its chunk and its place in it.
pub(super) fn recipient(row: &RecipientShown) -> Value {
    let view = &row.view;
    json!({
        "recipient": format!("{}.{}", row.chunk, row.index),
        "contact": row.who.as_ref().map(|who| who.contact),
        "conversation": row.who.as_ref().map(|who| who.conversation),
        "address": row.who.as_ref().map(|who| who.to.text.clone()),
        "state": view.state.word(),
        "attempt": view.attempt,
        "not_before": view.not_before.map(moment),
        "failure": view.refused.map(|refused| json!({ "code": refused.code, "class": refused.class })),
        "skipped": view.skipped,
        "replied": view.replied,
    })
}

const fn moment(at: Timestamp) -> Moment {
    Moment(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_count_those_that_came_further() {
        use RecipientState::{Accepted, Delivered, Failed, Pending, Read, Sent};
        let states = [Accepted, Sent, Sent, Delivered, Read, Read, Read, Failed, Pending];
        let tally = Tally::of_rows(states.into_iter().map(|state| (state, state == Read)));
        let shown = metrics(&tally);
        let of = |name: &str| shown[name].as_u64();
        assert_eq!((of("recipients"), of("sent"), of("delivered"), of("read")), (Some(9), Some(8), Some(4), Some(3)));
        assert_eq!((shown["bounce_rate"].as_f64(), shown["reply_rate"].as_f64()), (Some(0.125), Some(0.75)));
        assert!(metrics(&Tally::default())["read_rate"].is_null());
    }
}
