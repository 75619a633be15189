//! The protocol page, told by a client.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::super::*;
use super::fakes::*;
use crate::domain::ids::ConversationId;

fn cursor(position: u64) -> String {
    Cursor::from_iter([EventId { shard: 0, position, index: 0 }]).to_string()
}

fn small_tail() -> Settings {
    Settings { tail_entries_max: 2, page_entries: 3, ..Settings::default() }
}

#[actix_web::test]
async fn events_come_numbered_and_the_same_in_both_encodings() {
    let house = House::build(Settings::default());
    house.commit([event(1, None)]);
    for subprotocol in ["tidegate.v1.json", "tidegate.v1.msgpack"] {
        let mut client = house.connect(subprotocol).await;
        client.say(&json!({ "type": "identify", "token": "ann" })).await;
        let ready = client.next().await;
        assert_eq!((&ready["type"], &ready["member"]), (&json!("ready"), &json!(ANN)));
        let head = house.floors.stored.lock().unwrap().len() as u64;
        assert_eq!(ready["cursor"], cursor(head));
        house.happen([event(head + 1, None), event(head + 2, None)]);
        for (seq, position) in [(1, head + 1), (2, head + 2)] {
            assert_eq!(
                client.next().await,
                json!({
                    "seq": seq,
                    "id": EventId { shard: 0, position, index: 0 }.to_string(),
                    "type": "message.received",
                    "at": "2026-11-20T09:00:00.000Z",
                    "workspace": WORKSPACE,
                    "conversation": ConversationId(u128::from(position)),
                    "version": position,
                    "data": { "text": "Grüße", "number": position },
                })
            );
        }
    }
    house.end().await;
}

#[actix_web::test]
async fn who_is_not_admitted_hears_why() {
    let house = House::build(Settings::default());
    let mut client = house.connect("tidegate.v1.json").await;
    client.say(&json!({ "type": "identify", "token": "eve" })).await;
    assert_eq!(client.next().await, json!({ "type": "invalid", "reason": "token_unknown" }));
    assert_eq!(client.closed().await, (4100, "not_admitted".to_owned()));
    let mut client = house.resume("ann", "not a cursor").await;
    assert_eq!(client.next().await, json!({ "type": "invalid", "reason": "unreadable_cursor" }));
    assert_eq!(client.closed().await.0, 4005);
    house.end().await;
}

#[actix_web::test]
async fn who_says_nothing_is_sent_away() {
    let quick = Duration::from_millis(20);
    let house = House::build(Settings { identify_within: quick, tick: quick, ..Settings::default() });
    let mut client = house.connect("tidegate.v1.json").await;
    assert_eq!(client.closed().await, (4004, "identify_timeout".to_owned()));
    house.end().await;
}

#[actix_web::test]
async fn commands_are_answered() {
    let house = House::build(Settings::default());
    let (mut client, _) = house.enter("ann").await;
    client
        .say(&json!([
            { "type": "send", "ref": "c1", "text": "Hello" },
            { "type": "typing" },
            { "type": "note", "ref": "c2", "refuse": true },
            { "type": "fly", "ref": "c3" },
            { "type": "ping", "ref": "c4" },
        ]))
        .await;
    let mut answers = Vec::new();
    while answers.len() < 4 {
        answers.push(client.next().await);
    }
    let answer = |name: &str| answers.iter().find(|answer| answer["ref"] == name).unwrap();
    assert_eq!(*answer("c1"), json!({ "type": "answer", "ref": "c1", "ok": { "done": "send" } }));
    assert_eq!(answer("c2")["problem"]["code"], "window_closed");
    assert_eq!(answer("c3")["problem"]["code"], "unknown_command");
    assert_eq!(answer("c4")["ok"]["server_time"], "2026-11-20T09:00:00.000Z");
    {
        let commands = house.floors.commands.lock().unwrap();
        let names: Vec<_> = commands.iter().map(|command| command.1).collect();
        assert_eq!(names, ["send", "typing", "note"]);
        assert_eq!((commands[0].0.member, commands[0].2["text"].as_str()), (ANN, Some("Hello")));
    }
    house.end().await;
}

