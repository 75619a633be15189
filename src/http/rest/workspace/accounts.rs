//! `/v1/accounts`: connected numbers, pages and bots.

use actix_web::{HttpResponse, HttpResponseBuilder, web};
use serde::{Deserialize, Serialize};

use super::pages::page;
use crate::domain::ids::{AccountId, AppId, LimitScopeId};
use crate::domain::inbound::Quality;
use crate::domain::message::Channel;
use crate::domain::number::Number;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::workspace::Scope;
use crate::http::etag::etag;
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::rest::given::given;
use crate::http::rest::id_in_path;
use crate::http::{Asker, Edge, Problem};
use crate::shards::CommandError;
use crate::workspaces::{AccountEdit, NewAccount};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/accounts").route(web::get().to(list)).route(web::post().to(connect)))
        .service(
            web::resource("/v1/accounts/{id}")
                .route(web::get().to(read))
                .route(web::patch().to(change))
                .route(web::delete().to(disconnect)),
        )
        .service(web::resource("/v1/accounts/{id}/pause").route(web::post().to(pause)))
        .service(web::resource("/v1/accounts/{id}/resume").route(web::post().to(resume)));
}

#[derive(Serialize)]
struct Shown {
    id: AccountId,
    channel: Channel,
    app: AppId,
    provider_id: String,
    business_id: Option<String>,
    limit_scope: LimitScopeId,
    state: Standing,
    rate_per_second: u32,
    shared_with_phone: bool,
    quality: Quality,
    version: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct Standing {
    may_send: bool,
    reason: Option<&'static str>,
    until: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    channel: Channel,
    app: AppId,
    provider_id: String,
    business_id: Option<String>,
    display: Option<String>,
    portfolio: String,
    base_url: Option<String>,
    access_token: Option<Secret<String>>,
    rate_per_second: Option<u32>,
    shared_with_phone: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    app: Option<AppId>,
    business_id: Option<String>,
    display: Option<String>,
    portfolio: Option<String>,
    base_url: Option<String>,
    access_token: Option<Secret<String>>,
    #[serde(default, deserialize_with = "given")]
    rate_per_second: Option<Option<u32>>,
    shared_with_phone: Option<bool>,
}

async fn list(asker: Asker, edge: web::Data<Edge>, paging: Query<Paging>) -> Result<web::Json<Listed<Shown>>, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    let (ids, next) = page(super::state(&edge, &asker)?.accounts.keys().copied(), &paging.0)?;
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        // One that was taken away meanwhile is not on the list any more.
        match account(&edge, &asker, id).await {
            Ok(found) => items.extend(found),
            Err(CommandError::Refused(Refusal::NotFound { .. })) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(web::Json(Listed::new(items, next)))
}

async fn read(asker: Asker, edge: web::Data<Edge>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    show(&edge, &asker, id_in_path(&path, "account")?, HttpResponse::Ok()).await
}

async fn connect(
    asker: Asker,
    edge: web::Data<Edge>,
    terms: Terms,
    body: Body<Wanted>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let wanted = body.value;
    let new = NewAccount {
        channel: wanted.channel,
        app: wanted.app,
        provider_id: wanted.provider_id,
        business_id: wanted.business_id,
        display: wanted.display,
        portfolio: wanted.portfolio,
        base_url: wanted.base_url,
        access_token: wanted.access_token,
        rate_per_second: wanted.rate_per_second,
        shared_with_phone: wanted.shared_with_phone.unwrap_or(false),
    };
    let id = edge.workspaces.connect_account(asker.workspace, asked, new).await?;
    show(&edge, &asker, id, HttpResponse::Created()).await
}

async fn change(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
    body: Body<Edit>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = id_in_path(&path, "account")?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let Edit { app, business_id, display, portfolio, base_url, access_token, rate_per_second, shared_with_phone } =
        body.value;
    let edit = AccountEdit {
        app,
        business_id,
        display,
        portfolio,
        base_url,
        access_token,
        rate_per_second,
        shared_with_phone,
    };
    edge.workspaces.change_account(asker.workspace, asked, id, &edit).await?;
    show(&edge, &asker, id, HttpResponse::Ok()).await
}

async fn disconnect(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = id_in_path(&path, "account")?;
    let asked = terms.asked(asker.author, asker.workspace, b"");
    edge.workspaces.disconnect_account(asker.workspace, asked, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn pause(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
) -> Result<HttpResponse, Problem> {
    set_paused(&asker, &edge, &path, &terms, true).await
}

async fn resume(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
) -> Result<HttpResponse, Problem> {
    set_paused(&asker, &edge, &path, &terms, false).await
}

async fn set_paused(
    asker: &Asker,
    edge: &Edge,
    path: &str,
    terms: &Terms,
    paused: bool,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = id_in_path(path, "account")?;
    let asked = terms.asked(asker.author, asker.workspace, b"");
    edge.workspaces.pause_account(asker.workspace, asked, id, paused).await?;
    show(edge, asker, id, HttpResponse::Ok()).await
}

async fn show(
    edge: &Edge,
    asker: &Asker,
    id: AccountId,
    mut answer: HttpResponseBuilder,
) -> Result<HttpResponse, Problem> {
    let found = account(edge, asker, id).await?.ok_or_else(|| Problem::not_found("account"))?;
    Ok(answer.insert_header(etag(found.version)).json(found))
}

async fn account(edge: &Edge, asker: &Asker, id: AccountId) -> Result<Option<Shown>, CommandError> {
    let (now, rules) = (edge.now(), edge.shards.node().options.rules);
    edge.workspaces.view_account(asker.workspace, id, move |number| shown(id, number, &rules, now)).await
}

fn shown(id: AccountId, number: &Number, rules: &Rules, now: Timestamp) -> Option<Shown> {
    let connection = number.connection.clone()?;
    Some(Shown {
        id,
        channel: connection.channel,
        app: connection.app,
        provider_id: connection.provider_id,
        business_id: connection.business_id,
        limit_scope: connection.limit_scope,
        state: standing(number.may_send(now)),
        rate_per_second: number.rate_cap(rules),
        shared_with_phone: connection.shared_with_phone,
        quality: number.quality.map_or(Quality::Unknown, |(_, quality)| quality),
        version: number.version,
    })
}

fn standing(may_send: Result<(), Refusal>) -> Standing {
    match may_send {
        Ok(()) => Standing { may_send: true, reason: None, until: None },
        Err(Refusal::SendingPaused { reason, until }) => {
            Standing { may_send: false, reason: Some(reason), until: until.map(|at| at.to_string()) }
        }
        Err(other) => Standing { may_send: false, reason: Some(other.code()), until: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_says_why_and_until_when() {
        let paused = standing(Err(Refusal::SendingPaused { reason: "restricted", until: Some(Timestamp(0)) }));
        let until = Some("1970-01-01T00:00:00.000Z".to_owned());
        assert_eq!(paused, Standing { may_send: false, reason: Some("restricted"), until });
        assert_eq!(standing(Ok(())), Standing { may_send: true, reason: None, until: None });
    }
}
