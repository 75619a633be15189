//! Routes are open once the shards are, and close while they finish.

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};

use super::{Edge, Problem};

/// Paths that answer always.
const ALWAYS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Answers 503 while the shards are not open.
///
/// # Errors
/// Those of the route.
pub async fn when_ready(
    edge: web::Data<Edge>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if edge.is_ready() || ALWAYS.contains(&request.path()) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let problem = Problem::unavailable("The server is starting or stopping.", Duration::from_secs(2));
    Ok(request.into_response(problem.error_response()))
}
