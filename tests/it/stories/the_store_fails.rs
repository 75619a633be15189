//! A store that fails, hangs or does not say what it did: every delivery that was answered 200 is in its thread once,
//! and whoever asks meanwhile gets a problem that says to come back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::store::{Fault, Operation};

use crate::house::threads::{received, threads};
use crate::house::whatsapp::{delivery, text};
use crate::house::{House, MORNING, eventually};

const CUSTOMER: &str = "15551230001";

fn message(wamid: &str) -> Value {
    delivery(&[text(CUSTOMER, wamid, MORNING, "Hello")], &[])
}

/// Pushes until it is taken, as a provider does.
async fn push_until_taken(house: &House, pushed: &Value) {
    eventually("the delivery is taken", || async {
        let answer = house.push(pushed).await;
        match answer.status {
            200 => Some(()),
            503 => {
                assert_eq!(answer.problem(503), "unavailable");
                None
            }
            other => panic!("a webhook was answered {other}"),
        }
    })
    .await;
}

/// Waits until exactly these are in threads, each once.
async fn each_once(house: &House, wamids: &[&str]) {
    let expected: BTreeMap<String, usize> = wamids.iter().map(|wamid| ((*wamid).to_owned(), 1)).collect();
    let token = house.token("ADMIN_TOKEN").to_owned();
    eventually("every message is in its thread", || {
        // What was deferred is due by business time.
        house.advance(Duration::from_millis(200));
        async { (received(house.addr(), &token).await == expected).then_some(()) }
    })
    .await;
}

#[actix_web::test]
async fn a_commit_without_success_is_repeated_and_counted_once() {
    for fault in [Fault::Fail, Fault::FactsAlone, Fault::UnknownApplied, Fault::UnknownNotApplied] {
        let mut house = House::in_memory(&[]).await;
        push_until_taken(&house, &message("wamid.1")).await;
        house.faults().once(Operation::Commit, fault.clone());
        push_until_taken(&house, &message("wamid.2")).await;
        push_until_taken(&house, &message("wamid.2")).await;
        push_until_taken(&house, &message("wamid.3")).await;
        each_once(&house, &["wamid.1", "wamid.2", "wamid.3"]).await;
        house.crash().await;
        each_once(&house, &["wamid.1", "wamid.2", "wamid.3"]).await;
        assert!(house.stop().await, "{fault:?}");
    }
}

/// An engine without transactions may have the text of a reply and not the decision to send it.
#[actix_web::test]
async fn a_reply_that_was_refused_is_in_no_thread_and_sent_again_it_is_there_once() {
    let house = House::in_memory(&[]).await;
    let conversation = house.hears(CUSTOMER, "wamid.1").await;
    let token = house.token("AGENT1_TOKEN").to_owned();
    let path = format!("/v1/conversations/{conversation}/messages");
    let reply = json!({"client_id": "r-1", "content": {"type": "text", "body": "Until six."}});
    house.faults().once(Operation::Commit, Fault::FactsAlone);
    assert_eq!(house.post(&path, &token, &reply).await.problem(503), "unavailable");
    let ours = async || {
        let shown = eventually("the thread is read", || async {
            let answer = house.get(&path, &token).await;
            (answer.status != 503).then_some(answer)
        })
        .await
        .expect(200);
        let items = shown["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().filter(|item| item["direction"] == "out").collect::<Vec<_>>()
    };
    assert!(ours().await.is_empty(), "nobody decided to send it");
    house.advance(Duration::from_millis(1_700));
    let queued = eventually("the reply is taken", || async {
        let answer = house.post(&path, &token, &reply).await;
        (answer.status != 503).then_some(answer)
    })
    .await
    .expect(202);
    let shown = ours().await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0]["id"], queued["message"]);
    assert!(house.stop().await);
}

