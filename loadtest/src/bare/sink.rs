//! The bare sink: takes every send as Meta would, at once. It counts, and on demand it reports each message as sent,
//! delivered and read to the server that sent it.

mod receipts;

use std::borrow::Cow;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::receipts::Posted;
pub(crate) use self::receipts::{BATCH_MAX, KINDS, Send, request};
use crate::machine;

/// Where a round begins.
pub(crate) const BEGIN: &str = "/begin";
/// Where a round's counts are told.
pub(crate) const COUNTED: &str = "/counted";
/// Where it is told how the sends came in time.
pub(crate) const PACE: &str = "/pace";
/// Where it is told how many different tokens came.
pub(crate) const DIFFERENT: &str = "/different";

/// Where the sends of a round are told that were to be kept.
pub(crate) const KEPT: &str = "/kept";

/// What a round is to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Begin {
    /// Where receipts go; none are made where it is not said.
    pub(crate) receipts: Option<Target>,
    /// Whether its sends are kept, so that whoever asks can make receipts of them.
    #[serde(default)]
    pub(crate) keep: bool,
}

/// A webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    pub(crate) path: String,
}

/// What came since a round began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// Sends.
    pub(crate) sends: u64,
    /// Bytes of their bodies.
    pub(crate) body_bytes: u64,
    /// From the first of them to the last.
    pub(crate) span_us: u64,
    /// From the first of them until now.
    pub(crate) since_first_us: u64,
    /// Receipts that the server took.
    pub(crate) receipts: u64,
    /// Posts in which it took them.
    pub(crate) posts: u64,
    /// Posts that it did not take, which came again.
    pub(crate) refused: u64,
    /// The status of the last such; 0 where the connection broke or there was none.
    pub(crate) last_refusal: u64,
}

/// How the sends of a round came in time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pace {
    /// The most that came in any 1,000 ms.
    pub(crate) busiest_second: u64,
    /// How many came in each second after the first send.
    pub(crate) by_second: Vec<u64>,
}

/// A send, as far as its answer and its receipts need it.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(borrow)]
    biz_opaque_callback_data: Cow<'a, str>,
}

/// Sends since a round began.
#[derive(Default)]
struct Round {
    number: u64,
    counted: Counted,
    first: Option<Instant>,
    /// How many came in each millisecond after the first.
    by_ms: Vec<u32>,
    /// A digest of each token.
    tokens: Vec<u64>,
    posted: Arc<Posted>,
    receipts: Option<mpsc::UnboundedSender<Send>>,
    kept: Option<Vec<Send>>,
}

#[derive(Default)]
struct Sink {
    round: Mutex<Round>,
}

/// Runs it until whoever started it is gone.
///
/// # Errors
/// It cannot listen.
pub fn run() -> Result<()> {
    super::end_with_starter();
    let (listener, addr) = super::loopback()?;
    listener.set_nonblocking(true)?;
    let sink = Arc::new(Sink::default());
    let mut threads = Vec::new();
    for _ in 0..machine::cores() {
        let (listener, sink) = (listener.try_clone()?, Arc::clone(&sink));
        threads.push(std::thread::spawn(move || listen(listener, &sink)));
    }
    super::tell(&format!("listening {addr}"))?;
    threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
}

fn listen(listener: std::net::TcpListener, sink: &Arc<Sink>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let sink = Arc::clone(sink);
            tokio::spawn(async move {
                let serve = service_fn(|request| sink.serve(request));
                // A connection that breaks is its client's to tell.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await;
            });
        }
    })
}

