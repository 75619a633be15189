//! `POST /{version}/{phone_number_id}/messages`: check, ledger, answer.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::check::{self, Call, Message};
use super::customers;
use super::faults::Fault;
use super::graph_error::GraphError;
use super::ledger::{Line, Outcome, SendLine};
use super::server::{Answer, Dropped, answered};
use super::{State, ledger};

/// Receipts and an answer: what one message owes at most.
const OWES_MAX: usize = 4;

/// What a caller gets to see.
enum Verdict {
    Answer(Answer),
    Hang,
    Drop,
}

/// Answers one call.
pub(super) async fn send(
    state: Arc<State>,
    phone_number_id: String,
    authorised: bool,
    body: Bytes,
) -> Result<Answer, Dropped> {
    let hang_ms = state.options.hang_ms;
    // A task of its own: a caller that goes away stops nothing between the ledger and what is owed.
    let verdict = tokio::spawn(async move { decide(&state, &phone_number_id, authorised, &body).await });
    match verdict.await {
        Ok(Verdict::Answer(answer)) => Ok(answer),
        Ok(Verdict::Hang) => {
            tokio::time::sleep(Duration::from_millis(hang_ms)).await;
            Err(Dropped)
        }
        Ok(Verdict::Drop) | Err(_) => Err(Dropped),
    }
}

async fn decide(state: &State, phone_number_id: &str, authorised: bool, body: &[u8]) -> Verdict {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let call = if !authorised {
        Err(GraphError::new(190, "The access token is missing or wrong."))
    } else if !state.knows(phone_number_id) {
        Err(GraphError::new(100, "The phone number id does not exist."))
    } else if !value.is_object() {
        Err(GraphError::new(100, "The body is not a JSON object."))
    } else {
        check::read(&value)
    };
    let fault = match &call {
        Ok(Call::Message(message)) => state.faults.strike(phone_number_id, &message.recipient, &state.chance),
        _ => None,
    };
    let verdict = match (call, fault) {
        (Ok(Call::Mark), _) => Verdict::Answer(answered(StatusCode::OK, Bytes::from_static(br#"{"success":true}"#))),
        (Err(error), _) => refuse(state, phone_number_id, &value, &error).await,
        (_, Some(Fault::Code(code))) => {
            refuse(state, phone_number_id, &value, &GraphError::new(code, "A fault on order.")).await
        }
        (_, Some(Fault::TooManyRequests)) => {
            let error = GraphError::new(4, "A fault on order.");
            let mut answer = match refuse(state, phone_number_id, &value, &error).await {
                Verdict::Answer(answer) => answer,
                other => return other,
            };
            *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
            Verdict::Answer(answer)
        }
        (_, Some(Fault::ServerError)) => {
            unaccepted(state, phone_number_id, &value, Outcome::Dropped, None).await;
            Verdict::Answer(answered(StatusCode::INTERNAL_SERVER_ERROR, Bytes::from_static(b"<html>oops</html>")))
        }
        (_, Some(fault @ (Fault::HangUnaccepted | Fault::DropBefore))) => {
            unaccepted(state, phone_number_id, &value, Outcome::Dropped, None).await;
            if fault == Fault::DropBefore { Verdict::Drop } else { Verdict::Hang }
        }
        (Ok(Call::Message(message)), fault) => accept(state, phone_number_id, message, &value, fault).await,
    };
    let latency_ms = state.faults.latency_ms(&state.chance);
    if latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(latency_ms)).await;
    }
    verdict
}

async fn accept(
    state: &State,
    phone_number_id: &str,
    message: Message,
    value: &Value,
    fault: Option<Fault>,
) -> Verdict {
    if !state.owed.reserve(OWES_MAX) {
        return refuse(state, phone_number_id, value, &GraphError::new(131_016, "Too much is owed.")).await;
    }
    let Message { input, recipient, kind, token } = message;
    let named = if recipient.contains('.') { "user_id" } else { "wa_id" };
    let contact = json!({"input": input, named: recipient});
    let template = kind == "template";
    let at = state.surroundings.clock.now().millis();
    let outcome = if fault.is_some() { Outcome::AcceptedUnanswered } else { Outcome::Accepted };
    let make = |n| {
        let wamid = wamid(state, n);
        let chance = state.chance.of(token.as_deref().unwrap_or(&wamid));
        let (receipts, replies) = (&state.options.receipts, &state.options.replies);
        let owes = if state.front_door.is_some() {
            customers::plan(&kind, at, receipts, replies, &state.faults.receipts(), &chance)
        } else {
            Vec::new()
        };
        Line::Send(SendLine {
            n,
            at,
            phone_number_id: phone_number_id.to_owned(),
            recipient,
            kind,
            token,
            wamid: Some(wamid),
            outcome,
            code: None,
            digest: digest(value),
            owes,
        })
    };
    let line = state.ledger.append(make).await;
    let line = match line {
        Ok(line) => line,
        Err(error) => {
            state.owed.release(OWES_MAX);
            return Verdict::Answer(unwritten(&error));
        }
    };
    let (wamid, owes) = match &line {
        Line::Send(line) => (line.wamid.clone().unwrap_or_default(), line.owes.len() as u16),
        Line::Inbound(_) | Line::Posted(_) => (String::new(), 0),
    };
    state.owed.owe(line, 0..owes);
    state.owed.release(OWES_MAX);
    match fault {
        Some(Fault::Garbage) => Verdict::Answer(answered(StatusCode::OK, Bytes::from_static(b"<html>hello</html>"))),
        Some(Fault::Hang) => Verdict::Hang,
        Some(_) => Verdict::Drop,
        None => {
            let mut message = json!({"id": wamid});
            if template {
                message["message_status"] = json!("accepted");
            }
            let body = json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]});
            Verdict::Answer(answered(StatusCode::OK, Bytes::from(body.to_string())))
        }
    }
}

