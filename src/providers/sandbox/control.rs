//! `/sandbox/…`: make a customer write, order faults, read the ledger.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::ORIGIN;
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::State;
use super::faults::FaultPlan;
use super::inbound::{self, InboundRefusal};
use super::ledger::LedgerQuery;
use super::server::{Answer, Dropped, body, of_json, picture};

const BODY_BYTES_MAX: usize = 1 << 20;
/// Customers, doubles and lines in one answer.
const LIMIT_MAX: usize = 10_000;

/// The order to make a customer write.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    /// May be left out where there is one number.
    phone_number_id: Option<String>,
    from: String,
    name: Option<String>,
    text: Option<String>,
    /// Instead of `text`: a message object; id, from and timestamp are added where they are missing.
    message: Option<Map<String, Value>>,
}

pub(super) async fn answer(
    state: &Arc<State>,
    segments: &[&str],
    request: Request<Incoming>,
) -> Result<Answer, Dropped> {
    // A web page must not steer the sandbox of whoever reads it.
    if request.headers().contains_key(ORIGIN) {
        return Ok(problem(StatusCode::FORBIDDEN, "not for browsers"));
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    match (request.method(), segments) {
        (&Method::GET, ["numbers"]) => Ok(of_json(StatusCode::OK, &json!({"numbers": state.options.numbers}))),
        (&Method::GET, ["faults"]) => Ok(of_json(StatusCode::OK, &state.faults.plan())),
        (&Method::GET, ["ledger"]) => Ok(ledger(state, &query).await),
        (&Method::GET, ["media", _]) => Ok(picture()),
        (&Method::PUT, ["faults"]) => Ok(match read::<FaultPlan>(body(request, BODY_BYTES_MAX).await?) {
            Ok(plan) => {
                if state.faults.order(plan) {
                    of_json(StatusCode::OK, &state.faults.plan())
                } else {
                    problem(StatusCode::BAD_REQUEST, "too many faults")
                }
            }
            Err(sentence) => problem(StatusCode::BAD_REQUEST, &sentence),
        }),
        (&Method::POST, ["inbound"]) => Ok(match read::<Write>(body(request, BODY_BYTES_MAX).await?) {
            Ok(write) => make_write(state, write).await,
            Err(sentence) => problem(StatusCode::BAD_REQUEST, &sentence),
        }),
        _ => Ok(problem(StatusCode::NOT_FOUND, "no such order")),
    }
}

fn read<T: for<'a> Deserialize<'a>>(body: Option<Bytes>) -> Result<T, String> {
    let body = body.ok_or_else(|| "the body is too long".to_owned())?;
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}

fn problem(status: StatusCode, sentence: &str) -> Answer {
    of_json(status, &json!({"error": sentence}))
}

async fn make_write(state: &Arc<State>, write: Write) -> Answer {
    let only = match state.options.numbers.as_slice() {
        [number] => Some(number.phone_number_id.clone()),
        _ => None,
    };
    let Some(phone_number_id) = write.phone_number_id.or(only) else {
        return problem(StatusCode::BAD_REQUEST, "phone_number_id is missing");
    };
    let message = match (write.text, write.message) {
        (Some(text), None) => inbound::text(&text),
        (None, Some(message)) => message,
        _ => return problem(StatusCode::BAD_REQUEST, "either text or message"),
    };
    match inbound::write(state, phone_number_id, write.from, write.name, message).await {
        Ok(id) => of_json(StatusCode::OK, &json!({"id": id})),
        Err(refusal) => {
            let status = match refusal {
                InboundRefusal::NoFrontDoor => StatusCode::CONFLICT,
                InboundRefusal::UnknownNumber => StatusCode::NOT_FOUND,
                InboundRefusal::From => StatusCode::BAD_REQUEST,
                InboundRefusal::Full => StatusCode::SERVICE_UNAVAILABLE,
            };
            problem(status, &refusal.to_string())
        }
    }
}

async fn ledger(state: &Arc<State>, query: &str) -> Answer {
    let query = match asked(query) {
        Ok(query) => query,
        Err(sentence) => return problem(StatusCode::BAD_REQUEST, &sentence),
    };
    let reader = state.reader.clone();
    match tokio::task::spawn_blocking(move || reader.summary(&query)).await {
        Ok(Ok(summary)) => of_json(StatusCode::OK, &summary),
        _ => problem(StatusCode::INTERNAL_SERVER_ERROR, "the ledger cannot be read"),
    }
}

fn asked(query: &str) -> Result<LedgerQuery, String> {
    let mut asked = LedgerQuery { limit: 100, ..LedgerQuery::default() };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, "true"));
        let value = unescaped(value).ok_or_else(|| format!("{name} is not readable"))?;
        let number = || value.parse::<u32>().map_err(|_| format!("{name} is not a number"));
        match name {
            "phone_number_id" => asked.phone_number_id = Some(value),
            "recipient" => asked.recipient = Some(value.trim_start_matches(['+', ' ']).to_owned()),
            "token" => asked.token = Some(value),
            "by_recipient" => asked.by_recipient = value == "true",
            "lines" => asked.lines = value == "true",
            "at_least" => asked.at_least = number()?,
            "limit" => asked.limit = (number()? as usize).min(LIMIT_MAX),
            _ => return Err(format!("{name} is not known")),
        }
    }
    Ok(asked)
}

fn unescaped(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        if *first == b'%' {
            let (digits, others) = others.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = others;
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read() {
        let query = asked("recipient=%2B351910000001&by_recipient&at_least=2&limit=99999&token=b1.x").unwrap();
        assert_eq!(query.recipient.as_deref(), Some("351910000001"));
        assert_eq!((query.by_recipient, query.at_least, query.limit), (true, 2, LIMIT_MAX));
        assert_eq!(query.token.as_deref(), Some("b1.x"));
        for wrong in ["limit=x", "unknown=1", "token=%zz", "token=%2"] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }
}
