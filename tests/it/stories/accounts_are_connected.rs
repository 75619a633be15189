//! An app's secrets are exchanged without a gap, and a number is connected whole, whatever fails half-way.

use serde_json::{Value, json};
use tidegate::store::memory::{Fault, Operation};

use crate::house::http::{Answer, call};
use crate::house::whatsapp::{BUSINESS_ID, delivery_to, signature};
use crate::house::{House, eventually};

async fn app(house: &House) -> Value {
    let body = json!({"channel": "whatsapp", "secret": "first secret", "verify_token": "is it you?"});
    house.post("/v1/apps", house.token("ADMIN_TOKEN"), &body).await.expect(201)
}

async fn connect(house: &House, key: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", house.token("ADMIN_TOKEN"));
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    call(house.addr(), "POST", "/v1/accounts", &headers, body.to_string().into_bytes()).await
}

fn wanted(app: &Value, provider_id: &str) -> Value {
    json!({
        "channel": "whatsapp", "app": app["id"], "provider_id": provider_id, "business_id": BUSINESS_ID,
        "display": "+351 210 000 000", "portfolio": "Loja", "access_token": "a token nobody sees",
    })
}

#[actix_web::test]
async fn an_apps_secrets_are_exchanged_without_a_gap() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let app = app(&house).await;
    let hook = app["webhook_path"].as_str().unwrap();
    let asks = format!("{hook}?hub.mode=subscribe&hub.verify_token=is%20it%20you%3F&hub.challenge=1158");
    let answer = call(house.addr(), "GET", &asks, &[], Vec::new()).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"1158"[..]));

    let push = async |secret: &str| {
        let body = delivery_to("1065", &[], &[]).to_string().into_bytes();
        let signature = signature(secret, &body);
        call(house.addr(), "POST", hook, &[("x-hub-signature-256", signature.as_str())], body).await.status
    };
    assert_eq!((push("first secret").await, push("second secret").await), (200, 401));
    let path = format!("/v1/apps/{}", app["id"].as_str().unwrap());
    let rotated = house.post(&format!("{path}/secret"), admin, &json!({"secret": "second secret"})).await.expect(200);
    assert_eq!(rotated["secrets"], 2);
    assert_eq!((push("first secret").await, push("second secret").await), (200, 200));
    assert_eq!(house.call("DELETE", &format!("{path}/old-secret"), admin, &Value::Null).await.status, 204);
    assert_eq!((push("first secret").await, push("second secret").await), (401, 200));
    assert!(!house.get("/v1/apps", admin).await.expect(200).to_string().contains("secret\":\""));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_number_is_connected_changed_paused_and_taken_away() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let app = app(&house).await;
    let body = wanted(&app, "1065");
    let connected = connect(&house, "number", &body).await;
    assert!(connected.header("etag").is_some());
    let account = connected.expect(201);
    assert_eq!(account["state"], json!({"may_send": true, "reason": null, "until": null}));
    assert_eq!((&account["rate_per_second"], &account["quality"]), (&json!(80), &json!("unknown")));
    assert!(!account.to_string().contains("nobody sees"), "{account}");
    assert_eq!(connect(&house, "number", &body).await.expect(201), account);
    assert_eq!(connect(&house, "number", &wanted(&app, "1066")).await.status, 201, "another number, another actor");
    let mut faster = body.clone();
    faster["rate_per_second"] = json!(100);
    assert_eq!(connect(&house, "number", &faster).await.problem(409), "client_id_reused");

    let path = format!("/v1/accounts/{}", account["id"].as_str().unwrap());
    let edited = house.call("PATCH", &path, admin, &json!({"rate_per_second": 100})).await.expect(200);
    assert_eq!((&edited["rate_per_second"], &edited["business_id"]), (&json!(100), &json!(BUSINESS_ID)));
    let back = house.call("PATCH", &path, admin, &json!({"rate_per_second": null})).await.expect(200);
    assert_eq!(back["rate_per_second"], 80);
    for wrong in [json!({"rate_per_second": 5_000}), json!({"base_url": "ftp://x"}), json!({"provider_id": "1"})] {
        assert_eq!(house.call("PATCH", &path, admin, &wrong).await.problem(422), "invalid", "{wrong}");
    }
    let bearer = format!("Bearer {admin}");
    let stale = [("authorization", bearer.as_str()), ("if-match", "\"1\"")];
    let answer = call(house.addr(), "PATCH", &path, &stale, br#"{"rate_per_second":7}"#.to_vec()).await;
    assert_eq!(answer.problem(412), "version_mismatch");

    let paused = house.post(&format!("{path}/pause"), admin, &json!({})).await.expect(200);
    assert_eq!(paused["state"], json!({"may_send": false, "reason": "admin", "until": null}));
    let resumed = house.post(&format!("{path}/resume"), admin, &json!({})).await.expect(200);
    assert_eq!(resumed["state"]["may_send"], true);

    let limit = format!("/v1/limits/{}", account["limit_scope"].as_str().unwrap());
    let standing = house.get(&limit, admin).await.expect(200);
    assert_eq!((&standing["tier"], &standing["used"], &standing["free"]), (&json!(2_000), &json!(0), &json!(2_000)));
    let raised = house.call("PUT", &format!("{limit}/tier"), admin, &json!({"tier": "unlimited"})).await.expect(200);
    assert_eq!((&raised["tier"], &raised["free"]), (&json!("unlimited"), &Value::Null));
    assert_eq!(house.call("PUT", &format!("{limit}/tier"), admin, &json!({"tier": 300})).await.problem(422), "invalid");

    assert_eq!(house.call("DELETE", &path, admin, &Value::Null).await.status, 204);
    assert_eq!(house.get(&path, admin).await.problem(404), "not_found");
    // Asked anew it comes back; the request that connected it first does not bring it back.
    assert_eq!(connect(&house, "number", &body).await.problem(404), "not_found");
    assert_eq!(connect(&house, "number again", &body).await.expect(201)["id"], account["id"]);
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_number_belongs_to_one_workspace() {
    let house = House::new().await;
    let operator = house.token("OPERATOR_TOKEN");
    let other = json!({"name": "Outra", "admin": {"name": "Eva", "email": "eva@other.example"}});
    let begun = house.post("/v1/workspaces", operator, &other).await.expect(201);
    let token = begun["token"].as_str().unwrap();
    let body = json!({"channel": "whatsapp", "secret": "s", "verify_token": "v"});
    let app = house.post("/v1/apps", token, &body).await.expect(201);
    let seeded = wanted(&app, crate::house::whatsapp::PHONE_NUMBER_ID);
    assert_eq!(house.post("/v1/accounts", token, &seeded).await.problem(409), "already_exists");
    // Another workspace's app is nobody's here.
    let mut foreign = wanted(&app, "1065");
    foreign["app"] = json!(house.seeded.app);
    assert_eq!(house.post("/v1/accounts", token, &foreign).await.problem(404), "not_found");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn whatever_fails_half_way_is_mended_by_asking_again() {
    let house = House::in_memory(&[]).await;
    let app = app(&house).await;
    // The limit opens, the number connects, the workspace lists it: each of the three commits may fail.
    for passed in 0..3_usize {
        let (key, body) = (format!("number {passed}"), wanted(&app, &format!("106{passed}")));
        let mut own = body.clone();
        own["portfolio"] = json!(format!("Loja {passed}"));
        for _ in 0..passed {
            house.faults().once(Operation::Commit, Fault::Pass);
        }
        house.faults().once(Operation::Commit, Fault::Fail);
        assert_eq!(connect(&house, &key, &own).await.problem(503), "unavailable");
        let account = eventually("the number is connected", || async {
            let answer = connect(&house, &key, &own).await;
            (answer.status != 503).then(|| answer.expect(201))
        })
        .await;
        let listed = house.get("/v1/accounts?limit=200", house.token("ADMIN_TOKEN")).await.expect(200);
        let times = listed["items"].as_array().unwrap().iter().filter(|item| item["id"] == account["id"]).count();
        assert_eq!(times, 1, "{listed}");
        let limit = format!("/v1/limits/{}", account["limit_scope"].as_str().unwrap());
        assert_eq!(house.get(&limit, house.token("ADMIN_TOKEN")).await.expect(200)["free"], 2_000);
    }
    assert!(house.stop().await);
}
