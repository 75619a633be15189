//! The provider over loopback, with a webhook that refuses at first.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::told::{Counts, Inbound, Line};
use super::*;
use crate::rest::{Rest, connect};
use crate::webhook::Secret;
use crate::wire::{Connection, post};

const SECRET: &str = "the app's secret";

/// A webhook that refuses its first posts.
#[derive(Default)]
struct Receiver {
    refuses: AtomicU32,
    unsigned: AtomicU32,
    bodies: Mutex<Vec<Value>>,
}

impl Receiver {
    async fn listen(self: Arc<Self>) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiver = Arc::clone(&self);
                tokio::spawn(async move {
                    let serve = service_fn(|request| receiver.take(request));
                    let _ =
                        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        });
        addr
    }

    async fn take(&self, request: Request<Incoming>) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let mut answer = Response::new(Full::new(Bytes::new()));
        if self.refuses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            *answer.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
            return Ok(answer);
        }
        let signature = head.headers.get("x-hub-signature-256").map(|value| value.as_bytes());
        if signature != Some(Secret::new(SECRET).signature(&body).as_bytes())
            || head.uri.path() != "/webhooks/whatsapp/app"
        {
            self.unsigned.fetch_add(1, Ordering::Relaxed);
        }
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).push(serde_json::from_slice(&body).unwrap());
        Ok(answer)
    }

    /// Every item of this name that was taken.
    fn items(&self, name: &str) -> Vec<Value> {
        let all = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let bodies = self.bodies.lock().unwrap();
        let changes = bodies.iter().flat_map(|body| all(&body["entry"])).flat_map(|entry| all(&entry["changes"]));
        changes.flat_map(|change| all(&change["value"][name])).collect()
    }
}

/// A provider with this plan, served by the test's own thread.
async fn provider(plan: Value) -> (SocketAddr, Rest) {
    let plan = Plan::from_json(plan.to_string().as_bytes()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let state = Arc::new(State::new(addr, plan, None).unwrap());
    tokio::spawn(serve::serve(listener, Arc::clone(&state)));
    tokio::spawn(post::post_all(state));
    (addr, Rest::open(addr, "token").await.unwrap())
}

fn text(to: u32, token: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": format!("+1556{to:07}"), "type": "text", "text": {"body": "Hi"},
        "biz_opaque_callback_data": token})
}

async fn get(rest: &mut Rest, path: &str) -> String {
    rest.text(Method::GET, path, Bytes::new()).await.unwrap()
}

