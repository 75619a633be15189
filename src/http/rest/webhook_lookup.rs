//! What became of a delivery or of one item of it.

use actix_web::web;

pub(super) fn routes(_: &mut web::ServiceConfig) {}
