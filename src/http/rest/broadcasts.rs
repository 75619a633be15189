//! `/v1/broadcasts`: made, steered, read, and their ledger.

mod csv;
mod form;
mod ledger;
mod shown;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use self::form::{BroadcastForm, PreviewForm, PublishForm, RateForm};
use super::id_in_path;
use crate::broadcasts::{Preview, Saved};
use crate::conversations::api::{Moment, NoFields, SendRequest, StartRequest};
use crate::domain::ids::BroadcastId;
use crate::domain::recall::Asked;
use crate::domain::workspace::Scope;
use crate::http::etag::etag;
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::{Asker, Edge, Problem};
use crate::shards::BroadcastLine;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/broadcasts").route(web::get().to(list)).route(web::post().to(create))).service(
        web::scope("/v1/broadcasts/{broadcast}")
            .service(
                web::resource("")
                    .route(web::get().to(read))
                    .route(web::patch().to(edit))
                    .route(web::delete().to(delete)),
            )
            .service(web::resource("/publish").route(web::post().to(publish)))
            .service(web::resource("/preview").route(web::post().to(preview)))
            .service(web::resource("/pause").route(web::post().to(pause)))
            .service(web::resource("/resume").route(web::post().to(resume)))
            .service(web::resource("/cancel").route(web::post().to(cancel)))
            .service(web::resource("/duplicate").route(web::post().to(duplicate)))
            .service(web::resource("/retry_failed").route(web::post().to(retry_failed)))
            .service(web::resource("/rate").route(web::put().to(change_rate)))
            .service(web::resource("/recipients").route(web::get().to(ledger::recipients)))
            .service(web::resource("/unconfirmed").route(web::post().to(ledger::decide)))
            .service(web::resource("/failures").route(web::get().to(ledger::failures)))
            .service(web::resource("/verify").route(web::get().to(ledger::verify)))
            .service(web::resource("/metrics.csv").route(web::get().to(csv::metrics)))
            .service(web::resource("/recipients.csv").route(web::get().to(csv::recipients))),
    );
}

/// A broadcast that a request is about, who asks, and on which terms.
pub(super) struct About {
    pub(super) edge: web::Data<Edge>,
    pub(super) asker: Asker,
    pub(super) id: BroadcastId,
    terms: Terms,
}

impl About {
    fn asked(&self, body: &[u8]) -> Asked {
        self.terms.asked(self.asker.author, self.asker.workspace, body)
    }

    /// The broadcast that this request makes.
    fn made(&self) -> BroadcastId {
        BroadcastId(self.terms.id(self.asker.workspace, "broadcast"))
    }

    async fn answer(&self, saved: Saved, status: StatusCode) -> Result<HttpResponse, Problem> {
        answer(&self.edge, &self.asker, saved, status).await
    }
}

impl actix_web::FromRequest for About {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut actix_web::dev::Payload) -> Self::Future {
        let mut read = || {
            let asker = Asker::from_request(request, payload).into_inner()?;
            let reads = request.method() == actix_web::http::Method::GET;
            asker.needs(if reads { Scope::BroadcastsRead } else { Scope::BroadcastsWrite })?;
            let id = id_in_path(request.match_info().get("broadcast").unwrap_or_default(), "broadcast")?;
            let edge = request.app_data::<web::Data<Edge>>().cloned().ok_or_else(|| Problem::not_found("route"))?;
            Ok(Self { edge, asker, id, terms: Terms::from_request(request, payload).into_inner()? })
        };
        std::future::ready(read())
    }
}

async fn list(edge: web::Data<Edge>, asker: Asker, paging: Query<Paging>) -> Result<web::Json<Listed<Value>>, Problem> {
    asker.needs(Scope::BroadcastsRead)?;
    let before = paging.0.after::<BroadcastLine>()?;
    let (items, next) = edge.broadcasts.list(&asker, before, paging.0.limit()?).await?;
    Ok(web::Json(Listed::new(items.iter().map(shown::broadcast).collect(), next)))
}

async fn create(
    edge: web::Data<Edge>,
    asker: Asker,
    terms: Terms,
    body: Body<BroadcastForm>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::BroadcastsWrite)?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let id = BroadcastId(terms.id(asker.workspace, "broadcast"));
    let draft = body.value.draft()?;
    let saved = edge.broadcasts.create(&asker, asked, id, &draft).await?;
    answer(&edge, &asker, saved, StatusCode::CREATED).await
}

