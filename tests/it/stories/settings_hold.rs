//! What an operator sets is what holds.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::domain::ids::{AddressId, ConversationId, LimitScopeId};
use tidegate::domain::limit::{LimitCommand, LimitScope};
use tidegate::providers::sandbox::Fault;

use crate::house::House;
use crate::house::replies::{next, said};

async fn changed(house: &House, edit: Value) -> Value {
    let path = format!("/v1/accounts/{}", house.seeded.account);
    house.call("PATCH", &path, house.token("ADMIN_TOKEN"), &edit).await.expect(200)
}

#[actix_web::test]
async fn the_platform_is_given_the_url_by_which_the_outside_reaches_us() {
    for public_url in ["https://chat.example.com", ""] {
        let house = House::with(&[("server.public_url", public_url)]).await;
        let base = if public_url.is_empty() { format!("http://{}", house.addr()) } else { public_url.to_owned() };
        let body = json!({"channel": "whatsapp", "secret": "a secret", "verify_token": "is it you?"});
        let admin = house.token("ADMIN_TOKEN");
        let made = house.post("/v1/apps", admin, &body).await.expect(201);
        let path = made["webhook_path"].as_str().expect("a path");
        assert_eq!(made["webhook_url"], format!("{base}{path}"));
        let listed = house.get("/v1/apps", admin).await.expect(200);
        let items = listed["items"].as_array().expect("a list");
        assert!(items.contains(&made), "{listed}");
        assert!(house.stop().await);
    }
}

#[actix_web::test]
async fn a_number_without_a_rate_of_its_own_has_the_rate_that_is_set() {
    let house = House::with(&[("numbers.rate_per_second", "70"), ("numbers.shared_rate_per_second", "9")]).await;
    assert_eq!(house.account().await["rate_per_second"], 70);
    assert_eq!(changed(&house, json!({"shared_with_phone": true})).await["rate_per_second"], 9);
    assert_eq!(changed(&house, json!({"rate_per_second": 50})).await["rate_per_second"], 50);
    assert!(house.stop().await);
}

/// Five leave in one moment: by itself a burst is two.
#[actix_web::test]
async fn as_many_go_at_once_as_the_burst_allows() {
    let house = House::with(&[("numbers.burst_min", "6")]).await;
    house.begins_to_send().await;
    let mut waiting = Vec::new();
    for number in 0..5 {
        waiting.push(house.hears(&format!("1555130000{number}"), &format!("wamid.b{number}")).await);
    }
    let mut replies = Vec::new();
    for conversation in &waiting {
        replies.push(house.queue(conversation, &said("b", "Until six.")).await);
    }
    for reply in &replies {
        house.once_still(reply, &["accepted", "sent"]).await;
    }
    assert!(house.stop().await);
}

#[actix_web::test]
async fn one_customer_is_written_to_as_often_as_is_set() {
    let house = House::with(&[("numbers.pair_burst", "1"), ("numbers.pair_interval", "30s")]).await;
    house.begins_to_send().await;
    let conversation = house.hears("15551300011", "wamid.p").await;
    let first = house.queue(&conversation, &said("p1", "Until six.")).await;
    house.once_still(&first, &["accepted", "sent"]).await;
    let second = house.queue(&conversation, &said("p2", "Really.")).await;
    house.goes(&second).await;
    let seen = house.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[2].at - seen[1].at >= 30_000, "{} after {}", seen[2].at, seen[1].at);
    assert!(house.stop().await);
}

