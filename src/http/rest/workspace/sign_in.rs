//! `/v1/sign-in` and `/v1/sign-out`: a member's session.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::ids::{MemberId, WorkspaceId};
use crate::domain::secret::Secret;
use crate::http::auth::bearer;
use crate::http::json::Body;
use crate::http::{Asker, Edge, Problem};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/sign-in").route(web::post().to(sign_in)))
        .service(web::resource("/v1/sign-out").route(web::post().to(sign_out)));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    workspace: String,
    email: String,
    password: Secret<String>,
}

#[derive(Serialize)]
struct Session {
    token: String,
    member: MemberId,
    expires_at: String,
}

async fn sign_in(edge: web::Data<Edge>, body: Body<SignIn>) -> Result<web::Json<Session>, Problem> {
    let SignIn { workspace, email, password } = body.value;
    // What is no workspace's id is refused like a wrong password, and as slowly.
    let workspace: WorkspaceId = workspace.parse().unwrap_or(WorkspaceId(0));
    let signed_in = edge.workspaces.sign_in(workspace, &email, password).await?.ok_or_else(|| {
        let detail = "The workspace, the e-mail address or the password is wrong.";
        Problem::new(StatusCode::UNAUTHORIZED, "sign_in_failed", detail)
    })?;
    Ok(web::Json(Session {
        token: signed_in.token.expose().clone(),
        member: signed_in.member,
        expires_at: signed_in.expires_at.to_string(),
    }))
}

async fn sign_out(asker: Asker, edge: web::Data<Edge>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (Some(member), Some(token)) = (asker.member(), bearer(&request)) else {
        let detail = "A key has no session; an admin takes it away with DELETE /v1/keys/{id}.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    };
    edge.workspaces.sign_out(asker.workspace, member, token).await?;
    Ok(HttpResponse::NoContent().finish())
}
