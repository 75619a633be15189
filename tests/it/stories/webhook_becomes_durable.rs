//! A signed webhook is answered 200 once its message is in the conversation's log, and a restart finds it there.

use crate::house::whatsapp::{delivery, text};
use crate::house::{House, MORNING, eventually};

#[actix_web::test]
async fn a_message_survives_the_process() {
    let mut house = House::new().await;
    let customer = "15551230001";
    let pushed = delivery(&[text(customer, "wamid.first", MORNING, "Hello, is anybody there?")], &[]);
    assert_eq!(house.push(&pushed).await.status, 200);
    // The provider sends it again: it is one message.
    assert_eq!(house.push(&pushed).await.status, 200);
    house.crash().await;
    assert_eq!(house.push(&pushed).await.status, 200);
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let conversation = eventually("the conversation is listed", || async {
        let inbox = house.get("/v1/inbox?view=all&state=open", &admin).await.expect(200);
        inbox["items"].as_array()?.first().map(|line| line["id"].as_str().unwrap_or_default().to_owned())
    })
    .await;
    let thread = house.get(&format!("/v1/conversations/{conversation}/messages"), &admin).await.expect(200);
    let messages = thread["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(messages.len(), 1, "{thread}");
    assert_eq!(messages[0]["content"]["body"], "Hello, is anybody there?");
    assert!(house.stop().await);
}
