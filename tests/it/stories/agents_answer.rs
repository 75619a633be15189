//! An agent answers over REST and over the socket: one message a client id, one status that rises, one thread.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::whatsapp::{delivery, text};
use crate::house::{House, MORNING, eventually};

const CUSTOMER: &str = "15551230007";

/// A customer writes; the conversation that this opens.
pub(super) async fn written_to(house: &House, customer: &str, wamid: &str, body: &str) -> String {
    let pushed = delivery(&[text(customer, wamid, MORNING, body)], &[]);
    assert_eq!(house.push(&pushed).await.status, 200);
    let admin = house.token("ADMIN_TOKEN");
    eventually("the conversation is listed", || async {
        let found = house.get(&format!("/v1/webhooks/{wamid}"), admin).await;
        (found.status == 200).then(|| found.json()["conversation"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

fn said(client_id: &str, body: &str) -> Value {
    json!({"client_id": client_id, "content": {"type": "text", "body": body}})
}

#[actix_web::test]
async fn a_client_id_is_one_message_and_one_answer() {
    let house = House::new().await;
    let agent = house.token("AGENT1_TOKEN").to_owned();
    let conversation = written_to(&house, CUSTOMER, "wamid.q1", "Where is my order?").await;
    house.advance(Duration::from_secs(1));
    let messages = format!("/v1/conversations/{conversation}/messages");
    let first = house.post(&messages, &agent, &said("c1", "On its way.")).await.expect(202);
    assert_eq!(first["status"], "queued");
    let again = house.post(&messages, &agent, &said("c1", "On its way.")).await.expect(202);
    assert_eq!((&again["message"], &again["at"]), (&first["message"], &first["at"]));
    let other = house.post(&messages, &agent, &said("c1", "It is lost.")).await;
    assert_eq!(other.problem(409), "client_id_reused");

    // The socket takes the same command and gives the same answer.
    let mut socket = house.agent(&agent).await;
    let mut command = said("c1", "On its way.");
    command["type"] = json!("send");
    command["conversation"] = json!(conversation);
    let answer = socket.command(command).await;
    assert_eq!(answer["ok"]["message"], first["message"], "{answer}");

    let message = format!("{messages}/{}", first["message"].as_str().unwrap_or_default());
    // A number begins without tokens, and receipts take their time.
    let read = eventually("the customer read it", || async {
        house.advance(Duration::from_millis(500));
        let shown = house.get(&message, &agent).await.expect(200);
        (shown["status"] == "read").then_some(shown)
    })
    .await;
    assert_eq!(read["attempts"].as_array().map(Vec::len), Some(1));
    assert!(read["provider_id"].as_str().is_some_and(|id| id.starts_with("wamid.")), "{read}");
    let thread = house.get(&messages, &agent).await.expect(200);
    let bodies: Vec<_> =
        thread["items"].as_array().into_iter().flatten().map(|item| &item["content"]["body"]).collect();
    assert_eq!(bodies, ["On its way.", "Where is my order?"]);
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_reply_may_quote_and_what_is_not_there_cannot_be_quoted() {
    let house = House::new().await;
    let agent = house.token("AGENT1_TOKEN").to_owned();
    let conversation = written_to(&house, CUSTOMER, "wamid.q2", "This one?").await;
    house.advance(Duration::from_secs(1));
    let messages = format!("/v1/conversations/{conversation}/messages");
    let thread = house.get(&messages, &agent).await.expect(200);
    let mut reply = said("c1", "Yes.");
    reply["reply_to"] = thread["items"][0]["id"].clone();
    house.post(&messages, &agent, &reply).await.expect(202);
    let newest = house.get(&format!("{messages}?limit=1"), &agent).await.expect(200);
    assert_eq!(newest["items"][0]["context"]["quoted"], "wamid.q2");
    let older = format!("{messages}?limit=1&before={}", newest["next"].as_str().unwrap_or_default());
    let older = house.get(&older, &agent).await.expect(200);
    assert_eq!((&older["items"][0]["provider_id"], &older["next"]), (&json!("wamid.q2"), &Value::Null));
    let mut wrong = said("c2", "Yes.");
    wrong["reply_to"] = json!("msg_00000000000000000000000009");
    let refused = house.post(&messages, &agent, &wrong).await;
    assert_eq!((refused.problem(422).as_str(), &refused.json()["field"]), ("invalid", &json!("reply_to")));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn what_cannot_be_read_is_refused_by_name() {
    let house = House::new().await;
    let agent = house.token("AGENT1_TOKEN").to_owned();
    let conversation = written_to(&house, CUSTOMER, "wamid.q3", "Hello").await;
    let messages = format!("/v1/conversations/{conversation}/messages");
    for (body, field) in [
        (json!({"client_id": "c"}), "content"),
        (json!({"content": {"type": "text", "body": "x"}}), "client_id"),
        (json!({"client_id": "c", "content": {"type": "text", "body": "x"}, "extra": 1}), "extra"),
        (json!({"client_id": "c", "content": {"type": "text", "body": "x", "colour": "red"}}), "content.colour"),
        (
            json!({"client_id": "c", "content": {"type": "media", "kind": "image", "media": {"url": "x"}}}),
            "content.media.url",
        ),
    ] {
        let refused = house.post(&messages, &agent, &body).await;
        assert_eq!((refused.problem(422).as_str(), &refused.json()["field"]), ("invalid", &json!(field)), "{body}");
    }
    let template = json!({"client_id": "t", "content": {
        "type": "template", "name": "order_update", "language": "en_US",
        "fills": [{"slot": {"type": "body"}, "parameters": [{"type": "text", "text": "Ada"}]}],
    }});
    assert_eq!(house.post(&messages, &agent, &template).await.problem(422), "invalid");
    let unknown = json!({"client_id": "u", "content": {"type": "template", "name": "nothing", "language": "en_US"}});
    assert_eq!(house.post(&messages, &agent, &unknown).await.problem(404), "not_found");
    let nowhere = "/v1/conversations/cnv_00000000000000000000000009/messages";
    assert_eq!(house.post(nowhere, &agent, &said("c", "x")).await.problem(404), "not_found");
    assert_eq!(house.get(&messages, "tgm_nobody").await.problem(401), "unauthorized");
    assert!(house.stop().await);
}
