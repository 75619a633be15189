//! The same items in order and once, or shuffled, doubled and late: the end is the same.

use std::time::Duration;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};
use tidegate::domain::time::Timestamp;
use tidegate::providers::sandbox::{FaultPlan, Line, ReceiptFaults, SendLine};

use crate::house::threads::threads;
use crate::house::whatsapp::{delivery, receipt, text};
use crate::house::{House, MORNING, eventually};

const CUSTOMERS: usize = 4;
const MESSAGES: usize = 40;

fn customer(number: usize) -> String {
    format!("1555600{number:04}")
}

fn at(number: usize) -> Timestamp {
    Timestamp(MORNING.0 - 600_000 + number as i64 * 1_000)
}

/// What customers do: write, stop, start again, react.
fn items() -> Vec<Value> {
    (0..MESSAGES)
        .map(|number| {
            let (from, wamid) = (customer(number % CUSTOMERS), format!("wamid.{number:02}"));
            match number % 7 {
                3 => text(&from, &wamid, at(number), "STOP"),
                5 => text(&from, &wamid, at(number), "START"),
                6 => json!({
                    "from": from, "id": wamid, "timestamp": (at(number).0 / 1_000).to_string(), "type": "reaction",
                    "reaction": {"message_id": format!("wamid.{:02}", number % CUSTOMERS), "emoji": "👍"},
                }),
                _ => text(&from, &wamid, at(number), &format!("Message {number}")),
            }
        })
        .collect()
}

/// Each of these twice, shuffled, in small batches.
fn shaken(items: &[Value], chance: &mut TestRng) -> Vec<Vec<Value>> {
    let mut twice: Vec<Value> = items.iter().chain(items).cloned().collect();
    for index in (1..twice.len()).rev() {
        twice.swap(index, chance.next_u32() as usize % (index + 1));
    }
    twice.chunks(3).map(<[Value]>::to_vec).collect()
}

/// A house whose provider sends no receipts by itself.
async fn quiet_house(latency_ms: u64) -> House {
    let house = House::with(&[("numbers.rate_per_second", "1000")]).await;
    let receipts = ReceiptFaults { lost: 1.0, ..ReceiptFaults::default() };
    let sandbox = house.sandbox.as_ref().expect("it runs");
    assert!(sandbox.order(FaultPlan { latency_ms, receipts, ..FaultPlan::default() }));
    house
}

/// What webhooks decide of each customer.
async fn state(house: &House) -> Vec<Value> {
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let mut states = Vec::new();
    for (line, messages) in threads(house.addr(), &admin).await {
        let id = line["id"].as_str().unwrap_or_default();
        let details = house.get(&format!("/v1/conversations/{id}"), &admin).await.expect(200);
        let mut thread: Vec<Value> = messages
            .iter()
            .filter(|message| message["direction"] == "in")
            .map(|message| json!([message["at"], message["provider_id"], message["content"], message["context"]]))
            .collect();
        thread.sort_by_key(Value::to_string);
        let mut sent: Vec<Value> = messages
            .iter()
            .filter(|message| message["direction"] == "out")
            .map(|message| json!([message["content"], message["status"]]))
            .collect();
        sent.sort_by_key(Value::to_string);
        states.push(json!({
            "addresses": details["addresses"], "thread": thread, "sent": sent,
            "window": line["window_closes_at"], "last_inbound": line["last_inbound_at"],
            "unread": line["unread"], "withdrawn": details["marketing_withdrawn"], "state": line["state"],
        }));
    }
    states.sort_by_key(|state| state["addresses"].to_string());
    states
}

/// An agent answers every conversation; the provider's line of each answer, as soon as it has one.
async fn answered(house: &House) -> Vec<SendLine> {
    let agent = house.token("AGENT1_TOKEN").to_owned();
    for (line, _) in threads(house.addr(), &agent).await {
        let id = line["id"].as_str().unwrap_or_default();
        let said = json!({"client_id": format!("reply-{id}"), "content": {"type": "text", "body": "Thank you."}});
        house.post(&format!("/v1/conversations/{id}/messages"), &agent, &said).await.expect(202);
    }
    eventually("the provider has all", || {
        house.advance(Duration::from_millis(20));
        async {
            let mut lines = Vec::new();
            let ledger = house.sandbox.as_ref().expect("it runs").ledger();
            ledger
                .each(|line| {
                    if let Line::Send(send) = line
                        && send.wamid.is_some()
                    {
                        lines.push(send);
                    }
                })
                .expect("the ledger reads");
            (lines.len() == CUSTOMERS).then_some(lines)
        }
    })
    .await
}

/// The receipts of these, in their order; the last customer's message failed.
fn receipts(lines: &[SendLine], with_token: bool) -> Vec<Value> {
    let later = |seconds: i64| Timestamp(MORNING.0 + seconds * 1_000);
    let mut receipts = Vec::new();
    for send in lines {
        let wamid = send.wamid.as_deref().unwrap_or_default();
        let token = send.token.as_deref().filter(|_| with_token);
        for (second, status) in ["sent", "delivered", "read"].iter().enumerate() {
            receipts.push(receipt(wamid, &send.recipient, status, later(second as i64), token));
        }
    }
    receipts
}

#[actix_web::test]
async fn order_and_repetition_change_nothing() {
    let calm = quiet_house(0).await;
    for item in items() {
        assert_eq!(calm.push(&delivery(&[item], &[])).await.status, 200);
    }
    let lines = answered(&calm).await;
    for said in receipts(&lines, true) {
        assert_eq!(calm.push(&delivery(&[], &[said])).await.status, 200);
    }
    let expected = eventually("everything is read", || {
        calm.advance(Duration::from_millis(200));
        async {
            let state = state(&calm).await;
            let read = |state: &Value| state["sent"][0][1] == "read";
            (state.len() == CUSTOMERS && state.iter().all(read)).then_some(state)
        }
    })
    .await;
    assert!(calm.stop().await);

    for (seed, with_token, latency_ms) in [(1_u8, true, 0), (2, true, 700), (3, false, 700)] {
        let mut chance = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        let wild = quiet_house(latency_ms).await;
        for batch in shaken(&items(), &mut chance) {
            assert_eq!(wild.push(&delivery(&batch, &[])).await.status, 200);
        }
        // With a slow provider its receipts are here before its answer is.
        let lines = answered(&wild).await;
        for batch in shaken(&receipts(&lines, with_token), &mut chance) {
            assert_eq!(wild.push(&delivery(&[], &batch)).await.status, 200);
        }
        // All of it once more, when everything is long done.
        for batch in shaken(&items(), &mut chance) {
            assert_eq!(wild.push(&delivery(&batch, &[])).await.status, 200);
        }
        let mut last = Vec::new();
        let same = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                wild.advance(Duration::from_millis(500));
                last = state(&wild).await;
                if last == expected {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        if same.is_err() {
            assert_eq!(last, expected, "seed {seed}, token {with_token}, latency {latency_ms}");
        }
        assert!(wild.stop().await);
    }
}
