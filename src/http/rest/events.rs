//! The pull feed: every public event of a workspace, in order within each shard.

use actix_web::web;

pub(super) fn routes(_: &mut web::ServiceConfig) {}
