//! A person is known by a phone number, by a user id, by both, and then by another number: whatever comes first,
//! they are one contact with one conversation, and no message of theirs is lost.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::clock::Clock;
use tidegate::domain::time::Timestamp;

use crate::house::replies::said;
use crate::house::whatsapp::{BUSINESS_ID, PHONE_NUMBER_ID};
use crate::house::{House, eventually};

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// A delivery of one message, introduced by `contact`.
fn introduced(contact: &Value, message: &Value) -> Value {
    json!({"object": "whatsapp_business_account", "entry": [{"id": BUSINESS_ID, "changes": [{"field": "messages",
        "value": {"messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550783881", "phone_number_id": PHONE_NUMBER_ID},
            "contacts": [contact], "messages": [message]}}]}]})
}

fn text(id: &str, number: usize, from: &Value, at: Timestamp) -> Value {
    let mut message = json!({"id": id, "timestamp": (at.0 / 1_000).to_string(),
        "type": "text", "text": {"body": format!("Message {number}")}});
    if let (Some(message), Some(from)) = (message.as_object_mut(), from.as_object()) {
        message.extend(from.clone());
    }
    message
}

/// The one conversation that the account's inbox shows for these deliveries, with `messages` in its thread.
async fn one_conversation(house: &House, what: &str, wamids: &[String], messages: usize) -> Value {
    let admin = house.token("ADMIN_TOKEN").to_owned();
    eventually(what, || async {
        let mut seen = std::collections::BTreeMap::new();
        for wamid in wamids {
            let found = house.get(&format!("/v1/webhooks/{wamid}"), &admin).await;
            let id = found.json()["conversation"].as_str()?.to_owned();
            let line = house.get(&format!("/v1/conversations/{id}"), &admin).await;
            if line.status != 200 {
                return None;
            }
            let line = line.json();
            seen.insert(line["id"].as_str()?.to_owned(), line);
        }
        let (id, line) = seen.pop_first().filter(|_| seen.is_empty())?;
        let thread = house.get(&format!("/v1/conversations/{id}/messages"), &admin).await.expect(200);
        (thread["items"].as_array().map(Vec::len) == Some(messages)).then_some(line)
    })
    .await
}

#[actix_web::test]
async fn a_phone_and_a_user_id_are_one_person_in_every_order() {
    let house = House::new().await;
    house.begins_to_send().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    for (number, order) in ORDERS.iter().enumerate() {
        let (phone, user_id) = (format!("1555131000{number}"), format!("US.1310{number}"));
        let by_phone = json!({"from": phone});
        let by_user_id = json!({"from_user_id": user_id});
        let by_both = json!({"from": phone, "from_user_id": user_id});
        let contacts =
            [json!({"wa_id": phone}), json!({"user_id": user_id}), json!({"wa_id": phone, "user_id": user_id})];
        let mut wamids = Vec::new();
        for index in order {
            house.advance(Duration::from_secs(2));
            let id = format!("wamid.{number}-{index}");
            let message = text(&id, *index, [&by_phone, &by_user_id, &by_both][*index], house.clock.now());
            wamids.push(id);
            let mut contact = contacts[*index].clone();
            contact["profile"] = json!({"name": "Ana"});
            assert_eq!(house.push(&introduced(&contact, &message)).await.status, 200);
        }
        let what = format!("one conversation in the order {order:?}");
        let line = one_conversation(&house, &what, &wamids, 3).await;
        let contact = line["contact"].as_str().unwrap_or_default();
        assert_eq!(line["unread"], 3, "{what}: {line}");
        let known: Vec<_> =
            line["addresses"].as_array().into_iter().flatten().filter_map(|one| one["address"].as_str()).collect();
        assert!(known.contains(&phone.as_str()) && known.contains(&user_id.as_str()), "{what}: {line}");
        assert_eq!(house.get(&format!("/v1/contacts/{contact}"), &admin).await.status, 200);
        let inbox = house.get("/v1/inbox?limit=200", &admin).await.expect(200);
        assert_eq!(inbox["items"].as_array().map(Vec::len), Some(number + 2), "{what}: {inbox}");

        // An answer goes to the phone, once, and is read there too.
        let reply = house.queue(line["id"].as_str().unwrap_or_default(), &said("a", "Hello Ana.")).await;
        house.once(&reply, &["read"]).await;
        let seen = house.seen();
        assert_eq!((seen.len(), &seen[number + 1].recipient), (number + 2, &phone), "{what}");
    }
    assert_eq!(house.ledger().doubled, 0);
    assert!(house.stop().await);
}

/// The number changes: what was said under the old one and under the new one is one thread, and answers go to the new.
#[actix_web::test]
async fn a_changed_number_is_the_same_person_in_every_order() {
    let house = House::new().await;
    house.begins_to_send().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    for (number, order) in ORDERS.iter().enumerate() {
        let (old, new) = (format!("1555132100{number}"), format!("1555132200{number}"));
        let start = house.clock.now();
        let at = |second: i64| ((start.0 / 1_000) + second).to_string();
        let id = |what: &str| format!("wamid.{what}{number}");
        let messages = [
            json!({"from": old, "id": id("old"), "timestamp": at(1), "type": "text", "text": {"body": "Old"}}),
            json!({"from": old, "id": id("moved"), "timestamp": at(2), "type": "system",
                "system": {"type": "user_changed_number", "wa_id": new, "body": "moved"}}),
            json!({"from": new, "id": id("new"), "timestamp": at(3), "type": "text", "text": {"body": "New"}}),
        ];
        let contacts = [json!({"wa_id": old}), json!({"wa_id": old}), json!({"wa_id": new})];
        house.advance(Duration::from_secs(5));
        for index in order {
            let mut contact = contacts[*index].clone();
            contact["profile"] = json!({"name": "Ana"});
            assert_eq!(house.push(&introduced(&contact, &messages[*index])).await.status, 200);
        }
        let what = format!("one conversation in the order {order:?}");
        let line = one_conversation(&house, &what, &[id("old"), id("new")], 3).await;
        let thread = format!("/v1/conversations/{}/messages", line["id"].as_str().unwrap_or_default());
        let thread = house.get(&thread, &admin).await.expect(200);
        let times: Vec<_> = thread["items"].as_array().into_iter().flatten().map(|item| item["at"].clone()).collect();
        assert!(times.is_sorted_by(|one, next| one.as_str() >= next.as_str()), "newest first: {times:?}");
        let current: Vec<_> = line["addresses"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["current"] == true)
            .filter_map(|one| one["address"].as_str())
            .collect();
        assert_eq!(current, [new.as_str()], "{what}: {line}");
        let inbox = house.get("/v1/inbox?limit=200", &admin).await.expect(200);
        assert_eq!(inbox["items"].as_array().map(Vec::len), Some(number + 2), "{what}");

        let reply = house.queue(line["id"].as_str().unwrap_or_default(), &said("a", "Hello Ana.")).await;
        house.once(&reply, &["read"]).await;
        let seen = house.seen();
        assert_eq!((seen.len(), &seen[number + 1].recipient), (number + 2, &new), "{what}");
    }
    assert_eq!(house.ledger().doubled, 0);
    assert!(house.stop().await);
}
