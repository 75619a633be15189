//! A dead token stops the number: one reply fails by it, the others wait, and a new token lets them go.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::providers::sandbox::Fault;

use crate::house::replies::{next, said};
use crate::house::{House, eventually};

/// The number has stopped because the provider refused its token.
async fn stopped(house: &House, customer: &str) -> String {
    house.begins_to_send().await;
    let conversation = house.hears(customer, "wamid.dead").await;
    house.order(vec![next(Fault::Code(190), 1)]);
    let first = house.queue(&conversation, &said("dead", "Until six.")).await;
    let failed = house.once_still(&first, &["failed"]).await;
    assert_eq!(failed["attempts"][0]["failure"]["class"], "auth", "{failed}");
    eventually("the number is paused", || async {
        (house.account().await["state"] == json!({"may_send": false, "reason": "token", "until": null})).then_some(())
    })
    .await;
    conversation
}

async fn waits_and_leaves(house: &House, conversation: &str, mend: impl AsyncFn()) {
    let other = house.hears("15551260009", "wamid.other").await;
    let waiting = [
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
    assert_eq!((&why["may_send"], &why["account"]["refusal"]["code"]), (&json!(false), &json!("sending_paused")), "{why}");
    assert_eq!(house.seen().len(), 2, "nothing is tried while the number is paused");
    mend().await;
    assert_eq!(house.account().await["state"]["may_send"], true);
    for path in &waiting {
        house.once(path, &["read"]).await;
    }
    assert_eq!(house.explained(conversation).await["account"]["refusal"], Value::Null);
    let ledger = house.ledger();
    assert_eq!((ledger.accepted, ledger.doubled, ledger.rejected.get(&190)), (3, 0, Some(&1)), "{ledger:?}");
}

#[actix_web::test]
async fn a_new_token_lets_what_waits_go() {
    let house = House::new().await;
    let conversation = stopped(&house, "15551260001").await;
    let token = house.config.sandbox.access_token.expose().clone();
    let path = format!("/v1/accounts/{}", house.seeded.account);
    waits_and_leaves(&house, &conversation, async || {
        house.call("PATCH", &path, house.token("ADMIN_TOKEN"), &json!({"access_token": token})).await.expect(200);
    })
    .await;
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_person_may_resume_it() {
    let house = House::new().await;
    let conversation = stopped(&house, "15551260002").await;
    let path = format!("/v1/accounts/{}/resume", house.seeded.account);
    waits_and_leaves(&house, &conversation, async || {
        house.post(&path, house.token("ADMIN_TOKEN"), &json!({})).await.expect(200);
    })
    .await;
    assert!(house.stop().await);
}

/// A token that is really wrong stops the number, however many replies met it at once.
#[actix_web::test]
async fn a_wrong_token_stops_the_number_before_everything_failed() {
    let house = House::new().await;
    house.begins_to_send().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let path = format!("/v1/accounts/{}", house.seeded.account);
    house.call("PATCH", &path, &admin, &json!({"access_token": "yesterday's"})).await.expect(200);
    let conversation = house.hears("15551260003", "wamid.wrong").await;
    let first = house.queue(&conversation, &said("w1", "Until six.")).await;
    let second = house.queue(&conversation, &said("w2", "Really.")).await;
    house.once_still(&first, &["failed"]).await;
    eventually("the number is paused", || async {
        (house.account().await["state"]["reason"] == "token").then_some(())
    })
    .await;
    // The next of the conversation was not called before the number knew.
    assert_eq!(house.shown(&second).await["status"], "queued");
    assert_eq!(house.ledger().rejected.get(&190), Some(&1));
    let token = house.config.sandbox.access_token.expose().clone();
    house.call("PATCH", &path, &admin, &json!({"access_token": token})).await.expect(200);
    house.once(&second, &["read"]).await;
    house.post(&format!("{first}/retry"), house.token("AGENT1_TOKEN"), &json!({})).await.expect(202);
    house.once(&first, &["read"]).await;
    assert_eq!((house.ledger().accepted, house.ledger().doubled), (3, 0));
    assert!(house.stop().await);
}