/// Nor what colleagues write to each other: a note, and the summary that goes with a handover.
#[actix_web::test]
async fn a_note_that_was_refused_is_in_no_thread_and_written_again_it_is_there_once() {
    let house = House::in_memory(&[]).await;
    let conversation = house.hears(CUSTOMER, "wamid.1").await;
    let token = house.token("AGENT1_TOKEN").to_owned();
    let path = format!("/v1/conversations/{conversation}");
    let notes = async || {
        let shown = eventually("the thread is read", || async {
            let answer = house.get(&format!("{path}/messages"), &token).await;
            (answer.status != 503).then_some(answer)
        })
        .await
        .expect(200);
        let items = shown["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().filter(|item| item["direction"] == "note").collect::<Vec<_>>()
    };
    let orders = [
        ("notes", 201, json!({"client_id": "n-1", "body": "She asks for Ann."})),
        ("hand_over", 200, json!({"to": {"kind": "human"}, "epoch": 0, "summary": "Wants the blue one."})),
    ];
    for (index, (order, done, body)) in orders.iter().enumerate() {
        let order = format!("{path}/{order}");
        house.faults().once(Operation::Commit, Fault::FactsAlone);
        assert_eq!(house.post(&order, &token, body).await.problem(503), "unavailable");
        assert_eq!(notes().await.len(), index, "nobody decided to write it");
        house.advance(Duration::from_millis(1_700));
        eventually("it is written", || async {
            let answer = house.post(&order, &token, body).await;
            (answer.status != 503).then_some(answer)
        })
        .await
        .expect(*done);
        let shown = notes().await;
        assert_eq!(shown.len(), index + 1, "{shown:?}");
        let newest = shown[0]["id"].as_str().unwrap_or_default();
        house.get(&format!("{path}/messages/{newest}"), &token).await.expect(200);
    }
    assert!(house.stop().await);
}

/// Nothing can be written at all: the delivery is refused before anything of it was promised.
#[actix_web::test]
async fn a_store_that_takes_nothing_is_answered_503() {
    let house = House::in_memory(&[]).await;
    push_until_taken(&house, &message("wamid.1")).await;
    house.faults().always(Operation::Commit, Fault::Fail);
    house.faults().always(Operation::PutFacts, Fault::Fail);
    for _ in 0..3 {
        let answer = house.push(&message("wamid.2")).await;
        assert_eq!(answer.problem(503), "unavailable");
        assert!(answer.header("retry-after").is_some());
    }
    house.faults().clear();
    push_until_taken(&house, &message("wamid.2")).await;
    each_once(&house, &["wamid.1", "wamid.2"]).await;
    assert!(house.stop().await);
}

/// A commit that hangs outlasts the deadline: the item is kept as a fact, and met again by the commit that follows.
#[actix_web::test]
async fn a_commit_that_hangs_loses_nothing_and_doubles_nothing() {
    let house = House::in_memory(&[("server.command_deadline", "200ms")]).await;
    push_until_taken(&house, &message("wamid.1")).await;
    house.faults().always(Operation::Commit, Fault::Hang);
    let answer = house.push(&message("wamid.2")).await;
    assert!([200, 503].contains(&answer.status), "{answer:?}");
    // A command is answered too, and says that it may be sent again.
    let agent = house.token("AGENT1_TOKEN").to_owned();
    let conversation = threads(house.addr(), &agent).await[0].0["id"].as_str().expect("an id").to_owned();
    let said = json!({"client_id": "reply", "content": {"type": "text", "body": "Good morning."}});
    let messages = format!("/v1/conversations/{conversation}/messages");
    let answer = house.post(&messages, &agent, &said).await;
    assert_eq!(answer.problem(503), "unavailable");
    house.faults().clear();
    house.faults().release();
    push_until_taken(&house, &message("wamid.2")).await;
    each_once(&house, &["wamid.1", "wamid.2"]).await;
    // It is the same message, however often it was said.
    house.post(&messages, &agent, &said).await.expect(202);
    let thread = &threads(house.addr(), &agent).await[0].1;
    assert_eq!(thread.iter().filter(|message| message["direction"] == "out").count(), 1, "{thread:?}");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_store_that_cannot_be_read_is_a_problem_and_no_loss() {
    let house = House::in_memory(&[]).await;
    push_until_taken(&house, &message("wamid.1")).await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let conversation = threads(house.addr(), &admin).await[0].0["id"].as_str().expect("an id").to_owned();
    house.faults().always(Operation::Read, Fault::Fail);
    for path in [
        format!("/v1/conversations/{conversation}/messages"),
        "/v1/webhooks/wamid.1".to_owned(),
        "/v1/events".to_owned(),
    ] {
        let answer = house.get(&path, &admin).await;
        assert_eq!(answer.problem(503), "unavailable", "{path}");
        assert!(answer.header("retry-after").is_some(), "{path}");
    }
    // A conversation that cannot be loaded: its item waits as a fact.
    let other = delivery(&[text("15551239999", "wamid.2", MORNING, "Hello")], &[]);
    assert_eq!(house.push(&other).await.status, 200);
    house.faults().clear();
    each_once(&house, &["wamid.1", "wamid.2"]).await;
    assert!(house.stop().await);
}

/// An error that is final ends the process: it says so, is not ready, and acknowledges nothing more.
#[actix_web::test]
async fn a_store_that_failed_for_good_ends_the_process() {
    let mut house = House::in_memory(&[]).await;
    push_until_taken(&house, &message("wamid.1")).await;
    let mut failed = house.running().failed();
    house.faults().once(Operation::Commit, Fault::Final("the disk is gone".to_owned()));
    assert_eq!(house.push(&message("wamid.2")).await.problem(503), "unavailable");
    let why = failed.wait_for(Option::is_some).await.expect("it is told").clone();
    assert!(why.is_some_and(|why| why.contains("the disk is gone")));
    assert_eq!(house.get("/readyz", "").await.status, 503);
    assert_eq!(house.get("/healthz", "").await.status, 200);
    assert_eq!(house.push(&message("wamid.3")).await.status, 503);
    house.crash().await;
    push_until_taken(&house, &message("wamid.2")).await;
    each_once(&house, &["wamid.1", "wamid.2"]).await;
    assert!(house.stop().await);
}
