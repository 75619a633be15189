//! `GET /v1/openapi.json`: what this API is, for people and for their tools.

use actix_web::{HttpResponse, web};

use super::{Asker, Operator, Problem};

/// Every route of this server. The stories hold each request and answer against it.
const DOCUMENT: &str = include_str!("openapi.json");

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/openapi.json").route(web::get().to(document)));
}

/// Nothing is open without a token but health and webhooks; any valid token does, the operator's too.
async fn document(asker: Option<Asker>, operator: Option<Operator>) -> Result<HttpResponse, Problem> {
    if asker.is_none() && operator.is_none() {
        return Err(Problem::unauthorized());
    }
    Ok(HttpResponse::Ok().content_type("application/json").body(DOCUMENT))
}
