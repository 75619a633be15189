//! `/v1/labels`: words that are put on contacts. The same word is the same label, however often it is made.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::pages::page;
use crate::domain::ids::LabelId;
use crate::domain::workspace::{Scope, WorkspaceChange, label_slot};
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::{Asker, Edge, Problem};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/labels").route(web::get().to(list)).route(web::post().to(define)));
}

#[derive(Serialize)]
struct Shown {
    id: LabelId,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLabel {
    name: String,
}

async fn list(asker: Asker, edge: web::Data<Edge>, paging: Query<Paging>) -> Result<web::Json<Listed<Shown>>, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    let (ids, next) = page(super::state(&edge, &asker)?.labels.iter().copied(), &paging.0)?;
    let slots: Vec<String> = ids.iter().copied().map(label_slot).collect();
    let names = edge.workspaces.texts(asker.workspace, &slots).await?;
    let items = ids.into_iter().zip(names).map(|(id, name)| Shown { id, name }).collect();
    Ok(web::Json(Listed::new(items, next)))
}

async fn define(
    asker: Asker,
    edge: web::Data<Edge>,
    terms: Terms,
    body: Body<NewLabel>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let name = body.value.name.trim().to_owned();
    let id = LabelId(edge.keys().keyed(asker.workspace, "label", &name.to_lowercase()));
    let label = WorkspaceChange::DefineLabel { id, name: name.clone() };
    edge.workspaces.change(asker.workspace, asked, label).await?;
    Ok(HttpResponse::Created().json(Shown { id, name: Some(name) }))
}
