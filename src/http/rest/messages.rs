//! Messages of a conversation: the thread, sending, trying again.

use actix_web::web;

pub(super) fn routes(_: &mut web::ServiceConfig) {}
