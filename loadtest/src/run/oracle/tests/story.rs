//! A run in which nothing went wrong.

use std::time::Duration;

use serde_json::json;

use super::super::Evidence;
use crate::run::collect::{Answer, Call, Receipt, Recipient, Shown, Thread};
use crate::run::plan::Written;
use crate::run::stage::NumberPlace;
use crate::run::tape::{Heard, Item, Reply, Sent};

/// Customer 1 wrote twice, an agent answered once; customer 9, whose window is shut, wrote once, and an agent's answer was
/// refused. A broadcast reached two of its three recipients, one of whom said STOP; the third was refused for good.
pub(super) fn true_story() -> Evidence {
    let second = Duration::from_secs;
    let item = |customer, number, at| Item {
        written: Written { part: 0, customer, number, at: second(at), stale: customer == 9 },
        written_s: at,
        before: None,
        due: Some(second(at)),
        begun: Some(second(at)),
        taken: Some(second(at)),
    };
    let sees = |number| Heard {
        number,
        since: Some(Duration::ZERO),
        told: if number.is_some() { vec![65_537, 65_537, 0] } else { vec![65_537; 3] },
        conversations: number.map(|_| "cnv_1".to_owned()).into_iter().collect(),
        events: 5,
        looked: [5, 5, 1, 1],
        ..Heard::default()
    };
    let reply = |item, conversation: &str| Reply { item, conversation: conversation.into(), ..Reply::default() };
    let (brand, published_ms, paused_ms) = ("brd_B".to_owned(), Some(1), Some((10_000, 20_000)));
    Evidence {
        items: vec![item(1, 0, 1), item(1, 0, 2), item(9, 1, 1)],
        replies: vec![
            Reply { message: Some("msg_A".into()), ..reply(1, "cnv_1") },
            Reply { refused: Some("window_closed".into()), ..reply(2, "cnv_2") },
        ],
        heard: vec![sees(None), sees(Some(0))],
        sent: vec![Sent { id: brand, number: 0, audience: 3, published_ms, paused_ms }],
        numbers: vec![number("acc_0", "2065"), number("acc_1", "2066")],
        threads: threads(),
        calls: vec![
            call(1_000, "155700000001", "m1.1.A.1", "accepted", &[("sent", 1), ("delivered", 1)]),
            call(1_001, "1", "b1.B.0.0.1", "accepted", &[("sent", 1), ("read", 1), ("delivered", 0)]),
            Call { code: Some(130_429), ..call(1_002, "2", "b1.B.0.1.1", "refused", &[]) },
            call(1_003, "2", "b1.B.0.1.2", "silent", &[("delivered", 2)]),
            Call { code: Some(132_001), ..call(1_004, "3", "b1.B.0.2.1", "refused", &[]) },
        ],
        answers: vec![Answer {
            wamid: "wamid.7".into(),
            number: "2065".into(),
            from: "1".into(),
            text: "STOP".into(),
            at_ms: 1_900,
            taken: 1,
        }],
        recipients: vec![(
            json!({"status": "sent", "reasons": [],
                "counts": {"pending": 0, "read": 1, "delivered": 1, "failed": 1, "replied": 1}}),
            vec![
                Recipient { replied: true, ..recipient("0.0", "1", "read") },
                recipient("0.1", "2", "delivered"),
                recipient("0.2", "3", "failed"),
            ],
        )],
        tier: 2,
        rate_per_second: 100,
        ended: second(60),
        rest: None,
        troubled: false,
        conversations: 8,
        before: 5,
    }
}

fn threads() -> Vec<Thread> {
    let message = |id: &str, second: u32, direction: &str, body: &str| Shown {
        id: id.to_owned(),
        at: format!("1970-01-01T00:00:{second:02}.000Z"),
        direction: direction.to_owned(),
        content: json!({"type": "text", "body": body}),
        provider_id: None,
        status: None,
    };
    let thread = |id: &str, account: &str, messages| Thread { id: id.into(), account: account.into(), messages };
    let answer = Shown { status: Some("delivered".into()), ..message("msg_A", 3, "out", "@0 Thanks") };
    let stop = Shown { provider_id: Some("wamid.7".into()), ..message("msg_4", 1, "in", "STOP") };
    vec![
        thread("cnv_1", "acc_0", vec![answer, message("msg_2", 2, "in", "#1 x"), message("msg_1", 1, "in", "#0 x")]),
        thread("cnv_2", "acc_1", vec![message("msg_3", 1, "in", "#2 x")]),
        thread("cnv_3", "acc_0", vec![stop]),
    ]
}

fn call(at_ms: u64, to: &str, token: &str, verdict: &str, receipts: &[(&str, u32)]) -> Call {
    Call {
        at_ms,
        number: "2065".into(),
        to: to.into(),
        token: Some(token.into()),
        kind: if token.starts_with('b') { "template" } else { "text" }.into(),
        verdict: verdict.into(),
        code: None,
        receipts: receipts.iter().map(|(status, taken)| Receipt { status: (*status).into(), taken: *taken }).collect(),
    }
}

fn recipient(place: &str, address: &str, state: &str) -> Recipient {
    Recipient { recipient: place.into(), address: Some(format!("+{address}")), state: state.into(), replied: false }
}

fn number(account: &str, id: &str) -> NumberPlace {
    NumberPlace { account: account.into(), provider_id: id.into() }
}
