//! Webhook bodies: read whole, within a bound of one body and a bound of all bodies at once.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;

use super::problem::Problem;
use crate::actors::{Permit, Waiting};

/// How long a body may take: providers send theirs within a second; Meta waits 20 s for the answer.
const BODY_WITHIN: Duration = Duration::from_secs(15);
/// How soon a provider may try again when too much is in flight.
const COME_BACK: Duration = Duration::from_secs(2);

/// A whole body, and its weight among those in flight: given back when dropped.
pub(super) struct WholeBody {
    /// The bytes as they came: signatures are over these.
    pub(super) bytes: Bytes,
    _weight: Vec<Permit>,
}

/// Reads a body of at most `max` bytes while `in_flight` has room for it.
pub(super) async fn read(
    request: &HttpRequest,
    payload: Payload,
    max: usize,
    in_flight: &Waiting,
) -> Result<WholeBody, Problem> {
    match tokio::time::timeout(BODY_WITHIN, read_all(request, payload, max, in_flight)).await {
        Ok(read) => read,
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "The body did not arrive in 15 s.")),
    }
}

async fn read_all(
    request: &HttpRequest,
    mut payload: Payload,
    max: usize,
    in_flight: &Waiting,
) -> Result<WholeBody, Problem> {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > max) {
        return Err(too_large(max));
    }
    // A declared length takes its room at once, so that bodies do not starve each other half-way.
    let mut room = declared.unwrap_or(0);
    let mut weight = vec![in_flight.permits(room).ok_or_else(full)?];
    let mut bytes = BytesMut::with_capacity(room.min(64 * 1024));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "body_unreadable", format!("The body could not be read: {error}."))
        })?;
        let length = bytes.len() + chunk.len();
        if length > max {
            return Err(too_large(max));
        }
        if length > room {
            weight.push(in_flight.permits(length - room).ok_or_else(full)?);
            room = length;
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(WholeBody { bytes: bytes.freeze(), _weight: weight })
}

fn too_large(max: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("A body may have at most {max} bytes; split the batch."),
    )
}

fn full() -> Problem {
    metrics::counter!("tidegate_webhooks_refused_total", "reason" => "bytes_in_flight").increment(1);
    let mut problem = Problem::unavailable("Too many bytes are in flight; nothing of this was kept.", COME_BACK);
    problem.code = "overloaded";
    problem
}
