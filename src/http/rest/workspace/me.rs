//! `GET /v1/me`: who the token is, and what they may do.

use std::collections::BTreeSet;

use actix_web::web;
use serde::Serialize;

use crate::domain::author::Author;
use crate::domain::ids::{AccountId, ApiKeyId, MemberId, TeamId, WorkspaceId};
use crate::domain::role::Role;
use crate::domain::workspace::Scope;
use crate::http::{Asker, Edge, Problem};
use crate::workspaces::Rights;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/me").route(web::get().to(me)));
}

#[derive(Serialize)]
struct Me {
    workspace: WorkspaceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<MemberId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<ApiKeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<BTreeSet<Scope>>,
    teams: BTreeSet<TeamId>,
    dedicated_accounts: BTreeSet<AccountId>,
}

async fn me(asker: Asker, edge: web::Data<Edge>) -> Result<web::Json<Me>, Problem> {
    let state = super::state(&edge, &asker)?;
    let member = asker.member();
    let details = member.and_then(|member| state.members.get(&member));
    let key = if let Author::Key(key) = asker.author { Some(key) } else { None };
    let (role, scopes) = match &asker.rights {
        Rights::Role(role) => (Some(*role), None),
        Rights::Scopes(scopes) => (None, Some(scopes.clone())),
    };
    Ok(web::Json(Me {
        workspace: asker.workspace,
        member,
        key,
        role,
        scopes,
        teams: details.map(|details| details.teams.clone()).unwrap_or_default(),
        dedicated_accounts: details.map(|details| details.accounts.clone()).unwrap_or_default(),
    }))
}
