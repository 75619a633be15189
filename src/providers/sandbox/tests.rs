//! The sandbox as its callers and the front door see it.

use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use bytes::Bytes;
use hmac::{Hmac, Mac};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::mpsc;

use super::*;
use crate::clock::{CountedIds, FrozenClock};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::providers::http::{Bearer, CallAnswer, CallRequest, CallResult, HttpClient, HttpOptions, UnknownReason};

const START: Timestamp = Timestamp::from_seconds(1_795_165_200);

/// A front door that checks signatures, answers with a settable status, and tells the bodies it took.
struct Door {
    url: String,
    status: Arc<AtomicU16>,
    bodies: mpsc::UnboundedReceiver<(u16, Value)>,
}

impl Door {
    async fn open(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/whatsapp/app", listener.local_addr().unwrap());
        let status = Arc::new(AtomicU16::new(status));
        let (tell, bodies) = mpsc::unbounded_channel();
        let answers = Arc::clone(&status);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tell, answers) = (tell.clone(), Arc::clone(&answers));
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (tell, status) = (tell.clone(), answers.load(Ordering::SeqCst));
                    async move {
                        assert_eq!(request.uri().path(), "/webhooks/whatsapp/app");
                        let signature = request.headers()["x-hub-signature-256"].to_str().unwrap().to_owned();
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let mut mac = Hmac::<Sha256>::new_from_slice(b"app secret").unwrap();
                        mac.update(&body);
                        let signature = hex::decode(signature.strip_prefix("sha256=").unwrap()).unwrap();
                        mac.verify_slice(&signature).unwrap();
                        let _ = tell.send((status, serde_json::from_slice(&body).unwrap()));
                        let mut answer = Response::new(Full::new(Bytes::new()));
                        *answer.status_mut() = status.try_into().unwrap();
                        Ok::<_, Infallible>(answer)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, status, bodies }
    }

    async fn next(&mut self) -> (u16, Value) {
        tokio::time::timeout(Duration::from_secs(30), self.bodies.recv()).await.unwrap().unwrap()
    }

    /// The next `count` items taken with 200: (id, status or text, token).
    async fn items(&mut self, count: usize) -> Vec<(String, String, Value)> {
        let mut items = Vec::new();
        while items.len() < count {
            let (status, body) = self.next().await;
            if status == 200 {
                items.extend(items_of(&body));
            }
        }
        items
    }
}

fn items_of(body: &Value) -> Vec<(String, String, Value)> {
    let mut items = Vec::new();
    for change in body["entry"].as_array().unwrap().iter().flat_map(|entry| entry["changes"].as_array().unwrap()) {
        let all = |name: &str| change["value"][name].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for status in all("statuses") {
            let token = status["biz_opaque_callback_data"].clone();
            items.push((text(&status["id"]), text(&status["status"]), token));
        }
        for message in all("messages") {
            items.push((text(&message["id"]), text(&message["text"]["body"]), Value::Null));
        }
    }
    items
}

fn options(folder: &Path, door: Option<&Door>) -> SandboxOptions {
    SandboxOptions {
        folder: folder.to_owned(),
        numbers: vec![SandboxNumber {
            phone_number_id: "309876543210987".into(),
            display_phone_number: "351210000099".into(),
            waba_id: "210987654321098".into(),
        }],
        access_token: Some(Secret::new("right".into())),
        webhook: WebhookOptions {
            url: door.map(|door| door.url.clone()),
            app_secret: Secret::new("app secret".into()),
            linger_ms: 0,
            in_flight_max: 1,
            backoff_ms: 1,
            backoff_max_ms: 10,
            ..WebhookOptions::default()
        },
        receipts: ReceiptOptions {
            delivered_share: 1.0,
            read_share: 1.0,
            sent_delay_ms: 0,
            delivered_delay_ms: 0,
            read_delay_ms: 0,
            ..ReceiptOptions::default()
        },
        seed: Some(1),
        ..SandboxOptions::default()
    }
}

fn surroundings() -> (Surroundings, Arc<FrozenClock>) {
    let clock = Arc::new(FrozenClock::new(START));
    (Surroundings { clock: Arc::clone(&clock) as _, ids: Arc::new(CountedIds::from(1)) }, clock)
}

