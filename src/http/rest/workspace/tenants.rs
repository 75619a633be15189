//! `/v1/workspaces`: the operator makes workspaces and lists them.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::pages::page;
use crate::domain::author::Author;
use crate::domain::ids::{MemberId, WorkspaceId};
use crate::domain::secret::Secret;
use crate::domain::workspace::NAME_SLOT;
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::{Edge, Operator, Problem};
use crate::workspaces::NewAdmin;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/workspaces").route(web::post().to(begin)).route(web::get().to(list)));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewWorkspace {
    name: String,
    admin: FirstAdmin,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstAdmin {
    name: String,
    email: String,
    password: Option<Secret<String>>,
}

#[derive(Serialize)]
struct Begun {
    workspace: Made,
    admin: Admin,
    token: String,
}

#[derive(Serialize)]
struct Made {
    id: WorkspaceId,
    name: String,
    version: u64,
}

#[derive(Serialize)]
struct Admin {
    id: MemberId,
}

#[derive(Serialize)]
struct Line {
    id: WorkspaceId,
    name: Option<String>,
}

async fn begin(
    _: Operator,
    edge: web::Data<Edge>,
    terms: Terms,
    body: Body<NewWorkspace>,
) -> Result<HttpResponse, Problem> {
    let nowhere = WorkspaceId(0);
    let id = WorkspaceId(terms.id(nowhere, "workspace"));
    let asked = terms.asked(Author::System, nowhere, &body.bytes);
    let NewWorkspace { name, admin: FirstAdmin { name: admin_name, email, password } } = body.value;
    let admin = NewAdmin { name: admin_name, email, password };
    let begun = edge.workspaces.begin(id, asked, name.clone(), admin).await?;
    Ok(HttpResponse::Created().json(Begun {
        workspace: Made { id, name, version: begun.version },
        admin: Admin { id: begun.admin },
        token: begun.token.expose().clone(),
    }))
}

async fn list(_: Operator, edge: web::Data<Edge>, paging: Query<Paging>) -> Result<web::Json<Listed<Line>>, Problem> {
    let mut all = edge.workspaces.ids();
    all.sort_unstable();
    let (ids, next) = page(all.into_iter(), &paging.0)?;
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        let name = edge.workspaces.texts(id, &[NAME_SLOT.to_owned()]).await?.pop().flatten();
        items.push(Line { id, name });
    }
    Ok(web::Json(Listed::new(items, next)))
}
