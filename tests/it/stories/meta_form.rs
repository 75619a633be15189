//! Every kind of message reaches the provider in Meta's own form, each with a token of ours; so do the read mark
//! and the typing indicator.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::listener::{Call, Listener};
use crate::house::whatsapp::PHONE_NUMBER_ID;
use crate::house::{House, eventually};

const CUSTOMER: &str = "15551270001";

/// What is sent, and what of it the provider must see beside the envelope.
fn kinds(quoted: &str) -> Vec<(Value, Value)> {
    let buttons = json!([{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}]);
    let sections = json!([{"title": "Thu", "rows": [{"id": "15", "title": "15:00", "description": "Ana"}]}]);
    let interactive = |action: Value| json!({"type": "interactive", "interactive": {"body": "Pick", "action": action}});
    vec![
        (
            json!({"type": "text", "body": "Hello"}),
            json!({"type": "text", "text": {"body": "Hello"}}),
        ),
        (
            json!({"type": "media", "kind": "image", "media": {"provider_id": "77", "caption": "Yours"}}),
            json!({"type": "image", "image": {"id": "77", "caption": "Yours"}}),
        ),
        (
            json!({"type": "media", "kind": "document",
                "media": {"link": "https://shop.example/i.pdf", "filename": "invoice.pdf"}}),
            json!({"type": "document", "document": {"link": "https://shop.example/i.pdf", "filename": "invoice.pdf"}}),
        ),
        (
            json!({"type": "location", "latitude": 38.5, "longitude": -9.25, "name": "Shop"}),
            json!({"type": "location", "location": {"latitude": 38.5, "longitude": -9.25, "name": "Shop"}}),
        ),
        (
            interactive(json!({"type": "buttons", "buttons": buttons})),
            json!({"type": "interactive", "interactive": {"type": "button", "body": {"text": "Pick"}, "action": {"buttons": [
                {"type": "reply", "reply": {"id": "yes", "title": "Yes"}},
                {"type": "reply", "reply": {"id": "no", "title": "No"}},
            ]}}}),
        ),
        (
            interactive(json!({"type": "list", "button": "Slots", "sections": sections})),
            json!({"type": "interactive", "interactive": {"type": "list", "body": {"text": "Pick"},
                "action": {"button": "Slots", "sections": sections}}}),
        ),
        (
            interactive(json!({"type": "call_to_action", "display_text": "Open", "url": "https://shop.example"})),
            json!({"type": "interactive", "interactive": {"type": "cta_url", "body": {"text": "Pick"}, "action": {
                "name": "cta_url", "parameters": {"display_text": "Open", "url": "https://shop.example"}}}}),
        ),
        (
            interactive(json!({"type": "flow", "flow_id": "5", "flow_token": "t", "button": "Book"})),
            json!({"type": "interactive", "interactive": {"type": "flow", "body": {"text": "Pick"}, "action": {
                "name": "flow", "parameters": {"flow_id": "5", "flow_token": "t", "flow_cta": "Book"}}}}),
        ),
        (
            json!({"type": "reaction", "target": quoted, "emoji": "👍"}),
            json!({"type": "reaction", "reaction": {"message_id": quoted, "emoji": "👍"}}),
        ),
        (
            json!({"type": "reaction", "target": quoted}),
            json!({"type": "reaction", "reaction": {"message_id": quoted, "emoji": ""}}),
        ),
        (
            json!({"type": "template", "name": "order_update", "language": "en_US", "fills": [{"slot": {"type": "body"},
                "parameters": [{"type": "text", "text": "Ada"}, {"type": "text", "text": "1042"}]}]}),
            json!({"type": "template", "template": {"name": "order_update", "language": {"code": "en_US"}, "components": [
                {"type": "body", "parameters": [{"type": "text", "text": "Ada"}, {"type": "text", "text": "1042"}]}]}}),
        ),
    ]
}

