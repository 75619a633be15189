//! The sandbox's HTTP server: connections and routes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::graph_error::GraphError;
use super::{State, control, messages};

/// A whole answer.
pub(super) type Answer = Response<Full<Bytes>>;

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault on order")]
pub(super) struct Dropped;

/// For messages and orders.
const BODY_BYTES_MAX: usize = 1 << 20;
/// For uploads, which are read and thrown away.
const MEDIA_BYTES_MAX: usize = 100 << 20;
/// For reading a body.
const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// An idle connection lives longer than clients keep one, so that they need not guess.
const IDLE_MAX: Duration = Duration::from_secs(1_800);

/// One red dot.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\
\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82";

/// Serves for as long as the sandbox runs.
pub(super) async fn serve(state: Arc<State>, listener: TcpListener) {
    let slots = Arc::new(Semaphore::new(state.options.connections_max.max(1)));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let state = Arc::clone(&state);
                tokio::spawn(async move {
                    converse(state, stream).await;
                    drop(slot);
                });
            }
            // Out of file descriptors, mostly: others must end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn converse(state: Arc<State>, stream: TcpStream) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(move |request| route(Arc::clone(&state), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // A connection that ends on order is one that its caller sees end.
    drop(served);
}

async fn route(state: Arc<State>, request: Request<Incoming>) -> Result<Answer, Dropped> {
    let path = request.uri().path().to_owned();
    let all: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if let ["sandbox", rest @ ..] = all.as_slice() {
        return control::answer(&state, rest, request).await;
    }
    let versioned = all.first().is_some_and(|first| first.starts_with('v') && first.contains('.'));
    let segments = if versioned { &all[1..] } else { &all[..] };
    let authorised = is_authorised(&state, &request);
    match (request.method(), segments) {
        (&Method::POST, [phone_number_id, "messages" | "marketing_messages"]) => {
            let phone_number_id = (*phone_number_id).to_owned();
            match body(request, BODY_BYTES_MAX).await? {
                Some(body) => messages::send(state, phone_number_id, authorised, body).await,
                None => Ok(refused(&GraphError::new(100, "The body is too long."))),
            }
        }
        _ if !authorised => Ok(refused(&GraphError::new(190, "The access token is missing or wrong."))),
        (&Method::POST, [_, "media"]) => match body(request, MEDIA_BYTES_MAX).await? {
            Some(_) => Ok(of_json(StatusCode::OK, &json!({"id": media_id(&state)}))),
            None => Ok(refused(&GraphError::new(100, "The file is too large."))),
        },
        (&Method::GET, [id]) => Ok(of_json(StatusCode::OK, &described(&state, id))),
        _ => Ok(refused(&GraphError::new(100, "Unsupported request."))),
    }
}

/// The whole body, none if it is longer than `bytes_max`.
pub(super) async fn body(request: Request<Incoming>, bytes_max: usize) -> Result<Option<Bytes>, Dropped> {
    let whole = Limited::new(request.into_body(), bytes_max).collect();
    match tokio::time::timeout(BODY_DEADLINE, whole).await {
        Ok(Ok(body)) => Ok(Some(body.to_bytes())),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Ok(None),
        Ok(Err(_)) | Err(_) => Err(Dropped),
    }
}

/// An answer with `body`.
pub(super) fn answered(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// An answer with `body` as JSON.
pub(super) fn of_json(status: StatusCode, body: &impl serde::Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(bytes) => answered(status, Bytes::from(bytes)),
        Err(_) => answered(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
    }
}

fn refused(error: &GraphError) -> Answer {
    answered(error.status(), error.body())
}

fn is_authorised(state: &State, request: &Request<Incoming>) -> bool {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match (header.and_then(|value| value.strip_prefix("Bearer ")), &state.options.access_token) {
        (None | Some(""), _) => false,
        (Some(_), None) => true,
        (Some(token), Some(right)) => token.as_bytes().ct_eq(right.expose().as_bytes()).into(),
    }
}

fn media_id(state: &State) -> String {
    (state.chance.next() >> 4).to_string()
}

/// A number or, for any other id, a picture.
fn described(state: &State, id: &str) -> serde_json::Value {
    match state.options.numbers.iter().find(|number| number.phone_number_id == id) {
        Some(number) => json!({
            "id": id, "display_phone_number": number.display_phone_number, "quality_rating": "GREEN",
            "verified_name": "Sandbox", "whatsapp_business_manager_messaging_limit": "TIER_2K",
        }),
        None => json!({
            "messaging_product": "whatsapp", "id": id, "url": format!("http://{}/sandbox/media/{id}", state.addr),
            "mime_type": "image/png", "file_size": PICTURE.len(),
        }),
    }
}

/// The picture that every media id stands for.
pub(super) fn picture() -> Answer {
    let mut answer = answered(StatusCode::OK, Bytes::from_static(PICTURE));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
    answer
}