async fn refuse(state: &State, phone_number_id: &str, value: &Value, error: &GraphError) -> Verdict {
    if let Some(refusal) = unaccepted(state, phone_number_id, value, Outcome::Rejected, Some(error.code)).await {
        return Verdict::Answer(refusal);
    }
    let mut answer = answered(error.status(), error.body());
    if error.tells_usage() {
        let usage = r#"{"0":[{"type":"messaging","estimated_time_to_regain_access":1}]}"#;
        answer.headers_mut().insert("x-business-use-case-usage", HeaderValue::from_static(usage));
    }
    Verdict::Answer(answer)
}

/// Writes down a send that is not accepted; the answer to give instead, if that is impossible.
async fn unaccepted(
    state: &State,
    phone_number_id: &str,
    value: &Value,
    outcome: Outcome,
    code: Option<i64>,
) -> Option<Answer> {
    let at = state.surroundings.clock.now().millis();
    let make = |n| {
        Line::Send(SendLine {
            n,
            at,
            phone_number_id: phone_number_id.to_owned(),
            recipient: check::recipient(value),
            kind: value.get("type").and_then(Value::as_str).unwrap_or_default().chars().take(32).collect(),
            token: check::token(value).filter(|token| token.len() <= 512),
            wamid: None,
            outcome,
            code,
            digest: digest(value),
            owes: Vec::new(),
        })
    };
    state.ledger.append(make).await.err().map(|error| unwritten(&error))
}

fn unwritten(error: &ledger::LedgerError) -> Answer {
    tracing::warn!(%error, "a send was refused");
    let error = GraphError::new(131_016, "The sandbox cannot write its ledger.");
    answered(error.status(), error.body())
}

/// Unique over restarts: chance, and the place in the ledger.
pub(super) fn wamid(state: &State, n: u64) -> String {
    let mut bytes = [0; 24];
    for half in bytes.chunks_exact_mut(8).take(2) {
        half.copy_from_slice(&state.chance.next().to_be_bytes());
    }
    bytes[16..].copy_from_slice(&n.to_be_bytes());
    format!("wamid.{}", STANDARD.encode(bytes))
}

fn digest(value: &Value) -> String {
    hex::encode(&Sha256::digest(value.to_string())[..8])
}
