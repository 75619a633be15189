//! A customer writes, an agent sees it at once and answers; the answer leaves exactly once, and its receipts raise it.

use std::time::Duration;

use serde_json::json;
use tidegate::providers::sandbox::LedgerQuery;

use crate::house::whatsapp::{delivery, text};
use crate::house::{House, MORNING, eventually};

#[actix_web::test]
async fn a_reply_travels_there_and_its_receipts_back() {
    let house = House::new().await;
    let token = house.token("AGENT1_TOKEN").to_owned();
    let mut agent = house.agent(&token).await;
    assert_eq!(
        house.push(&delivery(&[text("15551230001", "wamid.q", MORNING, "Are you open?")], &[])).await.status,
        200
    );
    let received = agent.until("message.received").await;
    assert_eq!(received["data"]["message"]["content"]["body"], "Are you open?");
    let conversation = received["conversation"].as_str().expect("its id").to_owned();

    let send = json!({
        "type": "send", "conversation": conversation, "client_id": "reply-1",
        "content": {"type": "text", "body": "Until six."},
    });
    let answer = agent.command(send.clone()).await;
    let message = answer["ok"]["message"].as_str().expect("a message").to_owned();
    assert_eq!(answer["ok"]["status"], "queued", "{answer}");
    // The same again is the same message.
    let again = agent.command(send).await;
    assert_eq!(again["ok"]["message"], message.as_str(), "{again}");

    // The number's bucket begins empty; its first token comes with time.
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let path = format!("/v1/conversations/{conversation}/messages/{message}");
    eventually("the message is read", || {
        house.advance(Duration::from_millis(100));
        let (house, path, admin) = (&house, &path, &admin);
        async move {
            let answer = house.get(path, admin).await.expect(200);
            (answer["status"] == "read").then_some(())
        }
    })
    .await;
    let mut statuses = Vec::new();
    while statuses.last().map(String::as_str) != Some("read") {
        let event = agent.until("message.status").await;
        if event["data"]["message"] == message.as_str() {
            statuses.push(event["data"]["status"].as_str().expect("a status").to_owned());
        }
    }
    assert!(statuses.contains(&"accepted".to_owned()) || statuses.contains(&"sent".to_owned()), "{statuses:?}");
    let sandbox = house.sandbox.as_ref().expect("it runs");
    let ledger = sandbox.ledger().summary(&LedgerQuery::default()).expect("the ledger reads");
    assert_eq!((ledger.accepted, ledger.tokens, ledger.doubled), (1, 1, 0), "{ledger:?}");
    assert!(house.stop().await);
}
