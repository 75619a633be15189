//! More than fits: webhooks are kept as facts and swept up, commands and large bodies are told to come back, and in
//! the end everything is there once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tidegate::store::{Fault, Operation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::house::threads::{received, threads};
use crate::house::whatsapp::{delivery, signature, text};
use crate::house::{House, MORNING, eventually};

const CUSTOMER: &str = "15551230001";

fn message(customer: &str, wamid: &str) -> Value {
    delivery(&[text(customer, wamid, MORNING, "Hello")], &[])
}

async fn each_once(house: &House, wamids: Vec<String>) {
    let expected: BTreeMap<String, usize> = wamids.into_iter().map(|wamid| (wamid, 1)).collect();
    let token = house.token("ADMIN_TOKEN").to_owned();
    eventually("every message is in its thread", || {
        house.advance(Duration::from_millis(200));
        async { (received(house.addr(), &token).await == expected).then_some(()) }
    })
    .await;
}

/// A conversation whose mailbox is full refuses commands, and no delivery.
#[actix_web::test]
async fn a_full_mailbox_defers_items_and_refuses_commands() {
    let mut house = House::in_memory(&[("actors.mailbox_max", "2"), ("server.command_deadline", "60s")]).await;
    let agent = house.token("AGENT1_TOKEN").to_owned();
    assert_eq!(house.push(&message(CUSTOMER, "wamid.0")).await.status, 200);
    let conversation = threads(house.addr(), &agent).await[0].0["id"].as_str().expect("an id").to_owned();
    // After a restart the conversation is not in memory, and what is asked of it waits for the store.
    house.settle().await;
    house.crash().await;
    assert_eq!(house.push(&message("15551239999", "wamid.other")).await.status, 200);
    house.faults().always(Operation::Read, Fault::Hang);
    let waiting: Vec<_> = (1..=10).map(|number| message(CUSTOMER, &format!("wamid.{number}"))).collect();
    let (house, deferred) = (&house, &AtomicUsize::new(0));
    let pushes = join_all(waiting.iter().map(|delivery| async move {
        let status = house.push(delivery).await.status;
        deferred.fetch_add(1, Ordering::AcqRel);
        status
    }));
    let command = async {
        // Two wait for the conversation; the others are facts and answered.
        eventually("the rest is deferred", || async { (deferred.load(Ordering::Acquire) == 8).then_some(()) }).await;
        let said = json!({"client_id": "reply", "content": {"type": "text", "body": "Good morning."}});
        let refused = house.post(&format!("/v1/conversations/{conversation}/messages"), &agent, &said).await;
        assert_eq!(refused.problem(503), "overloaded");
        assert!(refused.header("retry-after").is_some());
        assert_eq!(refused.json()["retryable"], true);
        house.faults().clear();
        house.faults().release();
    };
    let (statuses, ()) = tokio::join!(pushes, command);
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let wamids = (0..=10).map(|number| format!("wamid.{number}")).chain(["wamid.other".to_owned()]);
    each_once(house, wamids.collect()).await;
}

/// More items of a full conversation than the sweep takes at once keep nobody else waiting.
#[actix_web::test]
async fn a_full_conversation_keeps_no_other_waiting() {
    const OTHER: &str = "15551239999";
    let mut house = House::in_memory(&[
        ("store.shards", "1"),
        ("actors.mailbox_max", "2"),
        ("server.command_deadline", "60s"),
        ("server.webhook_items_in_flight_max", "1000"),
    ])
    .await;
    assert_eq!(house.push(&message(CUSTOMER, "wamid.full.0")).await.status, 200);
    assert_eq!(house.push(&message(OTHER, "wamid.other.0")).await.status, 200);
    let token = house.token("ADMIN_TOKEN").to_owned();
    let lines = threads(house.addr(), &token).await;
    let other = lines.iter().find(|(_, messages)| messages[0]["provider_id"] == "wamid.other.0").expect("it is there");
    let path = format!("/v1/conversations/{}/messages", other.0["id"].as_str().expect("an id"));
    house.settle().await;
    house.crash().await;
    let many = |from: usize, to: usize| {
        let texts = (from..to).map(|number| text(CUSTOMER, &format!("wamid.full.{number}"), MORNING, "Hello"));
        delivery(&texts.collect::<Vec<_>>(), &[])
    };
    let (first, second) = (many(1, 1_001), many(1_001, 1_501));
    house.faults().once(Operation::ReadState, Fault::Hang);
    let house = &house;
    let others = async {
        house.faults().wait_hanging(1).await;
        // The first delivery fills the bound until it ends, so everything else is left to the sweep.
        assert_eq!(house.push(&second).await.status, 200);
        house.advance(Duration::from_millis(200));
        assert_eq!(house.push(&message(OTHER, "wamid.other.1")).await.status, 200);
        eventually("the other's message is in its thread", || {
            house.advance(Duration::from_millis(200));
            async {
                let items = house.get(&path, &token).await.json()["items"].as_array().map_or(0, Vec::len);
                (items == 2).then_some(())
            }
        })
        .await;
        house.faults().release();
    };
    let (answer, ()) = tokio::join!(house.push(&first), others);
    assert_eq!(answer.status, 200);
    let wamids = (0..1_501).map(|number| format!("wamid.full.{number}"));
    each_once(house, wamids.chain(["wamid.other.0".to_owned(), "wamid.other.1".to_owned()]).collect()).await;
}

