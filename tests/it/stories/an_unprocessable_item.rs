//! An item over which its actor fails three times is kept as unprocessable, and whoever asks is told; its neighbours
//! are taken.

use std::time::Duration;

use tidegate::domain::entity::EntityKind;
use tidegate::domain::ids::ConversationId;
use tidegate::shards::rows;
use tidegate::store::{Put, Store, Table};

use crate::house::whatsapp::{delivery, text};
use crate::house::{House, MORNING, eventually};

#[actix_web::test]
async fn an_item_that_nobody_can_take_is_kept() {
    let mut house = House::new().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let first = delivery(&[text("15551230001", "wamid.first", MORNING, "Hello")], &[]);
    assert_eq!(house.push(&first).await.status, 200);
    let taken = house.get("/v1/webhooks/wamid.first", &admin).await.expect(200);
    let conversation: ConversationId = taken["conversation"].as_str().expect("an id").parse().expect("an id");
    house.settle().await;
    house.crash().await;
    // The conversation's row is damaged, as by a disk: its actor ends over whatever it is asked.
    let pk = rows::private_pk(EntityKind::Conversation, conversation.0);
    let damaged = Put::new(Table::Entity, &pk, &[], b"\xffnonsense".to_vec(), i64::MAX - 1);
    house.store.put_facts(vec![damaged]).await.expect("it is written");

    let both = delivery(
        &[
            text("15551230001", "wamid.stuck", MORNING, "Hello?"),
            text("15551230002", "wamid.fine", MORNING, "Good morning"),
        ],
        &[],
    );
    assert_eq!(house.push(&both).await.status, 200);
    let kept = eventually("it is kept", || {
        house.advance(Duration::from_millis(500));
        let (house, admin) = (&house, &admin);
        async move {
            let found = house.get("/v1/webhooks/wamid.stuck", admin).await;
            (found.status == 200).then(|| found.json())
        }
    })
    .await;
    assert_eq!(kept["outcome"], "unprocessable", "{kept}");
    assert_eq!(kept["item"], "wamid.stuck", "{kept}");
    assert!(kept["raw"].as_str().is_some_and(|raw| raw.contains("Hello?")), "{kept}");
    let fine = house.get("/v1/webhooks/wamid.fine", &admin).await.expect(200);
    assert!(fine["conversation"].is_string(), "{fine}");
    // Nobody asks it again.
    house.advance(Duration::from_secs(60));
    assert_eq!(house.get("/v1/webhooks/wamid.stuck", &admin).await.expect(200)["id"], kept["id"]);
}
