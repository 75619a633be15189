//! Contacts: created, found by their addresses, changed, assigned, and imported line by line.

mod bulk;
mod form;
mod shown;
mod values;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use self::form::{AssignForm, ConsentForm, ContactForm, IdentityForm};
use super::id_in_path;
use crate::contacts::{Outcome, Saved};
use crate::domain::ids::{ContactId, LabelId, MemberId};
use crate::domain::recall::Asked;
use crate::domain::workspace::Scope;
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::{Asker, Edge, Problem, etag};
use crate::shards::ContactPlace;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/v1/contacts")
                .route(web::get().to(list))
                .route(web::post().to(create))
                .route(web::put().to(upsert)),
        )
        .service(web::resource("/v1/contacts/bulk").route(web::post().to(bulk::upsert)))
        .service(web::resource("/v1/contacts/{id}").route(web::get().to(read)).route(web::patch().to(update)))
        .service(web::resource("/v1/contacts/{id}/assign").route(web::post().to(assign)))
        .service(
            web::resource("/v1/contacts/{id}/collaborators/{member}")
                .route(web::post().to(collaborate))
                .route(web::delete().to(collaborate)),
        )
        .service(
            web::resource("/v1/contacts/{id}/labels/{label}")
                .route(web::put().to(label))
                .route(web::delete().to(label)),
        )
        .service(web::resource("/v1/contacts/{id}/consent").route(web::post().to(consent)))
        .service(web::resource("/v1/contacts/{id}/claim").route(web::post().to(claim)));
}

/// A page of contacts, oldest first.
async fn list(edge: web::Data<Edge>, asker: Asker, paging: Query<Paging>) -> Result<web::Json<Listed<Value>>, Problem> {
    asker.needs(Scope::ContactsRead)?;
    let after = paging.0.after::<ContactPlace>()?;
    let page = edge.contacts.list(&asker, after, paging.0.limit()?).await?;
    Ok(web::Json(Listed::new(page.items.iter().map(shown::contact).collect(), page.next)))
}

/// A new contact.
async fn create(
    edge: web::Data<Edge>,
    asker: Asker,
    terms: Terms,
    body: Body<ContactForm>,
) -> Result<HttpResponse, Problem> {
    let asked = asked(&asker, &terms, &body.bytes)?;
    let draft = body.value.draft(&edge, asker.workspace)?;
    let nameless = ContactId(terms.id(asker.workspace, "contact"));
    let saved = edge.contacts.create(&asker, asked, nameless, draft).await?;
    // A repeat is answered like the first time.
    answer(&edge, &asker, saved, StatusCode::CREATED).await
}

/// The contact with one of these addresses, made or changed.
async fn upsert(
    edge: web::Data<Edge>,
    asker: Asker,
    terms: Terms,
    body: Body<ContactForm>,
) -> Result<HttpResponse, Problem> {
    let asked = asked(&asker, &terms, &body.bytes)?;
    let draft = body.value.draft(&edge, asker.workspace)?;
    let saved = edge.contacts.upsert(&asker, asked, draft).await?;
    let status = if saved.outcome == Outcome::Created { StatusCode::CREATED } else { StatusCode::OK };
    answer(&edge, &asker, saved, status).await
}

/// One contact; an id that redirects shows where to.
async fn read(edge: web::Data<Edge>, asker: Asker, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::ContactsRead)?;
    let view = edge.contacts.read(&asker, id_in_path(&path, "contact")?).await?;
    Ok(HttpResponse::Ok().insert_header(etag::etag(view.person.version)).json(shown::contact(&view)))
}

async fn update(
    edge: web::Data<Edge>,
    asker: Asker,
    terms: Terms,
    path: web::Path<String>,
    body: Body<ContactForm>,
) -> Result<HttpResponse, Problem> {
    let asked = asked(&asker, &terms, &body.bytes)?;
    let id = id_in_path(&path, "contact")?;
    let draft = body.value.draft(&edge, asker.workspace)?;
    let saved = edge.contacts.update(&asker, asked, id, draft).await?;
    answer(&edge, &asker, saved, StatusCode::OK).await
}

async fn assign(
    edge: web::Data<Edge>,
    asker: Asker,
    terms: Terms,
    path: web::Path<String>,
    body: Body<AssignForm>,
) -> Result<HttpResponse, Problem> {
    let asked = asked(&asker, &terms, &body.bytes)?;
    let id = id_in_path(&path, "contact")?;
    let AssignForm { owner, team } = body.value;
    let saved = edge.contacts.assign(&asker, asked, id, owner, team).await?;
    answer(&edge, &asker, saved, StatusCode::OK).await
}

/// A member joins in by `POST`, and leaves by `DELETE`.
async fn collaborate(
    edge: web::Data<Edge>,
    asker: Asker,
    terms: Terms,
    method: Method,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let asked = asked(&asker, &terms, b"")?;
    let (id, member) = (id_in_path(&path.0, "contact")?, id_in_path::<MemberId>(&path.1, "member")?);
    let saved = edge.contacts.collaborate(&asker, asked, id, member, method != Method::DELETE).await?;
    answer(&edge, &asker, saved, StatusCode::OK).await
}

/// A label is put on by `PUT`, and taken off by `DELETE`.
async fn label(
    edge: web::Data<Edge>,
    asker: Asker,
    terms: Terms,
    method: Method,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let asked = asked(&asker, &terms, b"")?;
    let (id, label) = (id_in_path(&path.0, "contact")?, id_in_path::<LabelId>(&path.1, "label")?);
    let saved = edge.contacts.label(&asker, asked, id, label, method != Method::DELETE).await?;
    answer(&edge, &asker, saved, StatusCode::OK).await
}

async fn consent(
    edge: web::Data<Edge>,
    asker: Asker,
    terms: Terms,
    path: web::Path<String>,
    body: Body<ConsentForm>,
) -> Result<HttpResponse, Problem> {
    let asked = asked(&asker, &terms, &body.bytes)?;
    let id = id_in_path(&path, "contact")?;
    let typed = body.value.consent(&edge, asker.workspace)?;
    let saved = edge.contacts.consent(&asker, asked, id, typed.scope, typed.topic, typed.withdrawn).await?;
    answer(&edge, &asker, saved, StatusCode::OK).await
}

async fn claim(
    edge: web::Data<Edge>,
    asker: Asker,
    terms: Terms,
    path: web::Path<String>,
    body: Body<IdentityForm>,
) -> Result<HttpResponse, Problem> {
    let asked = asked(&asker, &terms, &body.bytes)?;
    let id = id_in_path(&path, "contact")?;
    let saved = edge.contacts.claim(&asker, asked, id, body.value.identity()?).await?;
    answer(&edge, &asker, saved, StatusCode::OK).await
}

/// The terms of a change, for whoever may change contacts.
fn asked(asker: &Asker, terms: &Terms, body: &[u8]) -> Result<Asked, Problem> {
    asker.needs(Scope::ContactsWrite)?;
    Ok(terms.asked(asker.author, asker.workspace, body))
}

/// The contact as it is now. Whoever may write but not read learns its id and version.
async fn answer(edge: &Edge, asker: &Asker, saved: Saved, status: StatusCode) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::build(status);
    if !asker.may(Scope::ContactsRead) {
        let body = json!({"id": saved.id, "version": saved.version});
        return Ok(response.insert_header(etag::etag(saved.version)).json(body));
    }
    let view = edge.contacts.read_back(asker, saved.id).await?;
    Ok(response.insert_header(etag::etag(view.person.version)).json(shown::contact(&view)))
}
