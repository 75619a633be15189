//! A contact is one person, whether somebody typed them in or they wrote by themselves.

use serde_json::{Value, json};

use crate::house::http::{self, Answer};
use crate::house::whatsapp::{delivery, text};
use crate::house::{House, MORNING, eventually};

/// A call with headers of its own.
async fn call(house: &House, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let bearer = format!("Bearer {}", house.token("ADMIN_TOKEN"));
    let headers = [&[("authorization", bearer.as_str())], headers].concat();
    http::call(house.addr(), method, path, &headers, body.to_string().into_bytes()).await
}

fn whatsapp(address: &str) -> Value {
    json!({"channel": "whatsapp", "address": address})
}

fn path_of(contact: &Value) -> String {
    format!("/v1/contacts/{}", contact["id"].as_str().expect("an id"))
}

#[actix_web::test]
async fn a_contact_is_made_read_and_changed_over_the_api() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let label = house.post("/v1/labels", admin, &json!({"name": "VIP"})).await.expect(201)["id"].clone();
    let tier = json!({"name": "Tier", "type": "choice", "choices": ["gold", "silver"]});
    let tier = house.post("/v1/properties", admin, &tier).await.expect(201)["id"].as_str().expect("an id").to_owned();
    let born = json!({"name": "Birthday", "type": "date"});
    let born = house.post("/v1/properties", admin, &born).await.expect(201)["id"].as_str().expect("an id").to_owned();

    let body = json!({
        "identities": [whatsapp("+351 912 345 678"), {"channel": "sms", "address": "351912345678"},
            {"channel": "whatsapp", "space": "bsuid", "address": "PT.77", "name": "Amália R.", "username": "amalia"}],
        "properties": {"first_name": "Amália", "emails": ["a@example.org"], &tier: "gold", &born: "1920-07-23"},
        "labels": [label],
        "consents": [{"channel": "whatsapp", "topic": "marketing", "withdrawn": false}],
    });
    let made = house.post("/v1/contacts", admin, &body).await;
    let contact = made.expect(201);
    assert_eq!(made.header("etag"), Some(format!("\"{}\"", contact["version"]).as_str()));
    assert_eq!(contact["identities"].as_array().map(Vec::len), Some(3), "{contact}");
    let phone =
        json!({"channel": "whatsapp", "space": "phone", "address": "351912345678", "name": null, "username": null});
    assert!(contact["identities"].as_array().is_some_and(|lines| lines.contains(&phone)), "{contact}");
    assert_eq!(contact["properties"][&tier], "gold");
    assert_eq!(contact["properties"][&born], "1920-07-23");
    assert_eq!(contact["consents"][0]["scope"], json!({"channel": "whatsapp"}));
    assert_eq!(contact["created_at"], MORNING.to_string());
    assert_eq!(house.get(&path_of(&contact), admin).await.expect(200), contact);

    // The same person again is refused to those who make, and found by those who upsert.
    assert_eq!(
        house.post("/v1/contacts", admin, &json!({"identities": [whatsapp("351912345678")]})).await.problem(409),
        "identity_taken"
    );
    let same = json!({"identities": [whatsapp("00351 912 345 678")], "properties": {"company": "Fado Lda"}});
    let found = house.call("PUT", "/v1/contacts", admin, &same).await.expect(200);
    assert_eq!((&found["id"], &found["properties"]["company"]), (&contact["id"], &json!("Fado Lda")));

    let stale = [("if-match", "\"1\"")];
    let rename = json!({"properties": {"first_name": "Mia", "company": null}});
    assert_eq!(call(&house, "PATCH", &path_of(&contact), &stale, &rename).await.problem(412), "version_mismatch");
    let version = format!("\"{}\"", found["version"]);
    let renamed = call(&house, "PATCH", &path_of(&contact), &[("if-match", &version)], &rename).await.expect(200);
    assert_eq!(renamed["properties"]["first_name"], "Mia");
    assert_eq!(renamed["properties"].get("company"), None, "{renamed}");

    let off = format!("{}/labels/{}", path_of(&contact), label.as_str().expect("an id"));
    assert_eq!(house.call("DELETE", &off, admin, &json!({})).await.expect(200)["labels"], json!([]));
    assert_eq!(house.call("PUT", &off, admin, &json!({})).await.expect(200)["labels"], json!([label]));
    let stop = json!({"channel": "whatsapp", "address": "351912345678", "topic": "marketing", "withdrawn": true});
    let stopped = house.post(&format!("{}/consent", path_of(&contact)), admin, &stop).await.expect(200);
    let scope = json!({"channel": "whatsapp", "space": "phone", "address": "351912345678"});
    let withdrawn =
        stopped["consents"].as_array().and_then(|all| all.iter().find(|one| one["scope"] == scope).cloned());
    assert_eq!(withdrawn.expect("it is listed")["withdrawn"], true);
    assert!(house.stop().await);
}

