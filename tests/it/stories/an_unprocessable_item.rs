//! An item over which its actor fails three times is kept as unprocessable, and whoever asks is told; its neighbours
//! are taken.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate::domain::entity::EntityKind;
use tidegate::domain::ids::ConversationId;
use tidegate::ingress::Sweep;
use tidegate::shards::rows;
use tidegate::store::{Put, Store, Table};
use tidegate::telemetry;

use crate::house::whatsapp::{delivery, text};
use crate::house::{House, MORNING, eventually};

/// The errors that the process logged.
static ERRORS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Errors;

impl Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        ERRORS.lock().expect("nobody fails with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[actix_web::test]
async fn an_item_that_nobody_can_take_is_kept() {
    // Of this process, which runs other stories too: they have no such item.
    let metrics = telemetry::start_metrics().expect("it starts").expect("nobody else keeps them");
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_ansi(false).with_writer(|| Errors);
    log.try_init().expect("nobody else listens");
    let unprocessable = || {
        let metrics = metrics.render();
        let value = metrics.lines().find_map(|line| line.strip_prefix("tidegate_items_unprocessable_total "));
        value.map_or(0, |value| value.parse::<u64>().expect("a count"))
    };
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
    // A sweep of the very millisecond in which it came must not lose it.
    Sweep::new(Arc::clone(&house.running().edge.ingress)).once().await.expect("it sweeps");
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
    assert_eq!(unprocessable(), 1);
    let alarm = "an actor panicked three times over an item; it is kept as unprocessable";
    let errors = || String::from_utf8(ERRORS.lock().expect("nobody fails with it").clone()).expect("text");
    assert_eq!(errors().matches(alarm).count(), 1, "{}", errors());
    assert!(!errors().contains("Hello?") && !errors().contains("15551230001"), "{}", errors());
    let parked = house.get("/v1/webhooks?state=parked", &admin).await.expect(200);
    assert_eq!((&parked["items"][0]["id"], &parked["next"]), (&kept["id"], &serde_json::Value::Null), "{parked}");
    let fine = house.get("/v1/webhooks/wamid.fine", &admin).await.expect(200);
    assert!(fine["conversation"].is_string(), "{fine}");
    // Nobody asks it again.
    house.advance(Duration::from_secs(60));
    assert_eq!(house.get("/v1/webhooks/wamid.stuck", &admin).await.expect(200)["id"], kept["id"]);
    assert_eq!(unprocessable(), 1);
}