#[tokio::test]
async fn all_that_is_owed_is_taken_from_a_webhook_that_refuses_at_first() {
    let receiver = Arc::new(Receiver { refuses: AtomicU32::new(3), ..Receiver::default() });
    let addr = Arc::clone(&receiver).listen().await;
    let plan = json!({
        "webhook": {"url": format!("http://{addr}/webhooks/whatsapp/app"), "secret": SECRET},
        "receipts": {"batch_max": 50, "connections": 3, "repeat_percent": 20, "loss_percent": 20},
        "replies": {"percent": 50, "stop_percent": 20},
        "events": [{"at_ms": 0, "number": "2065", "kind": "quality"}],
    });
    let (_, mut rest) = provider(plan).await;
    rest.post("/control/start", &json!({})).await.unwrap();
    for to in 0..200 {
        rest.post("/v25.0/2065/messages", &text(to, &format!("t{to}"))).await.unwrap();
    }
    let drained = rest.post("/control/drain", &json!({"deadline_ms": 60_000})).await.unwrap();
    let counts: Counts = serde_json::from_value(drained).unwrap();
    assert_eq!((counts.owed, counts.accepted, counts.refused_posts, counts.last_refusal), (0, 200, 3, 503));
    assert_eq!(counts.receipts.taken, counts.receipts.scheduled);
    assert!(counts.receipts.posted > counts.receipts.taken || counts.events.posted > 1, "{counts:?}");
    assert_eq!((receiver.unsigned.load(Ordering::Relaxed), counts.events.taken), (0, 1));

    let statuses = receiver.items("statuses");
    assert_eq!(statuses.len() as u64, counts.receipts.taken);
    let ledger = get(&mut rest, "/control/ledger?after=0&limit=1000").await;
    let lines: Vec<Line<'_>> = ledger.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 200);
    for line in &lines {
        for receipt in &line.receipts {
            let of =
                |status: &&Value| status["id"] == *line.wamid.as_ref().unwrap() && status["status"] == *receipt.status;
            let came: Vec<&Value> = statuses.iter().filter(of).collect();
            assert_eq!((came.len(), receipt.owed), (usize::from(receipt.taken), receipt.taken));
            assert!(came.iter().all(|status| status["biz_opaque_callback_data"] == **line.token.as_ref().unwrap()));
        }
    }
    let messages = receiver.items("messages");
    let inbound = get(&mut rest, "/control/inbound?limit=1000").await;
    let inbound: Vec<Inbound<'_>> = inbound.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((messages.len() as u64, inbound.len() as u64), (counts.replies.taken, counts.replies.taken));
    for written in &inbound {
        let came = messages.iter().find(|message| message["id"] == *written.wamid).unwrap();
        assert_eq!((&came["from"], &came["text"]["body"]), (&json!(written.from), &json!(written.text)));
        assert_eq!(came["context"]["id"] == *written.answers, written.quotes);
    }
    assert!(inbound.iter().any(|written| written.text == "STOP") && inbound.iter().any(|written| written.quotes));

    let page = get(&mut rest, "/control/ledger?after=150&limit=20").await;
    let numbers: Vec<u64> = page.lines().map(|line| serde_json::from_str::<Line<'_>>(line).unwrap().n).collect();
    assert_eq!((numbers.len(), numbers[0], numbers[19]), (20, 150, 169));
    assert_eq!(get(&mut rest, "/control/ledger?after=200").await, "");
    rest.post("/control/start", &json!({})).await.unwrap();
    let counts: Counts = serde_json::from_str(&get(&mut rest, "/control/counts").await).unwrap();
    assert_eq!((counts.sends, counts.accepted), (0, 0));
}

#[tokio::test]
async fn a_client_of_metas_finds_its_routes() {
    let (addr, mut rest) = provider(json!({
        "access_token": "token", "numbers": [{"id": "2065", "display": "351210000099", "business_id": "77"}],
    }))
    .await;
    let answer = rest.post("/v25.0/2065/messages", &text(7, "t")).await.unwrap();
    assert_eq!(answer["contacts"][0], json!({"input": "+15560000007", "wa_id": "15560000007"}));
    assert!(answer["messages"][0]["id"].as_str().unwrap().starts_with("wamid."));
    let mark = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.IN"});
    assert_eq!(rest.post("/v25.0/2065/messages", &mark).await.unwrap(), json!({"success": true}));
    assert_eq!(rest.get("/v25.0/2065?fields=x").await.unwrap()["display_phone_number"], "351210000099");
    let id = rest.post("/v25.0/2065/media", &json!("a file")).await.unwrap()["id"].as_str().unwrap().to_owned();
    let url = rest.get(&format!("/v25.0/{id}")).await.unwrap()["url"].as_str().unwrap().to_owned();
    assert_eq!(url, format!("http://{addr}/media/{id}"));
    assert!(get(&mut rest, &format!("/media/{id}")).await.contains("PNG"));
    for (path, body) in [("/v25.0/2065/messages", json!({})), ("/v25.0/2065/other", text(1, ""))] {
        let error = format!("{:#}", rest.post(path, &body).await.unwrap_err());
        assert!(error.contains("400") && error.contains("\"code\":100"), "{error}");
    }
    let mut stranger = Rest::open(addr, "another").await.unwrap();
    for path in ["/v25.0/2065/messages", "/v25.0/2065/media"] {
        let error = format!("{:#}", stranger.post(path, &text(1, "")).await.unwrap_err());
        assert!(error.contains("401") && error.contains("\"code\":190"), "{error}");
    }
    let counts: Counts = serde_json::from_str(&get(&mut rest, "/control/counts").await).unwrap();
    assert_eq!(
        (counts.accepted, counts.marks, counts.uploads, counts.refused[&100], counts.refused[&190]),
        (1, 1, 1, 1, 1)
    );
}

#[tokio::test]
async fn a_silent_send_is_in_the_ledger_and_has_no_answer() {
    let (addr, mut rest) = provider(json!({"silent": 100, "silent_closes_percent": 100})).await;
    let body = text(1, "t").to_string();
    let mut client = Connection::open(addr).await.unwrap();
    let error = client.call(&post("/v25.0/2065/messages", "", body.as_bytes())).await.unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
    let line = get(&mut rest, "/control/ledger").await;
    let line: Line<'_> = serde_json::from_str(&line).unwrap();
    assert_eq!((&*line.verdict, line.wamid.is_some(), line.token.as_deref()), ("silent", true, Some("t")));
}

#[tokio::test]
async fn orders_that_are_wrong_are_refused_with_a_reason() {
    let (addr, mut rest) = provider(json!({})).await;
    for (method, path, body, reason) in [
        (Method::PUT, "/control/plan", r#"{"error":200}"#, "400: {\"error\":\"`error` is 0 to 100"),
        (Method::PUT, "/control/plan", "{", "cannot be read"),
        (Method::PUT, "/control/plan", r#"{"receipts":{"lost":1}}"#, "lost"),
        (Method::POST, "/control/drain", r#"{"deadline_ms":120001}"#, "deadline_ms"),
        (Method::POST, "/control/write", "", "--ledger"),
        (Method::GET, "/control/ledger?after=-1", "", "`after`"),
        (Method::GET, "/control/ledger?limit=50001", "", "50000"),
        (Method::GET, "/control/inbound?until=1", "", "`until`"),
        (Method::GET, "/control/nothing", "", "404"),
        (Method::DELETE, "/control/plan", "", "404"),
    ] {
        let error = rest.text(method, path, Bytes::from(body)).await.unwrap_err();
        assert!(format!("{error:#}").contains(reason), "{path} {body}: {error:#}");
    }
    assert_eq!(rest.get("/control/plan").await.unwrap()["error"], 0.0);
    rest.put("/control/plan", &json!({"error": 100})).await.unwrap();
    assert_eq!(rest.get("/control/plan").await.unwrap()["error"], 100.0);
    assert!(rest.post("/v25.0/1/messages", &text(1, "t")).await.is_err());
    let request = Request::get("/control/counts").header("host", "x").header("origin", "http://evil");
    let mut sender = connect(addr).await.unwrap();
    let response = sender.send_request(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap();
    assert_eq!(response.status().as_u16(), 403);
}

#[test]
fn flags_are_read() {
    let read = |line: &str| Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let options = read("--child --listen 127.0.0.1:8 --plan a.toml --ledger b").unwrap();
    assert_eq!((options.is_child, options.listen.port(), options.plan), (true, 8, Some("a.toml".into())));
    assert_eq!(read("").unwrap().listen.port(), 0);
    for wrong in ["--listen", "--listen here", "--nothing 1"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_ledger_is_written_to_its_file() {
    let path = std::env::temp_dir().join(format!("provider-ledger-{}", std::process::id()));
    let addr = ([127, 0, 0, 1], 1).into();
    let state = State::new(addr, Plan::default(), Some(path.clone())).unwrap();
    for to in 0..2_500 {
        let body = text(to, "t").to_string();
        let send::Call::Send(send) = send::read(body.as_bytes()).unwrap() else { panic!("a mark") };
        state.book().take(&Plan::default(), "2065", &send);
    }
    assert!(state.write_ledger().unwrap());
    let written = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let to: Vec<String> =
        written.lines().map(|line| serde_json::from_str::<Line<'_>>(line).unwrap().to.into()).collect();
    assert_eq!((to.len(), &*to[2_499]), (2_500, "15560002499"));
    assert!(!State::new(addr, Plan::default(), None).unwrap().write_ledger().unwrap());
}
