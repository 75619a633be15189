//! Whether the process lives, whether it is ready, and its metrics.

use std::time::Duration;

use actix_web::{HttpResponse, web};

use super::Edge;

/// A probe waits no longer for the store; those that come by default wait a second.
const STORE_ANSWERS_WITHIN: Duration = Duration::from_millis(900);

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/healthz").route(web::get().to(healthz)))
        .service(web::resource("/readyz").route(web::get().to(readyz)))
        .service(web::resource("/metrics").route(web::get().to(metrics)));
}

pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

async fn readyz(edge: web::Data<Edge>) -> HttpResponse {
    let node = edge.shards.node();
    let failed = node.failed().borrow().is_some();
    if edge.is_ready() && !failed && node.store_answers(STORE_ANSWERS_WITHIN).await {
        HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n")
    } else {
        not_ready()
    }
}

pub(super) fn not_ready() -> HttpResponse {
    HttpResponse::ServiceUnavailable().content_type("text/plain; charset=utf-8").body("not ready\n")
}

async fn metrics(edge: web::Data<Edge>) -> HttpResponse {
    metrics::gauge!("tidegate_agent_sockets").set(edge.hub.sessions() as f64);
    metrics::gauge!("tidegate_provider_calls_under_way").set(edge.numbers.calls_under_way() as f64);
    edge.shards.node().measure_store();
    let text = edge.metrics.as_ref().map(metrics_exporter_prometheus::PrometheusHandle::render).unwrap_or_default();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}
