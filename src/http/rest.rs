//! The REST API v1: a route a thing and verb; each is a command or a reading of one feature.

mod broadcasts;
mod contacts;
mod conversations;
mod events;
mod given;
mod inbox;
mod messages;
mod webhook_list;
mod webhook_lookup;
mod workspace;

use std::str::FromStr;

use actix_web::web;

use super::Problem;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(broadcasts::routes)
        .configure(contacts::routes)
        .configure(inbox::routes)
        .configure(conversations::routes)
        .configure(events::routes)
        .configure(webhook_list::routes)
        .configure(webhook_lookup::routes)
        .configure(workspace::routes);
}

/// The id in a path; what cannot be one names nothing.
fn id_in_path<T: FromStr>(text: &str, what: &'static str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found(what))
}