fn start(options: SandboxOptions) -> SandboxHandle {
    Sandbox::start(options, surroundings().0).unwrap()
}

async fn request(sandbox: &SandboxHandle, method: Method, path: &str, bearer: &str, body: &Value) -> CallResult {
    let url = BaseUrl::parse(&format!("http://{}", sandbox.addr())).ok().unwrap();
    let call = CallRequest {
        base_url: &url,
        method,
        path,
        bearer: Some(&Bearer::new(&Secret::new(bearer.to_owned()))),
        headers: &[],
        body: Bytes::from(body.to_string()),
        deadline: Some(Duration::from_secs(30)),
    };
    HttpClient::new(HttpOptions::default()).call(call).await
}

#[track_caller]
fn answered(result: CallResult) -> (CallAnswer, Value) {
    match result {
        CallResult::Answered(answer) => {
            let body = serde_json::from_slice(&answer.body).unwrap_or_default();
            (answer, body)
        }
        other => panic!("{other:?}"),
    }
}

async fn send(sandbox: &SandboxHandle, token: &str) -> CallResult {
    let body = json!({"messaging_product":"whatsapp","recipient_type":"individual","to":"+351910000001",
        "type":"text","text":{"body":"Hi"},"biz_opaque_callback_data":token});
    request(sandbox, Method::POST, "/v25.0/309876543210987/messages", "right", &body).await
}

fn summary(sandbox: &SandboxHandle) -> LedgerSummary {
    sandbox.ledger().summary(&LedgerQuery { lines: true, limit: 100, ..LedgerQuery::default() }).unwrap()
}

#[tokio::test]
async fn the_ledger_line_precedes_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    for ledger_sync in [false, true] {
        let sandbox = start(SandboxOptions { ledger_sync, ..options(folder.path(), None) });
        let (answer, body) = answered(send(&sandbox, "m1.a.b.1").await);
        let line = summary(&sandbox).lines.pop_back().unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(body["contacts"][0], json!({"input":"+351910000001","wa_id":"351910000001"}));
        assert_eq!(line.wamid.as_deref(), body["messages"][0]["id"].as_str());
        assert_eq!((line.token.as_deref(), line.outcome), (Some("m1.a.b.1"), Outcome::Accepted));
        assert_eq!((&*line.recipient, line.at), ("351910000001", START.millis()));
        sandbox.stop().await;
    }
    let ids: std::collections::HashSet<_> = {
        let mut ids = Vec::new();
        let take = |line| {
            if let Line::Send(line) = line {
                ids.push(line.wamid.unwrap());
            }
        };
        LedgerReader::new(folder.path()).each(take).unwrap();
        assert_eq!(ids.len(), 2);
        ids.into_iter().collect()
    };
    assert_eq!(ids.len(), 2, "ids differ over restarts, though the seed is the same");
}

#[tokio::test]
async fn receipts_come_signed_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut door = Door::open(200).await;
    let replies = ReplyOptions { share: 1.0, stop_share: 1.0, quote_share: 1.0, delay_ms: 0 };
    let sandbox = start(SandboxOptions { replies, ..options(folder.path(), Some(&door)) });
    let (_, body) = answered(send(&sandbox, "b1.a.0.7.1").await);
    let items = door.items(4).await;
    let said: Vec<&str> = items.iter().map(|(_, said, _)| said.as_str()).collect();
    // A batch holds its messages before its statuses.
    let mut statuses = said.clone();
    statuses.retain(|said| *said != "STOP");
    assert_eq!(statuses, ["sent", "delivered", "read"]);
    assert!(said.contains(&"STOP"));
    for (id, said, token) in &items {
        assert_eq!(*said == "STOP", *token != json!("b1.a.0.7.1"), "{token}");
        assert_eq!(*said == "STOP", Some(id.as_str()) != body["messages"][0]["id"].as_str());
    }
}

