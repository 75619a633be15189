//! The feed is read in pages, before and after a crash, and says what the sockets said, word for word.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::agents_answer::written_to;
use crate::house::whatsapp::{delivery, text};
use crate::house::{House, MORNING, eventually};

/// Every event there is, by its id, read in pages of a size.
async fn feed(house: &House, token: &str, limit: usize) -> (BTreeMap<String, Value>, String) {
    let (mut events, mut cursor) = (BTreeMap::new(), String::new());
    for _ in 0..1_000 {
        let at = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        let page = house.get(&format!("/v1/events?limit={limit}{at}"), token).await.expect(200);
        let next = page["next"].as_str().expect("a cursor").to_owned();
        for event in page["items"].as_array().expect("items") {
            let id = event["id"].as_str().expect("an id").to_owned();
            assert!(events.insert(id, event.clone()).is_none(), "it came twice: {event}");
        }
        if next == cursor {
            return (events, next);
        }
        cursor = next;
    }
    panic!("the feed has no end");
}

fn of_type<'a>(events: &'a BTreeMap<String, Value>, kind: &str) -> Vec<&'a Value> {
    events.values().filter(|event| event["type"] == kind).collect()
}

#[actix_web::test]
async fn sockets_and_the_feed_say_the_same_before_and_after_a_crash() {
    let mut house = House::new().await;
    let [admin, ann] = ["ADMIN_TOKEN", "AGENT1_TOKEN"].map(|name| house.token(name).to_owned());
    let mut socket = house.agent(&admin).await;
    let conversation = written_to(&house, "15551230071", "wamid.f1", "Hello").await;
    let path = format!("/v1/conversations/{conversation}");
    let send = json!({"client_id": "c1", "content": {"type": "text", "body": "How can I help?"}});
    let sent = house.post(&format!("{path}/messages"), &ann, &send).await.expect(202);
    let note = json!({"client_id": "n1", "body": "A regular."});
    house.post(&format!("{path}/notes"), &ann, &note).await.expect(201);
    house.post(&format!("{path}/read"), &ann, &json!({})).await.expect(200);
    let message = format!("{path}/messages/{}", sent["message"].as_str().unwrap_or_default());
    // A number begins without tokens, and receipts take their time.
    eventually("the customer read it", || async {
        house.advance(Duration::from_millis(500));
        (house.get(&message, &ann).await.expect(200)["status"] == "read").then_some(())
    })
    .await;
    house.post(&format!("{path}/close"), &ann, &json!({})).await.expect(200);
    let mut live = BTreeMap::new();
    while of_type(&live, "conversation.closed").is_empty() {
        let mut event = socket.next().await;
        if event.as_object_mut().and_then(|fields| fields.remove("seq")).is_some() {
            live.insert(event["id"].as_str().unwrap_or_default().to_owned(), event);
        }
    }
    assert_eq!(of_type(&live, "message.queued").len(), 1);
    assert_eq!(of_type(&live, "note.added").len(), 1);
    assert!(live.values().any(|event| event["data"]["status"] == "read"));
    for limit in [1, 7, 200] {
        let (read, _) = feed(&house, &admin, limit).await;
        for (id, event) in &live {
            assert_eq!(read.get(id), Some(event), "in pages of {limit}");
        }
        assert_eq!(of_type(&read, "message.received").len(), 1);
    }
    let (before, _) = feed(&house, &admin, 50).await;
    house.crash().await;
    let (after, _) = feed(&house, &admin, 50).await;
    for (id, event) in &before {
        assert_eq!(after.get(id), Some(event));
    }
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_cursor_goes_on_where_it_stood_and_on_the_socket_too() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let (_, cursor) = feed(&house, &admin, 100).await;
    written_to(&house, "15551230081", "wamid.g1", "First").await;
    let pushed = delivery(&[text("15551230081", "wamid.g2", MORNING, "Second")], &[]);
    assert_eq!(house.push(&pushed).await.status, 200);
    let news = eventually("both messages are in the feed", || async {
        let page = house.get(&format!("/v1/events?limit=100&cursor={cursor}"), &admin).await.expect(200);
        let items = page["items"].as_array().cloned().unwrap_or_default();
        let received = items.iter().filter(|event| event["type"] == "message.received").count();
        (received == 2).then_some(items)
    })
    .await;
    let (_, replayed) = crate::house::socket::AgentSocket::resumed(house.addr(), &admin, &cursor).await;
    for event in &news {
        let same = replayed.iter().find(|object| object["id"] == event["id"]).cloned().map(|mut object| {
            object.as_object_mut().and_then(|fields| fields.remove("seq"));
            object
        });
        assert_eq!(same.as_ref(), Some(event));
    }
    let strange = house.get("/v1/events?cursor=%21", &admin).await;
    assert_eq!(strange.problem(422), "invalid");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn who_comes_back_when_nobody_else_was_there_misses_nothing() {
    let house = House::with(&[("server.workers", "1")]).await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let socket = house.agent(&admin).await;
    let cursor = socket.cursor.clone();
    drop(socket);
    eventually("nobody is there", || async { (house.running().edge.hub.sessions() == 0).then_some(()) }).await;
    written_to(&house, "15551230101", "wamid.k1", "Is anybody there?").await;
    let (_, replayed) = crate::house::socket::AgentSocket::resumed(house.addr(), &admin, &cursor).await;
    let received: Vec<_> = replayed.iter().filter(|object| object["type"] == "message.received").collect();
    assert_eq!(received.len(), 1, "of {replayed:?}");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn the_feed_shows_what_the_reader_may_see_now() {
    let house = House::new().await;
    let [admin, ann, bob] = ["ADMIN_TOKEN", "AGENT1_TOKEN", "AGENT2_TOKEN"].map(|name| house.token(name).to_owned());
    let conversation = written_to(&house, "15551230091", "wamid.i1", "Hello").await;
    let (seen, _) = feed(&house, &bob, 100).await;
    assert_eq!(of_type(&seen, "message.received").len(), 1);
    let owner = house.get("/v1/me", &ann).await.expect(200)["member"].clone();
    house.post(&format!("/v1/conversations/{conversation}/assign"), &admin, &json!({"owner": owner})).await.expect(200);
    eventually("Bob sees it no longer", || async {
        let (seen, _) = feed(&house, &bob, 100).await;
        of_type(&seen, "message.received").is_empty().then_some(())
    })
    .await;
    let (seen, _) = feed(&house, &ann, 100).await;
    assert_eq!(of_type(&seen, "message.received").len(), 1);
    assert!(house.stop().await);
}

#[actix_web::test]
async fn what_nobody_took_is_found_by_its_id() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    assert_eq!(house.get("/v1/webhooks/wamid.nothing", &admin).await.problem(404), "not_found");
    assert_eq!(house.get("/v1/webhooks/dlv_00000000000000000000000001", &admin).await.problem(404), "not_found");
    let elsewhere =
        crate::house::whatsapp::delivery_to("999", &[text("15551230099", "wamid.lost", MORNING, "Hello")], &[]);
    assert_eq!(house.push(&elsewhere).await.status, 200);
    let kept = eventually("it is kept", || async {
        let found = house.get("/v1/webhooks/wamid.lost", &admin).await;
        (found.status == 200).then(|| found.json())
    })
    .await;
    assert_eq!((&kept["outcome"], &kept["item"]), (&json!("unrouted"), &json!("wamid.lost")), "{kept}");
    let by_id = format!("/v1/webhooks/{}", kept["id"].as_str().unwrap_or_default());
    assert_eq!(house.get(&by_id, &admin).await.expect(200), kept);
    assert!(house.stop().await);
}

#[actix_web::test]
async fn what_nobody_took_is_listed_newest_first() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    for number in [1, 2, 3] {
        house.advance(std::time::Duration::from_secs(1));
        let stray = text("15551230099", &format!("wamid.lost{number}"), MORNING, "Hello");
        assert_eq!(house.push(&crate::house::whatsapp::delivery_to("999", &[stray], &[])).await.status, 200);
    }
    house.advance(std::time::Duration::from_secs(1));
    assert_eq!(house.push_bytes(b"{not json".to_vec()).await.status, 200);
    // The first comes again: it stands where it came last, and once.
    house.advance(std::time::Duration::from_secs(1));
    let again = text("15551230099", "wamid.lost1", MORNING, "Hello");
    assert_eq!(house.push(&crate::house::whatsapp::delivery_to("999", &[again], &[])).await.status, 200);

    let mut listed = Vec::new();
    let mut path = "/v1/webhooks?state=unrouted&limit=1".to_owned();
    loop {
        let page = house.get(&path, &admin).await.expect(200);
        let items = page["items"].as_array().expect("items").clone();
        assert!(items.len() <= 1 && items.iter().all(|item| item.get("raw").is_none()), "{page}");
        listed.extend(items);
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/webhooks?state=unrouted&limit=1&cursor={next}");
    }
    let items: Vec<_> = listed.iter().map(|item| item["item"].as_str().expect("an id")).collect();
    assert_eq!(items, ["wamid.lost1", "wamid.lost3", "wamid.lost2"]);
    let all = house.get("/v1/webhooks", &admin).await.expect(200);
    let outcomes: Vec<_> = all["items"].as_array().expect("items").iter().map(|item| item["outcome"].clone()).collect();
    assert_eq!(outcomes, ["unrouted", "unreadable", "unrouted", "unrouted"]);
    assert_eq!(house.get("/v1/webhooks?state=unreadable", &admin).await.expect(200)["items"][0], all["items"][1]);
    assert_eq!(house.get("/v1/webhooks?state=parked", &admin).await.expect(200)["items"], json!([]));
    for wrong in ["state=lost", "cursor=x", "limit=0", "status=unrouted"] {
        assert_eq!(house.get(&format!("/v1/webhooks?{wrong}"), &admin).await.problem(422), "invalid", "{wrong}");
    }
    assert!(house.stop().await);
}