#[actix_web::test]
async fn commands_under_way_are_bounded_and_outlive_the_socket() {
    let house = House::build(Settings { commands_in_flight_max: 2, ..Settings::default() });
    house.floors.stuck.store(true, Ordering::SeqCst);
    let (mut client, _) = house.enter("ann").await;
    client
        .say(&json!([{ "type": "send", "ref": "1" }, { "type": "send", "ref": "2" }, { "type": "send", "ref": "3" }]))
        .await;
    let refused = client.next().await;
    assert_eq!((&refused["ref"], &refused["problem"]["code"]), (&json!("3"), &json!("too_many_requests")));
    client.raw(Message::Close(None)).await;
    drop(client);
    house.floors.stuck.store(false, Ordering::SeqCst);
    while house.handle.sessions() > 0 {
        tokio::task::yield_now().await;
    }
    while house.floors.commands.lock().unwrap().len() < 2 {
        house.floors.release.notify_waiters();
        tokio::task::yield_now().await;
    }
    house.end().await;
}

#[actix_web::test]
async fn resumes_from_the_tail_without_the_store() {
    let house = House::build(Settings::default());
    let (mut ann, start) = house.enter("ann").await;
    house.happen((1..=5).map(|position| event(position, (position == 4).then_some(BOB))));
    assert_eq!(ann.events(4, 1).await, [1, 2, 3, 5]);
    drop(ann);
    let mut ann = house.resume("ann", &start).await;
    assert_eq!(ann.events(4, 1).await, [1, 2, 3, 5]);
    let resumed = ann.next().await;
    assert_eq!((&resumed["type"], &resumed["replayed"]), (&json!("resumed"), &json!(4)));
    assert_eq!((&resumed["cursor"], &resumed["member"]), (&json!(cursor(5)), &json!(ANN)));
    let mut ann = house.resume("ann", &cursor(3)).await;
    assert_eq!(ann.events(1, 1).await, [5]);
    assert_eq!(ann.next().await["replayed"], 1);
    house.happen([event(6, None)]);
    assert_eq!(ann.events(1, 2).await, [6]);
    assert_eq!(house.floors.reads.load(Ordering::SeqCst), 0);
    house.end().await;
}

#[actix_web::test]
async fn resumes_from_the_store_where_the_tail_does_not_reach() {
    let house = House::build(small_tail());
    house.commit((1..=20).map(|position| event(position, None)));
    let mut ann = house.resume("ann", &Cursor::start().to_string()).await;
    assert_eq!(ann.events(20, 1).await, (1..=20).collect::<Vec<_>>());
    let resumed = ann.next().await;
    assert_eq!((&resumed["replayed"], &resumed["cursor"]), (&json!(20), &json!(cursor(20))));
    assert!(house.floors.reads.load(Ordering::SeqCst) >= 7, "three entries a page");
    house.end().await;
}

#[actix_web::test]
async fn what_happens_during_a_replay_comes_after_it_and_once() {
    let house = House::build(Settings { tail_entries_max: 100, page_entries: 3, ..Settings::default() });
    house.commit((1..=50).map(|position| event(position, None)));
    let (_other, _) = house.enter("bob").await;
    let mut ann = house.resume("ann", &Cursor::start().to_string()).await;
    for position in 51..=90 {
        house.happen([event(position, None)]);
        tokio::task::yield_now().await;
    }
    assert_eq!(ann.events(90, 1).await, (1..=90).collect::<Vec<_>>());
    house.end().await;
}

#[actix_web::test]
async fn a_gap_is_announced() {
    let house = House::build(small_tail());
    house.commit((1..=9).map(|position| event(position, None)));
    house.floors.lost_up_to.store(6, Ordering::SeqCst);
    let mut ann = house.resume("ann", &cursor(2)).await;
    assert_eq!(ann.next().await, json!({ "type": "gap" }));
    assert_eq!(ann.events(3, 1).await, [7, 8, 9]);
    assert_eq!(ann.next().await["replayed"], 3);
    // A store that was put back: the cursor names what never happened here.
    let mut ann = house.resume("ann", &cursor(400)).await;
    assert_eq!(ann.next().await, json!({ "type": "gap" }));
    let resumed = ann.next().await;
    assert_eq!((&resumed["replayed"], &resumed["cursor"]), (&json!(0), &json!(cursor(9))));
    house.happen([event(10, None)]);
    assert_eq!(ann.events(1, 1).await, [10]);
    house.end().await;
}

