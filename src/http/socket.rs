//! `GET /v1/agent/socket`: the upgrade to an agent's websocket.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};

use super::{Edge, Problem};
use crate::push::{self, Hub, UpgradeError};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/agent/socket").route(web::get().to(upgrade)));
}

async fn upgrade(
    edge: web::Data<Edge>,
    hub: web::Data<Hub>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    if edge.hub.sessions() >= edge.settings.sessions_max {
        return Err(Problem::unavailable("This node has as many agents' sockets as it may.", Duration::from_secs(5)));
    }
    push::start(&hub, &request, payload).map_err(|error| match error {
        UpgradeError::GoingAway => Problem::unavailable(error.to_string(), Duration::from_secs(2)),
        UpgradeError::NoCommonSubprotocol | UpgradeError::NotAHandshake(_) => {
            Problem::new(error.status(), "not_a_socket", error.to_string())
        }
    })
}
