//! Contacts are put on lists: made, filled, read in pages, emptied, renamed and removed over the API.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::House;
use crate::house::http::{self, Answer};

/// A call as the admin with an `Idempotency-Key`.
async fn keyed(house: &House, method: &str, path: &str, key: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", house.token("ADMIN_TOKEN"));
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    http::call(house.addr(), method, path, &headers, body.to_string().into_bytes()).await
}

async fn list(house: &House, name: &str) -> (Value, String) {
    let made = house.post("/v1/lists", house.token("ADMIN_TOKEN"), &json!({"name": name})).await.expect(201);
    let path = format!("/v1/lists/{}", made["id"].as_str().expect("an id"));
    (made, path)
}

/// So many new contacts, by id.
async fn contacts(house: &House, count: usize) -> Vec<Value> {
    let mut made = Vec::new();
    for number in 0..count {
        let body = json!({"identities": [{"channel": "whatsapp", "address": format!("3519120001{number:02}")}]});
        let contact = house.post("/v1/contacts", house.token("ADMIN_TOKEN"), &body).await.expect(201);
        made.push(contact["id"].clone());
    }
    made
}

/// Everybody on a list, so many at a time.
async fn members(house: &House, list: &str, token: &str, limit: usize) -> Vec<String> {
    let (mut ids, mut path) = (Vec::new(), format!("{list}/members?limit={limit}"));
    loop {
        let page = house.get(&path, token).await.expect(200);
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= limit, "{page}");
        ids.extend(items.iter().map(|id| id.as_str().expect("an id").to_owned()));
        match page["next"].as_str() {
            Some(cursor) => path = format!("{list}/members?limit={limit}&cursor={cursor}"),
            None => return ids,
        }
    }
}

/// What the feed says of lists: the word, and of which.
async fn events(house: &House, token: &str) -> Vec<(String, Value)> {
    let (mut said, mut path) = (Vec::new(), "/v1/events?limit=200".to_owned());
    loop {
        let page = house.get(&path, token).await.expect(200);
        let items = page["items"].as_array().expect("items");
        for event in items {
            let word = event["type"].as_str().expect("a word");
            if word.starts_with("list.") {
                said.push((word.to_owned(), event["data"]["list"].clone()));
            }
        }
        if items.is_empty() {
            return said;
        }
        path = format!("/v1/events?limit=200&cursor={}", page["next"].as_str().expect("a cursor"));
    }
}

fn sorted(ids: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| id.as_str().expect("an id").to_owned()).collect();
    ids.sort_unstable();
    ids
}

