//! A broadcast goes out: made, published, sent once to everybody, its receipts counted, and every step refused where it
//! does not fit.

use std::cell::RefCell;
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{House, PATIENCE, eventually, eventually_or};

const PEOPLE: u64 = 25;

/// A broadcast of the seeded template to an audience.
pub(super) fn draft(house: &House, name: &str, audience: &Value) -> Value {
    json!({
        "name": name,
        "account": house.seeded.account,
        "audience": audience,
        "content": {
            "type": "template",
            "name": "order_update",
            "language": "en_US",
            "fills": [{
                "slot": {"type": "body"},
                "parameters": [
                    {"type": "text", "text": "{{first_name|friend}}"},
                    {"type": "text", "text": "1042"}
                ]
            }]
        }
    })
}

/// Makes a broadcast; its path.
pub(super) async fn made(house: &House, body: &Value) -> String {
    let made = house.post("/v1/broadcasts", house.token("ADMIN_TOKEN"), body).await.expect(201);
    assert_eq!(made["status"], "draft", "{made}");
    format!("/v1/broadcasts/{}", made["id"].as_str().expect("an id"))
}

/// How many recipients of a broadcast are in a state.
pub(super) fn count(shown: &Value, state: &str) -> u64 {
    shown["counts"][state].as_u64().unwrap_or_default()
}

/// Does something with a broadcast.
pub(super) async fn act(house: &House, path: &str, action: &str) -> Value {
    house.post(&format!("{path}/{action}"), house.token("ADMIN_TOKEN"), &json!({})).await.expect(200)
}

/// Reads a broadcast as time passes until it is as wanted.
pub(super) async fn until(house: &House, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let last = RefCell::new(Value::Null);
    eventually_or(
        PATIENCE,
        || async {
            house.advance(Duration::from_millis(200));
            let shown = house.get(path, house.token("ADMIN_TOKEN")).await.expect(200);
            last.replace(shown.clone());
            wanted(&shown).then_some(shown)
        },
        || format!("{what}: {}", last.borrow()),
    )
    .await
}