#[actix_web::test]
async fn each_sees_what_it_may_and_learns_what_it_loses() {
    let quick = Duration::from_millis(5);
    let house = House::build(Settings { heartbeat: quick, tick: quick, ..Settings::default() });
    let (mut ann, _) = house.enter("ann").await;
    let (mut bob, _) = house.enter("bob").await;
    house.happen([event(1, Some(ANN)), moved(2, Some(BOB), Some(ANN)), event(3, Some(BOB))]);
    assert_eq!(ann.events(1, 1).await, [1]);
    let removed = ann.next_of("conversation.removed").await;
    assert_eq!((&removed["seq"], &removed["data"]), (&json!(2), &json!({})));
    assert_eq!(removed["conversation"], json!(ConversationId(2)));
    assert_eq!(bob.events(2, 1).await, [2, 3]);
    // The heartbeat's cursor moves over what is not seen.
    while ann.next_of("heartbeat").await["cursor"] != cursor(3) {}
    house.end().await;
}

#[actix_web::test]
async fn what_waits_leaves_as_one_frame() {
    let house = House::build(Settings { frame_out_bytes_max: 64 * 1024, ..Settings::default() });
    let (mut ann, _) = house.enter("ann").await;
    house.happen((1..=64).map(|position| event(position, None)));
    let (_, frame) = ann.frame().await.unwrap();
    assert_eq!(frame.as_array().map(Vec::len), Some(64));
    house.end().await;
    let house = House::build(Settings::default());
    let (mut ann, _) = house.enter("ann").await;
    house.happen((1..=64).map(|position| event(position, None)));
    let mut received = 0;
    while received < 64 {
        let (bytes, frame) = ann.frame().await.unwrap();
        assert!(bytes <= 8_000, "{bytes}");
        received += frame.as_array().map_or(1, Vec::len);
    }
    house.end().await;
}