#[actix_web::test]
async fn contacts_come_on_a_list_and_leave_it() {
    let mut house = House::new().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let (_, list) = list(&house, "Spring").await;
    let change = format!("{list}/members");
    let people = contacts(&house, 23).await;
    assert_eq!(members(&house, &list, &admin, 5).await, Vec::<String>::new());

    let (nobody, twice) = ("cnt_00000000000000000000000001", &people[0]);
    let mut add = people.clone();
    add.extend([json!(nobody), twice.clone()]);
    let added = house.post(&change, &admin, &json!({"add": add})).await.expect(200);
    assert_eq!(added, json!({"added": 23, "removed": 0, "not_found": [nobody]}));
    for limit in [1, 4, 200] {
        let mut seen = members(&house, &list, &admin, limit).await;
        seen.sort_unstable();
        assert_eq!(seen, sorted(&people), "limit {limit}: everybody, each once");
    }

    house.advance(Duration::from_millis(1));
    let both = json!({"add": [people[0]], "remove": people[..20]});
    let changed = house.post(&change, &admin, &both).await.expect(200);
    assert_eq!(changed, json!({"added": 1, "removed": 19, "not_found": []}));
    let again = house.post(&change, &admin, &both).await.expect(200);
    assert_eq!(again, changed, "the same again is no error");
    let left = [&people[..1], &people[20..]].concat();
    let mut seen = members(&house, &list, &admin, 2).await;
    seen.sort_unstable();
    assert_eq!(seen, sorted(&left));

    house.crash().await;
    let mut after = members(&house, &list, &admin, 3).await;
    after.sort_unstable();
    assert_eq!(after, sorted(&left), "a next start finds the same");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_list_is_made_once_renamed_and_removed_for_good() {
    let mut house = House::new().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let name = json!({"name": " Spring "});
    let made = keyed(&house, "POST", "/v1/lists", "spring", &name).await.expect(201);
    assert_eq!(made["name"], "Spring");
    assert_eq!(keyed(&house, "POST", "/v1/lists", "spring", &name).await.expect(201), made);
    let other = keyed(&house, "POST", "/v1/lists", "spring", &json!({"name": "Summer"})).await;
    assert_eq!(other.problem(409), "client_id_reused");
    let (second, _) = list(&house, "Spring").await;
    assert_ne!(second["id"], made["id"], "a name is no key");
    let path = format!("/v1/lists/{}", made["id"].as_str().expect("an id"));
    let member = contacts(&house, 1).await;
    house.post(&format!("{path}/members"), &admin, &json!({"add": member})).await.expect(200);

    // Rows of one moment do not follow each other.
    house.advance(Duration::from_millis(1));
    let renamed = house.call("PATCH", &path, &admin, &json!({"name": "Summer"})).await;
    let version = renamed.header("etag").expect("a version").to_owned();
    assert_eq!(renamed.expect(200), json!({"id": made["id"], "name": "Summer"}));
    let read = house.get(&path, &admin).await;
    assert_eq!((read.header("etag"), read.expect(200)["name"].clone()), (Some(version.as_str()), json!("Summer")));
    let first = house.get("/v1/lists?limit=1", &admin).await.expect(200);
    let cursor = first["next"].as_str().expect("there are two");
    let last = house.get(&format!("/v1/lists?limit=1&cursor={cursor}"), &admin).await.expect(200);
    let mut names = [&first["items"][0]["name"], &last["items"][0]["name"]].map(|name| name.as_str().expect("a name"));
    names.sort_unstable();
    assert_eq!((names, &last["next"]), (["Spring", "Summer"], &Value::Null));

    house.advance(Duration::from_millis(1));
    assert_eq!(house.call("DELETE", &path, &admin, &json!({})).await.status, 204);
    let said = events(&house, &admin).await;
    let of = |word: &str| said.iter().filter(|(said, _)| said == word).map(|(_, list)| list).collect::<Vec<_>>();
    assert_eq!(of("list.created"), [&made["id"], &second["id"]]);
    assert_eq!((of("list.renamed"), of("list.removed")), (vec![&made["id"]], vec![&made["id"]]));
    house.crash().await;
    for (method, path) in [
        ("GET", path.clone()),
        ("GET", format!("{path}/members")),
        ("POST", format!("{path}/members")),
        ("PATCH", path.clone()),
        ("DELETE", path.clone()),
    ] {
        let body = if method == "PATCH" { json!({"name": "Autumn"}) } else { json!({}) };
        assert_eq!(house.call(method, &path, &admin, &body).await.problem(404), "not_found", "{method} {path}");
    }
    // Long after the key itself is forgotten.
    house.advance(Duration::from_secs(48 * 3_600));
    assert_eq!(keyed(&house, "POST", "/v1/lists", "spring", &name).await.problem(409), "wrong_state");
    let listed = house.get("/v1/lists", &admin).await.expect(200);
    assert_eq!(listed, json!({"items": [second], "next": null}));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn another_workspace_sees_nothing_of_it() {
    let house = House::new().await;
    let (list_made, path) = list(&house, "Spring").await;
    let people = contacts(&house, 2).await;
    let wanted = json!({
        "name": "Loja", "admin": {"name": "Amália", "email": "amalia@shop.example", "password": "fado fado fado"},
    });
    let begun = house.post("/v1/workspaces", house.token("OPERATOR_TOKEN"), &wanted).await.expect(201);
    let theirs = begun["token"].as_str().expect("a token");
    assert_eq!(house.get("/v1/lists", theirs).await.expect(200)["items"], json!([]));
    assert_eq!(house.get(&path, theirs).await.problem(404), "not_found");
    assert_eq!(house.get(&format!("{path}/members"), theirs).await.problem(404), "not_found");
    let change = format!("{path}/members");
    assert_eq!(house.post(&change, theirs, &json!({"add": people})).await.problem(404), "not_found");
    assert_eq!(house.call("PATCH", &path, theirs, &json!({"name": "Mine"})).await.problem(404), "not_found");
    assert_eq!(house.call("DELETE", &path, theirs, &json!({})).await.problem(404), "not_found");
    // Nor do they put our people on a list of theirs.
    let own = house.post("/v1/lists", theirs, &json!({"name": "Mine"})).await.expect(201);
    assert_ne!(own["id"], list_made["id"]);
    let own = format!("/v1/lists/{}/members", own["id"].as_str().expect("an id"));
    let changed = house.post(&own, theirs, &json!({"add": people})).await.expect(200);
    assert_eq!(changed, json!({"added": 0, "removed": 0, "not_found": people}));
    assert_eq!(house.get(&own, theirs).await.expect(200), json!({"items": [], "next": null}));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_wrong_request_is_told_and_a_key_does_what_its_scopes_say() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let (_, path) = list(&house, "Spring").await;
    let members = format!("{path}/members");
    let many = vec!["cnt_00000000000000000000000001"; 501];
    let cases = [
        (json!({"add": many, "remove": many}), "too_many"),
        (json!({"add": ["cnt_1"]}), "invalid"),
        (json!({"add": ["lst_00000000000000000000000001"]}), "invalid"),
        (json!({"ad": []}), "invalid"),
    ];
    for (body, code) in cases {
        assert_eq!(house.post(&members, admin, &body).await.problem(422), code);
    }
    for query in ["limit=0", "limit=201", "cursor=x", "page=2"] {
        assert_eq!(house.get(&format!("{members}?{query}"), admin).await.problem(422), "invalid", "{query}");
    }
    for name in [json!({}), json!({"name": " "}), json!({"name": "x".repeat(201)})] {
        assert_eq!(house.post("/v1/lists", admin, &name).await.problem(422), "invalid");
        assert_eq!(house.call("PATCH", &path, admin, &name).await.problem(422), "invalid");
    }
    assert_eq!(house.get("/v1/lists/lst_1", admin).await.problem(404), "not_found");
    let people = contacts(&house, 1).await;
    let mut keys = Vec::new();
    for scope in ["contacts:read", "contacts:write"] {
        let made = house.post("/v1/keys", admin, &json!({"name": scope, "scopes": [scope]})).await.expect(201);
        keys.push(made["token"].as_str().expect("a token").to_owned());
    }
    house.get("/v1/lists", &keys[0]).await.expect(200);
    assert_eq!(house.post("/v1/lists", &keys[0], &json!({"name": "Mine"})).await.problem(403), "forbidden");
    assert_eq!(house.post(&members, &keys[0], &json!({"add": people})).await.problem(403), "forbidden");
    house.post("/v1/lists", &keys[1], &json!({"name": "Theirs"})).await.expect(201);
    house.post(&members, &keys[1], &json!({"add": people})).await.expect(200);
    assert_eq!(house.get("/v1/lists", &keys[1]).await.problem(403), "forbidden");
    assert_eq!(house.get(&members, &keys[1]).await.problem(403), "forbidden");
    assert_eq!(house.get(&members, &keys[0]).await.expect(200)["items"], json!(people));
    assert!(house.stop().await);
}
