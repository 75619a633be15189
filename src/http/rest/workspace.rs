//! Workspaces: what a company set up. A resource a file.

mod accounts;
mod apps;
mod keys;
mod labels;
mod limits;
mod list_members;
mod lists;
mod me;
mod members;
mod pages;
mod properties;
mod settings;
mod sign_in;
mod teams;
mod templates;
mod tenants;

use std::sync::Arc;

use actix_web::web;

use super::super::{Asker, Edge, Problem};
use crate::domain::workspace::Workspace;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(tenants::routes)
        .configure(settings::routes)
        .configure(sign_in::routes)
        .configure(me::routes)
        .configure(members::routes)
        .configure(teams::routes)
        .configure(keys::routes)
        .configure(apps::routes)
        .configure(accounts::routes)
        .configure(limits::routes)
        .configure(templates::routes)
        .configure(labels::routes)
        .configure(lists::routes)
        .configure(list_members::routes)
        .configure(properties::routes);
}

/// The asker's workspace as committed.
fn state(edge: &Edge, asker: &Asker) -> Result<Arc<Workspace>, Problem> {
    edge.workspaces.find(asker.workspace).ok_or_else(|| Problem::not_found("workspace"))
}