#[tokio::test]
async fn what_is_owed_waits_for_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut door = Door::open(200).await;
    let receipts = ReceiptOptions { sent_delay_ms: 60_000, ..options(folder.path(), None).receipts };
    let (surroundings, clock) = surroundings();
    let sandbox =
        Sandbox::start(SandboxOptions { receipts, ..options(folder.path(), Some(&door)) }, surroundings).unwrap();
    answered(send(&sandbox, "t").await);
    assert!(sandbox.is_quiet());
    assert_eq!(sandbox.owed(), 3);
    assert!(door.bodies.try_recv().is_err());
    clock.advance(Duration::from_secs(90));
    assert_eq!(door.items(3).await.len(), 3);
}

#[tokio::test]
async fn a_restart_sends_what_is_still_owed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut door = Door::open(503).await;
    let sandbox = start(options(folder.path(), Some(&door)));
    let (_, body) = answered(send(&sandbox, "b1.a.0.7.1").await);
    assert_eq!(door.next().await.0, 503);
    assert_eq!(door.next().await.0, 503, "it tries again");
    sandbox.stop().await;
    while door.bodies.try_recv().is_ok() {}

    door.status.store(200, Ordering::SeqCst);
    let sandbox = start(options(folder.path(), Some(&door)));
    let items = door.items(3).await;
    assert!(
        items
            .iter()
            .all(|(id, _, token)| Some(id.as_str()) == body["messages"][0]["id"].as_str()
                && token == &json!("b1.a.0.7.1"))
    );
    while sandbox.owed() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(summary(&sandbox).owed, 0);
    sandbox.stop().await;

    let sandbox = start(options(folder.path(), Some(&door)));
    assert_eq!(sandbox.owed(), 0);
    assert!(door.bodies.try_recv().is_err());
}

#[tokio::test]
async fn faults_come_on_order_and_the_ledger_knows_what_was_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = start(SandboxOptions { hang_ms: 1, ..options(folder.path(), None) });
    let plan = json!({"next": [
        {"fault": {"code": 130_429}}, {"fault": {"code": 131_047}, "to": "999"}, {"fault": "too_many_requests"},
        {"fault": "server_error"}, {"fault": "garbage"}, {"fault": "drop_after"}, {"fault": "drop_before"},
        {"fault": "hang"}, {"fault": "hang_unaccepted"},
    ]});
    let (answer, _) = answered(request(&sandbox, Method::PUT, "/sandbox/faults", "", &plan).await);
    assert_eq!(answer.status, 200);

    let (answer, body) = answered(send(&sandbox, "0").await);
    assert_eq!((answer.status, &body["error"]["code"]), (400, &json!(130_429)));
    assert!(answer.usage.unwrap().contains("estimated_time_to_regain_access"));
    let (answer, body) = answered(send(&sandbox, "1").await);
    assert_eq!((answer.status, answer.retry_after), (429, Some(Duration::from_secs(2))));
    assert_eq!(body["error"]["code"], 4);
    assert_eq!(answered(send(&sandbox, "2").await).0.status, 500);
    assert_eq!(answered(send(&sandbox, "3").await).1, Value::Null);
    for token in ["4", "5", "6", "7"] {
        let result = send(&sandbox, token).await;
        assert!(matches!(result, CallResult::Unknown(UnknownReason::Closed)), "{token}: {result:?}");
    }
    assert_eq!(answered(send(&sandbox, "8").await).0.status, 200);

    let (_, seen) =
        answered(request(&sandbox, Method::GET, "/sandbox/ledger?lines&by_recipient", "", &Value::Null).await);
    assert_eq!(seen["accepted"], 4);
    assert_eq!(seen["accepted_unanswered"], 3);
    assert_eq!(seen["dropped"], 3);
    assert_eq!(seen["rejected"], json!({"4": 1, "130429": 1}));
    assert_eq!(seen["by_recipient"], json!([{"recipient": "351910000001", "accepted": 4}]));
    let accepted: Vec<&str> = seen["lines"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["wamid"].is_string())
        .map(|line| line["token"].as_str().unwrap())
        .collect();
    assert_eq!(accepted, ["3", "4", "6", "8"]);
}

