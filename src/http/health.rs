//! Whether the process lives, whether it is ready, and its metrics.

use actix_web::{HttpResponse, web};

use super::Edge;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/healthz").route(web::get().to(healthz)))
        .service(web::resource("/readyz").route(web::get().to(readyz)))
        .service(web::resource("/metrics").route(web::get().to(metrics)));
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

async fn readyz(edge: web::Data<Edge>) -> HttpResponse {
    let failed = edge.shards.node().failed().borrow().is_some();
    if edge.is_ready() && !failed {
        HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n")
    } else {
        HttpResponse::ServiceUnavailable().content_type("text/plain; charset=utf-8").body("not ready\n")
    }
}

async fn metrics(edge: web::Data<Edge>) -> HttpResponse {
    metrics::gauge!("tidegate_agent_sockets").set(edge.hub.sessions() as f64);
    metrics::gauge!("tidegate_provider_calls_under_way").set(edge.numbers.calls_under_way() as f64);
    let text = edge.metrics.as_ref().map(metrics_exporter_prometheus::PrometheusHandle::render).unwrap_or_default();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}
