//! A store that takes the log but no rows falls behind: broadcasts wait first, then agents' commands are told when to come
//! back, and what providers push is taken as long as anything can be. All of it goes on when the store does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::store::{Fault, Operation};

use super::a_broadcast_goes_out::{act, count, draft, made, until};
use crate::house::threads::received;
use crate::house::whatsapp::{delivery, text};
use crate::house::{House, MORNING, eventually};

/// Deliveries until somebody has to wait, at most: each is a share of the smallest size at which rows are written.
const DELIVERIES_MAX: usize = 200;
const MESSAGES: usize = 50;

/// Pushes deliveries, all of which are taken, until something is so.
async fn pushes_until(house: &House, pushed: &mut usize, mut so: impl AsyncFnMut(&House) -> bool) {
    for _ in 0..DELIVERIES_MAX {
        if so(house).await {
            return;
        }
        let messages: Vec<Value> = (0..MESSAGES)
            .map(|index| {
                let number = *pushed * MESSAGES + index;
                text(&format!("1555200{:04}", number % 40), &format!("wamid.{number}"), MORNING, &"wave ".repeat(40))
            })
            .collect();
        assert_eq!(house.push(&delivery(&messages, &[])).await.status, 200);
        *pushed += 1;
    }
    panic!("nobody had to wait after {DELIVERIES_MAX} deliveries");
}

#[actix_web::test]
async fn broadcasts_wait_then_agents_and_webhooks_never() {
    let settings = [("store.shards", "1"), ("store.settle_bytes", "64KiB"), ("seed.contacts", "100")];
    let house = House::in_memory(&settings).await;
    let (agent, admin) = (house.token("AGENT1_TOKEN").to_owned(), house.token("ADMIN_TOKEN").to_owned());
    let conversation = house.hears("15551230001", "wamid.first").await;
    let mut body = draft(&house, "News", &json!({"everyone": true}));
    body["rate_per_second"] = json!(10);
    let broadcast = made(&house, &body).await;
    act(&house, &broadcast, "publish").await;
    until(&house, &broadcast, "it has begun", |shown| count(shown, "sent") >= 1).await;

    house.faults().always(Operation::Settle, Fault::Fail);
    let mut pushed = 0;
    let reply =
        |number: usize| json!({"client_id": format!("r-{number}"), "content": {"type": "text", "body": "Until six."}});
    let path = format!("/v1/conversations/{conversation}/messages");
    pushes_until(&house, &mut pushed, async |house| {
        // A permit, so that it would go on.
        house.advance(Duration::from_millis(100));
        house.get(&broadcast, &admin).await.expect(200)["limited_by"] == "store"
    })
    .await;
    house.post(&path, &agent, &reply(0)).await.expect(202);
    pushes_until(&house, &mut pushed, async |house| {
        let answer = house.post(&path, &agent, &reply(1)).await;
        if answer.status != 503 {
            return false;
        }
        let problem = answer.expect(503);
        assert_eq!((&problem["code"], &problem["retry_after"]), (&json!("unavailable"), &json!(5)), "{problem}");
        true
    })
    .await;
    let sent = house.ledger().accepted;
    // At the end all is kept for later, and still taken; what is there can be read.
    let mut rounds = 0;
    loop {
        pushes_until(&house, &mut pushed, {
            let (mut left, path, agent) = (25, &path, &agent);
            async move |house| {
                house.get(path, agent).await.expect(200);
                left -= 1;
                left == 0
            }
        })
        .await;
        rounds += 1;
        if received(house.addr(), &admin).await.len() < 1 + pushed * MESSAGES {
            break;
        }
        assert!(rounds < 10, "{} messages found a place in memory", pushed * MESSAGES);
    }
    assert!(house.ledger().accepted <= sent + 1, "nobody was written to");

    house.faults().clear();
    let taken = || async { (house.post(&path, &agent, &reply(2)).await.status == 202).then_some(()) };
    eventually("agents are heard again", taken).await;
    let first = std::iter::once(("wamid.first".to_owned(), 1));
    let expected: BTreeMap<String, usize> =
        first.chain((0..pushed * MESSAGES).map(|number| (format!("wamid.{number}"), 1))).collect();
    eventually("every message is in its thread", || {
        house.advance(Duration::from_secs(1));
        async { (received(house.addr(), &admin).await == expected).then_some(()) }
    })
    .await;
    until(&house, &broadcast, "everybody has it", |shown| {
        house.advance(Duration::from_secs(1));
        shown["status"] == "sent"
    })
    .await;
    assert!(house.stop().await);
}
