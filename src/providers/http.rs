//! One HTTP client for all providers: HTTP/1.1, kept-alive connections, plain or TLS.
//!
//! It says exactly what is known about a call. Once a byte of the request may have left, nothing
//! is repeated: the call is answered, or nobody knows. Deadlines are machine time. Make one client
//! per thread that sends: a connection is driven by the thread that opened it.

mod base_url;
mod connect;
mod gate;
mod pool;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use serde::Deserialize;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::RootCertStore;

pub use self::base_url::{BaseUrl, BaseUrlError};
use self::gate::Gate;
use self::pool::Pool;
use crate::domain::secret::Secret;

/// How often a kept-alive connection may turn out closed before a new one is opened for the call.
const STALE_TRIES_MAX: u32 = 3;
/// Distinct authorities a client keeps connections to.
const AUTHORITIES_MAX: usize = 1_024;

/// Bounds of a client.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpOptions {
    /// Connections to one authority; what is needed is rate × latency (ten numbers at 1,000/s and 200 ms: 2,000).
    pub connections_max: usize,
    /// How long an unused connection is kept. Above the provider's own idle time, because a TLS
    /// hand-shake costs as much as 200 calls (`limits.md` §5).
    pub idle_max_ms: u64,
    /// For resolving, connecting and TLS.
    pub connect_deadline_ms: u64,
    /// For a whole call, waiting for a free connection included.
    pub call_deadline_ms: u64,
    /// A longer answer is not read to its end.
    pub answer_bytes_max: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connections_max: 2_048,
            idle_max_ms: 600_000,
            connect_deadline_ms: 3_000,
            call_deadline_ms: 10_000,
            answer_bytes_max: 1 << 20,
        }
    }
}

/// A token as calls carry it, written once. It has no `Debug`.
#[derive(Clone)]
pub struct Bearer(Option<HeaderValue>);

impl Bearer {
    /// Writes a token; calls with one that no header can hold are never sent.
    #[must_use]
    pub fn new(token: &Secret<String>) -> Self {
        let written = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok();
        Self(written.map(|mut value| {
            value.set_sensitive(true);
            value
        }))
    }
}

/// One call, borrowed from whoever makes it.
pub struct CallRequest<'a> {
    /// The account's base URL.
    pub base_url: &'a BaseUrl,
    /// Usually POST.
    pub method: Method,
    /// Path and query below the base, with a leading slash; or empty.
    pub path: &'a str,
    /// Sent as `Authorization: Bearer …`.
    pub bearer: Option<&'a Bearer>,
    /// Further headers; `content-type: application/json` is added when there is a body and no other type.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// The body, cheap to clone.
    pub body: Bytes,
    /// Instead of the client's own deadline.
    pub deadline: Option<Duration>,
}

/// Why a call was certainly not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSentReason {
    /// Path, token or a header cannot be written as HTTP.
    #[error("the call cannot be written as an HTTP request")]
    Unwritable,
    /// Every connection was busy, or the client knows too many authorities.
    #[error("no connection was free")]
    NoneFree,
    /// Resolving or connecting failed.
    #[error("could not connect: {0}")]
    Connect(std::io::ErrorKind),
    /// The connection was not there in time.
    #[error("could not connect in time")]
    ConnectDeadline,
    /// The TLS hand-shake failed.
    #[error("no TLS session: {0}")]
    Tls(std::io::ErrorKind),
    /// The connection was closed before the first byte.
    #[error("the connection was closed before the first byte")]
    Closed,
    /// The deadline passed before the first byte.
    #[error("the deadline passed before the first byte")]
    Deadline,
}

