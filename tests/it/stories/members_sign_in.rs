//! Members come in by password or token and go out at once; keys do what their scopes say.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::House;
use crate::house::http::call;

const PASSWORD: &str = "correct horse battery";

async fn sign_in(house: &House, email: &str, password: &str) -> crate::house::http::Answer {
    let body = json!({"workspace": house.seeded.workspace.to_string(), "email": email, "password": password});
    call(house.addr(), "POST", "/v1/sign-in", &[], body.to_string().into_bytes()).await
}

async fn add(house: &House, email: &str, role: &str) -> Value {
    let admin = house.token("ADMIN_TOKEN");
    let body = json!({"name": "Grace", "email": email, "password": PASSWORD, "role": role});
    house.post("/v1/members", admin, &body).await.expect(201)
}

#[actix_web::test]
async fn a_member_signs_in_and_out() {
    let house = House::new().await;
    let member = add(&house, "grace@shop.example", "staff").await;
    assert_eq!((&member["email"], &member["disabled"]), (&json!("grace@shop.example"), &json!(false)));
    assert!(!member.to_string().contains("argon2"), "{member}");
    let session = sign_in(&house, " Grace@Shop.example ", PASSWORD).await.expect(200);
    assert_eq!(session["member"], member["id"]);
    assert_eq!(session["expires_at"], "2026-12-09T09:00:00.000Z");
    let token = session["token"].as_str().unwrap();
    assert_eq!(house.get("/v1/me", token).await.expect(200)["member"], member["id"]);
    let body = json!({"name": "Eve", "role": "admin"});
    assert_eq!(house.post("/v1/members", token, &body).await.problem(403), "forbidden");

    assert_eq!(house.post("/v1/sign-out", token, &json!({})).await.status, 204);
    assert_eq!(house.get("/v1/me", token).await.problem(401), "unauthorized");
    // A session ends by itself, too.
    let session = sign_in(&house, "grace@shop.example", PASSWORD).await.expect(200);
    let token = session["token"].as_str().unwrap();
    house.advance(Duration::from_secs(14 * 24 * 3_600));
    assert_eq!(house.get("/v1/me", token).await.problem(401), "unauthorized");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn whoever_does_not_fit_is_refused_alike() {
    let house = House::new().await;
    add(&house, "grace@shop.example", "staff").await;
    // The seed's admin has no password; nobody has the second address.
    for email in ["admin@sandbox.example", "nobody@shop.example", "grace@shop.example"] {
        assert_eq!(sign_in(&house, email, "wrong password").await.problem(401), "sign_in_failed", "{email}");
    }
    let elsewhere = json!({"workspace": "wsp_nowhere", "email": "grace@shop.example", "password": PASSWORD});
    let answer = call(house.addr(), "POST", "/v1/sign-in", &[], elsewhere.to_string().into_bytes()).await;
    assert_eq!(answer.problem(401), "sign_in_failed");

    for _ in 0..9 {
        assert_eq!(sign_in(&house, "grace@shop.example", "wrong password").await.problem(401), "sign_in_failed");
    }
    // Now even the right password has to wait, and waits no longer than it is told.
    let resting = sign_in(&house, "grace@shop.example", PASSWORD).await;
    assert_eq!(resting.problem(429), "come_back");
    assert_eq!((resting.json()["retry_after"].as_u64(), resting.header("retry-after")), (Some(300), Some("300")));
    house.advance(Duration::from_millis(1_500));
    let later = sign_in(&house, "grace@shop.example", PASSWORD).await;
    assert_eq!((later.json()["retry_after"].as_u64(), later.header("retry-after")), (Some(299), Some("299")));
    house.advance(Duration::from_secs(300));
    sign_in(&house, "grace@shop.example", PASSWORD).await.expect(200);
    assert!(house.stop().await);
}

#[actix_web::test]
async fn who_is_disabled_or_gone_is_out_at_once() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let member = add(&house, "grace@shop.example", "team_admin").await;
    let path = format!("/v1/members/{}", member["id"].as_str().unwrap());
    let issued = house.post(&format!("{path}/tokens"), admin, &json!({})).await.expect(201);
    let token = issued["token"].as_str().unwrap();
    house.get("/v1/me", token).await.expect(200);
    let past = json!({"expires_at": "2026-11-25T08:59:59Z"});
    assert_eq!(house.post(&format!("{path}/tokens"), admin, &past).await.problem(422), "invalid");

    let team = house.post("/v1/teams", admin, &json!({"name": "Night"})).await.expect(201);
    let edit = json!({"name": "Grace H.", "teams": [team["id"]], "dedicated_accounts": [house.seeded.account]});
    let edited = house.call("PATCH", &path, admin, &edit).await.expect(200);
    assert_eq!((&edited["name"], &edited["teams"]), (&json!("Grace H."), &json!([team["id"]])));
    assert_eq!(house.get("/v1/me", token).await.expect(200)["teams"], json!([team["id"]]));
    let nowhere = json!({"dedicated_accounts": ["cha_00000000000000000000000001"]});
    assert_eq!(house.call("PATCH", &path, admin, &nowhere).await.problem(422), "invalid");

    house.call("PATCH", &path, admin, &json!({"disabled": true})).await.expect(200);
    assert_eq!(house.get("/v1/me", token).await.problem(401), "unauthorized");
    assert_eq!(sign_in(&house, "grace@shop.example", PASSWORD).await.problem(401), "sign_in_failed");
    assert_eq!(house.post(&format!("{path}/tokens"), admin, &json!({})).await.problem(409), "wrong_state");
    assert_eq!(house.call("DELETE", &path, admin, &Value::Null).await.status, 204);
    assert_eq!(house.get(&path, admin).await.problem(404), "not_found");

    // Somebody must be left who can change the workspace.
    let me = house.get("/v1/me", admin).await.expect(200);
    let own = format!("/v1/members/{}", me["member"].as_str().unwrap());
    assert_eq!(house.call("DELETE", &own, admin, &Value::Null).await.problem(409), "wrong_state");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_key_does_what_its_scopes_say() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let bearer = format!("Bearer {admin}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "reports")];
    let wanted = json!({"name": "Reports", "scopes": ["workspace:read", "events:read"]}).to_string().into_bytes();
    let made = call(house.addr(), "POST", "/v1/keys", &headers, wanted.clone()).await.expect(201);
    let key = made["token"].as_str().unwrap();
    // A key is told once: whoever lost it makes another.
    let again = call(house.addr(), "POST", "/v1/keys", &headers, wanted).await;
    assert_eq!(again.problem(409), "already_exists");

    let me = house.get("/v1/me", key).await.expect(200);
    assert_eq!((&me["key"], &me["scopes"]), (&made["id"], &json!(["events:read", "workspace:read"])));
    house.get("/v1/members", key).await.expect(200);
    assert_eq!(house.post("/v1/teams", key, &json!({"name": "Night"})).await.problem(403), "forbidden");
    assert_eq!(house.post("/v1/sign-out", key, &json!({})).await.problem(403), "forbidden");
    let listed = house.get("/v1/keys", admin).await.expect(200);
    assert_eq!(listed["items"][0]["name"], "Reports");
    assert!(!listed.to_string().contains(key), "{listed}");

    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    assert_eq!(house.call("DELETE", &path, admin, &Value::Null).await.status, 204);
    assert_eq!(house.get("/v1/me", key).await.problem(401), "unauthorized");
    assert_eq!(house.call("DELETE", &path, admin, &Value::Null).await.problem(404), "not_found");
    let strange = json!({"name": "Strange", "scopes": ["everything"]});
    assert_eq!(house.post("/v1/keys", admin, &strange).await.problem(422), "invalid");
    assert!(house.stop().await);
}