/// The next message of a conversation does not overtake one of which nobody knows; another conversation's does.
#[actix_web::test]
async fn the_next_message_waits_for_one_in_doubt_as_long_as_is_set() {
    let house = House::with(&[("numbers.in_doubt_after", "40s"), ("numbers.unconfirmed_after", "2m")]).await;
    house.begins_to_send().await;
    let conversation = house.hears("15551300021", "wamid.d1").await;
    let other = house.hears("15551300022", "wamid.d2").await;
    house.order(vec![next(Fault::DropBefore, 1)]);
    let first = house.queue(&conversation, &said("d1", "Until six.")).await;
    house.once_still(&first, &["in_doubt"]).await;
    let second = house.queue(&conversation, &said("d2", "Really.")).await;
    let passing = house.queue(&other, &said("d3", "Hello.")).await;
    house.once_still(&passing, &["accepted", "sent"]).await;
    house.goes(&second).await;
    let seen = house.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen[3].at - seen[1].at >= 40_000, "{} after {}", seen[3].at, seen[1].at);
    // And it is given up when that is set.
    house.advance(Duration::from_secs(90));
    house.once_still(&first, &["unconfirmed"]).await;
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_reply_waits_as_long_as_is_set() {
    let house = House::with(&[("numbers.reply_max_wait", "1m")]).await;
    house.begins_to_send().await;
    let conversation = house.hears("15551300031", "wamid.m").await;
    let path = format!("/v1/accounts/{}/pause", house.seeded.account);
    house.post(&path, house.token("ADMIN_TOKEN"), &json!({})).await.expect(200);
    let reply = house.queue(&conversation, &said("m", "Until six.")).await;
    house.advance(Duration::from_secs(95));
    house.once_still(&reply, &["failed"]).await;
    assert!(house.stop().await);
}

#[actix_web::test]
async fn sending_stops_before_the_windows_end_as_is_set() {
    let house = House::with(&[("windows.margin", "1h")]).await;
    let conversation = house.hears("15551300041", "wamid.w").await;
    house.advance(Duration::from_secs(22 * 3_600));
    assert_eq!(house.explained(&conversation).await["free_form"]["allowed"], true);
    house.advance(Duration::from_secs(3_600));
    assert_eq!(house.explained(&conversation).await["free_form"]["allowed"], false);
    let messages = format!("/v1/conversations/{conversation}/messages");
    let refused = house.post(&messages, house.token("AGENT1_TOKEN"), &said("w", "Until six.")).await;
    assert_eq!(refused.problem(409), "window_closed");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_portfolio_has_the_tier_and_the_period_that_are_set() {
    let house = House::with(&[("limits.default_tier", "250"), ("limits.period", "1h")]).await;
    let scope = house.account().await["limit_scope"].as_str().unwrap_or_default().to_owned();
    let id = scope.parse::<LimitScopeId>().expect("an id");
    let path = format!("/v1/limits/{scope}");
    let standing = async || house.get(&path, house.token("ADMIN_TOKEN")).await.expect(200);
    assert_eq!(standing().await["tier"], 250);
    let reserve = LimitCommand::Reserve { recipients: vec![AddressId(1)] };
    house.running().edge.shards.ask::<LimitScope>(id.0, reserve).await.expect("an answer");
    assert_eq!(standing().await["free"], 249);
    house.advance(Duration::from_secs(3_599));
    assert_eq!(standing().await["used"], 1);
    house.advance(Duration::from_secs(1));
    assert_eq!(standing().await["used"], 0);
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_socket_takes_as_much_as_is_set() {
    let house = House::with(&[("push.frame_in_bytes_max", "4KiB"), ("push.interest_max", "2")]).await;
    let mut socket = house.agent(house.token("AGENT1_TOKEN")).await;
    let interest = |count: u128| {
        let list: Vec<ConversationId> = (1..=count).map(ConversationId).collect();
        json!({"type": "interest", "ref": "i", "list": list})
    };
    socket.say(&interest(2)).await;
    assert!(socket.until("answer").await.get("problem").is_none());
    socket.say(&interest(3)).await;
    assert_eq!(socket.until("answer").await["problem"]["code"], "invalid");
    socket.say(&json!({"type": "note", "ref": "n", "body": "x".repeat(3_000)})).await;
    assert_eq!(socket.until("answer").await["ref"], "n");
    socket.say(&json!({"type": "note", "ref": "n", "body": "x".repeat(4_096)})).await;
    while socket.try_next().await.is_some() {}
    assert!(house.stop().await);
}