/// Why nobody knows what became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownReason {
    /// No whole answer in time.
    #[error("no whole answer in time")]
    Deadline,
    /// The connection ended before the answer did.
    #[error("the connection ended before the answer did")]
    Closed,
    /// What came was no HTTP answer.
    #[error("what came was no HTTP answer")]
    Garbage,
    /// The answer is longer than the bound.
    #[error("the answer is longer than the bound")]
    TooLarge,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct CallAnswer {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// `Retry-After`, where it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// Meta's `X-Business-Use-Case-Usage`, JSON.
    pub usage: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// What is known about a call.
#[derive(Clone, Debug)]
pub enum CallResult {
    /// The provider answered.
    Answered(CallAnswer),
    /// Certainly no byte of the request left.
    NotSent(NotSentReason),
    /// Bytes may have left and no usable answer came.
    Unknown(UnknownReason),
}

/// The client. Cheap to share by `Arc`.
pub struct HttpClient {
    options: HttpOptions,
    tls: TlsConnector,
    pools: RwLock<HashMap<Arc<str>, Arc<Pool>>>,
}

impl HttpClient {
    /// A client without connections yet.
    #[must_use]
    pub fn new(options: HttpOptions) -> Self {
        Self::trusting(options, tls::web_roots())
    }

    fn trusting(options: HttpOptions, roots: RootCertStore) -> Self {
        Self { options, tls: tls::connector(roots), pools: RwLock::default() }
    }

    /// Makes a call and says what is known about it. Dropping the future leaves that unknown.
    pub async fn call(&self, call: CallRequest<'_>) -> CallResult {
        let deadline = call.deadline.unwrap_or(Duration::from_millis(self.options.call_deadline_ms));
        let mut gate = None;
        match tokio::time::timeout_at(Instant::now() + deadline, self.carry(&call, &mut gate)).await {
            Ok(result) => result,
            Err(_) if gate.is_none_or(|gate: Arc<Gate>| gate.shut()) => CallResult::NotSent(NotSentReason::Deadline),
            Err(_) => CallResult::Unknown(UnknownReason::Deadline),
        }
    }

    async fn carry(&self, call: &CallRequest<'_>, gate: &mut Option<Arc<Gate>>) -> CallResult {
        let Some(mut request) = written(call) else {
            return CallResult::NotSent(NotSentReason::Unwritable);
        };
        let Some(pool) = self.pool(call.base_url) else {
            return CallResult::NotSent(NotSentReason::NoneFree);
        };
        let mut stale_tries = 0;
        loop {
            *gate = None;
            let mut lease = match pool.lease(call.base_url, &self.tls, stale_tries >= STALE_TRIES_MAX).await {
                Ok(lease) => lease,
                Err(reason) => return CallResult::NotSent(reason),
            };
            let connection = &mut lease.connection;
            // Waiting here lets a connection that the other side has closed say so.
            if connection.sender.ready().await.is_ok() && connection.gate.open() {
                *gate = Some(Arc::clone(&connection.gate));
                match connection.sender.try_send_request(request).await {
                    Ok(response) => {
                        let (head, body) = response.into_parts();
                        if body.size_hint().lower() > self.options.answer_bytes_max as u64 {
                            return CallResult::Unknown(UnknownReason::TooLarge);
                        }
                        return match Limited::new(body, self.options.answer_bytes_max).collect().await {
                            Ok(body) => {
                                pool.give_back(lease);
                                CallResult::Answered(answer(head.status.as_u16(), &head.headers, body.to_bytes()))
                            }
                            Err(error) if error.is::<LengthLimitError>() => {
                                CallResult::Unknown(UnknownReason::TooLarge)
                            }
                            Err(_) => CallResult::Unknown(UnknownReason::Closed),
                        };
                    }
                    Err(failed) if !connection.gate.shut() => {
                        let garbage = failed.error().is_parse();
                        let reason = if garbage { UnknownReason::Garbage } else { UnknownReason::Closed };
                        return CallResult::Unknown(reason);
                    }
                    // Nothing left: the same goes by another connection.
                    Err(mut failed) => match failed.take_message().or_else(|| written(call)) {
                        Some(unsent) => request = unsent,
                        None => return CallResult::NotSent(NotSentReason::Unwritable),
                    },
                }
            }
            if !lease.reused {
                return CallResult::NotSent(NotSentReason::Closed);
            }
            stale_tries += 1;
        }
    }

    fn pool(&self, url: &BaseUrl) -> Option<Arc<Pool>> {
        if let Some(pool) = self.pools.read().unwrap_or_else(PoisonError::into_inner).get(&url.authority) {
            return Some(Arc::clone(pool));
        }
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        if pools.len() >= AUTHORITIES_MAX && !pools.contains_key(&url.authority) {
            return None;
        }
        let pool = pools.entry(Arc::clone(&url.authority)).or_insert_with(|| Arc::new(Pool::new(&self.options)));
        Some(Arc::clone(pool))
    }
}

fn written(call: &CallRequest<'_>) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = call.base_url.target(call.path)?;
    let headers = request.headers_mut();
    headers.reserve(3 + call.headers.len());
    headers.insert(header::HOST, call.base_url.host_header.clone());
    if !call.body.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(bearer) = call.bearer {
        headers.insert(header::AUTHORIZATION, bearer.0.clone()?);
    }
    for (name, value) in call.headers {
        headers.insert(name, value.clone());
    }
    Some(request)
}

fn answer(status: u16, headers: &HeaderMap, body: Bytes) -> CallAnswer {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    CallAnswer {
        status,
        retry_after: text("retry-after").and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs),
        usage: text("x-business-use-case-usage").map(str::to_owned),
        body,
    }
}
