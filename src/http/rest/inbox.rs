//! The inbox: lists of conversations and their counts.

use actix_web::web;

pub(super) fn routes(_: &mut web::ServiceConfig) {}
