//! Routes are open once the shards are, and close while they finish.

use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::ALLOW;
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};

use super::{Edge, Problem};

/// Paths that answer always.
const ALWAYS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Answers 503 while the shards are not open. A path that does not take a method says so in a problem's body.
///
/// # Errors
/// Those of the route.
pub async fn when_ready(
    edge: web::Data<Edge>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if edge.is_ready() || ALWAYS.contains(&request.path()) {
        let response = next.call(request).await?.map_into_boxed_body();
        return Ok(if is_bare_refusal(&response) { other_method(response) } else { response });
    }
    let problem = Problem::unavailable("The server is starting or stopping.", Duration::from_secs(2));
    Ok(request.into_response(problem.error_response()))
}

/// A path whose methods are other ones is refused by the framework, without a body.
fn is_bare_refusal(response: &ServiceResponse<BoxBody>) -> bool {
    let empty = matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0));
    response.status() == StatusCode::METHOD_NOT_ALLOWED && empty
}

/// The same refusal with a body; the methods that the path takes stay in `Allow`.
fn other_method(bare: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let detail = "This path does not take this method; `Allow` tells which it takes.";
    let mut refusal = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response();
    if let Some(allowed) = bare.headers().get(ALLOW) {
        refusal.headers_mut().insert(ALLOW, allowed.clone());
    }
    bare.into_response(refusal)
}
