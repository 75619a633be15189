//! Metrics count what happened, and neither the log nor the masked stream holds anything personal.

use std::time::Duration;

use serde_json::json;
use tidegate::app::Tokens;
use tidegate::clock::{Clock, WallClock};

use crate::house::socket::AgentSocket;
use crate::house::whatsapp::{delivery, signature, text};
use crate::house::{database, eventually, http};
use crate::process::{Process, free_addr};

const NUMBER: &str = "15557654321";
const NAME: &str = "Zebediah";
const BODY: &str = "xylophone-quartz";
const ANSWER: &str = "marmalade-fjord";
const NOTE: &str = "walnut-gazette";
const SECRET: &str = "sandbox-app-secret";

#[actix_web::test]
async fn metrics_count_and_the_log_is_discreet() {
    let (data, said) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (addr, sandbox) = (free_addr(), format!("sandbox.listen={}", free_addr()));
    let settings = [
        "sandbox.enabled=true",
        sandbox.as_str(),
        "sandbox.customers_per_minute=0",
        "sandbox.latency=0ms",
        "sandbox.sent_after=5ms",
        "sandbox.delivered_after=10ms",
        "sandbox.read_after=20ms",
        "sandbox.read_percent=100",
        "sandbox.reply_percent=0",
        "seed.contacts=3",
        "log.level=debug",
    ];
    let mut process = Process::watched(data.path(), addr, &settings, said.path()).await;
    let tokens = eventually("the seed is taken", || async {
        let tokens = Tokens::read(data.path()).ok()?;
        tokens.get("AGENT1_TOKEN").is_some().then_some(tokens)
    })
    .await;
    let (admin, agent) = (tokens.get("ADMIN_TOKEN").expect("made"), tokens.get("AGENT1_TOKEN").expect("made"));
    let get = |path: String, token: &str| {
        let bearer = format!("Bearer {token}");
        async move { http::call(addr, "GET", &path, &[("authorization", &bearer)], Vec::new()).await }
    };
    let post = |path: String, token: &str, body: serde_json::Value| {
        let bearer = format!("Bearer {token}");
        let body = body.to_string().into_bytes();
        async move {
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
            http::call(addr, "POST", &path, &headers, body).await
        }
    };
    let apps = get("/v1/apps".to_owned(), admin).await.expect(200);
    let path = apps["items"][0]["webhook_path"].as_str().expect("a path").to_owned();
    let push = |delivery: serde_json::Value, secret: &'static str| {
        let (body, path) = (delivery.to_string().into_bytes(), path.clone());
        async move {
            let signature = signature(secret, &body);
            http::call(addr, "POST", &path, &[("x-hub-signature-256", &signature)], body).await.status
        }
    };
    let mut written = delivery(&[text(NUMBER, "wamid.one", WallClock::new().now(), BODY)], &[]);
    written["entry"][0]["changes"][0]["value"]["contacts"][0]["profile"]["name"] = json!(NAME);
    assert_eq!(push(written.clone(), SECRET).await, 200);
    assert_eq!(push(written.clone(), "another secret").await, 401);
    // Damaged and stray ones are told in the log; what they say is not.
    let mut stray = written.clone();
    stray["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = json!("15550001112");
    stray["entry"][0]["changes"][0]["value"]["messages"][0]["id"] = json!("wamid.stray");
    assert_eq!(push(stray, SECRET).await, 200);
    for damaged in [
        json!([BODY, NUMBER, NAME]),
        json!({"object": BODY, "entry": []}),
        json!({"object": "whatsapp_business_account", "entry": BODY}),
        json!({"object": "whatsapp_business_account", "entry": [NAME]}),
        json!({"object": "whatsapp_business_account", "entry": [{"id": {"name": NAME}, "changes": BODY}]}),
    ] {
        assert_eq!(push(damaged, SECRET).await, 200);
    }
    let found = eventually("the message is there", || async {
        let found = get("/v1/webhooks/wamid.one".to_owned(), admin).await;
        (found.status == 200).then(|| found.json())
    })
    .await;
    let conversation = found["conversation"].as_str().expect("an id").to_owned();
    let messages = format!("/v1/conversations/{conversation}/messages");
    let reply = json!({"client_id": "c1", "content": {"type": "text", "body": ANSWER}});
    let queued = post(messages.clone(), agent, reply).await.expect(202);
    let _ =
        post(format!("/v1/conversations/{conversation}/notes"), agent, json!({"client_id": "n1", "body": NOTE})).await;
    let message = queued["message"].as_str().expect("a message").to_owned();
    // The sandbox delivers most messages and not all.
    eventually("the answer's receipt is here", || async {
        let shown = get(format!("{messages}/{message}"), agent).await.expect(200);
        ["sent", "delivered", "read"].contains(&shown["status"].as_str()?).then_some(())
    })
    .await;
    assert_eq!(get("/v1/inbox".to_owned(), "tgt_a-token-that-nobody-made").await.status, 401);

    let mut socket = AgentSocket::identified(addr, agent).await;
    post(format!("/v1/conversations/{conversation}/close"), agent, json!({})).await.expect(200);
    socket.until("conversation.closed").await;
    let (mut again, _) = AgentSocket::resumed(addr, agent, &socket.cursor).await;
    post(format!("/v1/conversations/{conversation}/open"), agent, json!({})).await.expect(200);
    again.until("conversation.opened").await;
    drop(socket);
    eventually("the first socket is gone", || async {
        let metrics = get("/metrics".to_owned(), "").await;
        String::from_utf8_lossy(&metrics.body).contains("tidegate_sockets_closed_total{reason=").then_some(())
    })
    .await;

    let metrics = get("/metrics".to_owned(), "").await;
    let metrics = String::from_utf8(metrics.body.to_vec()).expect("text");
    for (series, least) in [
        ("tidegate_items_total{channel=\"whatsapp\",fate=\"taken\"}", 1.0),
        ("tidegate_items_total{channel=\"whatsapp\",fate=\"kept\"}", 2.0),
        ("tidegate_webhooks_refused_total{reason=\"signature\"}", 1.0),
        ("tidegate_sends_total{outcome=\"accepted\"}", 1.0),
        ("tidegate_provider_call_seconds_count", 1.0),
        ("tidegate_append_seconds_count", 1.0),
        (if database::is_chosen() { "tidegate_cql_requests_total" } else { "tidegate_store_fsyncs_total" }, 1.0),
        ("tidegate_activations_total", 1.0),
        ("tidegate_agent_sockets", 1.0),
        ("tidegate_sockets_opened_total", 2.0),
        ("tidegate_socket_resumes_total", 1.0),
        ("tidegate_socket_frames_total", 6.0),
        ("tidegate_socket_events_total", 3.0),
        ("tidegate_provider_calls_under_way", 0.0),
    ] {
        let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<f64>().ok());
        assert!(value.is_some_and(|value| value >= least), "{series}: {value:?} in\n{metrics}");
    }
    process.signal("TERM");
    assert_eq!(process.ended(Duration::from_secs(40)).await, 0);

    let output = std::fs::read_to_string(said.path().join("stdout")).expect("it said something");
    let log = std::fs::read_to_string(said.path().join("stderr")).expect("it said something");
    // The welcome names the seed's tokens: it is what they are read from.
    let stream = output.rsplit_once("AGENT2_TOKEN").map(|(_, stream)| stream).expect("a welcome");
    assert!(stream.contains("x•") && stream.contains("reply"), "the masked stream tells what happened: {stream}");
    assert!(log.contains("nobody has connected") && log.contains("cannot be read"), "{log}");
    let metrics_and_log = [stream, log.as_str(), metrics.as_str()];
    for said in metrics_and_log {
        for personal in [NUMBER, NAME, BODY, "xylophone", ANSWER, "marmalade", NOTE, "walnut", "nobody-made", SECRET] {
            let line = said.lines().find(|line| line.contains(personal));
            assert!(line.is_none(), "{personal} stands in: {line:?}");
        }
    }
    for name in ["ADMIN_TOKEN", "AGENT1_TOKEN", "OPERATOR_TOKEN"] {
        let token = tokens.get(name).expect("made");
        assert!(!log.contains(token) && !metrics.contains(token), "{name} is in the log");
    }
}
