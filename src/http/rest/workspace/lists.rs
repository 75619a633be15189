//! `/v1/lists`: lists that contacts are put on by hand or by a program.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use serde::{Deserialize, Serialize};

use super::pages::page;
use crate::domain::ids::ListId;
use crate::domain::workspace::{Scope, WorkspaceChange, list_removed_slot, list_slot};
use crate::http::etag::etag;
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::rest::id_in_path;
use crate::http::{Asker, Edge, Problem};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/lists").route(web::get().to(list)).route(web::post().to(make))).service(
        web::resource("/v1/lists/{id}")
            .route(web::get().to(read))
            .route(web::patch().to(rename))
            .route(web::delete().to(remove)),
    );
}

#[derive(Serialize)]
struct Shown {
    id: ListId,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

async fn list(asker: Asker, edge: web::Data<Edge>, paging: Query<Paging>) -> Result<web::Json<Listed<Shown>>, Problem> {
    asker.needs(Scope::ContactsRead)?;
    let (ids, next) = page(super::state(&edge, &asker)?.lists.iter().copied(), &paging.0)?;
    let slots: Vec<String> = ids.iter().copied().map(list_slot).collect();
    let names = edge.workspaces.texts(asker.workspace, &slots).await?;
    let items = ids.into_iter().zip(names).map(|(id, name)| Shown { id, name }).collect();
    Ok(web::Json(Listed::new(items, next)))
}

async fn read(asker: Asker, edge: web::Data<Edge>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::ContactsRead)?;
    show(&edge, &asker, id_in_path(&path, "list")?, HttpResponse::Ok()).await
}

async fn make(asker: Asker, edge: web::Data<Edge>, terms: Terms, body: Body<Named>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::ContactsWrite)?;
    let id = ListId(terms.id(asker.workspace, "list"));
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let removed = edge.workspaces.texts(asker.workspace, &[list_removed_slot(id)]).await?;
    if removed.iter().any(Option::is_some) {
        // The same id again would have on it who was on the list that is gone.
        let detail = format!(
            "This request made {id} before, and that list was removed. Make another with a new Idempotency-Key."
        );
        return Err(Problem::new(StatusCode::CONFLICT, "wrong_state", detail));
    }
    let name = body.value.name.trim().to_owned();
    edge.workspaces.change(asker.workspace, asked, WorkspaceChange::MakeList { id, name }).await?;
    show(&edge, &asker, id, HttpResponse::Created()).await
}

async fn rename(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
    body: Body<Named>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::ContactsWrite)?;
    let id = id_in_path(&path, "list")?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let name = body.value.name.trim().to_owned();
    edge.workspaces.change(asker.workspace, asked, WorkspaceChange::RenameList { id, name }).await?;
    show(&edge, &asker, id, HttpResponse::Ok()).await
}

async fn remove(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::ContactsWrite)?;
    let id = id_in_path(&path, "list")?;
    let asked = terms.asked(asker.author, asker.workspace, b"");
    edge.workspaces.change(asker.workspace, asked, WorkspaceChange::RemoveList { id }).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn show(
    edge: &Edge,
    asker: &Asker,
    id: ListId,
    mut answer: HttpResponseBuilder,
) -> Result<HttpResponse, Problem> {
    let state = super::state(edge, asker)?;
    if !state.lists.contains(&id) {
        return Err(Problem::not_found("list"));
    }
    let name = edge.workspaces.texts(asker.workspace, &[list_slot(id)]).await?.pop().flatten();
    Ok(answer.insert_header(etag(state.version)).json(Shown { id, name }))
}
