//! The story with one lie each: the rules that it breaks, and no other.

use serde_json::Value;

use super::*;
use crate::run::tape::Wrong;

type Lie = fn(&mut Evidence);

/// Each lie breaks exactly these.
fn see(lies: &[(&[&str], Lie)]) {
    for (place, (rules, lie)) in lies.iter().enumerate() {
        assert_eq!(broken(lie), *rules, "lie {place}");
    }
}

#[test]
fn each_lie_about_customers_is_seen() {
    see(&[
        (&["lost"], |evidence| drop(evidence.threads[0].messages.remove(1))),
        (&["conversation_lost"], |evidence| evidence.conversations -= 1),
        (&["lost"], |evidence| evidence.threads[2].messages.clear()),
        (&["lost"], |evidence| evidence.threads[2].messages[0].provider_id = Some("wamid.8".into())),
        (&["stored_twice"], |evidence| {
            let again = evidence.threads[0].messages[1].clone();
            evidence.threads[0].messages.insert(1, again);
        }),
        (&["stored_twice"], |evidence| {
            let again = evidence.threads[2].messages[0].clone();
            evidence.threads[2].messages.push(again);
        }),
        (&["thread_order"], |evidence| evidence.threads[0].messages.reverse()),
        // In order, but not in the customer's: the second was written a second after the first.
        (&["thread_order"], |evidence| {
            let at = evidence.threads[0].messages[2].at.clone();
            evidence.threads[0].messages[1].at = at;
        }),
        (&["thread_order"], |evidence| evidence.answers[0].at_ms = 5_000),
        (&["astray"], |evidence| evidence.threads[1].account = "acc_0".into()),
        (&["astray"], |evidence| evidence.threads[2].account = "acc_1".into()),
        (&["astray"], |evidence| evidence.replies[0].conversation = "cnv_2".into()),
    ]);
}

#[test]
fn each_lie_to_sockets_is_seen() {
    see(&[
        (&["not_told"], |evidence| evidence.heard[0].told[2] = 0),
        (&["leaked"], |evidence| evidence.heard[1].conversations.extend(["cnv_2".to_owned()])),
        (&["socket_gap"], |evidence| {
            evidence.heard[0].wrong.push(Wrong { rule: "socket_gap", what: "after 1 came 3".into() });
        }),
    ]);
}

#[test]
fn each_lie_about_answers_is_seen() {
    see(&[
        (&["reply_sent_twice"], |evidence| {
            let again = evidence.calls[0].clone();
            evidence.calls.push(again);
        }),
        // A second message of the same answer, whose command was never answered.
        (&["reply_sent_twice"], |evidence| {
            evidence.replies[0].message = None;
            let mut again = evidence.calls[0].clone();
            again.token = Some("m1.1.B.1".into());
            evidence.calls.push(again);
            let mut shown = evidence.threads[0].messages[0].clone();
            shown.id = "msg_B".into();
            evidence.threads[0].messages.insert(0, shown);
        }),
        (&["reply_lost"], |evidence| drop(evidence.calls.remove(0))),
        (&["reply_lost"], |evidence| {
            evidence.calls.remove(0);
            evidence.threads[0].messages[0].status = Some("queued".into());
        }),
        (&["reply_lost"], |evidence| evidence.threads[0].messages[0].status = None),
        (&["reply_lost", "wrong_recipient"], |evidence| drop(evidence.threads[0].messages.remove(0))),
        (&["reply_differs"], |evidence| evidence.threads[0].messages[0].status = Some("queued".into())),
        (&["reply_differs"], |evidence| evidence.threads[0].messages[0].status = Some("read".into())),
        (&["reply_differs"], |evidence| evidence.threads[0].messages[0].status = Some("in_doubt".into())),
        (&["reply_differs"], |evidence| {
            evidence.calls.remove(0);
            evidence.threads[0].messages[0].status = Some("failed".into());
        }),
        (&["reply_differs"], |evidence| {
            (evidence.calls[0].verdict, evidence.calls[0].code) = ("refused".into(), Some(130_429));
            evidence.threads[0].messages[0].status = Some("in_doubt".into());
        }),
        (&["outside_window"], |evidence| {
            evidence.items[0].written.stale = true;
            evidence.items[1].written.stale = true;
        }),
        (&["reply_refused"], |evidence| evidence.replies[1].refused = Some("not_found".into())),
        (&["reply_refused"], |evidence| evidence.items[2].written.stale = false),
    ]);
}

