//! `/v1/keys`: keys for programs.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::pages::page;
use crate::domain::ids::ApiKeyId;
use crate::domain::workspace::{Scope, WorkspaceChange, api_key_slot};
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::rest::id_in_path;
use crate::http::{Asker, Edge, Problem};
use crate::workspaces::{Credential, digest_of, new_token};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/keys").route(web::get().to(list)).route(web::post().to(create)))
        .service(web::resource("/v1/keys/{id}").route(web::delete().to(revoke)));
}

#[derive(Serialize)]
struct Shown {
    id: ApiKeyId,
    name: Option<String>,
    scopes: BTreeSet<Scope>,
    created_at: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: String,
    scopes: BTreeSet<Scope>,
}

#[derive(Serialize)]
struct Made {
    id: ApiKeyId,
    token: String,
}

async fn list(asker: Asker, edge: web::Data<Edge>, paging: Query<Paging>) -> Result<web::Json<Listed<Shown>>, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    let state = super::state(&edge, &asker)?;
    let (ids, next) = page(state.api_keys.keys().copied(), &paging.0)?;
    let slots: Vec<String> = ids.iter().copied().map(api_key_slot).collect();
    let names = edge.workspaces.texts(asker.workspace, &slots).await?;
    let known = ids.into_iter().zip(names).filter_map(|(id, name)| Some((id, name, state.api_keys.get(&id)?)));
    let items = known
        .map(|(id, name, key)| Shown { id, name, scopes: key.scopes.clone(), created_at: key.created_at.to_string() })
        .collect();
    Ok(web::Json(Listed::new(items, next)))
}

async fn create(
    asker: Asker,
    edge: web::Data<Edge>,
    terms: Terms,
    body: Body<NewKey>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = ApiKeyId(terms.id(asker.workspace, "key"));
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let NewKey { name, scopes } = body.value;
    if scopes.is_empty() {
        return Err(Problem::invalid("scopes", "a key without scopes can do nothing"));
    }
    let key = new_token(Credential::Key, asker.workspace, &*edge.shards.node().surroundings.ids);
    let change = WorkspaceChange::AddApiKey { id, name, scopes, digest: digest_of(key.expose()) };
    let saved = edge.workspaces.change(asker.workspace, asked, change).await?;
    if saved.repeated {
        // Only the digest of a key is kept, so it cannot be told a second time.
        let detail = format!(
            "This request made {id} before, and a key is told only once. If that answer was lost, take the key away \
             with DELETE /v1/keys/{id} and make another with a new Idempotency-Key."
        );
        return Err(Problem::new(StatusCode::CONFLICT, "already_exists", detail));
    }
    Ok(HttpResponse::Created().json(Made { id, token: key.expose().clone() }))
}

async fn revoke(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = id_in_path(&path, "API key")?;
    let asked = terms.asked(asker.author, asker.workspace, b"");
    edge.workspaces.change(asker.workspace, asked, WorkspaceChange::RevokeApiKey { id }).await?;
    Ok(HttpResponse::NoContent().finish())
}
