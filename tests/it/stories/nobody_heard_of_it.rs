//! The store did what it was asked and its answer was lost: the shard opens again and meets records of which nobody was
//! told. Whoever keeps a copy in memory learns of them all the same.

use std::time::Duration;

use serde_json::json;
use tidegate::store::{Fault, Operation};

use super::a_broadcast_goes_out::{act, count, draft, made};
use crate::house::{House, eventually};

#[actix_web::test]
async fn a_broadcast_ends_with_its_counts() {
    let house = House::in_memory(&[("seed.contacts", "5"), ("store.shards", "4")]).await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let path = made(&house, &draft(&house, "News", &json!({"everyone": true}))).await;
    act(&house, &path, "publish").await;
    house.faults().always(Operation::Commit, Fault::UnknownApplied);
    let read = |shown: &serde_json::Value| count(shown, "read") == 5 && shown["status"] == "sent";
    eventually("everybody read it", || {
        house.advance(Duration::from_millis(200));
        async {
            let answer = house.get(&path, &admin).await;
            (answer.status != 503).then_some(answer.expect(200)).filter(read)
        }
    })
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
