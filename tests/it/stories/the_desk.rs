//! Whose a conversation is decides who sees it: in lists, on reading, on sending and on the socket.

use std::time::Duration;

use serde_json::{Value, json};

use super::agents_answer::written_to;
use crate::house::{House, MORNING, eventually};

fn ids(inbox: &Value) -> Vec<String> {
    let items = inbox["items"].as_array().into_iter().flatten();
    items.map(|line| line["id"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn member(house: &House, token: &str) -> String {
    house.get("/v1/me", token).await.expect(200)["member"].as_str().unwrap_or_default().to_owned()
}

#[actix_web::test]
async fn what_is_assigned_is_its_owners_and_who_loses_sight_is_told_once() {
    let house = House::new().await;
    let [admin, ann, bob] = ["ADMIN_TOKEN", "AGENT1_TOKEN", "AGENT2_TOKEN"].map(|name| house.token(name).to_owned());
    let conversation = written_to(&house, "15551230011", "wamid.d1", "Hello").await;
    let path = format!("/v1/conversations/{conversation}");
    assert_eq!(
        ids(&house.get("/v1/inbox?view=unassigned", &bob).await.expect(200)),
        std::slice::from_ref(&conversation)
    );
    let mut bobs_socket = house.agent(&bob).await;

    let owner = member(&house, &ann).await;
    house.post(&format!("{path}/assign"), &admin, &json!({"owner": owner})).await.expect(200);
    let removed = bobs_socket.until("conversation.removed").await;
    assert_eq!(removed["conversation"], conversation.as_str());
    assert_eq!(ids(&house.get("/v1/inbox?view=mine", &ann).await.expect(200)), std::slice::from_ref(&conversation));
    for view in ["all", "unassigned", "mine"] {
        assert!(ids(&house.get(&format!("/v1/inbox?view={view}"), &bob).await.expect(200)).is_empty(), "{view}");
    }
    assert_eq!(house.get(&path, &bob).await.problem(404), "not_found");
    assert_eq!(house.get(&format!("{path}/messages"), &bob).await.problem(404), "not_found");
    let send = json!({"client_id": "b", "content": {"type": "text", "body": "mine"}});
    assert_eq!(house.post(&format!("{path}/messages"), &bob, &send).await.problem(404), "not_found");

    // A mention lets Bob in for a day; he may answer, and not give the contact away.
    let bobs = member(&house, &bob).await;
    let note = json!({"client_id": "n", "body": "Can you help?", "mentions": [bobs]});
    house.post(&format!("{path}/notes"), &ann, &note).await.expect(201);
    assert_eq!(bobs_socket.until("note.added").await["data"]["message"]["content"]["body"], "Can you help?");
    assert_eq!(ids(&house.get("/v1/inbox?view=mentions", &bob).await.expect(200)), std::slice::from_ref(&conversation));
    house.post(&format!("{path}/messages"), &bob, &send).await.expect(202);
    let taken = house.post(&format!("{path}/assign"), &bob, &json!({"owner": bobs})).await;
    assert_eq!(taken.problem(403), "forbidden");
    house.advance(Duration::from_secs(24 * 3_600 + 1));
    assert_eq!(house.get(&path, &bob).await.problem(404), "not_found");

    // A collaborator may answer too, and leave again.
    house.post(&format!("{path}/collaborate"), &admin, &json!({"member": bobs})).await.expect(200);
    eventually("Bob joins in", || async { (house.get(&path, &bob).await.status == 200).then_some(()) }).await;
    house.post(&format!("{path}/collaborate"), &bob, &json!({"member": bobs, "remove": true})).await.expect(200);
    eventually("Bob has left", || async { (house.get(&path, &bob).await.status == 404).then_some(()) }).await;
    assert!(house.stop().await);
}

#[actix_web::test]
async fn views_counts_and_pages_agree() {
    let house = House::new().await;
    let [admin, ann] = ["ADMIN_TOKEN", "AGENT1_TOKEN"].map(|name| house.token(name).to_owned());
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(written_to(&house, &format!("1555123002{number}"), &format!("wamid.v{number}"), "Hello").await);
    }
    let counts = house.get("/v1/inbox/counts", &ann).await.expect(200);
    assert_eq!((&counts["all"]["conversations"], &counts["all"]["unread"]), (&json!(5), &json!(5)));
    house.post(&format!("/v1/conversations/{}/close", all[0]), &ann, &json!({})).await.expect(200);
    let until = json!({"until": "2026-11-25T10:00:00Z"});
    house.post(&format!("/v1/conversations/{}/snooze", all[1]), &ann, &until).await.expect(200);
    house.post(&format!("/v1/conversations/{}/read", all[2]), &ann, &json!({})).await.expect(200);
    for (state, expected) in [("open", 3), ("snoozed", 1), ("closed", 1)] {
        let inbox = house.get(&format!("/v1/inbox?state={state}"), &admin).await.expect(200);
        assert_eq!(ids(&inbox).len(), expected, "{state}");
    }
    let (mut read, mut path) = (Vec::new(), "/v1/inbox?limit=2".to_owned());
    loop {
        let page = house.get(&path, &admin).await.expect(200);
        read.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/inbox?limit=2&cursor={next}"),
            None => break,
        }
    }
    read.sort();
    all.sort();
    assert_eq!(read, all);
    let counts = house.get("/v1/inbox/counts", &ann).await.expect(200);
    assert_eq!((&counts["all"]["conversations"], &counts["all"]["unread"]), (&json!(3), &json!(2)));
    // The snooze ends by itself, and that is an event.
    let mut socket = house.agent(&ann).await;
    house.advance(Duration::from_secs(3_601));
    assert_eq!(socket.until("conversation.woken").await["data"]["conversation"]["state"], "open");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn changes_rest_on_the_version_that_was_read() {
    let house = House::new().await;
    let ann = house.token("AGENT1_TOKEN").to_owned();
    let conversation = written_to(&house, "15551230031", "wamid.e1", "Hello").await;
    let path = format!("/v1/conversations/{conversation}");
    let read = house.get(&path, &ann).await;
    assert_eq!(read.header("etag"), Some(format!("\"{}\"", read.json()["version"]).as_str()));
    assert_eq!(read.json()["addresses"][0]["address"], "15551230031");
    let bearer = format!("Bearer {ann}");
    let close = |version: &'static str| {
        let headers = [("authorization", bearer.clone()), ("if-match", version.to_owned())];
        let (addr, path) = (house.addr(), format!("{path}/close"));
        async move {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            crate::house::http::call(addr, "POST", &path, &headers, Vec::new()).await
        }
    };
    assert_eq!(close("\"1\"").await.problem(412), "version_mismatch");
    assert_eq!(close("*").await.expect(200)["changed"], true);
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_bot_hands_over_with_a_summary_and_the_epoch_moves_on() {
    let house = House::new().await;
    let [admin, ann] = ["ADMIN_TOKEN", "AGENT1_TOKEN"].map(|name| house.token(name).to_owned());
    let conversation = written_to(&house, "15551230041", "wamid.h1", "Hello").await;
    house.advance(Duration::from_secs(1));
    let path = format!("/v1/conversations/{conversation}");
    let to_bot = json!({"to": {"kind": "bot", "bot": "bot_00000000000000000000000001"}});
    let epoch = house.post(&format!("{path}/hand_over"), &admin, &to_bot).await.expect(200)["epoch"].clone();
    assert_eq!(house.get(&path, &ann).await.expect(200)["handler"]["kind"], "bot");
    let back = json!({"to": {"kind": "human"}, "summary": "Wants a refund.", "epoch": epoch});
    house.post(&format!("{path}/hand_over"), &admin, &back).await.expect(200);
    let stale = house.post(&format!("{path}/hand_over"), &admin, &back).await;
    assert_eq!((stale.problem(409).as_str(), &stale.json()["handler"]), ("stale_epoch", &json!("human")));
    let thread = house.get(&format!("{path}/messages"), &ann).await.expect(200);
    assert_eq!(
        (&thread["items"][0]["direction"], &thread["items"][0]["content"]["body"]),
        (&json!("note"), &json!("Wants a refund."))
    );
    assert!(house.stop().await);
}

#[actix_web::test]
async fn explain_says_what_may_be_sent_and_why_not() {
    let house = House::new().await;
    let ann = house.token("AGENT1_TOKEN").to_owned();
    let conversation = written_to(&house, "15551230051", "wamid.x1", "Hello").await;
    let path = format!("/v1/conversations/{conversation}/explain/send");
    let open = house.get(&path, &ann).await.expect(200);
    assert_eq!((&open["may_send"], &open["free_form"]["allowed"]), (&json!(true), &json!(true)), "{open}");
    assert_eq!(open["window_closes_at"], "2026-11-26T09:00:00.000Z");
    house.advance(Duration::from_secs(24 * 3_600));
    let closed = house.get(&path, &ann).await.expect(200);
    assert_eq!(closed["free_form"]["refusal"]["code"], "window_closed");
    assert_eq!((&closed["template"]["allowed"], &closed["may_send"]), (&json!(true), &json!(true)), "{closed}");
    let send = json!({"client_id": "late", "content": {"type": "text", "body": "Hello?"}});
    let refused = house.post(&format!("/v1/conversations/{conversation}/messages"), &ann, &send).await;
    assert_eq!(refused.problem(409), "window_closed");
    assert_eq!(MORNING.to_string(), "2026-11-25T09:00:00.000Z");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_conversation_is_begun_with_an_address_once() {
    let house = House::new().await;
    let ann = house.token("AGENT1_TOKEN").to_owned();
    let start = json!({"account": house.seeded.account, "to": {"space": "phone", "address": "+1 555 123 0061"}});
    let begun = house.post("/v1/conversations", &ann, &start).await.expect(201);
    assert_eq!((&begun["state"], &begun["window_closes_at"]), (&json!("open"), &Value::Null));
    let again = house.post("/v1/conversations", &ann, &start).await.expect(200);
    assert_eq!(again["id"], begun["id"]);
    let messages = format!("/v1/conversations/{}/messages", begun["id"].as_str().unwrap_or_default());
    let cold = json!({"client_id": "c", "content": {"type": "text", "body": "Hello"}});
    assert_eq!(house.post(&messages, &ann, &cold).await.problem(409), "window_closed");
    let template = json!({"client_id": "t", "content": {
        "type": "template", "name": "order_update", "language": "en_US",
        "fills": [{"slot": {"type": "body"}, "parameters": [
            {"type": "text", "text": "Ada"}, {"type": "text", "text": "1042"},
        ]}],
    }});
    house.post(&messages, &ann, &template).await.expect(202);
    // What the customer then writes comes into the same conversation.
    assert_eq!(written_to(&house, "15551230061", "wamid.s1", "Thanks").await, begun["id"].as_str().unwrap_or_default());
    let wrong = json!({"account": house.seeded.account, "to": {"space": "phone", "address": "call me"}});
    assert_eq!(house.post("/v1/conversations", &ann, &wrong).await.problem(422), "invalid");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn colleagues_see_who_types() {
    let house = House::new().await;
    let [ann, bob] = ["AGENT1_TOKEN", "AGENT2_TOKEN"].map(|name| house.token(name).to_owned());
    let conversation = written_to(&house, "15551230071", "wamid.t1", "Hello").await;
    let (mut anns_socket, mut bobs_socket) = (house.agent(&ann).await, house.agent(&bob).await);
    let answer = anns_socket.command(json!({"type": "typing", "conversation": conversation})).await;
    assert_eq!(answer["ok"], json!({}), "{answer}");
    let shown = bobs_socket.until("typing").await;
    assert_eq!((&shown["key"], &shown["data"]["author"]["kind"]), (&json!(conversation), &json!("member")));
    let refused = anns_socket.command(json!({"type": "typing", "conversation": conversation, "text": "H"})).await;
    assert_eq!((&refused["problem"]["code"], &refused["problem"]["field"]), (&json!("invalid"), &json!("text")));
    house.post(&format!("/v1/conversations/{conversation}/typing"), &bob, &json!({})).await.expect(204);
    assert!(house.stop().await);
}
