//! A dead token stops the number: the reply that met it waits with the others, and a new token lets them all go, once.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::domain::number::Number;
use tidegate::providers::sandbox::{Fault, FaultPlan};

use crate::house::replies::{next, said};
use crate::house::{House, eventually};

/// The number has stopped because the provider refused its token: the conversation, and the reply that met it.
async fn stopped(house: &House, customer: &str) -> (String, String) {
    house.begins_to_send().await;
    let conversation = house.hears(customer, "wamid.dead").await;
    house.order(vec![next(Fault::Code(190), 1)]);
    let first = house.queue(&conversation, &said("dead", "Until six.")).await;
    eventually("the number is paused", || async {
        (house.account().await["state"] == json!({"may_send": false, "reason": "token", "until": null})).then_some(())
    })
    .await;
    (conversation, first)
}

async fn waits_and_leaves(house: &House, (conversation, first): &(String, String), mend: impl AsyncFn()) {
    let other = house.hears("15551260009", "wamid.other").await;
    let waiting = [
        first.clone(),
        house.queue(conversation, &said("second", "Or until seven.")).await,
        house.queue(&other, &said("third", "Hello.")).await,
    ];
    for _ in 0..10 {
        house.advance(Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for path in &waiting {
        assert_eq!(house.shown(path).await["status"], "queued");
    }
    let why = house.explained(conversation).await;
    assert_eq!(
        (&why["may_send"], &why["account"]["refusal"]["code"]),
        (&json!(false), &json!("sending_paused")),
        "{why}"
    );
    assert_eq!(house.seen().len(), 2, "nothing is tried while the number is paused");
    mend().await;
    assert_eq!(house.account().await["state"]["may_send"], true);
    for path in &waiting {
        let gone = house.goes(path).await;
        assert_eq!(gone["attempts"].as_array().map(Vec::len), Some(1), "nobody had to try again: {gone}");
    }
    assert_eq!(house.explained(conversation).await["account"]["refusal"], Value::Null);
    let ledger = house.ledger();
    assert_eq!((ledger.accepted, ledger.doubled, ledger.rejected.get(&190)), (4, 0, Some(&1)), "{ledger:?}");
}

#[actix_web::test]
async fn a_new_token_lets_what_waits_go() {
    let house = House::new().await;
    let replies = stopped(&house, "15551260001").await;
    let token = house.config.sandbox.access_token.expose().clone();
    let path = format!("/v1/accounts/{}", house.seeded.account);
    waits_and_leaves(&house, &replies, async || {
        house.call("PATCH", &path, house.token("ADMIN_TOKEN"), &json!({"access_token": token})).await.expect(200);
    })
    .await;
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_person_may_resume_it() {
    let house = House::new().await;
    let replies = stopped(&house, "15551260002").await;
    let path = format!("/v1/accounts/{}/resume", house.seeded.account);
    waits_and_leaves(&house, &replies, async || {
        house.post(&path, house.token("ADMIN_TOKEN"), &json!({})).await.expect(200);
    })
    .await;
    assert!(house.stop().await);
}

/// A token that is really wrong stops the number, however many replies met it at once.
#[actix_web::test]
async fn a_wrong_token_stops_the_number_and_fails_nothing() {
    let house = House::new().await;
    house.begins_to_send().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let path = format!("/v1/accounts/{}", house.seeded.account);
    house.call("PATCH", &path, &admin, &json!({"access_token": "yesterday's"})).await.expect(200);
    let conversation = house.hears("15551260003", "wamid.wrong").await;
    let first = house.queue(&conversation, &said("w1", "Until six.")).await;
    let second = house.queue(&conversation, &said("w2", "Really.")).await;
    eventually("the number is paused", || async {
        (house.account().await["state"]["reason"] == "token").then_some(())
    })
    .await;
    // The next of the conversation was not called before the number knew.
    for path in [&first, &second] {
        assert_eq!(house.shown(path).await["status"], "queued");
    }
    assert_eq!(house.ledger().rejected.get(&190), Some(&1));
    let token = house.config.sandbox.access_token.expose().clone();
    house.call("PATCH", &path, &admin, &json!({"access_token": token})).await.expect(200);
    house.goes(&first).await;
    house.goes(&second).await;
    assert_eq!((house.ledger().accepted, house.ledger().doubled), (3, 0));
    assert!(house.stop().await);
}

/// A call that met the old token says nothing of the new one, however late its answer comes.
#[actix_web::test]
async fn a_refusal_of_the_old_token_does_not_stop_the_new_one() {
    let house = House::new().await;
    house.begins_to_send().await;
    let conversation = house.hears("15551260004", "wamid.late").await;
    let plan = FaultPlan { latency_ms: 1_000, next: vec![next(Fault::Code(190), 1)].into(), ..FaultPlan::default() };
    assert!(house.provider().order(plan));
    let first = house.queue(&conversation, &said("late", "Until six.")).await;
    eventually("the provider has seen it", || async { (house.seen().len() == 2).then_some(()) }).await;
    house.advance(Duration::from_secs(1));
    let token = house.config.sandbox.access_token.expose().clone();
    let path = format!("/v1/accounts/{}", house.seeded.account);
    house.call("PATCH", &path, house.token("ADMIN_TOKEN"), &json!({"access_token": token})).await.expect(200);
    house.advance(Duration::from_secs(1));
    house.goes(&first).await;
    let second = house.queue(&conversation, &said("second", "Really.")).await;
    house.goes(&second).await;
    assert_eq!(house.account().await["state"]["may_send"], true);
    assert!(house.events("number.paused").await.is_empty());
    assert_eq!((house.ledger().accepted, house.ledger().doubled), (3, 0));
    assert!(house.stop().await);
}

/// What met a dead token waits like any other: over a restart, and not for ever.
#[actix_web::test]
async fn what_met_a_dead_token_survives_a_restart_and_fails_after_ten_minutes() {
    for mended in [true, false] {
        let mut house = House::new().await;
        let (_, first) = stopped(&house, "15551260005").await;
        house.advance(Duration::from_secs(3));
        // The claim of the refused call is closed, so that no start takes it for a call that nobody knows of.
        eventually("it waits without a claim", || async {
            let account = house.seeded.account;
            let open = house.running().edge.shards.view::<Number, _>(account.0, |number| number.open_claims().len());
            (open.await == Ok(0)).then_some(())
        })
        .await;
        house.crash().await;
        assert_eq!(house.shown(&first).await["status"], "queued");
        if mended {
            let token = house.config.sandbox.access_token.expose().clone();
            let path = format!("/v1/accounts/{}", house.seeded.account);
            house.call("PATCH", &path, house.token("ADMIN_TOKEN"), &json!({"access_token": token})).await.expect(200);
            // The sandbox tells its receipts to the address of before.
            let gone = house.once(&first, &["accepted", "failed"]).await;
            assert_eq!(gone["status"], "accepted", "{gone}");
            assert_eq!((house.ledger().accepted, house.ledger().doubled), (2, 0));
        } else {
            house.advance(Duration::from_secs(11 * 60));
            house.once_still(&first, &["failed"]).await;
            assert_eq!(
                house.events("message.status").await.last().map(|event| event["data"]["failure"]["rule"].clone()),
                Some(json!("waited_too_long"))
            );
            assert_eq!(house.seen().len(), 2, "it was not tried again");
        }
        assert!(house.stop().await);
    }
}