fn consent_on(channel: &str, address: &str) -> Value {
    json!([{"channel": channel, "address": address, "topic": "marketing", "withdrawn": true}])
}

#[actix_web::test]
async fn a_wrong_request_names_its_field() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let with = |field: &str, value: Value| json!({"identities": [whatsapp("351912345678")], field: value});
    let cases = [
        (json!({"identity": []}), "identity"),
        (json!({"identities": [whatsapp("912 345")]}), "identities[0].address"),
        (json!({"identities": [{"channel": "whatsapp", "space": "platform", "address": "x"}]}), "identities[0].space"),
        (with("properties", json!({"nickname": "Mia"})), "properties.nickname"),
        (with("properties", json!({"first_name": 7})), "properties.first_name"),
        (with("labels", json!(["lbl_00000000000000000000000000"])), "labels"),
        (with("consents", json!([{"topic": "marketing", "withdrawn": true}])), "consents[0].channel"),
        (
            with("consents", json!([{"address": "351912345678", "topic": "x", "withdrawn": true}])),
            "consents[0].channel",
        ),
        (with("consents", consent_on("whatsapp", "351999999999")), "consents"),
        (with("consents", consent_on("sms", "351912345678")), "consents"),
    ];
    for (body, field) in cases {
        for method in ["POST", "PUT"] {
            let answer = house.call(method, "/v1/contacts", admin, &body).await;
            assert_eq!((answer.problem(422).as_str(), &answer.json()["field"]), ("invalid", &json!(field)), "{body}");
        }
    }
    assert_eq!(house.call("PUT", "/v1/contacts", admin, &json!({})).await.json()["field"], "identities");
    assert_eq!(house.get("/v1/contacts/cnt_1", admin).await.problem(404), "not_found");
    assert_eq!(house.get("/v1/contacts?limit=0", admin).await.problem(422), "invalid");
    assert_eq!(house.get("/v1/contacts?cursor=x", admin).await.problem(422), "invalid");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_repeated_key_makes_one_contact() {
    let house = House::new().await;
    let nameless = json!({"properties": {"first_name": "Amália"}});
    let named = json!({"identities": [whatsapp("351912345678")]});
    for (key, body) in [("import-7", nameless), ("import-8", named)] {
        let key = [("idempotency-key", key)];
        let first = call(&house, "POST", "/v1/contacts", &key, &body).await.expect(201);
        assert_eq!(call(&house, "POST", "/v1/contacts", &key, &body).await.expect(201), first);
        let other = json!({"identities": body["identities"].as_array().cloned().unwrap_or_default(), "properties": {}});
        assert_eq!(call(&house, "POST", "/v1/contacts", &key, &other).await.problem(409), "client_id_reused");
    }
    assert!(house.stop().await);
}