impl Sink {
    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, request: Request<Incoming>) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let answer = match body.collect().await {
            Ok(body) => self.answer(&head.method, head.uri.path(), &body.to_bytes()),
            Err(error) => Err(error.into()),
        };
        let (status, text) = match answer {
            Ok(text) => (StatusCode::OK, text),
            Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}")),
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    fn answer(&self, method: &Method, path: &str, body: &[u8]) -> Result<String> {
        if let Some(number) = path.strip_suffix("/messages")
            && *method == Method::POST
        {
            let number = number.rsplit('/').next().unwrap_or_default();
            return self.take(number, body);
        }
        match path {
            BEGIN => self.begin(serde_json::from_slice(body)?).map(|()| "{}".to_owned()),
            COUNTED => Ok(serde_json::to_string(&self.counted())?),
            PACE => Ok(serde_json::to_string(&pace(&self.round().by_ms))?),
            KEPT => Ok(serde_json::to_string(&self.round().kept)?),
            DIFFERENT => Ok(self.different().to_string()),
            _ => anyhow::bail!("nothing is at {path}"),
        }
    }

    /// Takes a send of a number and gives the answer.
    fn take(&self, number: &str, body: &[u8]) -> Result<String> {
        let wire: Wire<'_> = serde_json::from_slice(body).context("a send that cannot be read")?;
        let mut hasher = DefaultHasher::new();
        wire.biz_opaque_callback_data.hash(&mut hasher);
        let now = Instant::now();
        let id = {
            let mut round = self.round();
            let since = now.saturating_duration_since(*round.first.get_or_insert(now));
            round.tokens.push(hasher.finish());
            let at = since.as_millis() as usize;
            if round.by_ms.len() <= at {
                round.by_ms.resize(at + 1, 0);
            }
            if let Some(count) = round.by_ms.get_mut(at) {
                *count += 1;
            }
            round.counted.sends += 1;
            round.counted.body_bytes += body.len() as u64;
            round.counted.span_us = round.counted.span_us.max(since.as_micros() as u64);
            let id = receipts::wamid((round.number, round.counted.sends));
            let send = || Send {
                number: number.into(),
                to: wire.to.trim_start_matches('+').into(),
                token: (&*wire.biz_opaque_callback_data).into(),
                id: id.as_str().into(),
            };
            if let Some(receipts) = &round.receipts {
                receipts.send(send()).ok().context("nobody posts receipts any more")?;
            }
            if let Some(kept) = &mut round.kept {
                kept.push(send());
            }
            id
        };
        let to = &wire.to;
        let digits = to.trim_start_matches('+');
        Ok(format!(
            r#"{{"messaging_product":"whatsapp","contacts":[{{"input":"{to}","wa_id":"{digits}"}}],"messages":[{{"id":"{id}"}}]}}"#
        ))
    }

    fn begin(&self, begin: Begin) -> Result<()> {
        let posted = Arc::new(Posted::default());
        let receipts = begin.receipts.map(|target| receipts::start(target, Arc::clone(&posted))).transpose()?;
        let mut round = self.round();
        let number = round.number + 1;
        *round = Round { number, posted, receipts, kept: begin.keep.then(Vec::new), ..Round::default() };
        Ok(())
    }

    fn counted(&self) -> Counted {
        let round = self.round();
        Counted {
            since_first_us: round.first.map_or(0, |first| first.elapsed().as_micros() as u64),
            receipts: round.posted.receipts.load(Ordering::Relaxed),
            posts: round.posted.posts.load(Ordering::Relaxed),
            refused: round.posted.refused.load(Ordering::Relaxed),
            last_refusal: round.posted.last_refusal.load(Ordering::Relaxed),
            ..round.counted
        }
    }

    /// How many different tokens came.
    fn different(&self) -> usize {
        let mut tokens = self.round().tokens.clone();
        tokens.sort_unstable();
        tokens.dedup();
        tokens.len()
    }
}

fn pace(by_ms: &[u32]) -> Pace {
    let sum = |some: &[u32]| some.iter().map(|count| u64::from(*count)).sum::<u64>();
    let by_second = by_ms.chunks(1_000).map(sum).collect();
    let (mut within, mut busiest_second) = (0, 0);
    for (at, count) in by_ms.iter().enumerate() {
        within += u64::from(*count);
        within -= at.checked_sub(1_000).and_then(|gone| by_ms.get(gone)).map_or(0, |count| u64::from(*count));
        busiest_second = busiest_second.max(within);
    }
    Pace { busiest_second, by_second }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_second_begins_anywhere() {
        let mut by_ms = vec![0; 2_500];
        (by_ms[900], by_ms[1_000], by_ms[1_899], by_ms[1_900]) = (4, 1, 3, 2);
        assert_eq!(pace(&by_ms), Pace { busiest_second: 8, by_second: vec![4, 6, 0] });
        assert_eq!(pace(&[]), Pace::default());
    }

    const BODY: &str = r#"{"messaging_product":"whatsapp","to":"+15560000007","type":"template","template":{},"biz_opaque_callback_data":"b1.A.0.7.1"}"#;

    #[test]
    fn a_send_is_answered_as_meta_does_and_counted() {
        let sink = Sink::default();
        let send = |body: &str| sink.answer(&Method::POST, "/v25.0/2065/messages", body.as_bytes());
        let answer: serde_json::Value = serde_json::from_str(&send(BODY).unwrap()).unwrap();
        assert_eq!(answer["contacts"][0]["wa_id"], "15560000007");
        let again: serde_json::Value = serde_json::from_str(&send(BODY).unwrap()).unwrap();
        assert_ne!(answer["messages"][0]["id"], again["messages"][0]["id"]);
        assert!(send("{}").is_err());
        assert_eq!((sink.counted().sends, sink.different()), (2, 1));
        assert_eq!(sink.counted().body_bytes, 2 * BODY.len() as u64);
        sink.answer(&Method::POST, BEGIN, br#"{"receipts":null}"#).unwrap();
        assert_eq!(sink.counted(), Counted::default());
        let next: serde_json::Value = serde_json::from_str(&send(BODY).unwrap()).unwrap();
        assert_ne!(answer["messages"][0]["id"], next["messages"][0]["id"]);
        assert!(sink.answer(&Method::GET, "/elsewhere", b"").is_err());
    }
}