async fn read(about: About) -> Result<HttpResponse, Problem> {
    let view = about.edge.broadcasts.read(&about.asker, about.id).await?;
    Ok(HttpResponse::Ok().insert_header(etag(view.version)).json(shown::broadcast(&view)))
}

async fn edit(about: About, body: Body<BroadcastForm>) -> Result<HttpResponse, Problem> {
    let asked = about.asked(&body.bytes);
    let present = about.edge.broadcasts.read(&about.asker, about.id).await?;
    let draft = body.value.over(&present)?;
    let saved = about.edge.broadcasts.edit(&about.asker, asked, about.id, &draft).await?;
    about.answer(saved, StatusCode::OK).await
}

async fn delete(about: About) -> Result<HttpResponse, Problem> {
    about.edge.broadcasts.delete(&about.asker, about.asked(b""), about.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn publish(about: About, body: Body<PublishForm>) -> Result<HttpResponse, Problem> {
    let at = body.value.at.map(|Moment(at)| at);
    let saved = about.edge.broadcasts.publish(&about.asker, about.asked(&body.bytes), about.id, at).await?;
    about.answer(saved, StatusCode::OK).await
}

/// One person gets the message as a recipient would, as a message of their conversation.
async fn preview(about: About, body: Body<PreviewForm>) -> Result<HttpResponse, Problem> {
    let (edge, asker) = (&about.edge, &about.asker);
    // The present id of the contact, where it was merged, and only if the asker may see them.
    let contact = edge.contacts.read(asker, body.value.contact).await?.id;
    let Preview { account, content } = edge.broadcasts.preview(asker, about.id, contact).await?;
    let client_id = Some(format!("preview-{:032x}", about.terms.id(asker.workspace, "preview")));
    let start = StartRequest { account, to: None, contact: Some(contact) };
    let (conversation, _) = edge.conversations.start(asker, about.asked(&body.bytes), start).await?;
    let wish = SendRequest { client_id, content, reply_to: None, epoch: None, tag: None };
    let sent = edge.conversations.send(asker, conversation.id, wish).await?;
    let shown = json!({"conversation": conversation.id, "message": sent.message, "status": sent.status});
    Ok(HttpResponse::Accepted().json(shown))
}

async fn change_rate(about: About, body: Body<RateForm>) -> Result<HttpResponse, Problem> {
    let asked = about.asked(&body.bytes);
    let saved = about.edge.broadcasts.change_rate(&about.asker, asked, about.id, body.value.per_second).await?;
    about.answer(saved, StatusCode::OK).await
}

async fn pause(about: About, body: Body<NoFields>) -> Result<HttpResponse, Problem> {
    let saved = about.edge.broadcasts.pause(&about.asker, about.asked(&body.bytes), about.id).await?;
    about.answer(saved, StatusCode::OK).await
}

async fn resume(about: About, body: Body<NoFields>) -> Result<HttpResponse, Problem> {
    let saved = about.edge.broadcasts.resume(&about.asker, about.asked(&body.bytes), about.id).await?;
    about.answer(saved, StatusCode::OK).await
}

async fn cancel(about: About, body: Body<NoFields>) -> Result<HttpResponse, Problem> {
    let saved = about.edge.broadcasts.cancel(&about.asker, about.asked(&body.bytes), about.id).await?;
    about.answer(saved, StatusCode::OK).await
}

async fn duplicate(about: About, body: Body<NoFields>) -> Result<HttpResponse, Problem> {
    let (asked, made) = (about.asked(&body.bytes), about.made());
    let saved = about.edge.broadcasts.duplicate(&about.asker, asked, about.id, made).await?;
    about.answer(saved, StatusCode::CREATED).await
}

async fn retry_failed(about: About, body: Body<NoFields>) -> Result<HttpResponse, Problem> {
    let (asked, made) = (about.asked(&body.bytes), about.made());
    let saved = about.edge.broadcasts.retry_failed(&about.asker, asked, about.id, made).await?;
    about.answer(saved, StatusCode::CREATED).await
}

async fn answer(edge: &Edge, asker: &Asker, saved: Saved, status: StatusCode) -> Result<HttpResponse, Problem> {
    let view = edge.broadcasts.read(asker, saved.id).await?;
    Ok(HttpResponse::build(status).insert_header(etag(view.version)).json(shown::broadcast(&view)))
}