/// Every member of `wanted` is in `seen`, with this value.
fn holds(seen: &Value, wanted: &Value) -> bool {
    match (seen, wanted) {
        (Value::Object(seen), Value::Object(wanted)) => {
            wanted.iter().all(|(name, value)| seen.get(name).is_some_and(|seen| holds(seen, value)))
        }
        (Value::Array(seen), Value::Array(wanted)) => {
            seen.len() == wanted.len() && seen.iter().zip(wanted).all(|(seen, wanted)| holds(seen, wanted))
        }
        _ => seen == wanted,
    }
}

async fn house() -> (House, Listener) {
    let house = House::new().await;
    let provider = Listener::begin().await;
    let base_url = json!({"base_url": format!("http://{}/v25.0", provider.addr)});
    let path = format!("/v1/accounts/{}", house.seeded.account);
    house.call("PATCH", &path, house.token("ADMIN_TOKEN"), &base_url).await.expect(200);
    (house, provider)
}

async fn calls(house: &House, provider: &Listener, count: usize) -> Vec<Call> {
    eventually("the calls have come", || {
        house.advance(Duration::from_millis(500));
        let calls = provider.calls();
        async move { (calls.len() >= count).then_some(calls) }
    })
    .await
}

#[actix_web::test]
async fn every_kind_of_message_is_written_as_meta_reads_it() {
    let (house, provider) = house().await;
    let conversation = house.hears(CUSTOMER, "wamid.in").await;
    let kinds = kinds("wamid.in");
    for (number, (content, wanted)) in kinds.iter().enumerate() {
        let reply = house.queue(&conversation, &json!({"client_id": format!("k{number}"), "content": content})).await;
        house.once(&reply, &["accepted"]).await;
        let seen = calls(&house, &provider, number + 1).await.pop().expect("a call");
        assert_eq!(seen.path, format!("/v25.0/{PHONE_NUMBER_ID}/messages"));
        let bearer = format!("Bearer {}", house.config.sandbox.access_token.expose());
        assert_eq!(seen.authorization.as_deref(), Some(bearer.as_str()));
        let envelope =
            json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": format!("+{CUSTOMER}")});
        assert!(holds(&seen.body, &envelope) && holds(&seen.body, wanted), "{wanted}\n{}", seen.body);
    }
    let calls = provider.calls();
    assert_eq!(calls.len(), kinds.len(), "each left once");
    let tokens: std::collections::BTreeSet<_> =
        calls.iter().filter_map(|call| call.body["biz_opaque_callback_data"].as_str()).collect();
    assert_eq!(tokens.len(), kinds.len(), "each has a token of its own");
    assert!(tokens.iter().all(|token| token.starts_with("m1.") && token.len() <= 128), "{tokens:?}");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_quotation_a_read_mark_and_typing_name_the_customers_message() {
    let (house, provider) = house().await;
    let conversation = house.hears(CUSTOMER, "wamid.q").await;
    let agent = house.token("AGENT1_TOKEN").to_owned();
    let path = format!("/v1/conversations/{conversation}");
    assert_eq!(house.post(&format!("{path}/typing"), &agent, &json!({})).await.status, 204);
    let typing = calls(&house, &provider, 1).await.pop().expect("a call");
    let mark = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.q"});
    let mut shows = mark.clone();
    shows["typing_indicator"] = json!({"type": "text"});
    assert_eq!(typing.body, shows);
    house.post(&format!("{path}/read"), &agent, &json!({})).await.expect(200);
    assert_eq!(calls(&house, &provider, 2).await[1].body, mark);
    // What is read already is not marked again.
    house.post(&format!("{path}/read"), &agent, &json!({})).await.expect(200);

    let thread = house.get(&format!("{path}/messages"), &agent).await.expect(200);
    let quoting = json!({"client_id": "q", "reply_to": thread["items"][0]["id"],
        "content": {"type": "text", "body": "This one."}});
    house.queue(&conversation, &quoting).await;
    let calls = calls(&house, &provider, 3).await;
    assert_eq!(calls[2].body["context"], json!({"message_id": "wamid.q"}), "{}", calls[2].body);
    assert!(house.stop().await);
}
