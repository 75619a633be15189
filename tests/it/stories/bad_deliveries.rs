//! Bad deliveries: each is refused or kept with a clear word, and nothing of a good one beside it is lost.

use serde_json::{Value, json};

use crate::house::http::call;
use crate::house::whatsapp::{delivery, delivery_to, signature, text};
use crate::house::{House, MORNING, eventually};

#[actix_web::test]
async fn a_wrong_or_missing_signature_is_refused_and_nothing_is_stored() {
    let house = House::new().await;
    let body = delivery(&[text("15551230001", "wamid.a", MORNING, "Hello")], &[]).to_string().into_bytes();
    let path = house.seeded.webhook_path();
    let wrong = signature("another secret", &body);
    for headers in [vec![], vec![("x-hub-signature-256", wrong.as_str())], vec![("x-hub-signature-256", "sha256=zz")]] {
        let answer = call(house.addr(), "POST", &path, &headers, body.clone()).await;
        assert_eq!(answer.problem(401), "bad_signature");
    }
    let inbox = house.get("/v1/inbox?view=all", house.token("ADMIN_TOKEN")).await.expect(200);
    assert_eq!(inbox["items"], json!([]));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn an_unknown_app_is_not_found() {
    let house = House::new().await;
    let answer = call(house.addr(), "POST", "/webhooks/whatsapp/app_00000000000000000000000001", &[], Vec::new()).await;
    assert_eq!(answer.problem(404), "not_found");
    let answer = call(house.addr(), "POST", "/webhooks/telex/app_1", &[], Vec::new()).await;
    assert_eq!(answer.problem(404), "not_found");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn the_handshake_knows_its_token() {
    let house = House::new().await;
    let path = house.seeded.webhook_path();
    let ask = |token: &str| format!("{path}?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444");
    let answer = call(house.addr(), "GET", &ask(house.config.sandbox.verify_token.expose()), &[], Vec::new()).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"1158201444"[..]));
    assert_eq!(call(house.addr(), "GET", &ask("guess"), &[], Vec::new()).await.problem(403), "unverified");
    assert!(house.stop().await);
}

/// Signed bytes that nobody can read are kept, and told to whoever asks.
#[actix_web::test]
async fn an_unreadable_delivery_is_kept() {
    let house = House::new().await;
    for body in [&b"{not json"[..], &b"\xff\xfe\x00"[..], &b"[]"[..], &b"{\"object\":\"page\"}"[..]] {
        let answer = house.push_bytes(body.to_vec()).await;
        assert_eq!(answer.status, 200);
        let id = house.running().edge.shards.delivery_id(house.seeded.app, body);
        let kept = house.get(&format!("/v1/webhooks/{id}"), house.token("ADMIN_TOKEN")).await.expect(200);
        assert_eq!(kept["outcome"], "unreadable", "{kept}");
    }
    assert!(house.stop().await);
}

/// An item for a number that nobody connected is kept as unrouted; its neighbour is taken.
#[actix_web::test]
async fn an_unrouted_item_is_kept_beside_a_good_one() {
    let house = House::new().await;
    let mut both = delivery(&[text("15551230001", "wamid.good", MORNING, "Hello")], &[]);
    let stray = delivery_to("999", &[text("15551230002", "wamid.stray", MORNING, "Hello?")], &[]);
    both["entry"].as_array_mut().expect("entries").push(stray["entry"][0].clone());
    assert_eq!(house.push(&both).await.status, 200);
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let inbox = house.get("/v1/inbox?view=all", &admin).await.expect(200);
    assert_eq!(inbox["items"].as_array().map(Vec::len), Some(1), "{inbox}");
    let id = house.running().edge.shards.delivery_id(house.seeded.app, b"wamid.stray");
    let kept = house.get(&format!("/v1/webhooks/{id}"), &admin).await.expect(200);
    assert_eq!(kept["outcome"], "unrouted", "{kept}");
    assert!(house.stop().await);
}

/// 3 MB are taken, 4 MiB and more are not.
#[actix_web::test]
async fn large_bodies_have_a_bound() {
    let house = House::new().await;
    let long = "x".repeat(3_000_000);
    let pushed = delivery(&[text("15551230001", "wamid.long", MORNING, &long)], &[]);
    assert_eq!(house.push(&pushed).await.status, 200);
    let answer = house.push_bytes(vec![b' '; 5_000_000]).await;
    assert_eq!(answer.problem(413), "body_too_large");
    assert!(house.stop().await);
}

/// A thousand items of many customers in one delivery, some of them twice and some damaged.
#[actix_web::test]
async fn a_batch_of_a_thousand_items() {
    let house = House::new().await;
    let mut messages: Vec<Value> = (0..990)
        .map(|number| {
            let customer = format!("1555200{:04}", number % 330);
            text(&customer, &format!("wamid.{number}"), MORNING, &format!("Message {number}"))
        })
        .collect();
    messages.extend(messages[..5].to_vec());
    messages.extend((0..5).map(|number| json!({"type": "text", "strange": number})));
    assert_eq!(house.push(&delivery(&messages, &[])).await.status, 200);
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let counts = eventually("every conversation is there", || async {
        let counts = house.get("/v1/inbox/counts", &admin).await.expect(200);
        (counts["all"]["open"]["conversations"] == 330 || counts.to_string().contains("330")).then_some(counts)
    })
    .await;
    assert!(counts.to_string().contains("990"), "990 unread messages: {counts}");
    assert!(house.stop().await);
}
