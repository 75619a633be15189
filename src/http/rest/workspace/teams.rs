//! `/v1/teams`: groups of members.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::pages::page;
use crate::domain::ids::TeamId;
use crate::domain::workspace::{Scope, WorkspaceChange, team_slot};
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::{Asker, Edge, Problem};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/teams").route(web::get().to(list)).route(web::post().to(create)));
}

#[derive(Serialize)]
struct Shown {
    id: TeamId,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTeam {
    name: String,
}

async fn list(asker: Asker, edge: web::Data<Edge>, paging: Query<Paging>) -> Result<web::Json<Listed<Shown>>, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    let (ids, next) = page(super::state(&edge, &asker)?.teams.iter().copied(), &paging.0)?;
    let slots: Vec<String> = ids.iter().copied().map(team_slot).collect();
    let names = edge.workspaces.texts(asker.workspace, &slots).await?;
    let items = ids.into_iter().zip(names).map(|(id, name)| Shown { id, name }).collect();
    Ok(web::Json(Listed::new(items, next)))
}

async fn create(
    asker: Asker,
    edge: web::Data<Edge>,
    terms: Terms,
    body: Body<NewTeam>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = TeamId(terms.id(asker.workspace, "team"));
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let name = body.value.name;
    let team = WorkspaceChange::CreateTeam { id, name: name.clone() };
    edge.workspaces.change(asker.workspace, asked, team).await?;
    Ok(HttpResponse::Created().json(Shown { id, name: Some(name) }))
}
