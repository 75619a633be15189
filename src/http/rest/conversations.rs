//! Conversations: reading, starting, and the small commands.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::id_in_path;
use crate::conversations::api::{
    AssignRequest, Changed, CollaborateRequest, HandOverRequest, NoteRequest, ReadRequest, SnoozeRequest, StartRequest,
};
use crate::domain::ids::ConversationId;
use crate::domain::workspace::Scope;
use crate::http::etag::{etag, if_match};
use crate::http::json::Body;
use crate::http::{Asker, Edge, Problem, idempotency, typing};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.route("/v1/conversations", web::post().to(start)).service(
        web::scope("/v1/conversations/{conversation}")
            .configure(super::messages::routes)
            .route("", web::get().to(read))
            .route("/notes", web::post().to(note))
            .route("/close", web::post().to(close))
            .route("/open", web::post().to(open))
            .route("/snooze", web::post().to(snooze))
            .route("/hand_over", web::post().to(hand_over))
            .route("/read", web::post().to(mark_read))
            .route("/typing", web::post().to(show_typing))
            .route("/assign", web::post().to(assign))
            .route("/collaborate", web::post().to(collaborate))
            .route("/explain/send", web::get().to(explain_send)),
    );
}

/// The conversation that a request is about, and who asks.
pub(super) struct About {
    pub(super) edge: web::Data<Edge>,
    pub(super) asker: Asker,
    pub(super) id: ConversationId,
}

impl About {
    /// Refuses a change that rests on another version than the present one.
    async fn version(&self, request: &HttpRequest) -> Result<(), Problem> {
        Ok(self.edge.conversations.check_version(&self.asker, self.id, if_match(request)?).await?)
    }
}

impl actix_web::FromRequest for About {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut actix_web::dev::Payload) -> Self::Future {
        let mut read = || {
            let asker = Asker::from_request(request, payload).into_inner()?;
            // Reading needs the one scope, everything else the other.
            let reads = request.method() == actix_web::http::Method::GET;
            asker.needs(if reads { Scope::MessagesRead } else { Scope::MessagesWrite })?;
            let edge = request.app_data::<web::Data<Edge>>().cloned().ok_or_else(Problem::unauthorized)?;
            let id = id_in_path(request.match_info().query("conversation"), "conversation")?;
            Ok(Self { edge, asker, id })
        };
        std::future::ready(read())
    }
}

async fn start(edge: web::Data<Edge>, asker: Asker, body: Body<StartRequest>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::MessagesWrite)?;
    let (line, created) = edge.conversations.start(&asker, body.value).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(HttpResponse::build(status).insert_header(etag(line.version)).json(line))
}

async fn read(about: About) -> Result<HttpResponse, Problem> {
    let detail = about.edge.conversations.detail(&about.asker, about.id).await?;
    Ok(HttpResponse::Ok().insert_header(etag(detail.line.version)).json(detail))
}

async fn note(about: About, request: HttpRequest, body: Body<NoteRequest>) -> Result<HttpResponse, Problem> {
    let mut note = body.value;
    note.client_id = named(&request, note.client_id)?;
    let sent = about.edge.conversations.note(&about.asker, about.id, note).await?;
    Ok(HttpResponse::Created().json(sent))
}

/// The client's id of what it asks for: its own, else the request's key.
pub(super) fn named(request: &HttpRequest, client_id: Option<String>) -> Result<Option<String>, Problem> {
    match client_id {
        Some(own) => Ok(Some(own)),
        None => Ok(idempotency::key_of(request)?.map(str::to_owned)),
    }
}

async fn close(about: About, request: HttpRequest) -> Result<HttpResponse, Problem> {
    about.version(&request).await?;
    changed(about.edge.conversations.close(&about.asker, about.id).await?)
}

async fn open(about: About, request: HttpRequest) -> Result<HttpResponse, Problem> {
    about.version(&request).await?;
    changed(about.edge.conversations.open(&about.asker, about.id).await?)
}

async fn snooze(about: About, request: HttpRequest, body: Body<SnoozeRequest>) -> Result<HttpResponse, Problem> {
    about.version(&request).await?;
    changed(about.edge.conversations.snooze(&about.asker, about.id, body.value).await?)
}

async fn hand_over(about: About, request: HttpRequest, body: Body<HandOverRequest>) -> Result<HttpResponse, Problem> {
    about.version(&request).await?;
    changed(about.edge.conversations.hand_over(&about.asker, about.id, body.value).await?)
}

async fn mark_read(about: About, request: HttpRequest, body: Body<ReadRequest>) -> Result<HttpResponse, Problem> {
    about.version(&request).await?;
    changed(about.edge.conversations.mark_read(&about.asker, about.id, body.value).await?)
}

async fn show_typing(about: About) -> Result<HttpResponse, Problem> {
    typing::show(&about.edge, &about.asker, about.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn assign(about: About, request: HttpRequest, body: Body<AssignRequest>) -> Result<HttpResponse, Problem> {
    about.version(&request).await?;
    shown(about.edge.conversations.assign(&about.asker, about.id, body.value).await?)
}

async fn collaborate(about: About, body: Body<CollaborateRequest>) -> Result<HttpResponse, Problem> {
    shown(about.edge.conversations.collaborate(&about.asker, about.id, body.value).await?)
}

async fn explain_send(about: About) -> Result<HttpResponse, Problem> {
    shown(about.edge.conversations.explain_send(&about.asker, about.id).await?)
}

fn changed(answer: Changed) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().insert_header(etag(answer.version)).json(answer))
}

fn shown(answer: impl Serialize) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(answer))
}