#[actix_web::test]
async fn everybody_gets_it_once_and_every_receipt_counts() {
    let house = House::with(&[("seed.contacts", "25")]).await;
    let admin = house.token("ADMIN_TOKEN");
    let path = made(&house, &draft(&house, "Orders", &json!({"everyone": true}))).await;
    let refused = house.post(&format!("{path}/pause"), admin, &json!({})).await;
    assert_eq!(refused.problem(409), "wrong_state");
    let mut socket = house.agent(house.token("AGENT1_TOKEN")).await;
    let sending = act(&house, &path, "publish").await;
    assert_eq!(sending["status"], "sending");
    let progress = socket.until("broadcast.progress").await;
    assert!(path.ends_with(progress["key"].as_str().expect("which")), "{progress}");
    assert_eq!(progress["data"]["recipients"], PEOPLE, "{progress}");
    let read = until(&house, &path, "everybody read it", |shown| shown["counts"]["read"] == PEOPLE).await;
    assert_eq!((&read["status"], &read["frozen"]["recipients"]), (&json!("sent"), &json!(PEOPLE)), "{read}");
    assert_eq!(read["metrics"]["read_rate"], 1.0);

    let ledger = house.ledger();
    assert_eq!((ledger.accepted, ledger.recipients, ledger.doubled), (PEOPLE, PEOPLE, 0));
    let verified = house.get(&format!("{path}/verify"), admin).await.expect(200);
    assert_eq!(verified["agrees"], true, "{verified}");
    let page = house.get(&format!("{path}/recipients?state=read&limit=20"), admin).await.expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(20));
    let cursor = page["next"].as_str().expect("there are more");
    let rest = house.get(&format!("{path}/recipients?state=read&limit=20&cursor={cursor}"), admin).await.expect(200);
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next"]), (Some(5), &Value::Null));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn who_may_not_get_it_is_left_out_or_passed_over_with_the_reason() {
    let house = House::with(&[("seed.contacts", "3")]).await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    // Somebody without a name, where the text gives no default.
    let nameless = json!({"identities": [{"channel": "whatsapp", "address": "351912000099"}]});
    house.post("/v1/contacts", &admin, &nameless).await.expect(201);
    let mut body = draft(&house, "Named", &json!({"everyone": true}));
    body["content"]["fills"][0]["parameters"][0]["text"] = json!("{{first_name}}");
    let path = made(&house, &body).await;
    act(&house, &path, "publish").await;
    let sent = until(&house, &path, "it is sent", |shown| shown["status"] == "sent").await;
    assert_eq!((&sent["counts"]["skipped"], &sent["metrics"]["sent"]), (&json!(1), &json!(3)), "{sent}");
    let passed_over = house.get(&format!("{path}/recipients?state=skipped"), &admin).await.expect(200);
    assert_eq!(passed_over["items"][0]["skipped"], "variable_missing");
    assert_eq!(passed_over["items"][0]["address"], "351912000099");

    // What cannot be kept is refused before anything happens.
    body["content"]["fills"][0]["parameters"][0]["text"] = json!("{{shoe_size}}");
    let refused = house.post("/v1/broadcasts", &admin, &body).await;
    assert_eq!((refused.problem(422).as_str(), refused.json()["field"].as_str()), ("invalid", Some("content")));
    let nobody = house.post("/v1/broadcasts", &admin, &draft(&house, "Nobody", &json!({}))).await;
    assert_eq!(nobody.problem(422), "invalid");
    let agent = house.token("AGENT1_TOKEN");
    assert_eq!(house.post("/v1/broadcasts", agent, &body).await.problem(403), "forbidden");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn one_person_sees_it_before_everybody() {
    let house = House::with(&[("seed.contacts", "2")]).await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let person = |address: &str, name: Option<&str>| {
        let properties = name.map_or(json!({}), |name| json!({"first_name": name}));
        json!({"identities": [{"channel": "whatsapp", "address": address}], "properties": properties})
    };
    let ada = house.post("/v1/contacts", &admin, &person("351912000098", Some("Ada"))).await.expect(201);
    let nameless = house.post("/v1/contacts", &admin, &person("351912000099", None)).await.expect(201);
    let mut body = draft(&house, "Named", &json!({"everyone": true}));
    body["content"]["fills"][0]["parameters"][0]["text"] = json!("{{first_name}}");
    let path = made(&house, &body).await;

    let preview = format!("{path}/preview");
    let seen = house.post(&preview, &admin, &json!({"contact": ada["id"]})).await.expect(202);
    let message = format!(
        "/v1/conversations/{}/messages/{}",
        seen["conversation"].as_str().expect("a conversation"),
        seen["message"].as_str().expect("a message")
    );
    let shown = eventually("it arrived", || async {
        house.advance(Duration::from_millis(200));
        let shown = house.get(&message, &admin).await.expect(200);
        (shown["status"] == "read").then_some(shown)
    })
    .await;
    assert_eq!(shown["content"]["fills"][0]["parameters"][0]["text"], "Ada", "{shown}");
    assert_eq!((house.ledger().accepted, house.ledger().recipients), (1, 1));

    let refused = house.post(&preview, &admin, &json!({"contact": nameless["id"]})).await;
    assert_eq!((refused.problem(422).as_str(), refused.json()["field"].as_str()), ("invalid", Some("contact")));
    let nobody = house.post(&preview, &admin, &json!({"contact": "cnt_00000000000000000000000001"})).await;
    assert_eq!(nobody.problem(404), "not_found");
    let agent = house.token("AGENT1_TOKEN");
    assert_eq!(house.post(&preview, agent, &json!({"contact": ada["id"]})).await.problem(403), "forbidden");

    // It belongs to no broadcast: the draft is as it was, and goes to everybody.
    let still = house.get(&path, &admin).await.expect(200);
    assert_eq!((&still["status"], &still["metrics"]["sent"]), (&json!("draft"), &json!(0)));
    act(&house, &path, "publish").await;
    until(&house, &path, "it is sent", |shown| shown["status"] == "sent" && count(shown, "read") == 3).await;
    house.call("DELETE", &path, &admin, &Value::Null).await;
    let gone = house.post(&preview, &admin, &json!({"contact": ada["id"]})).await;
    assert_eq!(gone.problem(404), "not_found");
    assert!(house.stop().await);
}