/// A shard that commits slowly is full for all its conversations.
#[actix_web::test]
async fn a_full_shard_defers_items_and_refuses_commands() {
    let bounds = [
        ("store.shards", "1"),
        ("actors.shard_mailbox_max", "64"),
        ("actors.mailbox_max", "1000"),
        ("server.command_deadline", "60s"),
    ];
    let house = House::in_memory(&bounds).await;
    let agent = house.token("AGENT1_TOKEN").to_owned();
    assert_eq!(house.push(&message(CUSTOMER, "wamid.0")).await.status, 200);
    let conversation = threads(house.addr(), &agent).await[0].0["id"].as_str().expect("an id").to_owned();
    house.faults().once(Operation::Commit, Fault::Hang);
    let waiting: Vec<_> =
        (1..=120).map(|number| message(&format!("155512300{:02}", number % 30), &format!("wamid.{number}"))).collect();
    let (house, deferred) = (&house, &AtomicUsize::new(0));
    let pushes = join_all(waiting.iter().map(|delivery| async move {
        let status = house.push(delivery).await.status;
        deferred.fetch_add(1, Ordering::AcqRel);
        status
    }));
    let command = async {
        // What is released must hang first: a full shard alone may only be a slow one.
        house.faults().wait_hanging(1).await;
        // The others hang on the commit, and with them the shard is full.
        eventually("the rest is deferred", || async { (deferred.load(Ordering::Acquire) >= 50).then_some(()) }).await;
        let said = json!({"client_id": "reply", "content": {"type": "text", "body": "Good morning."}});
        let refused = house.post(&format!("/v1/conversations/{conversation}/messages"), &agent, &said).await;
        assert_eq!(refused.problem(503), "overloaded");
        house.faults().release();
    };
    let (statuses, ()) = tokio::join!(pushes, command);
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    each_once(house, (0..=120).map(|number| format!("wamid.{number}")).collect()).await;
}

/// A delivery of more items than may wait for their actors: the rest is swept up.
#[actix_web::test]
async fn a_delivery_over_the_bound_of_items_is_taken() {
    let house = House::in_memory(&[("server.webhook_items_in_flight_max", "1000")]).await;
    let messages: Vec<Value> = (0..1_200)
        .map(|number| text(&format!("155512301{:02}", number % 60), &format!("wamid.{number}"), MORNING, "Hello"))
        .collect();
    house.faults().once(Operation::PutFacts, Fault::Fail);
    // The rest needs rows of its own: that they cannot be written shows that there was a rest.
    assert_eq!(house.push(&delivery(&messages, &[])).await.problem(503), "unavailable");
    assert_eq!(house.push(&delivery(&messages, &[])).await.status, 200);
    each_once(&house, (0..1_200).map(|number| format!("wamid.{number}")).collect()).await;
    assert!(house.stop().await);
}

/// Bodies that wait for their commit have a bound together; what is over it is repeated and then taken.
#[actix_web::test]
async fn large_bodies_at_once_are_bounded() {
    let house = House::in_memory(&[
        ("server.webhook_bytes_in_flight_max", "4MiB"),
        ("server.body_bytes_max", "3MiB"),
        ("server.command_deadline", "60s"),
        ("store.shards", "1"),
    ])
    .await;
    let long = "x".repeat(1_200_000);
    let bodies: Vec<_> = (0..8)
        .map(|number| {
            delivery(&[text(&format!("1555123000{number}"), &format!("wamid.{number}"), MORNING, &long)], &[])
        })
        .collect();
    house.faults().once(Operation::Commit, Fault::Hang);
    let released = std::cell::Cell::new(false);
    let pushes = join_all(bodies.iter().map(|delivery| async {
        let answer = house.push(delivery).await;
        if answer.status == 200 {
            return true;
        }
        assert_eq!(answer.problem(503), "overloaded");
        assert!(answer.header("retry-after").is_some());
        // The first that is refused lets the store go on, once it stands still: it may be refused before that.
        if !released.replace(true) {
            house.faults().wait_hanging(1).await;
            house.faults().release();
        }
        false
    }));
    let taken = pushes.await;
    assert!(taken.contains(&false), "at most three of eight fit");
    house.faults().clear();
    house.faults().release();
    for delivery in &bodies {
        eventually("it is taken when repeated", || async { (house.push(delivery).await.status == 200).then_some(()) })
            .await;
    }
    each_once(&house, (0..8).map(|number| format!("wamid.{number}")).collect()).await;
    assert!(house.stop().await);
}

/// A body that does not come is not waited for longer than 15 s, and gives its room back.
#[actix_web::test]
async fn a_slow_body_is_told_so() {
    let house = House::new().await;
    let path = house.seeded.webhook_path();
    let mut stream = tokio::net::TcpStream::connect(house.addr()).await.expect("it listens");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: tidegate\r\nx-hub-signature-256: {}\r\ncontent-length: 1000\r\n\r\n{{\"object\":",
        signature("secret", b"")
    );
    stream.write_all(head.as_bytes()).await.expect("it is written");
    let mut answer = vec![0; 4_096];
    let read = tokio::time::timeout(Duration::from_secs(25), stream.read(&mut answer)).await;
    let length = read.expect("it is answered in time").expect("it is read");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(house.push(&message(CUSTOMER, "wamid.1")).await.status, 200);
    assert!(house.stop().await);
}