#[test]
fn each_lie_about_whom_a_call_went_to_is_seen() {
    see(&[
        (&["wrong_recipient"], |evidence| evidence.calls[0].to = "155700000009".into()),
        (&["wrong_recipient"], |evidence| evidence.calls[0].number = "2066".into()),
        (&["wrong_recipient"], |evidence| evidence.calls[1].to = "9".into()),
        (&["wrong_recipient"], |evidence| evidence.calls[1].number = "2066".into()),
        (&["wrong_recipient"], |evidence| {
            let other = Some("m1.1.Z.1".into());
            let stray = Call { token: other, to: "155700000001".into(), ..evidence.calls[0].clone() };
            evidence.calls.push(stray);
        }),
        (&["wrong_recipient"], |evidence| {
            let stray = Call { token: None, ..evidence.calls[0].clone() };
            evidence.calls.push(stray);
        }),
        // Two who swapped their messages: each has one, and each has the other's.
        (&["wrong_recipient"], |evidence| {
            evidence.calls[1].to = "2".into();
            evidence.calls[3].to = "1".into();
        }),
    ]);
}

#[test]
fn each_lie_about_broadcasts_is_seen() {
    see(&[
        (&["broadcast_sent_twice"], |evidence| {
            let again = evidence.calls[1].clone();
            evidence.calls.push(again);
        }),
        // One person in two places.
        (&["broadcast_sent_twice"], |evidence| {
            evidence.calls[3].to = "1".into();
            evidence.recipients[0].1[1].address = Some("1".into());
            evidence.recipients[0].1[1].replied = true;
            evidence.recipients[0].0["counts"]["replied"] = Value::from(2);
        }),
        (&["recipient_differs"], |evidence| evidence.calls[3].receipts.clear()),
        // Refused for a while is no failure, and skipped or in doubt is nobody without a cause.
        (&["recipient_differs"], |evidence| evidence.calls[4].code = Some(130_429)),
        (&["recipient_differs"], |evidence| becomes(evidence, "skipped")),
        (&["recipient_differs"], |evidence| becomes(evidence, "cancelled")),
        (&["recipient_differs"], |evidence| becomes(evidence, "in_doubt")),
        (&["recipient_differs"], |evidence| {
            evidence.recipients[0].1[0].replied = false;
            evidence.recipients[0].0["counts"]["replied"] = Value::from(0);
        }),
        (&["counters_differ"], |evidence| evidence.recipients[0].0["counts"]["read"] = Value::from(2)),
        (&["counters_differ"], |evidence| evidence.recipients[0].0["counts"]["replied"] = Value::from(0)),
        (&["counters_differ"], |evidence| {
            evidence.recipients[0].0["counts"].as_object_mut().unwrap().remove("failed");
        }),
        (&["recipient_lost"], |evidence| evidence.sent[0].audience = 4),
        (&["recipient_lost"], |evidence| {
            evidence.tier = 0;
            waits(evidence, "sending", &[]);
        }),
        (&["recipient_lost"], |evidence| {
            evidence.tier = 0;
            waits(evidence, "paused", &["user"]);
        }),
        (&["sent_while_paused"], |evidence| evidence.calls[1].at_ms = 15_000),
    ]);
}

/// The third recipient, who was refused for good, is shown as something else.
fn becomes(evidence: &mut Evidence, state: &str) {
    let (shown, recipients) = &mut evidence.recipients[0];
    recipients[2].state = state.into();
    evidence.calls.pop();
    shown["counts"]["failed"] = Value::from(0);
    shown["counts"][state] = Value::from(1);
}

#[test]
fn each_lie_about_limits_is_seen() {
    see(&[
        (&["above_rate"], |evidence| {
            evidence.calls.extend((0..250).map(|place| Call { at_ms: 5_000 + 4 * place, ..refused_call(place) }));
        }),
        (&["over_limit"], |evidence| evidence.tier = 1),
    ]);
}