#[actix_web::test]
async fn whoever_was_typed_in_is_the_one_who_writes() {
    let mut house = House::new().await;
    let admin = house.token("ADMIN_TOKEN").to_owned();
    let body = json!({"identities": [whatsapp("351912000001")], "properties": {"first_name": "Amália"}});
    let typed = house.post("/v1/contacts", &admin, &body).await.expect(201);
    let claim = json!({"channel": "whatsapp", "address": "351912000002"});
    house.post(&format!("{}/claim", path_of(&typed)), &admin, &claim).await.expect(200);
    // From the second of their numbers.
    house.push(&delivery(&[text("351912000002", "wamid.1", MORNING, "STOP")], &[])).await.expect(200);
    let contact = eventually("the conversation is the contact's", || async {
        let contact = house.get(&path_of(&typed), &admin).await.expect(200);
        let heard = contact["consents"].as_array().is_some_and(|consents| !consents.is_empty());
        (contact["conversations"].as_array().map(Vec::len) == Some(1) && heard).then_some(contact)
    })
    .await;
    assert_eq!(contact["id"], typed["id"]);
    let scope = json!({"channel": "whatsapp", "space": "phone", "address": "351912000002"});
    assert_eq!((&contact["consents"][0]["scope"], &contact["consents"][0]["withdrawn"]), (&scope, &json!(true)));

    // Somebody nobody knew writes, and is a contact with the name the platform shows.
    house.push(&delivery(&[text("351912000003", "wamid.2", MORNING, "Hi")], &[])).await.expect(200);
    let by_phone = json!({"identities": [whatsapp("351912000003")]});
    let stranger = eventually("the stranger is known", || async {
        let list = house.get("/v1/contacts", &admin).await.expect(200);
        let known = |contact: &&Value| contact["identities"][0]["address"] == "351912000003";
        list["items"].as_array()?.iter().find(known).cloned()
    })
    .await;
    assert_eq!(stranger["identities"][0]["name"], "Customer");
    assert_eq!(house.post("/v1/contacts", &admin, &by_phone).await.problem(409), "identity_taken");
    let claim = json!({"channel": "whatsapp", "address": "351912000003"});
    let taken = house.post(&format!("{}/claim", path_of(&typed)), &admin, &claim).await;
    assert_eq!(taken.problem(409), "identity_taken");

    house.crash().await;
    let after = house.get(&path_of(&typed), &admin).await.expect(200);
    assert_eq!(
        (&after["id"], &after["properties"], &after["identities"]),
        (&contact["id"], &contact["properties"], &contact["identities"])
    );
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_contact_that_was_merged_redirects() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let first = json!({"identities": [whatsapp("351912000001")], "properties": {"first_name": "Amália"}});
    let first = house.post("/v1/contacts", admin, &first).await.expect(201);
    house.advance(std::time::Duration::from_secs(60));
    let second = json!({
        "identities": [{"channel": "whatsapp", "space": "bsuid", "address": "PT.123456"}],
        "properties": {"company": "Fado Lda"},
    });
    let second = house.post("/v1/contacts", admin, &second).await.expect(201);
    // The platform says that both are one person.
    let mut message = text("351912000001", "wamid.1", MORNING, "It is me");
    message["from_user_id"] = json!("PT.123456");
    let mut pushed = delivery(&[message], &[]);
    pushed["entry"][0]["changes"][0]["value"]["contacts"][0]["user_id"] = json!("PT.123456");
    house.push(&pushed).await.expect(200);
    let merged = eventually("the second redirects, and the first knows what it knew", || async {
        let contact = house.get(&path_of(&second), admin).await.expect(200);
        (contact.get("moved_to").is_some() && contact["properties"]["company"].is_string()).then_some(contact)
    })
    .await;
    assert_eq!((&merged["id"], &merged["moved_to"]), (&first["id"], &first["id"]));
    assert_eq!(merged["properties"], json!({"first_name": "Amália", "company": "Fado Lda"}));
    assert_eq!(merged["created_at"], first["created_at"]);
    let renamed = json!({"properties": {"company": "Saudade SA"}});
    let renamed = house.call("PATCH", &path_of(&second), admin, &renamed).await.expect(200);
    assert_eq!((&renamed["id"], &renamed["properties"]["company"]), (&first["id"], &json!("Saudade SA")));
    let listed = house.get("/v1/contacts?limit=200", admin).await.expect(200);
    let ids: Vec<&Value> = listed["items"].as_array().expect("items").iter().map(|contact| &contact["id"]).collect();
    assert!(ids.contains(&&first["id"]) && !ids.contains(&&second["id"]));
    assert!(house.stop().await);
}

