//! The provider's HTTP server: connections, and the routes that a client of Meta's calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::chance::Chance;
use super::control;
use super::refusal::{PAGE, Refusal};
use super::send::{self, Call};
use super::state::State;
use super::verdict::Outcome;

/// A whole answer.
pub(super) type Answer = Response<Full<Bytes>>;

/// The connection ends without an answer.
#[derive(Debug)]
pub(super) struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("no answer, on order")
    }
}

impl std::error::Error for Dropped {}

/// Connections of a thread.
const CONNECTIONS_MAX: usize = 10_000;
/// Bytes of a message or an order.
const BODY_MAX: usize = 1 << 20;
/// Bytes of a file, which is read and thrown away.
const FILE_MAX: usize = 100 << 20;
/// For reading a body.
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// An idle connection lives longer than clients keep one.
const IDLE_MAX: Duration = Duration::from_secs(1_800);
/// How long a send that is never answered keeps its connection.
const HANGS: Duration = Duration::from_secs(120);

/// One red dot, which every file is.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\
\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82";

/// Serves for as long as the provider runs.
pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    converse(stream, state).await;
                    drop(slot);
                });
            }
            // Out of file descriptors, mostly: others must end first.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn converse(stream: TcpStream, state: Arc<State>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let serve = service_fn(move |request| route(Arc::clone(&state), request));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(IDLE_MAX);
    // A connection that breaks is its client's to tell.
    let _ = builder.serve_connection(TokioIo::new(stream), serve).await;
}

async fn route(state: Arc<State>, request: Request<Incoming>) -> Result<Answer, Dropped> {
    let path = request.uri().path().to_owned();
    let mut segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if let ["control", what] = segments.as_slice() {
        return control::answer(&state, what, request).await;
    }
    if segments.first().is_some_and(|first| first.starts_with('v') && first.contains('.')) {
        segments.remove(0);
    }
    let is_allowed = is_allowed(&state, &request);
    match (request.method(), segments.as_slice()) {
        (&Method::POST, [number, "messages" | "marketing_messages"]) => match body(request, BODY_MAX).await? {
            Some(body) => send(&state, number, is_allowed, &body).await,
            None => Ok(refused(Refusal::new(100, "The body is too long."))),
        },
        _ if !is_allowed => Ok(refused(UNKNOWN)),
        (&Method::POST, [_, "media"]) => upload(&state, request).await,
        (&Method::GET, ["media", _]) => {
            let mut answer = answered(StatusCode::OK, Bytes::from_static(PICTURE));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
            Ok(answer)
        }
        (&Method::GET, [id]) => Ok(of_json(&described(&state, id))),
        _ => Ok(refused(Refusal::new(100, "Unsupported request."))),
    }
}

const UNKNOWN: Refusal = Refusal::new(190, "The access token is missing or wrong.");

async fn send(state: &State, number: &str, is_allowed: bool, body: &[u8]) -> Result<Answer, Dropped> {
    let ready = state.ready();
    let call = if is_allowed { send::read(body) } else { Err(UNKNOWN) };
    let call = match call {
        Ok(call) => call,
        Err(refusal) => {
            state.book().unkept(refusal);
            return Ok(refused(refusal));
        }
    };
    let Call::Send(send) = call else {
        state.book().mark();
        pause(Chance::new(ready.plan.seed, body).latency_ms(ready.plan.latency)).await;
        return Ok(answered(StatusCode::OK, Bytes::from_static(br#"{"success":true}"#)));
    };
    let taken = state.book().take(&ready.plan, number, &send);
    pause(taken.delay_ms).await;
    match taken.outcome {
        Outcome::Accepted { .. } => Ok(accepted(&send, &taken.wamid)),
        Outcome::Refused(refusal) => Ok(refused(refusal)),
        Outcome::Silent { closes: true, .. } => Err(Dropped),
        Outcome::Silent { .. } => {
            sleep(HANGS).await;
            Err(Dropped)
        }
    }
}

async fn pause(ms: f64) {
    if ms > 0.0 {
        sleep(Duration::from_secs_f64(ms / 1_000.0)).await;
    }
}

fn accepted(send: &send::Send<'_>, wamid: &str) -> Answer {
    // Text can always be written.
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let (input, to) = (quoted(&send.input), quoted(&send.to));
    let named = if send.to.contains('.') { "user_id" } else { "wa_id" };
    let told = if send.kind == "template" { r#","message_status":"accepted""# } else { "" };
    answered(
        StatusCode::OK,
        Bytes::from(format!(
            r#"{{"messaging_product":"whatsapp","contacts":[{{"input":{input},"{named}":{to}}}],"messages":[{{"id":"{wamid}"{told}}}]}}"#
        )),
    )
}

async fn upload(state: &State, request: Request<Incoming>) -> Result<Answer, Dropped> {
    let mut file = request.into_body();
    if file.size_hint().lower() > FILE_MAX as u64 {
        return Ok(refused(Refusal::new(100, "The file is too large.")));
    }
    let mut bytes = 0;
    loop {
        match timeout(BODY_WITHIN, file.frame()).await {
            Ok(Some(Ok(frame))) => bytes += frame.data_ref().map_or(0, Bytes::len),
            Ok(None) => break,
            Ok(Some(Err(_))) | Err(_) => return Err(Dropped),
        }
        if bytes > FILE_MAX {
            return Ok(refused(Refusal::new(100, "The file is too large.")));
        }
    }
    let id = 1_090_000_000_000_000 + state.book().upload();
    Ok(of_json(&json!({"id": id.to_string()})))
}

/// A number that the plan names or, for any other id, a file.
fn described(state: &State, id: &str) -> serde_json::Value {
    let ready = state.ready();
    if ready.knows(id) {
        return json!({
            "id": id, "display_phone_number": ready.number(id).display, "quality_rating": "GREEN",
            "verified_name": "Loadtest", "whatsapp_business_manager_messaging_limit": "TIER_UNLIMITED",
        });
    }
    json!({
        "messaging_product": "whatsapp", "id": id, "url": format!("http://{}/media/{id}", state.addr),
        "mime_type": "image/png", "file_size": PICTURE.len(),
    })
}

fn is_allowed(state: &State, request: &Request<Incoming>) -> bool {
    let ready = state.ready();
    let Some(wanted) = &ready.plan.access_token else { return true };
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(|value| value.strip_prefix("Bearer ")) == Some(wanted)
}

/// The whole body; none if it is longer than that.
pub(super) async fn body(request: Request<Incoming>, bytes_max: usize) -> Result<Option<Bytes>, Dropped> {
    match timeout(BODY_WITHIN, Limited::new(request.into_body(), bytes_max).collect()).await {
        Ok(Ok(body)) => Ok(Some(body.to_bytes())),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Ok(None),
        Ok(Err(_)) | Err(_) => Err(Dropped),
    }
}

/// An answer in JSON.
pub(super) fn answered(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// A value that was asked for.
pub(super) fn of_json(value: &impl serde::Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(bytes) => answered(StatusCode::OK, Bytes::from(bytes)),
        Err(_) => answered(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
    }
}

fn refused(refusal: Refusal) -> Answer {
    let mut answer = answered(refusal.status(), refusal.body());
    match refusal.code {
        4 => {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        130_429 => {
            let usage = r#"{"0":[{"type":"messaging","estimated_time_to_regain_access":1}]}"#;
            answer.headers_mut().insert("x-business-use-case-usage", HeaderValue::from_static(usage));
        }
        PAGE => {
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        }
        _ => {}
    }
    answer
}