/// A customer's message is found in its thread, and in the feed from where an earlier look ended.
#[actix_web::test]
async fn an_old_message_is_found_by_the_providers_id() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    for number in 0..4 {
        // More than the thread's memory and more than one page of its rows.
        let messages: Vec<_> = (0..300)
            .map(|nth| {
                text(
                    "15551230001",
                    &format!("wamid.{number}.{nth}"),
                    MORNING + std::time::Duration::from_secs(number * 300 + nth),
                    "Hello",
                )
            })
            .collect();
        assert_eq!(house.push(&delivery(&messages, &[])).await.status, 200);
    }
    let found = house.get("/v1/webhooks/wamid.0.0", &admin).await.expect(200);
    let conversation = found["conversation"].as_str().expect("an id");
    let in_thread = |id: &str| format!("/v1/webhooks/{id}?conversation={conversation}");
    assert_eq!(house.get(&in_thread("wamid.0.0"), &admin).await.expect(200), found);
    assert_eq!(house.get(&in_thread("wamid.0.9999"), &admin).await.problem(404), "not_found");
    let message = found["message"].as_str().expect("an id");
    let shown = house.get(&format!("/v1/conversations/{conversation}/messages/{message}"), &admin).await.expect(200);
    assert_eq!(shown["provider_id"], "wamid.0.0");
    // A look that goes on before the first record finds nothing, one before the newest finds it.
    let shards = house.running().edge.shards.feed_heads().await.expect("heads");
    let before = |upto: &[u64]| {
        use base64::Engine as _;
        let cursor = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rmp_serde::to_vec(upto).expect("encodes"));
        format!("/v1/webhooks/wamid.0.0?cursor={cursor}")
    };
    assert_eq!(house.get(&before(&shards), &admin).await.expect(200), found);
    assert_eq!(house.get(&before(&vec![0; shards.len()]), &admin).await.problem(404), "not_found");
    assert_eq!(house.get(&before(&[1]), &admin).await.problem(422), "invalid");
    assert_eq!(house.get("/v1/webhooks/wamid.0.0?since=1", &admin).await.problem(422), "invalid");
    assert!(house.stop().await);
}
