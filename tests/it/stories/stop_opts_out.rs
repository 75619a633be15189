//! STOP, as a whole message, ends marketing on that address; the customer's own questions are still answered.

use serde_json::{Value, json};
use tidegate::clock::Clock;

use crate::house::replies::said;
use crate::house::whatsapp::{BUSINESS_ID, delivery, text};
use crate::house::{House, eventually};

async fn house() -> House {
    let house = House::new().await;
    house.begins_to_send().await;
    let promo = json!({"name": "promo", "language": "en_US", "category": "marketing", "business_id": BUSINESS_ID,
        "components": [{"type": "BODY", "text": "Half the price today."}]});
    let put = house.post("/v1/templates", house.token("ADMIN_TOKEN"), &promo).await;
    assert!(matches!(put.status, 200 | 201), "{}", put.json());
    house
}

fn promo(client_id: &str) -> Value {
    json!({"client_id": client_id, "content": {"type": "template", "name": "promo", "language": "en_US"}})
}

async fn writes(house: &House, customer: &str, wamid: &str, body: &str) -> String {
    house.advance(std::time::Duration::from_secs(10));
    let pushed = delivery(&[text(customer, wamid, house.clock.now(), body)], &[]);
    assert_eq!(house.push(&pushed).await.status, 200);
    house.conversation_of(wamid).await
}

#[actix_web::test]
async fn stop_ends_marketing_and_nothing_else() {
    let house = house().await;
    let agent = house.token("AGENT1_TOKEN").to_owned();
    let customer = "15551300001";
    let conversation = writes(&house, customer, "wamid.s1", "Please stop the music").await;
    let first = house.queue(&conversation, &promo("p1")).await;
    house.once(&first, &["read"]).await;

    writes(&house, customer, "wamid.s2", " Stop! ").await;
    let messages = format!("/v1/conversations/{conversation}/messages");
    eventually("marketing is withdrawn", || async {
        (house.explained(&conversation).await["consent"]["marketing_withdrawn"] == true).then_some(())
    })
    .await;
    assert_eq!(house.post(&messages, &agent, &promo("p2")).await.problem(409), "consent_withdrawn");
    let reply = house.queue(&conversation, &said("r", "You get no more of it.")).await;
    house.once(&reply, &["read"]).await;
    let service = house.queue(&conversation, &crate::house::replies::order_update("u")).await;
    house.once(&service, &["read"]).await;

    writes(&house, customer, "wamid.s3", "START").await;
    let back = house.queue(&conversation, &promo("p3")).await;
    house.once(&back, &["read"]).await;
    assert_eq!((house.ledger().accepted, house.ledger().doubled), (5, 0));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn who_says_stop_before_it_leaves_does_not_get_it() {
    let house = house().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let conversation = writes(&house, "15551300002", "wamid.s4", "Hello").await;
    let account = format!("/v1/accounts/{}", house.seeded.account);
    house.post(&format!("{account}/pause"), &admin, &json!({})).await.expect(200);
    let waiting = house.queue(&conversation, &promo("p")).await;
    writes(&house, "15551300002", "wamid.s5", "stop").await;
    house.post(&format!("{account}/resume"), &admin, &json!({})).await.expect(200);
    let failed = house.once(&waiting, &["failed", "read"]).await;
    assert_eq!(failed["attempts"][0]["failure"]["class"], "opt_out", "{failed}");
    let events = house.events("message.status").await;
    let failure = events.iter().find(|event| event["data"]["status"] == "failed").expect("an event");
    assert_eq!(failure["data"]["failure"]["rule"], "consent_withdrawn", "{failure}");
    assert_eq!(house.ledger().accepted, 1);
    assert!(house.stop().await);
}
