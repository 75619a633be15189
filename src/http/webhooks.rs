//! What providers push: `GET` answers a platform's verification, `POST` takes a delivery.

use actix_web::http::header::Allow;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};

use super::{Edge, Problem, body};
use crate::channels::{self, ChannelError, Received};
use crate::domain::ids::AppId;
use crate::domain::message::Channel;
use crate::ingress::Arrival;
use crate::workspaces::AppSecrets;

/// What stands before a channel and an app.
const ROOT: &str = "/webhooks";

/// `/webhooks/{channel}/{app}`. The router matches a pattern with parts by an interpreted expression, which took a
/// twentieth of a delivery's time (measured); a fixed prefix is compared, and the two parts are cut at their slash.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::scope(ROOT).default_service(web::to(either)));
}

async fn either(edge: web::Data<Edge>, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    match *request.method() {
        Method::GET => handshake(&edge, &request).await,
        Method::POST => receive(&edge, &request, payload).await,
        _ => Ok(HttpResponse::MethodNotAllowed().insert_header(Allow(vec![Method::GET, Method::POST])).finish()),
    }
}

/// A platform asks whether this address is ours.
async fn handshake(edge: &Edge, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let (channel, _, secrets) = app(edge, request.path()).await?;
    match channels::handshake(channel, request.query_string(), &secrets.verify_tokens) {
        Ok(challenge) => Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(challenge)),
        Err(error) => Err(Problem::new(StatusCode::FORBIDDEN, "unverified", error.to_string())),
    }
}

/// A platform pushes a delivery. It is answered 200 when every item of it is durable.
async fn receive(edge: &Edge, request: &HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let (channel, app, secrets) = app(edge, request.path()).await?;
    let whole = body::read(request, payload, edge.settings.body_bytes_max, &edge.webhook_bytes).await?;
    let received = Received {
        header: &|name| request.headers().get(name).map(actix_web::http::header::HeaderValue::as_bytes),
        query: request.query_string(),
        body: &whole.bytes,
    };
    if let Err(error) = channels::verify(channel, &received, &secrets.signing) {
        metrics::counter!("tidegate_webhooks_refused_total", "reason" => "signature").increment(1);
        return Err(match error {
            ChannelError::Unverified(why) => Problem::new(StatusCode::UNAUTHORIZED, "bad_signature", why.to_string()),
            other => Problem::new(StatusCode::NOT_IMPLEMENTED, "channel_not_connected", other.to_string()),
        });
    }
    let arrival = Arrival { app, channel, body: &whole.bytes, arrived_at: edge.now() };
    edge.ingress.take(&arrival).await?;
    Ok(HttpResponse::Ok().finish())
}

async fn app(edge: &Edge, path: &str) -> Result<(Channel, AppId, std::sync::Arc<AppSecrets>), Problem> {
    let unknown = || Problem::not_found("app");
    let parts = path.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix('/')).and_then(|rest| rest.split_once('/'));
    let (channel, app) = parts.ok_or_else(unknown)?;
    let channel = Channel::from_word(channel).ok_or_else(unknown)?;
    let id: AppId = app.parse().map_err(|_| unknown())?;
    let secrets = edge.workspaces.app_secrets(id).await?.filter(|secrets| secrets.channel == channel);
    Ok((channel, id, secrets.ok_or_else(unknown)?))
}