#[actix_web::test]
async fn pages_show_everybody_once_and_only_to_those_who_may_see_them() {
    let house = House::new().await;
    let (admin, agent) = (house.token("ADMIN_TOKEN"), house.token("AGENT1_TOKEN"));
    let other = house.get("/v1/me", house.token("AGENT2_TOKEN")).await.expect(200)["member"].clone();
    let agent_id = house.get("/v1/me", agent).await.expect(200)["member"].as_str().expect("an id").to_owned();
    let mut made = Vec::new();
    for number in 10..22 {
        let body = json!({"identities": [whatsapp(&format!("3519120000{number}"))]});
        made.push(house.post("/v1/contacts", admin, &body).await.expect(201));
        house.advance(std::time::Duration::from_millis(1));
    }
    let theirs = &made[5];
    let assign = format!("{}/assign", path_of(theirs));
    let assigned = house.post(&assign, admin, &json!({"owner": other})).await.expect(200);
    assert_eq!(assigned["owner"], other);
    let both = json!({"owner": other, "team": "tea_00000000000000000000000000"});
    assert_eq!(house.post(&assign, admin, &both).await.problem(422), "invalid");

    let pages = |token: String| {
        let house = &house;
        async move {
            let (mut ids, mut path) = (Vec::new(), "/v1/contacts?limit=5".to_owned());
            loop {
                let page = house.get(&path, &token).await.expect(200);
                ids.extend(page["items"].as_array().expect("items").iter().map(|contact| contact["id"].clone()));
                match page["next"].as_str() {
                    Some(cursor) => path = format!("/v1/contacts?limit=5&cursor={cursor}"),
                    None => return ids,
                }
            }
        }
    };
    let all = pages(admin.to_owned()).await;
    let new: Vec<Value> = all.iter().skip(3).cloned().collect();
    assert_eq!(
        new,
        made.iter().map(|contact| contact["id"].clone()).collect::<Vec<_>>(),
        "after the three of the seed"
    );
    let seen = pages(agent.to_owned()).await;
    assert_eq!(seen.len(), all.len() - 1);
    assert!(!seen.contains(&theirs["id"]));

    assert_eq!(house.get(&path_of(theirs), agent).await.problem(404), "not_found");
    assert_eq!(house.post(&assign, agent, &json!({})).await.problem(404), "not_found");
    let join = format!("{}/collaborators/{agent_id}", path_of(theirs));
    assert_eq!(house.post(&join, admin, &json!({})).await.expect(200)["collaborators"], json!([agent_id]));
    house.get(&path_of(theirs), agent).await.expect(200);
    assert_eq!(house.post(&assign, agent, &json!({})).await.problem(403), "forbidden");
    // The agent leaves, and is still told what became of it.
    assert_eq!(house.call("DELETE", &join, agent, &json!({})).await.expect(200)["collaborators"], json!([]));
    assert_eq!(house.get(&path_of(theirs), agent).await.problem(404), "not_found");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_key_does_what_its_scopes_say() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    let mut keys = Vec::new();
    for scope in ["contacts:read", "contacts:write"] {
        let made = house.post("/v1/keys", admin, &json!({"name": scope, "scopes": [scope]})).await.expect(201);
        keys.push(made["token"].as_str().expect("a token").to_owned());
    }
    let body = json!({"identities": [whatsapp("351912345678")]});
    assert_eq!(house.post("/v1/contacts", &keys[0], &body).await.problem(403), "forbidden");
    assert_eq!(house.post("/v1/contacts/bulk", &keys[0], &body).await.problem(403), "forbidden");
    assert_eq!(house.get("/v1/contacts", &keys[1]).await.problem(403), "forbidden");
    let made = house.post("/v1/contacts", &keys[1], &body).await.expect(201);
    // Whoever may not read learns no more than that it is done.
    assert_eq!(
        made.as_object().map(|made| made.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["id".into(), "version".into()])
    );
    assert_eq!(house.get(&path_of(&made), &keys[0]).await.expect(200)["id"], made["id"]);
    assert_eq!(house.get("/v1/contacts", "tgm_nobody").await.problem(401), "unauthorized");
    assert!(house.stop().await);
}
