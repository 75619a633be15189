//! Conversations: reading, starting, and the small commands.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::id_in_path;
use crate::conversations::api::{
    AssignRequest, Assigned, Changed, CollaborateRequest, HandOverRequest, NoteRequest, ReadRequest, SnoozeRequest,
    StartRequest,
};
use crate::domain::ids::ConversationId;
use crate::domain::recall::Asked;
use crate::domain::workspace::Scope;
use crate::http::etag::etag;
use crate::http::idempotency::Terms;
use crate::http::json::Body;
use crate::http::{Asker, Edge, Problem, idempotency, typing};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/conversations").route(web::post().to(start))).service(
        web::scope("/v1/conversations/{conversation}")
            .configure(super::messages::routes)
            .service(web::resource("").route(web::get().to(read)))
            .service(web::resource("/notes").route(web::post().to(note)))
            .service(web::resource("/close").route(web::post().to(close)))
            .service(web::resource("/open").route(web::post().to(open)))
            .service(web::resource("/snooze").route(web::post().to(snooze)))
            .service(web::resource("/hand_over").route(web::post().to(hand_over)))
            .service(web::resource("/read").route(web::post().to(mark_read)))
            .service(web::resource("/typing").route(web::post().to(show_typing)))
            .service(web::resource("/assign").route(web::post().to(assign)))
            .service(web::resource("/collaborate").route(web::post().to(collaborate)))
            .service(web::resource("/explain/send").route(web::get().to(explain_send))),
    );
}

/// The conversation that a request is about, who asks, and on which terms.
pub(super) struct About {
    pub(super) edge: web::Data<Edge>,
    pub(super) asker: Asker,
    pub(super) id: ConversationId,
    terms: Terms,
}

impl About {
    /// The terms of a request; `body` as it came.
    pub(super) fn asked(&self, body: &[u8]) -> Asked {
        self.terms.asked(self.asker.author, self.asker.workspace, body)
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
            let terms = Terms::from_request(request, payload).into_inner()?;
            Ok(Self { edge, asker, id, terms })
        };
        std::future::ready(read())
    }
}

async fn start(
    edge: web::Data<Edge>,
    asker: Asker,
    terms: Terms,
    body: Body<StartRequest>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::MessagesWrite)?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let (line, created) = edge.conversations.start(&asker, asked, body.value).await?;
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

async fn close(about: About) -> Result<HttpResponse, Problem> {
    changed(about.edge.conversations.close(&about.asker, about.asked(b""), about.id).await?)
}

async fn open(about: About) -> Result<HttpResponse, Problem> {
    changed(about.edge.conversations.open(&about.asker, about.asked(b""), about.id).await?)
}

async fn snooze(about: About, body: Body<SnoozeRequest>) -> Result<HttpResponse, Problem> {
    let asked = about.asked(&body.bytes);
    changed(about.edge.conversations.snooze(&about.asker, asked, about.id, body.value).await?)
}

async fn hand_over(about: About, body: Body<HandOverRequest>) -> Result<HttpResponse, Problem> {
    let asked = about.asked(&body.bytes);
    changed(about.edge.conversations.hand_over(&about.asker, asked, about.id, body.value).await?)
}

async fn mark_read(about: About, body: Body<ReadRequest>) -> Result<HttpResponse, Problem> {
    let asked = about.asked(&body.bytes);
    changed(about.edge.conversations.mark_read(&about.asker, asked, about.id, body.value).await?)
}

async fn show_typing(about: About) -> Result<HttpResponse, Problem> {
    typing::show(&about.edge, &about.asker, about.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn assign(about: About, body: Body<AssignRequest>) -> Result<HttpResponse, Problem> {
    let asked = about.asked(&body.bytes);
    assigned(about.edge.conversations.assign(&about.asker, asked, about.id, body.value).await?)
}

async fn collaborate(about: About, body: Body<CollaborateRequest>) -> Result<HttpResponse, Problem> {
    let asked = about.asked(&body.bytes);
    assigned(about.edge.conversations.collaborate(&about.asker, asked, about.id, body.value).await?)
}

async fn explain_send(about: About) -> Result<HttpResponse, Problem> {
    let explained = about.edge.conversations.explain_send(&about.asker, about.id).await?;
    Ok(HttpResponse::Ok().json(explained))
}

fn changed(answer: Changed) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().insert_header(etag(answer.version)).json(answer))
}

/// The tag is the contact's, whose change it was.
fn assigned(answer: Assigned) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().insert_header(etag(answer.contact_version)).json(answer))
}
