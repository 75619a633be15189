//! The control API: orders to the provider, and what it tells.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, ORIGIN};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::plan::Plan;
use super::serve::{Answer, Dropped, answered, body, of_json};
use super::state::State;

/// Bytes of an order; a plan of 10,000 events has fewer.
const ORDER_MAX: usize = 4 << 20;
/// Lines of a page, and how many there are if nothing is said.
const PAGE_MAX: usize = 50_000;
const PAGE: usize = 1_000;
/// The longest wait until nothing is owed, and how long it is if nothing is said.
const DRAIN_MS_MAX: u64 = 120_000;
const DRAIN_MS: u64 = 30_000;
/// How often what is owed is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Body of `drain`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Drain {
    deadline_ms: u64,
}

impl Default for Drain {
    fn default() -> Self {
        Self { deadline_ms: DRAIN_MS }
    }
}

/// Carries out an order.
pub(super) async fn answer(state: &Arc<State>, what: &str, request: Request<Incoming>) -> Result<Answer, Dropped> {
    // A page in somebody's browser has no business here.
    if request.headers().contains_key(ORIGIN) {
        return Ok(told(StatusCode::FORBIDDEN, "the control API is not for browsers: leave out Origin"));
    }
    let (method, query) = (request.method().clone(), request.uri().query().unwrap_or_default().to_owned());
    let Some(body) = body(request, ORDER_MAX).await? else {
        return Ok(told(StatusCode::PAYLOAD_TOO_LARGE, &format!("an order is at most {ORDER_MAX} bytes")));
    };
    match (method, what) {
        (Method::GET, "plan") => Ok(of_json(&state.ready().plan)),
        (Method::PUT, "plan") => {
            let replaced = Plan::from_json(&body).and_then(|plan| state.replace(plan));
            Ok(replaced.map_or_else(|error| wrong(&format!("{error:#}")), |()| of_json(&state.ready().plan)))
        }
        (Method::POST, "start") => {
            let ready = state.ready();
            state.book().start(&ready.plan);
            Ok(of_json(&json!({})))
        }
        (Method::GET, "counts") => {
            let counts = state.book().counts();
            Ok(of_json(&counts))
        }
        (Method::GET, "ledger") => page(state, &query, State::ledger_page).await,
        (Method::GET, "inbound") => page(state, &query, State::inbound_page).await,
        (Method::POST, "drain") => drain(state, &body).await,
        (Method::POST, "write") => Ok(match aside(state, State::write_ledger).await {
            Ok(true) => of_json(&json!({})),
            Ok(false) => wrong("no file was named: start the provider with --ledger FILE"),
            Err(error) => told(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}")),
        }),
        (method, _) => Ok(told(
            StatusCode::NOT_FOUND,
            &format!(
                "there is no {method} /control/{what}; there are GET and PUT plan, POST start, drain and write, GET \
                 counts, ledger and inbound"
            ),
        )),
    }
}

async fn drain(state: &State, body: &[u8]) -> Result<Answer, Dropped> {
    let order = if body.is_empty() { Ok(Drain::default()) } else { serde_json::from_slice(body) };
    let drain: Drain = match order {
        Ok(drain) => drain,
        Err(error) => return Ok(wrong(&format!("drain is {{\"deadline_ms\":N}}: {error}"))),
    };
    if drain.deadline_ms > DRAIN_MS_MAX {
        return Ok(wrong(&format!("`deadline_ms` is 0 to {DRAIN_MS_MAX}")));
    }
    let end = Instant::now() + Duration::from_millis(drain.deadline_ms);
    loop {
        let owed = state.book().owed();
        if owed == 0 || Instant::now() >= end {
            let counts = state.book().counts();
            return Ok(of_json(&counts));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Does what takes long on a thread of its own: sends are answered meanwhile.
async fn aside<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&State) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let state = Arc::clone(state);
    tokio::task::spawn_blocking(move || work(&state)).await?
}

type Lines = fn(&State, usize, usize) -> anyhow::Result<Vec<u8>>;

async fn page(state: &Arc<State>, query: &str, lines: Lines) -> Result<Answer, Dropped> {
    let (after, limit) = match span(query) {
        Ok(span) => span,
        Err(error) => return Ok(wrong(&error.to_string())),
    };
    match aside(state, move |state| lines(state, after, limit)).await {
        Ok(lines) => {
            let mut answer = answered(StatusCode::OK, Bytes::from(lines));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
            Ok(answer)
        }
        Err(error) => Ok(told(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}"))),
    }
}

/// Where a page begins, and how long it is.
fn span(query: &str) -> anyhow::Result<(usize, usize)> {
    let (mut after, mut limit) = (0, PAGE);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Ok(number) = value.parse::<usize>() else {
            anyhow::bail!("`{name}` is a whole number, and not `{value}`");
        };
        match name {
            "after" => after = number,
            "limit" if number <= PAGE_MAX => limit = number,
            "limit" => anyhow::bail!("`limit` is at most {PAGE_MAX}"),
            _ => anyhow::bail!("there is no `{name}`; there are `after` and `limit`"),
        }
    }
    Ok((after, limit))
}

fn wrong(why: &str) -> Answer {
    told(StatusCode::BAD_REQUEST, why)
}

fn told(status: StatusCode, why: &str) -> Answer {
    answered(status, Bytes::from(json!({"error": why}).to_string()))
}