#[tokio::test]
async fn calls_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = start(options(folder.path(), None));
    let (path, right) =
        ("/v25.0/309876543210987/messages", json!({"messaging_product":"whatsapp","to":"+1","text":{"body":"x"}}));
    let mark = json!({"messaging_product":"whatsapp","status":"read","message_id":"wamid.X"});
    let cases = [
        (path, "wrong", &right, 401, 190),
        (path, "", &right, 401, 190),
        ("/v25.0/1/messages", "right", &right, 400, 100),
        (path, "right", &json!("no object"), 400, 100),
        (path, "right", &json!({"messaging_product":"whatsapp"}), 400, 100),
        (path, "right", &right, 200, 0),
        (path, "right", &mark, 200, 0),
    ];
    for (path, bearer, body, status, code) in cases {
        let (answer, said) = answered(request(&sandbox, Method::POST, path, bearer, body).await);
        assert_eq!(answer.status, status, "{said}");
        assert_eq!(said["error"]["code"].as_i64().unwrap_or_default(), code, "{said}");
        if body == &mark {
            assert_eq!(said, json!({"success": true}));
        }
    }
    let uploaded = request(&sandbox, Method::POST, "/v25.0/309876543210987/media", "right", &json!({})).await;
    let id = answered(uploaded).1["id"].as_str().unwrap().to_owned();
    let media = answered(request(&sandbox, Method::GET, &format!("/v25.0/{id}"), "right", &Value::Null).await).1;
    let url = media["url"].as_str().unwrap();
    let path = url.strip_prefix(&format!("http://{}", sandbox.addr())).unwrap();
    let (picture, _) = answered(request(&sandbox, Method::GET, path, "right", &Value::Null).await);
    assert_eq!(picture.body.len() as u64, media["file_size"].as_u64().unwrap());
}

#[tokio::test]
async fn customers_write_on_order_and_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let mut door = Door::open(200).await;
    let arrivals = ArrivalOptions { per_minute: 60.0, customers: 3 };
    let (surroundings, clock) = surroundings();
    let sandbox =
        Sandbox::start(SandboxOptions { arrivals, ..options(folder.path(), Some(&door)) }, surroundings).unwrap();
    let order = json!({"from": "+351 910 000 007", "name": "Joana", "text": "Olá"});
    let (_, said) = answered(request(&sandbox, Method::POST, "/sandbox/inbound", "", &order).await);
    let (_, body) = door.next().await;
    let value = &body["entry"][0]["changes"][0]["value"];
    assert_eq!(value["metadata"]["phone_number_id"], "309876543210987");
    assert_eq!(value["contacts"][0], json!({"profile": {"name": "Joana"}, "wa_id": "351910000007"}));
    assert_eq!(
        value["messages"][0],
        json!({"from": "351910000007", "id": said["id"], "timestamp": "1795165200",
        "type": "text", "text": {"body": "Olá"}})
    );
    for wrong in [json!({"from": "1"}), json!({"from": "x", "text": "y"}), json!({"text": "y"})] {
        assert_eq!(answered(request(&sandbox, Method::POST, "/sandbox/inbound", "", &wrong).await).0.status, 400);
    }
    // However often the clock must move until the sandbox's thread waits for it.
    let (_, body) = loop {
        clock.advance(Duration::from_secs(1));
        if let Ok(body) = door.bodies.try_recv() {
            break body;
        }
        tokio::task::yield_now().await;
    };
    assert!(items_of(&body).iter().all(|(id, text, _)| id.starts_with("wamid.") && !text.is_empty()));
}

#[tokio::test]
async fn too_much_owed_is_refused_like_a_service_that_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(503).await;
    let sandbox = start(SandboxOptions { owed_max: 5, ..options(folder.path(), Some(&door)) });
    assert_eq!(answered(send(&sandbox, "0").await).0.status, 200);
    let (answer, body) = answered(send(&sandbox, "1").await);
    assert_eq!((answer.status, &body["error"]["code"]), (500, &json!(131_016)));
}

#[tokio::test]
async fn only_loopback_and_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let open = SandboxOptions { listen: "0.0.0.0:0".parse().unwrap(), ..options(folder.path(), None) };
    assert!(matches!(Sandbox::start(open, surroundings().0), Err(SandboxError::NotLoopback)));
    let first = start(options(folder.path(), None));
    let second = Sandbox::start(options(folder.path(), None), surroundings().0);
    assert!(matches!(second, Err(SandboxError::Ledger(_))));
    first.stop().await;
    start(options(folder.path(), None)).stop().await;
}
