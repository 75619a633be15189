//! Conversations: reading, starting, and the small commands.

use actix_web::web;

pub(super) fn routes(_: &mut web::ServiceConfig) {}
