//! What listens while the store is not there yet: alive, and not ready.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};

use super::health;
use super::problem::Problem;

/// When to come back, as far as anyone knows.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A server that answers `/healthz` and `/readyz` and nothing else, until it is stopped. It must be called within an actix system.
///
/// # Errors
/// The address is taken.
pub fn waiting(listen: SocketAddr) -> std::io::Result<Server> {
    let server = HttpServer::new(|| {
        App::new()
            .route("/healthz", web::get().to(health::healthz))
            .route("/readyz", web::get().to(|| async { health::not_ready() }))
            .default_service(web::to(|| async {
                Problem::unavailable("The store does not answer yet.", RETRY_AFTER).into_response()
            }))
    });
    Ok(server.workers(1).disable_signals().bind(listen)?.run())
}
