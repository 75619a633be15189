//! Messages of a conversation: the thread, sending, trying again.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::conversations::{About, named};
use super::id_in_path;
use crate::conversations::api::SendRequest;
use crate::domain::ids::MessageId;
use crate::http::Problem;
use crate::http::json::{Body, Query};
use crate::http::paging::{self, Listed};

/// Routes below a conversation's.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/messages").route(web::get().to(thread)).route(web::post().to(send)))
        .service(web::resource("/messages/{message}").route(web::get().to(read)))
        .service(web::resource("/messages/{message}/retry").route(web::post().to(retry)));
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    limit: Option<usize>,
    before: Option<String>,
    cursor: Option<String>,
}

/// The thread, newest first. `before` and `cursor` are two names of the same.
async fn thread(about: About, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    let Wanted { limit, before, cursor } = wanted.0;
    let before = before.or(cursor).as_deref().map(paging::read_cursor).transpose()?;
    let limit = paging::limit_of(limit)?;
    let page = about.edge.conversations.thread(&about.asker, about.id, before, limit).await?;
    Ok(HttpResponse::Ok().json(Listed::new(page.messages, page.next)))
}

async fn read(about: About, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let message = message(&request)?;
    Ok(HttpResponse::Ok().json(about.edge.conversations.message(&about.asker, about.id, message).await?))
}

/// The message is queued; what becomes of it is told by events.
async fn send(about: About, request: HttpRequest, body: Body<SendRequest>) -> Result<HttpResponse, Problem> {
    let mut wish = body.value;
    wish.client_id = named(&request, wish.client_id)?;
    let sent = about.edge.conversations.send(&about.asker, about.id, wish).await?;
    Ok(HttpResponse::Accepted().json(sent))
}

async fn retry(about: About, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let message = message(&request)?;
    let sent = about.edge.conversations.retry(&about.asker, about.asked(b""), about.id, message).await?;
    Ok(HttpResponse::Accepted().json(sent))
}

fn message(request: &HttpRequest) -> Result<MessageId, Problem> {
    id_in_path(request.match_info().query("message"), "message")
}
