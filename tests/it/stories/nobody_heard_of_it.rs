//! The store did what it was asked and its answer was lost: the shard opens again and meets records of which nobody was
//! told. Whoever keeps a copy in memory learns of them all the same.

use std::cell::RefCell;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::store::{Fault, Operation};

use super::a_broadcast_goes_out::{act, count, draft, made};
use crate::house::{House, PATIENCE, eventually, eventually_or};

#[actix_web::test]
async fn a_broadcast_ends_with_its_counts() {
    let house = House::in_memory(&[("seed.contacts", "5"), ("store.shards", "4")]).await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let path = made(&house, &draft(&house, "News", &json!({"everyone": true}))).await;
    act(&house, &path, "publish").await;
    eventually("the provider has them all", || {
        house.advance(Duration::from_millis(20));
        async { (house.ledger().accepted == 5).then_some(()) }
    })
    .await;
    // From here on all is told again until it is heard: what became of the calls, and their receipts.
    house.faults().always(Operation::Commit, Fault::UnknownApplied);
    let read = |shown: &Value| count(shown, "read") == 5 && shown["status"] == "sent";
    let last = RefCell::new(Value::Null);
    eventually_or(
        PATIENCE,
        || {
            house.advance(Duration::from_millis(200));
            async {
                let answer = house.get(&path, &admin).await;
                if answer.status == 503 {
                    return None;
                }
                let shown = answer.expect(200);
                last.replace(shown.clone());
                read(&shown).then_some(())
            }
        },
        || format!("everybody read it: {}", last.borrow()),
    )
    .await;
    house.faults().clear();
    assert_eq!((house.ledger().accepted, house.ledger().recipients), (5, 5));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_member_who_was_disabled_is_out() {
    let house = House::in_memory(&[]).await;
    let (admin, agent) = (house.token("ADMIN_TOKEN").to_owned(), house.token("AGENT1_TOKEN").to_owned());
    let me = house.get("/v1/me", &agent).await.expect(200);
    let member = format!("/v1/members/{}", me["member"].as_str().expect("an id"));
    house.faults().once(Operation::Commit, Fault::UnknownApplied);
    let answer = house.call("PATCH", &member, &admin, &json!({"disabled": true})).await;
    assert_eq!(answer.problem(503), "unavailable");
    // Nobody asks again.
    eventually("they are refused", || async { (house.get("/v1/me", &agent).await.status == 401).then_some(()) }).await;
    assert!(house.stop().await);
}
