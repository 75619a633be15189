//! `/v1/apps`: our registrations with platforms. Their secrets go in and never come out.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::pages::page;
use crate::domain::ids::AppId;
use crate::domain::message::Channel;
use crate::domain::secret::Secret;
use crate::domain::workspace::{App, Scope, WorkspaceChange};
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::rest::id_in_path;
use crate::http::{Asker, Edge, Problem};

/// The longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 1_024;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/apps").route(web::get().to(list)).route(web::post().to(register)))
        .service(web::resource("/v1/apps/{id}/secret").route(web::post().to(rotate)))
        .service(web::resource("/v1/apps/{id}/old-secret").route(web::delete().to(retire)));
}

#[derive(Serialize)]
struct Shown {
    id: AppId,
    channel: Channel,
    webhook_path: String,
    /// The same as the platform's console wants it: whole.
    webhook_url: String,
    /// How many secrets are good: two while one is being replaced.
    secrets: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewApp {
    channel: Channel,
    secret: Secret<String>,
    verify_token: Secret<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSecret {
    secret: Secret<String>,
}

async fn list(asker: Asker, edge: web::Data<Edge>, paging: Query<Paging>) -> Result<web::Json<Listed<Shown>>, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    let state = super::state(&edge, &asker)?;
    let (ids, next) = page(state.apps.keys().copied(), &paging.0)?;
    let items = ids.into_iter().filter_map(|id| Some(shown(&edge, id, state.apps.get(&id)?))).collect();
    Ok(web::Json(Listed::new(items, next)))
}

async fn register(
    asker: Asker,
    edge: web::Data<Edge>,
    terms: Terms,
    body: Body<NewApp>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = AppId(terms.id(asker.workspace, "app"));
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let NewApp { channel, secret, verify_token } = body.value;
    check("secret", &secret)?;
    check("verify_token", &verify_token)?;
    let app = WorkspaceChange::RegisterApp { id, channel, secret, verify_token };
    edge.workspaces.change(asker.workspace, asked, app).await?;
    show(&edge, &asker, id, HttpResponse::Created())
}

async fn rotate(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
    body: Body<NewSecret>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = id_in_path(&path, "app")?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let secret = body.value.secret;
    check("secret", &secret)?;
    edge.workspaces.change(asker.workspace, asked, WorkspaceChange::RotateAppSecret { id, secret }).await?;
    show(&edge, &asker, id, HttpResponse::Ok())
}

async fn retire(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = id_in_path(&path, "app")?;
    let asked = terms.asked(asker.author, asker.workspace, b"");
    edge.workspaces.change(asker.workspace, asked, WorkspaceChange::RetireAppSecret { id }).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn check(field: &'static str, secret: &Secret<String>) -> Result<(), Problem> {
    let fits = (1..=SECRET_BYTES_MAX).contains(&secret.expose().len());
    if fits { Ok(()) } else { Err(Problem::invalid(field, format!("it has 1 to {SECRET_BYTES_MAX} bytes"))) }
}

fn show(
    edge: &Edge,
    asker: &Asker,
    id: AppId,
    mut answer: actix_web::HttpResponseBuilder,
) -> Result<HttpResponse, Problem> {
    let state = super::state(edge, asker)?;
    let app = state.apps.get(&id).ok_or_else(|| Problem::not_found("app"))?;
    Ok(answer.json(shown(edge, id, app)))
}

fn shown(edge: &Edge, id: AppId, app: &App) -> Shown {
    let webhook_path = format!("/webhooks/{}/{id}", app.channel.word());
    let webhook_url = format!("{}{webhook_path}", edge.settings.public_url);
    Shown { id, channel: app.channel, webhook_path, webhook_url, secrets: app.secrets.len() }
}
