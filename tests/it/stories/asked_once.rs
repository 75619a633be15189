//! A request that is made twice is one, and of two changes that rest on one version one is made.

use serde_json::{Value, json};

use crate::house::House;
use crate::house::http::{Answer, call};
use crate::house::replies::{next, said};
use tidegate::providers::sandbox::Fault;

const CUSTOMER: &str = "15551250001";

/// `POST` as an agent, with one more header.
async fn post(house: &House, path: &str, (name, value): (&str, &str), body: &Value) -> Answer {
    let bearer = format!("Bearer {}", house.token("ADMIN_TOKEN"));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), (name, value)];
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    call(house.addr(), "POST", path, &headers, body).await
}

#[actix_web::test]
async fn a_key_is_one_handover_and_one_answer_also_after_a_restart() {
    let mut house = House::new().await;
    let conversation = house.hears(CUSTOMER, "wamid.k1").await;
    let path = format!("/v1/conversations/{conversation}");
    let key = ("idempotency-key", "handover-1");
    let order = json!({"to": {"kind": "human"}, "summary": "Wants a refund."});
    let first = post(&house, &format!("{path}/hand_over"), key, &order).await.expect(200);
    assert_eq!(first["changed"], true);
    let again = post(&house, &format!("{path}/hand_over"), key, &order).await.expect(200);
    assert_eq!(again, first);
    house.crash().await;
    let again = post(&house, &format!("{path}/hand_over"), key, &order).await.expect(200);
    assert_eq!(again, first);
    assert_eq!(house.events("conversation.handed_over").await.len(), 1);

    // Another body, and another route, are not the same request.
    let other = json!({"to": {"kind": "human"}, "summary": "Wants a voucher."});
    assert_eq!(post(&house, &format!("{path}/hand_over"), key, &other).await.problem(409), "client_id_reused");
    assert_eq!(post(&house, &format!("{path}/close"), key, &Value::Null).await.problem(409), "client_id_reused");
    // What is closed once by a key is not closed again by its repetition.
    let close = ("idempotency-key", "close-1");
    assert_eq!(post(&house, &format!("{path}/close"), close, &Value::Null).await.expect(200)["changed"], true);
    house.post(&format!("{path}/open"), house.token("ADMIN_TOKEN"), &Value::Null).await.expect(200);
    post(&house, &format!("{path}/close"), close, &Value::Null).await.expect(200);
    let line = house.get(&path, house.token("ADMIN_TOKEN")).await.expect(200);
    assert_eq!(line["state"], "open");
    // The last event of a keyed request carries the version that was answered.
    let handed = &house.events("conversation.handed_over").await[0];
    assert_eq!(handed["version"], first["version"]);
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_key_begins_one_conversation() {
    let house = House::new().await;
    let account = house.seeded.account;
    let key = ("idempotency-key", "start-1");
    let to = |address: &str| json!({"account": account, "to": {"space": "phone", "address": address}});
    let first = post(&house, "/v1/conversations", key, &to("+1 555 125 0011")).await.expect(201);
    let id = first["id"].as_str().expect("an id");
    house.post(&format!("/v1/conversations/{id}/close"), house.token("ADMIN_TOKEN"), &Value::Null).await.expect(200);
    let again = post(&house, "/v1/conversations", key, &to("+1 555 125 0011")).await.expect(201);
    assert_eq!((&again["id"], &again["state"]), (&first["id"], &json!("closed")), "a repeat opens nothing");
    // Somebody else's conversation is another request, wherever it would be.
    let other = post(&house, "/v1/conversations", key, &to("+1 555 125 0012")).await;
    assert_eq!(other.problem(409), "client_id_reused");
    // Without the key it is opened, and was there.
    let opened = house.post("/v1/conversations", house.token("ADMIN_TOKEN"), &to("15551250011")).await.expect(200);
    assert_eq!(opened["state"], "open");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_key_is_one_attempt() {
    let house = House::new().await;
    house.begins_to_send().await;
    let conversation = house.hears(CUSTOMER, "wamid.k2").await;
    house.order(vec![next(Fault::Code(131_026), 1)]);
    let reply = house.queue(&conversation, &said("r1", "Until six.")).await;
    house.once(&reply, &["failed"]).await;
    let key = ("idempotency-key", "retry-1");
    let first = post(&house, &format!("{reply}/retry"), key, &Value::Null).await.expect(202);
    house.goes(&reply).await;
    let again = post(&house, &format!("{reply}/retry"), key, &Value::Null).await.expect(202);
    assert_eq!((&again["message"], &again["at"]), (&first["message"], &first["at"]));
    assert_eq!(house.shown(&reply).await["attempts"].as_array().map(Vec::len), Some(2));
    // Without the key it is a new request, and there is nothing to try again.
    let bare = house.post(&format!("{reply}/retry"), house.token("ADMIN_TOKEN"), &Value::Null).await;
    assert_eq!(bare.problem(409), "wrong_state");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn of_two_changes_on_one_version_one_is_made() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let conversation = house.hears(CUSTOMER, "wamid.k3").await;
    let path = format!("/v1/conversations/{conversation}");
    for round in 0..5 {
        house.post(&format!("{path}/open"), admin, &Value::Null).await.expect(200);
        let tag = house.get(&path, admin).await.header("etag").expect("a tag").to_owned();
        let (close, hand_over) = (format!("{path}/close"), format!("{path}/hand_over"));
        let order = json!({"to": {"kind": "human"}, "summary": format!("Round {round}.")});
        let terms = ("if-match", tag.as_str());
        let (one, other) =
            tokio::join!(post(&house, &close, terms, &Value::Null), post(&house, &hand_over, terms, &order));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "round {round}");
    }

    // Whose it is belongs to the contact: its version counts, and one of two gets it.
    let me = house.get("/v1/me", admin).await.expect(200)["member"].clone();
    let (collaborate, member) = (format!("{path}/collaborate"), json!({"member": me}));
    let joined = house.post(&collaborate, admin, &member).await;
    assert_eq!(joined.header("etag"), Some(format!("\"{}\"", joined.expect(200)["contact_version"]).as_str()));
    let terms = ("if-match", joined.header("etag").expect("a tag"));
    let (leave, assign) = (json!({"member": me, "remove": true}), json!({"owner": me}));
    let to_owner = format!("{path}/assign");
    let (left, assigned) =
        tokio::join!(post(&house, &collaborate, terms, &leave), post(&house, &to_owner, terms, &assign));
    let mut statuses = [left.status, assigned.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    assert!(house.stop().await);
}
