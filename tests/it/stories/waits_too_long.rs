//! A reply that could not leave for ten minutes is not sent any more, and its author hears of it.

use std::time::Duration;

use serde_json::json;

use crate::house::House;
use crate::house::replies::said;

#[actix_web::test]
async fn a_reply_that_waited_over_ten_minutes_fails_and_may_be_tried_again() {
    let house = House::new().await;
    house.begins_to_send().await;
    let [admin, agent] = ["ADMIN_TOKEN", "AGENT1_TOKEN"].map(|name| house.token(name).to_owned());
    let conversation = house.hears("15551250001", "wamid.w").await;
    let mut socket = house.agent(&agent).await;
    let account = format!("/v1/accounts/{}", house.seeded.account);
    house.post(&format!("{account}/pause"), &admin, &json!({})).await.expect(200);
    let reply = house.queue(&conversation, &said("w", "Until six.")).await;
    house.advance(Duration::from_secs(9 * 60 + 55));
    assert_eq!(house.shown(&reply).await["status"], "queued");
    house.advance(Duration::from_secs(60));
    let failed = house.once_still(&reply, &["failed"]).await;
    assert!(
        failed["attempts"][0]["failure"]["sentence"].as_str().is_some_and(|why| why.contains("too old")),
        "{failed}"
    );
    let event = loop {
        // A late receipt of the first reply may come before.
        let event = socket.until("message.status").await;
        if event["data"]["status"] == "failed" {
            break event;
        }
    };
    assert_eq!(event["data"]["failure"]["rule"], "waited_too_long", "{event}");

    house.post(&format!("{account}/resume"), &admin, &json!({})).await.expect(200);
    house.advance(Duration::from_secs(60));
    assert_eq!(house.ledger().accepted, 1, "what has failed does not leave");
    house.post(&format!("{reply}/retry"), &agent, &json!({})).await.expect(202);
    let gone = house.goes(&reply).await;
    assert_eq!(gone["attempts"].as_array().map(Vec::len), Some(2), "{gone}");
    assert_eq!((house.ledger().accepted, house.ledger().doubled), (2, 0));
    assert!(house.stop().await);
}
