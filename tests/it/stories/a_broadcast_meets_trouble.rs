//! A broadcast meets trouble: limits that make it wait, refusals that halt it, people who steer it. Nobody is lost, nobody
//! has it twice, and a limiter is never a failed recipient.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::providers::sandbox::Fault;

use super::a_broadcast_goes_out::{act, count, draft, made, until};
use crate::house::replies::next;
use crate::house::{House, eventually};

/// A broadcast to everybody, at a rate of its own.
async fn drafted(house: &House, per_second: u32) -> String {
    let mut body = draft(house, "News", &json!({"everyone": true}));
    body["rate_per_second"] = json!(per_second);
    made(house, &body).await
}

async fn published(house: &House) -> String {
    published_at(house, 10).await
}

async fn published_at(house: &House, per_second: u32) -> String {
    let path = drafted(house, per_second).await;
    act(house, &path, "publish").await;
    path
}

fn each_has_it_once(house: &House, people: u64) {
    let ledger = house.ledger();
    assert_eq!((ledger.accepted, ledger.recipients), (people, people));
}

#[actix_web::test]
async fn a_messaging_limit_makes_it_wait_for_the_next_day() {
    let house = House::with(&[("seed.contacts", "5"), ("limits.default_tier", "2")]).await;
    let path = published(&house).await;
    let waiting = until(&house, &path, "two have it", |shown| count(shown, "read") == 2).await;
    assert_eq!(
        (&waiting["status"], &waiting["limited_by"]),
        (&json!("sending"), &json!("messaging_limit")),
        "{waiting}"
    );
    house.advance(Duration::from_secs(23 * 3_600));
    until(&house, &path, "it looks again", |shown| shown["limited_by"] == "messaging_limit").await;
    assert_eq!(house.ledger().accepted, 2, "the day is not over");
    house.advance(Duration::from_secs(3_600));
    until(&house, &path, "two more have it", |shown| count(shown, "read") == 4).await;
    house.advance(Duration::from_secs(24 * 3_600));
    let sent = until(&house, &path, "it is sent", |shown| shown["status"] == "sent").await;
    assert_eq!(count(&sent, "failed"), 0);
    each_has_it_once(&house, 5);
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_limit_that_lasts_past_the_end_of_sending_halts_it() {
    let house = House::with(&[("seed.contacts", "5"), ("limits.default_tier", "2")]).await;
    let mut body = draft(&house, "News", &json!({"everyone": true}));
    body["send_until"] = json!("2026-11-25T12:00:00.000Z");
    let path = made(&house, &body).await;
    act(&house, &path, "publish").await;
    let paused = until(&house, &path, "it is paused", |shown| shown["status"] == "paused").await;
    assert_eq!((&paused["reasons"], &paused["metrics"]["sent"]), (&json!(["messaging_limit"]), &json!(2)));
    house.advance(Duration::from_secs(4 * 3_600));
    let sent = until(&house, &path, "its time is over", |shown| count(shown, "skipped") == 3).await;
    assert_eq!(count(&sent, "pending"), 0, "{sent}");
    let expired = house.get(&format!("{path}/recipients?state=skipped"), house.token("ADMIN_TOKEN")).await.expect(200);
    assert_eq!(expired["items"][0]["skipped"], "expired");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_429_a_busy_pair_and_a_server_in_trouble_are_nobodys_failure() {
    let house = House::with(&[("seed.contacts", "20")]).await;
    house.order(vec![
        next(Fault::TooManyRequests, 3),
        next(Fault::Code(130_429), 3),
        next(Fault::Code(131_056), 2),
        next(Fault::Code(131_016), 2),
    ]);
    let path = published(&house).await;
    let sent = until(&house, &path, "everybody read it", |shown| count(shown, "read") == 20).await;
    assert_eq!((count(&sent, "failed"), &sent["status"]), (0, &json!("sent")), "{sent}");
    each_has_it_once(&house, 20);
    assert!(house.stop().await);
}

#[actix_web::test]
async fn refusals_that_would_go_on_halt_it_until_somebody_has_looked() {
    let house = House::with(&[("seed.contacts", "40")]).await;
    let cases = [(132_001, 10, "template"), (131_048, 1, "quality"), (190, 1, "account")];
    for (code, times, reason) in cases {
        house.order(vec![next(Fault::Code(code), times)]);
        let path = published(&house).await;
        let paused = until(&house, &path, "it is paused", |shown| shown["status"] == "paused").await;
        assert_eq!(paused["reasons"], json!([reason]), "{code}");
        if reason == "account" {
            // The number stopped too: its token is dead.
            let account = format!("/v1/accounts/{}/resume", house.seeded.account);
            house.post(&account, house.token("ADMIN_TOKEN"), &json!({})).await.expect(200);
        }
        act(&house, &path, "resume").await;
        let sent = until(&house, &path, "it is sent", |shown| shown["status"] == "sent").await;
        let failed = if reason == "template" { 10 } else { 0 };
        assert_eq!((count(&sent, "failed"), count(&sent, "pending")), (failed, 0), "{code}: {sent}");
        let shown = house.get(&format!("{path}/verify"), house.token("ADMIN_TOKEN")).await.expect(200);
        assert_eq!(shown["agrees"], true);
        if failed > 0 {
            let again = house.post(&format!("{path}/retry_failed"), house.token("ADMIN_TOKEN"), &json!({})).await;
            let again = again.expect(201);
            let retry = format!("/v1/broadcasts/{}", again["id"].as_str().expect("an id"));
            assert!(path.ends_with(again["retries"].as_str().expect("it is linked")));
            act(&house, &retry, "publish").await;
            let sent = until(&house, &retry, "the failed have it", |shown| shown["status"] == "sent").await;
            assert_eq!(sent["metrics"]["sent"], failed);
        }
    }
    assert!(house.stop().await);
}

#[actix_web::test]
async fn people_pause_resume_and_cancel_it() {
    let house = House::with(&[("seed.contacts", "30")]).await;
    let path = published_at(&house, 2).await;
    until(&house, &path, "some have it", |shown| count(shown, "read") >= 2).await;
    act(&house, &path, "pause").await;
    let paused = until(&house, &path, "nothing is under way", |shown| count(shown, "attempting") == 0).await;
    assert_eq!((&paused["status"], &paused["reasons"]), (&json!("paused"), &json!(["user"])));
    let had = house.ledger().accepted;
    house.advance(Duration::from_secs(60));
    act(&house, &path, "pause").await;
    assert_eq!(house.ledger().accepted, had, "nothing leaves while it is paused");
    let admin = house.token("ADMIN_TOKEN");
    house.call("PUT", &format!("{path}/rate"), admin, &json!({"per_second": 3})).await.expect(200);
    act(&house, &path, "resume").await;
    until(&house, &path, "more have it", |shown| count(shown, "read") > had).await;
    let cancelled = act(&house, &path, "cancel").await;
    assert_eq!(cancelled["status"], "cancelled");
    let over = until(&house, &path, "the rest is cancelled", |shown| {
        count(shown, "pending") + count(shown, "attempting") == 0
    })
    .await;
    let left = house.ledger().accepted;
    assert_eq!(count(&over, "cancelled") + left, 30, "{over}");
    let refused = house.post(&format!("{path}/resume"), admin, &json!({})).await;
    assert_eq!(refused.problem(409), "wrong_state");
    house.call("DELETE", &path, admin, &Value::Null).await;
    assert_eq!(house.get(&path, admin).await.problem(404), "not_found");
    let listed = house.get("/v1/broadcasts", admin).await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(0));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_provider_that_is_away_halts_it_and_it_goes_on_by_itself() {
    let mut house = House::with(&[("seed.contacts", "30")]).await;
    let addr = house.provider_goes().await;
    let path = published(&house).await;
    let paused = until(&house, &path, "it is paused", |shown| shown["status"] == "paused").await;
    assert_eq!(paused["reasons"], json!(["provider_down"]));
    house.provider_comes(addr);
    let sent = until(&house, &path, "it is sent", |shown| shown["status"] == "sent").await;
    assert_eq!(count(&sent, "failed") + count(&sent, "unconfirmed"), 0, "{sent}");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_stop_in_order_leaves_nobody_in_doubt() {
    let mut house = House::with(&[("seed.contacts", "60")]).await;
    let path = published_at(&house, 20).await;
    until(&house, &path, "some have it", |shown| count(shown, "sent") + count(shown, "delivered") >= 3).await;
    house.restart().await;
    let addr = house.provider_goes().await;
    house.provider_comes(addr);
    let shown = house.get(&path, house.token("ADMIN_TOKEN")).await.expect(200);
    assert_eq!((count(&shown, "in_doubt"), count(&shown, "unconfirmed")), (0, 0), "{shown}");
    let sent = until(&house, &path, "everybody has it", |shown| count(shown, "read") == 60).await;
    assert_eq!(sent["status"], "sent");
    each_has_it_once(&house, 60);
    assert!(house.stop().await);
}

/// The server listens elsewhere afterwards: the provider is told.
async fn crash(house: &mut House) {
    house.crash().await;
    let addr = house.provider_goes().await;
    house.provider_comes(addr);
}

#[actix_web::test]
async fn it_leaves_at_its_time_and_after_a_crash_goes_on_where_it_was() {
    let mut house = House::with(&[("seed.contacts", "30")]).await;
    let path = drafted(&house, 5).await;
    let at = json!({"at": "2026-11-25T10:00:00.000Z"});
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let scheduled = house.post(&format!("{path}/publish"), &admin, &at).await.expect(200);
    assert_eq!((&scheduled["status"], &scheduled["starts_at"]), (&json!("scheduled"), &at["at"]));
    crash(&mut house).await;
    house.advance(Duration::from_secs(3_600));
    until(&house, &path, "some have it", |shown| count(shown, "read") >= 3).await;
    crash(&mut house).await;
    // What was claimed and not begun is in doubt for a quarter of an hour.
    house.advance(Duration::from_secs(1));
    until(&house, &path, "the others have it", |shown| count(shown, "pending") + count(shown, "attempting") == 0).await;
    house.advance(Duration::from_secs(16 * 60));
    until(&house, &path, "it is sent", |shown| shown["status"] == "sent").await;
    // A message that the crash cut off from its answer may be shown by its receipts only after the doubt has ended.
    eventually("the provider owes nothing", || async { (house.provider().owed() == 0).then_some(()) }).await;
    let sent = house.get(&path, &admin).await.expect(200);
    let has_it = count(&sent, "accepted") + count(&sent, "sent") + count(&sent, "delivered") + count(&sent, "read");
    let (ledger, unconfirmed) = (house.ledger(), count(&sent, "unconfirmed"));
    assert_eq!((ledger.doubled, ledger.accepted, has_it + unconfirmed), (0, has_it, 30), "{sent}");
    // An operator lets those leave again of whom nobody knows.
    let listed = house.get(&format!("{path}/recipients?state=unconfirmed"), &admin).await.expect(200);
    let names: Vec<_> = listed["items"].as_array().into_iter().flatten().map(|row| row["recipient"].clone()).collect();
    if !names.is_empty() {
        let answer = house.post(&format!("{path}/unconfirmed"), &admin, &json!({"resend": names})).await;
        assert_eq!(answer.status, 204);
        until(&house, &path, "they have it too", |shown| shown["status"] == "sent" && count(shown, "unconfirmed") == 0)
            .await;
        each_has_it_once(&house, 30);
    }
    assert!(house.stop().await);
}
