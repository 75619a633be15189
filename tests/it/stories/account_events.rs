//! What the platform says of a number, its limit and its templates reaches whoever asks, and older news undo nothing.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::clock::Clock;

use crate::house::replies::{order_update, said};
use crate::house::whatsapp::account_change;
use crate::house::{House, eventually};

const DISPLAY: &str = "+1 555-078-3881";

/// The platform says something, a second after what it said before.
async fn says(house: &House, field: &str, value: &Value) {
    house.advance(Duration::from_secs(1));
    let now = house.clock.now();
    assert_eq!(house.push(&account_change(field, now, value)).await.status, 200);
}

async fn account_once(house: &House, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || async {
        let account = house.account().await;
        is(&account).then_some(account)
    })
    .await
}

async fn limit_once(house: &House, tier: Value) {
    let scope = house.account().await["limit_scope"].as_str().unwrap_or_default().to_owned();
    eventually(&format!("the tier is {tier}"), || async {
        let limit = house.get(&format!("/v1/limits/{scope}"), house.token("ADMIN_TOKEN")).await.expect(200);
        (limit["tier"] == tier).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn quality_throughput_and_limit_are_shown() {
    let house = House::new().await;
    assert_eq!(house.account().await["rate_per_second"], 80);
    let number = |event: &str| json!({"display_phone_number": DISPLAY, "event": event});
    says(&house, "phone_number_quality_update", &number("FLAGGED")).await;
    account_once(&house, "the quality is low", |account| account["quality"] == "low").await;
    says(&house, "phone_number_quality_update", &number("UNFLAGGED")).await;
    account_once(&house, "the quality is medium", |account| account["quality"] == "medium").await;
    let mut upgrade = number("THROUGHPUT_UPGRADE");
    upgrade["current_limit"] = json!("TIER_100K");
    says(&house, "phone_number_quality_update", &upgrade).await;
    account_once(&house, "the rate is 1,000", |account| account["rate_per_second"] == 1_000).await;
    limit_once(&house, json!(100_000)).await;
    for (said, tier) in [
        (json!("TIER_10K"), json!(10_000)),
        (json!(2000), json!(2_000)),
        (json!("TIER_250"), json!(250)),
        (json!("TIER_UNLIMITED"), json!("unlimited")),
    ] {
        says(&house, "business_capability_update", &json!({"max_daily_conversations_per_business": said})).await;
        limit_once(&house, tier).await;
    }
    // Older news come last and are old.
    let then = house.clock.now() + Duration::from_secs(1);
    house.advance(Duration::from_secs(60));
    let old = account_change("business_capability_update", MORNING_BEFORE, &json!({"max_daily_conversations_per_business": 250}));
    assert_eq!(house.push(&old).await.status, 200);
    let new = json!({"max_daily_conversations_per_business": "TIER_10K"});
    assert_eq!(house.push(&account_change("business_capability_update", then, &new)).await.status, 200);
    limit_once(&house, json!(10_000)).await;
    assert_eq!(house.events("limit.tier_changed").await.len(), 6);
    assert!(house.stop().await);
}

/// The day before every story.
const MORNING_BEFORE: tidegate::domain::time::Timestamp =
    tidegate::domain::time::Timestamp(crate::house::MORNING.0 - 86_400_000);

#[actix_web::test]
async fn a_templates_status_is_shown() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    for (event, status) in
        [("PAUSED", "paused"), ("REINSTATED", "approved"), ("DISABLED", "disabled"), ("APPROVED", "approved")]
    {
        let change = json!({"event": event, "message_template_id": 594_425_479_261_596_u64,
            "message_template_name": "order_update", "message_template_language": "en-US", "reason": "NONE"});
        says(&house, "message_template_status_update", &change).await;
        eventually(&format!("the template is {status}"), || async {
            let listed = house.get("/v1/templates", &admin).await.expect(200);
            (listed["items"][0]["status"] == status).then_some(())
        })
        .await;
    }
    says(&house, "message_template_quality_update", &json!({"previous_quality_score": "GREEN",
        "new_quality_score": "RED", "message_template_id": 5, "message_template_name": "order_update",
        "message_template_language": "en_US"})).await;
    eventually("the template's quality is low", || async {
        let listed = house.get("/v1/templates", &admin).await.expect(200);
        (listed["items"][0]["quality"] == "low").then_some(())
    })
    .await;
    assert!(house.stop().await);
}

/// A restriction forbids what it names until it ends by itself; a ban stops everything until it is lifted.
#[actix_web::test]
async fn restrictions_and_bans_hold_replies_and_let_them_go() {
    let house = House::new().await;
    house.begins_to_send().await;
    let inside = house.hears("15551290001", "wamid.in").await;
    let start = json!({"account": house.seeded.account, "to": {"space": "phone", "address": "+1 555 129 0002"}});
    let begun = house.post("/v1/conversations", house.token("AGENT1_TOKEN"), &start).await.expect(201);
    let outside = begun["id"].as_str().unwrap_or_default().to_owned();
    let until = house.clock.now().0 / 1_000 + 300;
    says(&house, "account_update", &json!({"event": "ACCOUNT_RESTRICTION", "restriction_info": [
        {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": until}]})).await;
    eventually("the number may not begin", || async {
        let why = house.explained(&outside).await;
        (why["account"]["may_initiate"] == false && why["account"]["may_send"] == true).then_some(())
    })
    .await;
    let template = house.queue(&outside, &order_update("t")).await;
    let reply = house.queue(&inside, &said("in", "Hello.")).await;
    house.once_still(&reply, &["accepted"]).await;
    assert_eq!(house.shown(&template).await["status"], "queued");
    house.advance(Duration::from_secs(301));
    house.once(&template, &["read"]).await;

    says(&house, "account_update", &json!({"event": "DISABLED_UPDATE",
        "ban_info": {"waba_ban_state": "DISABLE", "waba_ban_date": "November 25, 2026"}})).await;
    account_once(&house, "the number is disabled", |account| account["state"]["reason"] == "disabled").await;
    let held = house.queue(&inside, &said("held", "Still there?")).await;
    house.advance(Duration::from_secs(30));
    assert_eq!(house.shown(&held).await["status"], "queued");
    says(&house, "account_update", &json!({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}}))
        .await;
    account_once(&house, "the number sends again", |account| account["state"]["may_send"] == true).await;
    house.once(&held, &["read"]).await;
    assert_eq!((house.ledger().accepted, house.ledger().doubled), (4, 0));
    assert!(house.stop().await);
}
