//! Three brands whose numbers are of one business portfolio send at once: its messaging limit is dealt to them evenly, to
//! the last permit and to nobody twice.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::http::call;
use crate::house::listener::Listener;
use crate::house::whatsapp::BUSINESS_ID;
use crate::house::{House, PATIENCE, eventually_or};

/// What the portfolio may begin in a day, and how many each brand would write to: more than its third.
const TIER: u64 = 1_200;
const EACH: u64 = 1_000;
/// A brand's due, and a twentieth of it.
const DUE: u64 = TIER / 3;
const OFF_MAX: u64 = DUE / 20;

struct Brand {
    token: String,
    broadcast: String,
}

impl Brand {
    async fn begin(house: &House, number: usize, provider: &str) -> Self {
        let wanted = json!({
            "name": format!("Brand {number}"),
            "admin": {"name": "Ada", "email": format!("ada@{number}.example"), "password": "fado fado fado"},
        });
        let begun = house.post("/v1/workspaces", house.token("OPERATOR_TOKEN"), &wanted).await.expect(201);
        let token = begun["token"].as_str().expect("a token").to_owned();
        let app = json!({"channel": "whatsapp", "secret": "a secret", "verify_token": "is it you?"});
        let app = house.post("/v1/apps", &token, &app).await.expect(201);
        let account = json!({
            "channel": "whatsapp", "app": app["id"], "provider_id": format!("106{number}"), "business_id": BUSINESS_ID,
            "portfolio": "Shared", "access_token": "a token nobody sees", "base_url": provider,
            "rate_per_second": 1_000,
        });
        let account = house.post("/v1/accounts", &token, &account).await.expect(201);
        let template = json!({
            "name": "hello", "language": "en", "category": "utility", "business_id": BUSINESS_ID,
            "components": [{"type": "BODY", "text": "Hello"}],
        });
        house.post("/v1/templates", &token, &template).await.expect(201);
        let mut people = String::new();
        for person in 0..EACH {
            let person =
                json!({"identities": [{"channel": "whatsapp", "address": format!("3519{number}{person:07}")}]});
            let _ = writeln!(people, "{person}");
        }
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
        assert_eq!(call(house.addr(), "POST", "/v1/contacts/bulk", &headers, people.into_bytes()).await.status, 200);
        let draft = json!({
            "name": "News", "account": account["id"], "audience": {"everyone": true},
            "content": {"type": "template", "name": "hello", "language": "en", "fills": []},
        });
        let draft = house.post("/v1/broadcasts", &token, &draft).await.expect(201);
        Self { token, broadcast: format!("/v1/broadcasts/{}", draft["id"].as_str().expect("an id")) }
    }

    async fn shown(&self, house: &House) -> Value {
        house.get(&self.broadcast, &self.token).await.expect(200)
    }
}

#[actix_web::test]
async fn each_brand_gets_its_due_of_the_limit() {
    let house = House::with(&[("limits.default_tier", "1200")]).await;
    let provider = Listener::begin().await;
    let base_url = format!("http://{}/v25.0", provider.addr);
    let mut brands = Vec::new();
    for number in 1..=3 {
        brands.push(Brand::begin(&house, number, &base_url).await);
    }
    for brand in &brands {
        house.post(&format!("{}/publish", brand.broadcast), &brand.token, &json!({})).await.expect(200);
    }
    let last = std::cell::RefCell::new(Vec::new());
    eventually_or(
        PATIENCE,
        || async {
            house.advance(Duration::from_millis(200));
            let mut shown = Vec::new();
            for brand in &brands {
                shown.push(brand.shown(&house).await);
            }
            let accepted = |shown: &Value| shown["counts"]["accepted"].as_u64().unwrap_or_default();
            let got: Vec<u64> = shown.iter().map(accepted).collect();
            last.replace(got.clone());
            let all_wait = shown.iter().all(|shown| shown["limited_by"] == "messaging_limit");
            (all_wait && got.iter().sum::<u64>() == TIER).then_some(())
        },
        || format!("the limit was dealt so: {:?}", last.borrow()),
    )
    .await;
    let got = last.take();
    assert!(got.iter().all(|got| got.abs_diff(DUE) <= OFF_MAX), "each was due {DUE}: {got:?}");
    let calls = provider.calls();
    let people: BTreeSet<String> = calls.iter().map(|call| call.body["to"].to_string()).collect();
    assert_eq!((calls.len() as u64, people.len() as u64), (TIER, TIER), "nobody has it twice");
    assert!(house.stop().await);
}
