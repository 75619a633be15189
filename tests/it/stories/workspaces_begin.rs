//! The operator begins a workspace; its admin names it, sets it up and sees nothing of anybody else's.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::House;
use crate::house::http::{Answer, call};

async fn begin(house: &House, token: &str, key: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    call(house.addr(), "POST", "/v1/workspaces", &headers, body.to_string().into_bytes()).await
}

fn wanted(name: &str) -> Value {
    json!({"name": name, "admin": {"name": "Amália", "email": "amalia@shop.example", "password": "fado fado fado"}})
}

#[actix_web::test]
async fn a_workspace_begins_once_and_is_its_own() {
    let house = House::new().await;
    let operator = house.token("OPERATOR_TOKEN");
    let begun = begin(&house, operator, "shop", &wanted("Loja")).await.expect(201);
    let (workspace, token) = (&begun["workspace"]["id"], begun["token"].as_str().unwrap());
    let again = begin(&house, operator, "shop", &wanted("Loja")).await.expect(201);
    assert_eq!((&again["workspace"]["id"], &again["admin"]), (workspace, &begun["admin"]));
    assert_eq!(begin(&house, operator, "shop", &wanted("Outra")).await.problem(409), "client_id_reused");

    // A workspace that nobody could enter does not begin.
    let mut nobody = wanted("Ninguém");
    nobody["admin"]["email"] = json!("no address");
    assert_eq!(begin(&house, operator, "nobody", &nobody).await.problem(422), "invalid");
    nobody["admin"]["email"] = json!("a@b.example");
    nobody["admin"]["password"] = json!("short");
    assert_eq!(begin(&house, operator, "nobody", &nobody).await.problem(422), "invalid");
    assert_eq!(begin(&house, token, "mine", &wanted("Minha")).await.problem(403), "forbidden");
    assert_eq!(begin(&house, "tgo_wrong", "mine", &wanted("Minha")).await.problem(401), "unauthorized");
    let listed = house.get("/v1/workspaces", operator).await.expect(200);
    let names: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(names.len(), 2, "the sandbox and this one: {listed}");
    assert!(names.contains(&&json!("Loja")), "{listed}");

    let me = house.get("/v1/me", token).await.expect(200);
    assert_eq!((&me["workspace"], &me["member"], &me["role"]), (workspace, &begun["admin"]["id"], &json!("admin")));
    let foreign = format!("/v1/accounts/{}", house.seeded.account);
    assert_eq!(house.get(&foreign, token).await.problem(404), "not_found");
    assert_eq!(house.get("/v1/accounts", token).await.expect(200)["items"], json!([]));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn settings_rest_on_the_version_that_was_seen() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let first = house.get("/v1/workspace", admin).await;
    let version = first.header("etag").unwrap().to_owned();
    assert_eq!(first.expect(200)["settings"]["marketing_needs_opt_in"], true);
    let change = |tag: &str, body: Value| {
        let headers =
            [("authorization".to_owned(), format!("Bearer {admin}")), ("if-match".to_owned(), tag.to_owned())];
        let addr = house.addr();
        async move {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
            call(addr, "PATCH", "/v1/workspace", &headers, body.to_string().into_bytes()).await
        }
    };
    // Rows of one moment do not follow each other: the seed's name is of this one.
    house.advance(Duration::from_millis(1));
    let body = json!({"name": "Loja", "settings": {"retention_days": 90, "enforce_reply_lease": true}});
    let changed = change(&version, body).await;
    let later = changed.header("etag").unwrap().to_owned();
    assert_ne!(later, version);
    let changed = changed.expect(200);
    let settings = json!({"retention_days": 90, "enforce_reply_lease": true, "marketing_needs_opt_in": true});
    assert_eq!((&changed["name"], &changed["settings"]), (&json!("Loja"), &settings));
    assert_eq!(change(&version, json!({"name": "Outra"})).await.problem(412), "version_mismatch");
    let kept = change(&later, json!({"settings": {"retention_days": null}})).await.expect(200);
    assert_eq!((&kept["name"], &kept["settings"]["retention_days"]), (&json!("Loja"), &Value::Null));
    assert_eq!(house.get("/v1/workspace", admin).await.expect(200), kept);

    for (body, code) in [
        (json!({"settings": {"retention_days": 0}}), "invalid"),
        (json!({"settings": {"colour": "blue"}}), "invalid"),
        (json!({"name": ""}), "invalid"),
    ] {
        assert_eq!(house.call("PATCH", "/v1/workspace", admin, &body).await.problem(422), code, "{body}");
    }
    let agent = house.token("AGENT1_TOKEN");
    assert_eq!(house.call("PATCH", "/v1/workspace", agent, &json!({"name": "Mine"})).await.problem(403), "forbidden");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn words_and_forms_are_kept_by_name() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let label = house.post("/v1/labels", admin, &json!({"name": "VIP"})).await.expect(201);
    let again = house.post("/v1/labels", admin, &json!({"name": " vip "})).await.expect(201);
    assert_eq!(label["id"], again["id"]);
    let listed = house.get("/v1/labels", admin).await.expect(200);
    assert_eq!(listed, json!({"items": [{"id": label["id"], "name": "vip"}], "next": null}));

    let tier = json!({"name": "Tier", "type": "choice", "choices": ["gold", "tin"]});
    let property = house.post("/v1/properties", admin, &tier).await.expect(201);
    let other = json!({"name": "tier", "type": "number"});
    assert_eq!(house.post("/v1/properties", admin, &other).await.problem(409), "already_exists");
    assert_eq!(house.get("/v1/properties", admin).await.expect(200)["items"], json!([property]));

    let components = json!([
        {"type": "BODY", "text": "Olá {{1}}"}, {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Sim"}]}
    ]);
    let template = json!({"name": "hello", "language": "pt-PT", "category": "marketing", "components": components});
    let put = house.post("/v1/templates", admin, &template).await.expect(201);
    assert_eq!((&put["language"], &put["status"]), (&json!("pt_PT"), &json!("approved")));
    assert_eq!(put["components"], components);
    let read = house.get(&format!("/v1/templates/{}", put["id"].as_str().unwrap()), admin).await;
    assert!(read.header("etag").is_some());
    assert_eq!(read.expect(200), put);
    let wrong = json!({"name": "Hello!", "language": "pt", "category": "marketing", "components": []});
    assert_eq!(house.post("/v1/templates", admin, &wrong).await.problem(422), "invalid");

    // Pages follow each other: the seed's template and this one.
    let first = house.get("/v1/templates?limit=1", admin).await.expect(200);
    let cursor = first["next"].as_str().unwrap();
    let second = house.get(&format!("/v1/templates?limit=1&cursor={cursor}"), admin).await.expect(200);
    assert_eq!(second["next"], Value::Null);
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
    assert_eq!(house.get("/v1/templates?limit=0", admin).await.problem(422), "invalid");
    assert!(house.stop().await);
}
