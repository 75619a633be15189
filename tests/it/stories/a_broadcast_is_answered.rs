//! Customers answer a broadcast: each counts once, for the broadcast they quote, else the latest; a STOP is heeded in the
//! middle, and what was claimed already does not leave.

use std::time::Duration;

use serde_json::json;

use super::a_broadcast_goes_out::{act, draft, made, until};
use crate::house::whatsapp::{delivery, text};
use crate::house::{House, eventually};

#[actix_web::test]
async fn a_reply_counts_once_for_the_latest_or_the_quoted() {
    let house = House::with(&[("seed.contacts", "3")]).await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let mut paths = Vec::new();
    for name in ["First", "Second"] {
        let path = made(&house, &draft(&house, name, &json!({"everyone": true}))).await;
        act(&house, &path, "publish").await;
        until(&house, &path, "it is sent and read", |shown| shown["counts"]["read"] == 3).await;
        paths.push(path);
    }
    let sends = house.seen();
    let quoted = sends.iter().find(|send| send.recipient == "15550100001").and_then(|send| send.wamid.clone());
    let now = || tidegate::clock::Clock::now(&*house.clock);
    // The thread shows both, latest first, with what became of them.
    let first = draft_conversation(&house, &paths[0], &admin).await;
    let thread = house.get(&format!("/v1/conversations/{first}/messages"), &admin).await.expect(200);
    let items = thread["items"].as_array().expect("items");
    assert_eq!(items.len(), 2, "{thread}");
    for item in items {
        assert_eq!((&item["author"]["kind"], &item["status"]), (&json!("broadcast"), &json!("read")), "{item}");
        let body = &item["content"]["fills"][0]["parameters"];
        assert!(body[0]["text"].as_str().is_some_and(|name| !name.contains('{')), "{item}");
    }
    // Two words of one customer are one reply; another quotes the first broadcast.
    for (wamid, customer) in [("wamid.r1", "15550100000"), ("wamid.r2", "15550100000")] {
        let pushed = delivery(&[text(customer, wamid, now(), "Thank you")], &[]);
        assert_eq!(house.push(&pushed).await.status, 200);
    }
    let mut quoting = text("15550100001", "wamid.r3", now(), "About this one");
    quoting["context"] = json!({"from": "15550783881", "id": quoted.expect("it was sent")});
    assert_eq!(house.push(&delivery(&[quoting], &[])).await.status, 200);
    for (path, name) in paths.iter().zip(["First", "Second"]) {
        let shown = until(&house, path, "the reply is counted", |shown| shown["counts"]["replied"] == 1).await;
        assert_eq!((&shown["name"], &shown["metrics"]["replied"]), (&json!(name), &json!(1)));
    }
    // It is another conversation's turn, three days later: nobody replies to that any more.
    house.advance(Duration::from_secs(3 * 24 * 3_600 + 60));
    let late = delivery(&[text("15550100002", "wamid.r4", now(), "Hello")], &[]);
    assert_eq!(house.push(&late).await.status, 200);
    let verified = house.get(&format!("{}/verify", paths[1]), &admin).await.expect(200);
    assert_eq!((&verified["agrees"], &verified["counted"]["replied"]), (&json!(true), &json!(1)), "{verified}");
    assert!(house.stop().await);
}

/// The conversation of a broadcast's first recipient, which has to be there to be read.
async fn draft_conversation(house: &House, path: &str, admin: &str) -> String {
    let page = house.get(&format!("{path}/recipients?limit=1"), admin).await.expect(200);
    let start = json!({"account": house.seeded.account, "contact": page["items"][0]["contact"]});
    let started = house.post("/v1/conversations", admin, &start).await;
    started.json()["id"].as_str().unwrap_or_else(|| panic!("{}", started.json())).to_owned()
}

#[actix_web::test]
async fn a_stop_in_the_middle_is_heeded() {
    let house = House::with(&[("seed.contacts", "12"), ("numbers.rate_per_second", "5")]).await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let template = json!({
        "name": "sale", "language": "en_US", "category": "marketing", "business_id": "102290129340398",
        "components": [{"type": "BODY", "text": "Sale!"}],
    });
    house.post("/v1/templates", &admin, &template).await.expect(201);
    let mut body = draft(&house, "Sale", &json!({"everyone": true}));
    body["content"] = json!({"type": "template", "name": "sale", "language": "en_US"});
    body["rate_per_second"] = json!(1);
    let path = made(&house, &body).await;
    act(&house, &path, "publish").await;
    let some = |shown: &serde_json::Value| shown["metrics"]["sent"].as_u64() >= Some(1);
    until(&house, &path, "some have it", some).await;
    let had: Vec<String> = house.seen().iter().map(|send| send.recipient.clone()).collect();
    let customer = (0..12).map(|number| format!("1555{:07}", 100_000 + number)).find(|digits| !had.contains(digits));
    let customer = customer.expect("somebody waits");
    let now = tidegate::clock::Clock::now(&*house.clock);
    assert_eq!(house.push(&delivery(&[text(&customer, "wamid.s1", now, "STOP")], &[])).await.status, 200);
    let sent = until(&house, &path, "it is sent", |shown| shown["status"] == "sent").await;
    assert_eq!((&sent["counts"]["skipped"], &sent["metrics"]["sent"]), (&json!(1), &json!(11)), "{sent}");
    assert!(!house.seen().iter().any(|send| send.recipient == customer));
    let passed_over = house.get(&format!("{path}/recipients?state=skipped"), &admin).await.expect(200);
    assert_eq!(passed_over["items"][0]["skipped"], "opted_out");
    eventually("the feed tells its story", || async {
        let started = house.events("broadcast.started").await;
        let sent = house.events("broadcast.sent").await;
        (started.len() == 1 && sent.len() == 1).then_some(())
    })
    .await;
    assert!(house.stop().await);
}
