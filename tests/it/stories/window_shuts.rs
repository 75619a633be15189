//! The window is judged when a message leaves, by our clock and by the provider's word; a template goes where
//! nothing else may, and takes a permit.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::domain::ids::AddressId;
use tidegate::domain::limit::{LimitAnswer, LimitCommand, LimitScope};
use tidegate::providers::sandbox::Fault;

use crate::house::replies::{next, order_update, said};
use crate::house::whatsapp::account_change;
use crate::house::{House, eventually};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const MINUTE: Duration = Duration::from_secs(60);

async fn limit(house: &House) -> Value {
    let scope = house.account().await["limit_scope"].as_str().unwrap_or_default().to_owned();
    house.get(&format!("/v1/limits/{scope}"), house.token("ADMIN_TOKEN")).await.expect(200)
}

#[actix_web::test]
async fn a_reply_whose_window_closes_before_it_leaves_fails_by_that_rule() {
    let house = House::new().await;
    house.begins_to_send().await;
    let [admin, agent] = ["ADMIN_TOKEN", "AGENT1_TOKEN"].map(|name| house.token(name).to_owned());
    let conversation = house.hears("15551280001", "wamid.w1").await;
    let mut socket = house.agent(&agent).await;
    house.advance(DAY - 5 * MINUTE);
    let account = format!("/v1/accounts/{}", house.seeded.account);
    house.post(&format!("{account}/pause"), &admin, &json!({})).await.expect(200);
    let reply = house.queue(&conversation, &said("w", "Until six.")).await;
    house.advance(6 * MINUTE);
    house.post(&format!("{account}/resume"), &admin, &json!({})).await.expect(200);
    let failed = house.once(&reply, &["failed", "accepted", "sent"]).await;
    let why = &failed["attempts"][0]["failure"];
    assert_eq!((&failed["status"], &why["class"]), (&json!("failed"), &json!("window")), "{failed}");
    let event = loop {
        let event = socket.until("message.status").await;
        if event["data"]["status"] == "failed" {
            break event;
        }
    };
    assert_eq!(event["data"]["failure"]["rule"], "window_closed", "{event}");
    assert_eq!(house.ledger().accepted, 1, "it never left");
    // Trying again is refused by the same rule.
    let again = house.post(&format!("{reply}/retry"), &agent, &Value::Null).await;
    assert_eq!(again.problem(409), "window_closed");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn the_providers_word_closes_the_window_and_a_template_goes() {
    let house = House::new().await;
    house.begins_to_send().await;
    let agent = house.token("AGENT1_TOKEN").to_owned();
    let conversation = house.hears("15551280002", "wamid.w2").await;
    house.order(vec![next(Fault::Code(131_047), 1)]);
    let reply = house.queue(&conversation, &said("w", "Until six.")).await;
    let failed = house.once_still(&reply, &["failed", "accepted"]).await;
    let why = &failed["attempts"][0]["failure"];
    assert_eq!((&why["class"], &why["code"]), (&json!("window"), &json!(131_047)), "{failed}");

    let messages = format!("/v1/conversations/{conversation}/messages");
    let refused = house.post(&messages, &agent, &said("w2", "Hello?")).await;
    assert_eq!(refused.problem(409), "window_closed");
    assert_eq!(refused.json()["instead"], json!(["template"]), "{}", refused.json());
    assert!(refused.json()["closed_at"].as_str().is_some(), "{}", refused.json());
    let explained = house.explained(&conversation).await;
    assert_eq!(explained["free_form"]["refusal"]["instead"], json!(["template"]), "{explained}");

    assert_eq!(limit(&house).await["used"], 0);
    let template = house.queue(&conversation, &order_update("t")).await;
    house.goes(&template).await;
    let standing = limit(&house).await;
    assert_eq!((&standing["used"], &standing["free"]), (&json!(1), &json!(1_999)));
    let ledger = house.ledger();
    assert_eq!((ledger.accepted, ledger.doubled), (2, 0), "{ledger:?}");

    // The customer's next message opens it again, and an answer inside takes no permit.
    house.advance(MINUTE);
    assert_eq!(house.hears("15551280002", "wamid.w3").await, conversation);
    let free = house.queue(&conversation, &said("w3", "There you are.")).await;
    house.goes(&free).await;
    assert_eq!(limit(&house).await["used"], 1);
    assert!(house.stop().await);
}

/// A limit that is used up is no failure: the template waits, and leaves once there is a permit.
#[actix_web::test]
async fn a_template_waits_for_its_permit() {
    let house = House::new().await;
    house.begins_to_send().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let scope = house.account().await["limit_scope"].as_str().unwrap_or_default().to_owned();
    let tier = format!("/v1/limits/{scope}/tier");
    house.call("PUT", &tier, &admin, &json!({"tier": 250})).await.expect(200);
    let recipients = (1..=250).map(AddressId).collect();
    let id = scope.parse::<tidegate::domain::ids::LimitScopeId>().expect("an id");
    let reserve = LimitCommand::Reserve { recipients };
    let reserved = house.running().edge.shards.ask::<LimitScope>(id.0, reserve).await.expect("an answer");
    assert!(matches!(reserved, LimitAnswer::Reserved { granted, .. } if granted.iter().all(|granted| *granted)));
    assert_eq!(limit(&house).await["free"], 0);

    let start = json!({"account": house.seeded.account, "to": {"space": "phone", "address": "+1 555 128 0003"}});
    let begun = house.post("/v1/conversations", house.token("AGENT1_TOKEN"), &start).await.expect(201);
    let template = house.queue(begun["id"].as_str().unwrap_or_default(), &order_update("t")).await;
    // Inside a window nobody waits for a permit.
    let inside = house.hears("15551280004", "wamid.w4").await;
    let reply = house.queue(&inside, &said("in", "Hello.")).await;
    house.goes(&reply).await;
    for _ in 0..10 {
        house.advance(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(house.shown(&template).await["status"], "queued");
    assert_eq!(house.ledger().accepted, 2);
    house.call("PUT", &tier, &admin, &json!({"tier": 2_000})).await.expect(200);
    house.goes(&template).await;
    assert_eq!(limit(&house).await["used"], 251);
    assert_eq!((house.ledger().accepted, house.ledger().doubled), (3, 0));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_template_that_cannot_be_sent_is_refused_before_anything_leaves() {
    let house = House::new().await;
    let agent = house.token("AGENT1_TOKEN").to_owned();
    let conversation = house.hears("15551280005", "wamid.w5").await;
    let messages = format!("/v1/conversations/{conversation}/messages");
    let mut unknown = order_update("x");
    unknown["content"]["name"] = json!("nothing");
    assert_eq!(house.post(&messages, &agent, &unknown).await.problem(404), "not_found");
    let mut language = order_update("l");
    language["content"]["language"] = json!("pt_PT");
    assert_eq!(house.post(&messages, &agent, &language).await.problem(404), "not_found");
    let text = |text: &str| json!({"type": "text", "text": text});
    for (number, parameters) in
        [json!([]), json!([text("Ada")]), json!([text("a"), text("b"), text("c")])].iter().enumerate()
    {
        let mut wrong = order_update(&format!("p{number}"));
        wrong["content"]["fills"][0]["parameters"] = parameters.clone();
        let refused = house.post(&messages, &agent, &wrong).await;
        assert_eq!(refused.problem(422), "invalid", "{parameters}");
    }
    let mut bare = order_update("bare");
    bare["content"]["fills"] = json!([]);
    assert_eq!(house.post(&messages, &agent, &bare).await.problem(422), "invalid");
    for (number, (event, status)) in [("PAUSED", "paused"), ("DISABLED", "disabled")].into_iter().enumerate() {
        house.advance(Duration::from_secs(5));
        let change = json!({"event": event, "message_template_id": 5, "message_template_name": "order_update",
            "message_template_language": "en_US", "reason": null});
        let now = tidegate::clock::Clock::now(&*house.clock);
        let pushed = account_change("message_template_status_update", now, &change);
        assert_eq!(house.push(&pushed).await.status, 200);
        let refused = eventually("the template is refused", || async {
            let refused = house.post(&messages, &agent, &order_update(&format!("{number}-{status}"))).await;
            (refused.status == 409).then_some(refused)
        })
        .await;
        assert_eq!(refused.problem(409), "template_not_sendable");
        assert!(refused.json()["detail"].as_str().is_some_and(|why| why.contains(status)), "{}", refused.json());
    }
    assert!(house.stop().await);
}

/// A template that is withdrawn while its message waits does not leave, and the author hears by which rule.
#[actix_web::test]
async fn a_template_that_is_paused_before_its_message_leaves_fails_it() {
    let house = House::new().await;
    house.begins_to_send().await;
    let [admin, agent] = ["ADMIN_TOKEN", "AGENT1_TOKEN"].map(|name| house.token(name).to_owned());
    let conversation = house.hears("15551280006", "wamid.w6").await;
    let mut socket = house.agent(&agent).await;
    let account = format!("/v1/accounts/{}", house.seeded.account);
    house.post(&format!("{account}/pause"), &admin, &json!({})).await.expect(200);
    let reply = house.queue(&conversation, &order_update("waits")).await;
    let change = json!({"event": "PAUSED", "message_template_id": 5, "message_template_name": "order_update",
        "message_template_language": "en_US", "reason": null});
    let now = tidegate::clock::Clock::now(&*house.clock);
    let pushed = account_change("message_template_status_update", now, &change);
    assert_eq!(house.push(&pushed).await.status, 200);
    let messages = format!("/v1/conversations/{conversation}/messages");
    eventually("the template is paused", || async {
        let refused = house.post(&messages, &agent, &order_update("later")).await;
        (refused.status == 409).then_some(())
    })
    .await;
    house.post(&format!("{account}/resume"), &admin, &json!({})).await.expect(200);
    let failed = house.once(&reply, &["failed", "accepted", "sent"]).await;
    let why = &failed["attempts"][0]["failure"];
    assert_eq!((&failed["status"], &why["class"]), (&json!("failed"), &json!("template")), "{failed}");
    let event = loop {
        let event = socket.until("message.status").await;
        if event["data"]["status"] == "failed" {
            break event;
        }
    };
    assert_eq!(event["data"]["failure"]["rule"], "template_not_sendable", "{event}");
    assert_eq!(house.ledger().accepted, 1, "it never left");
    assert!(house.stop().await);
}