#[actix_web::test]
async fn frames_that_are_refused() {
    let house = House::build(Settings::default());
    let part = Frame::message("{\"type\":", OpCode::Data(Data::Text), false);
    let not_utf8 = Frame::message(vec![0xFF_u8, 0xFE], OpCode::Data(Data::Text), true);
    for (message, code) in [
        (Message::text(" ".repeat(64 * 1024 + 1)), 1009),
        (Message::Frame(part), 1003),
        (Message::binary(vec![0x80]), 1003),
        (Message::Frame(not_utf8), 1007),
        (Message::text("not JSON"), 4102),
        (Message::text(r#"{"type":"send","ref":"c1"}"#), 4102),
    ] {
        let mut client = house.connect("tidegate.v1.json").await;
        let shown = format!("{message:.20?}");
        client.raw(message).await;
        assert_eq!(client.closed().await.0, code, "{shown}");
    }
    let (mut client, _) = house.enter("ann").await;
    let mut largest = json!({ "type": "note", "ref": "c1", "text": "" });
    let room = 64 * 1024 - largest.to_string().len();
    largest["text"] = json!("x".repeat(room));
    client.say(&largest).await;
    assert_eq!(client.next().await["ok"]["done"], "note");
    client.say(&json!({ "type": "identify", "token": "ann" })).await;
    assert_eq!(client.closed().await.0, 4102, "one entrance is enough");
    house.end().await;
}

#[actix_web::test]
async fn outside_the_interest_events_are_only_counted() {
    let house = House::build(Settings::default());
    let (mut ann, _) = house.enter("ann").await;
    let interest = json!({ "list": [ConversationId(1)], "open": ConversationId(2) });
    let mut said = interest.clone();
    (said["type"], said["ref"]) = (json!("interest"), json!("i"));
    ann.say(&said).await;
    assert_eq!(ann.next().await["ok"], json!({}));
    house.happen((1..=4).map(|position| event(position, None)));
    assert_eq!(ann.events(2, 1).await, [1, 2]);
    assert_eq!(ann.next().await, json!({ "type": "outside", "events": 2 }));
    ann.say(&json!({ "type": "interest", "ref": "all" })).await;
    assert_eq!(ann.next().await["ref"], "all");
    house.happen([event(5, None)]);
    assert_eq!(ann.events(1, 3).await, [5]);
    ann.say(&json!({ "type": "interest", "ref": "bad", "list": ["x"] })).await;
    assert_eq!(ann.next().await["problem"]["code"], "invalid");
    house.end().await;
}

#[actix_web::test]
async fn rights_that_change_change_what_is_told() {
    let house = House::build(Settings::default());
    let (mut ann, _) = house.enter("ann").await;
    let (mut bob, _) = house.enter("bob").await;
    house.floors.wide.lock().unwrap().push(ANN);
    house.handle.refresh(WORKSPACE, None);
    house.happen([event(1, Some(BOB))]);
    assert_eq!(ann.next().await, json!({ "type": "access_changed" }));
    assert_eq!(ann.events(1, 1).await, [1]);
    house.handle.revoke(WORKSPACE, BOB);
    assert_eq!(bob.closed().await, (4101, "revoked".to_owned()));
    house.floors.dismissed.lock().unwrap().push(ANN);
    house.handle.refresh(WORKSPACE, Some(ANN));
    assert_eq!(ann.closed().await.0, 4101);
    house.end().await;
}

#[actix_web::test]
async fn signals_have_no_number_and_reach_those_who_see_their_subject() {
    let house = House::build(Settings::default());
    let (mut ann, _) = house.enter("ann").await;
    let (mut bob, _) = house.enter("bob").await;
    let anns = Some(Arc::new(Audience { owner: Some(ANN), ..Audience::default() }));
    let signal = |key: &str, audience, value: u32| {
        Arc::new(Signal::new(WORKSPACE, "typing", key, audience, &json!({ "value": value })).unwrap())
    };
    house.handle.signal(&signal("a", anns, 1));
    house.handle.signal(&signal("b", None, 2));
    let seen = |value: u32, key: &str| json!({ "type": "typing", "key": key, "data": { "value": value } });
    assert_eq!(ann.next().await, seen(1, "a"));
    assert_eq!(ann.next().await, seen(2, "b"));
    assert_eq!(bob.next().await, seen(2, "b"));
    house.end().await;
}

#[actix_web::test]
async fn a_server_that_goes_away_sends_its_sockets_away() {
    let house = House::build(Settings::default());
    let (mut ann, _) = house.enter("ann").await;
    assert_eq!(house.handle.sessions(), 1);
    house.handle.go_away();
    assert_eq!(ann.closed().await, (4002, "going_away".to_owned()));
    let refused = tokio_tungstenite::connect_async(format!("ws://{}/v1/agent/socket", house.address)).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(answer)) = refused else { panic!("{refused:?}") };
    assert_eq!(answer.status(), 503);
    house.end().await;
}

#[actix_web::test]
async fn what_a_hub_missed_is_read_from_the_store() {
    let house = House::build(Settings::default());
    let (mut ann, _) = house.enter("ann").await;
    house.happen([event(1, None)]);
    house.commit([event(2, None), event(3, None)]);
    house.handle.interrupted();
    house.happen([event(4, None)]);
    assert_eq!(ann.events(4, 1).await, [1, 2, 3, 4]);
    house.end().await;
}

#[actix_web::test]
async fn a_full_line_loses_nothing_and_repeats_nothing() {
    let house = House::build(Settings { line_max: 1, tick: Duration::from_millis(5), ..Settings::default() });
    let (mut ann, _) = house.enter("ann").await;
    for position in 1..=3_000 {
        house.happen([event(position, None)]);
    }
    assert_eq!(ann.events(3_000, 1).await, (1..=3_000).collect::<Vec<_>>());
    assert!(house.floors.reads.load(Ordering::SeqCst) > 0, "the line was never full");
    house.end().await;
}
