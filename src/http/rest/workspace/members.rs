//! `/v1/members`: who works here, and their tokens.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::pages::page;
use crate::domain::ids::{AccountId, MemberId, TeamId};
use crate::domain::role::Role;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::workspace::{Member, MemberEdit, MemberProfile, Scope, Workspace, WorkspaceChange, member_slot};
use crate::http::etag::etag;
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::rest::id_in_path;
use crate::http::{Asker, Edge, Problem};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/members").route(web::get().to(list)).route(web::post().to(add)))
        .service(
            web::resource("/v1/members/{id}")
                .route(web::get().to(read))
                .route(web::patch().to(change))
                .route(web::delete().to(remove)),
        )
        .service(web::resource("/v1/members/{id}/tokens").route(web::post().to(issue_token)));
}

#[derive(Serialize)]
struct Shown {
    id: MemberId,
    name: Option<String>,
    email: Option<String>,
    role: Role,
    teams: BTreeSet<TeamId>,
    dedicated_accounts: BTreeSet<AccountId>,
    disabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMember {
    name: String,
    email: Option<String>,
    password: Option<Secret<String>>,
    role: Role,
    teams: Option<BTreeSet<TeamId>>,
    dedicated_accounts: Option<BTreeSet<AccountId>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    name: Option<String>,
    email: Option<String>,
    password: Option<Secret<String>>,
    role: Option<Role>,
    teams: Option<BTreeSet<TeamId>>,
    dedicated_accounts: Option<BTreeSet<AccountId>>,
    disabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct Issued {
    token: String,
    expires_at: Option<String>,
}

async fn list(asker: Asker, edge: web::Data<Edge>, paging: Query<Paging>) -> Result<web::Json<Listed<Shown>>, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    let state = super::state(&edge, &asker)?;
    let (ids, next) = page(state.members.keys().copied(), &paging.0)?;
    Ok(web::Json(Listed::new(shown(&edge, &asker, &state, &ids).await?, next)))
}

async fn read(asker: Asker, edge: web::Data<Edge>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    show(&edge, &asker, id_in_path(&path, "member")?, HttpResponse::Ok()).await
}

async fn add(
    asker: Asker,
    edge: web::Data<Edge>,
    terms: Terms,
    body: Body<NewMember>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = MemberId(terms.id(asker.workspace, "member"));
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let NewMember { name, email, password, role, teams, dedicated_accounts } = body.value;
    let accounts = dedicated_accounts.unwrap_or_default();
    known_accounts(&*super::state(&edge, &asker)?, &accounts)?;
    let password_hash = edge.workspaces.hashed(password).await?;
    let profile = MemberProfile { name: Some(name), email, password_hash };
    let member = WorkspaceChange::AddMember { id, role, teams: teams.unwrap_or_default(), accounts, profile };
    edge.workspaces.change(asker.workspace, asked, member).await?;
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
    let id: MemberId = id_in_path(&path, "member")?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let Edit { name, email, password, role, teams, dedicated_accounts: accounts, disabled } = body.value;
    let state = super::state(&edge, &asker)?;
    known_accounts(&state, accounts.as_ref().unwrap_or(&BTreeSet::new()))?;
    let password_hash = edge.workspaces.hashed(password).await?;
    let edit = MemberEdit { role, teams, accounts, disabled };
    let profile = MemberProfile { name, email, password_hash };
    edge.workspaces.change(asker.workspace, asked, WorkspaceChange::ChangeMember { id, edit, profile }).await?;
    show(&edge, &asker, id, HttpResponse::Ok()).await
}

async fn remove(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = id_in_path(&path, "member")?;
    let asked = terms.asked(asker.author, asker.workspace, b"");
    edge.workspaces.change(asker.workspace, asked, WorkspaceChange::RemoveMember { id }).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn issue_token(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
    body: Body<NewToken>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let member = id_in_path(&path, "member")?;
    let expires_at = body.value.expires_at.as_deref().map(|text| later_than(text, edge.now())).transpose()?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let issued = edge.workspaces.issue_token(asker.workspace, asked, member, expires_at).await?;
    let expires_at = expires_at.map(|at| at.to_string());
    Ok(HttpResponse::Created().json(Issued { token: issued.token.expose().clone(), expires_at }))
}

fn later_than(text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let at: Timestamp = text.parse().map_err(|error| Problem::invalid("expires_at", error))?;
    if at > now { Ok(at) } else { Err(Problem::invalid("expires_at", "it is over already")) }
}

fn known_accounts(state: &Workspace, named: &BTreeSet<AccountId>) -> Result<(), Problem> {
    let known = named.iter().all(|account| state.accounts.contains_key(account));
    if known { Ok(()) } else { Err(Problem::invalid("dedicated_accounts", "there is no such account")) }
}

async fn show(
    edge: &Edge,
    asker: &Asker,
    id: MemberId,
    mut answer: actix_web::HttpResponseBuilder,
) -> Result<HttpResponse, Problem> {
    let state = super::state(edge, asker)?;
    let member = shown(edge, asker, &state, &[id]).await?.pop().ok_or_else(|| Problem::not_found("member"))?;
    Ok(answer.insert_header(etag(state.version)).json(member))
}

/// Those of these members that there are.
async fn shown(edge: &Edge, asker: &Asker, state: &Workspace, ids: &[MemberId]) -> Result<Vec<Shown>, Problem> {
    let there: Vec<(MemberId, &Member)> = ids.iter().filter_map(|id| Some((*id, state.members.get(id)?))).collect();
    let slots: Vec<String> =
        there.iter().flat_map(|(id, _)| [member_slot(*id, "name"), member_slot(*id, "email")]).collect();
    let mut texts = edge.workspaces.texts(asker.workspace, &slots).await?.into_iter();
    let member = |(id, member): (MemberId, &Member)| Shown {
        id,
        name: texts.next().flatten(),
        email: texts.next().flatten(),
        role: member.role,
        teams: member.teams.clone(),
        dedicated_accounts: member.accounts.clone(),
        disabled: member.disabled,
    };
    Ok(there.into_iter().map(member).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_later_than_now() {
        let now = Timestamp::from_seconds(1_795_165_200);
        assert_eq!(later_than("2026-11-20T09:00:01Z", now).unwrap(), Timestamp::from_seconds(1_795_165_201));
        for text in ["2026-11-20T09:00:00Z", "tomorrow"] {
            assert_eq!(later_than(text, now).map_err(|problem| problem.code()), Err("invalid"));
        }
    }
}
