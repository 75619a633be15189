//! `/v1/lists/{id}/members`: who is on a list.

use actix_web::web;
use serde::{Deserialize, Serialize};

use crate::domain::ids::ContactId;
use crate::domain::workspace::Scope;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::rest::id_in_path;
use crate::http::{Asker, Edge, Problem};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/lists/{id}/members").route(web::get().to(members)).route(web::post().to(change)));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    add: Vec<ContactId>,
    #[serde(default)]
    remove: Vec<ContactId>,
}

#[derive(Serialize)]
struct Changed {
    added: usize,
    removed: usize,
    not_found: Vec<ContactId>,
}

async fn members(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    paging: Query<Paging>,
) -> Result<web::Json<Listed<ContactId>>, Problem> {
    asker.needs(Scope::ContactsRead)?;
    let (limit, after) = (paging.0.limit()?, paging.0.after::<ContactId>()?);
    let page = edge.contacts.list_members(&asker, id_in_path(&path, "list")?, after, limit).await?;
    Ok(web::Json(Listed::new(page.items, page.next)))
}

/// It may be sent again: what is so already stays so, and no key is needed.
async fn change(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    body: Body<Change>,
) -> Result<web::Json<Changed>, Problem> {
    asker.needs(Scope::ContactsWrite)?;
    let Change { add, remove } = body.value;
    let change = edge.contacts.change_list(&asker, id_in_path(&path, "list")?, &add, &remove).await?;
    Ok(web::Json(Changed { added: change.added, removed: change.removed, not_found: change.not_found }))
}
