//! `/v1/templates`: message forms as the provider has them.

use actix_web::{HttpResponse, HttpResponseBuilder, web};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::pages::page;
use crate::domain::ids::TemplateId;
use crate::domain::inbound::{Quality, TemplateStatus};
use crate::domain::template_form::TemplateCategory;
use crate::domain::workspace::{
    NewTemplate, Scope, Template, WorkspaceChange, components_slot, language_code, template_id,
};
use crate::http::etag::etag;
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::rest::id_in_path;
use crate::http::{Asker, Edge, Problem};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/templates").route(web::get().to(list)).route(web::post().to(put)))
        .service(web::resource("/v1/templates/{id}").route(web::get().to(read)));
}

#[derive(Serialize)]
struct Shown {
    id: TemplateId,
    name: String,
    language: String,
    business_id: Option<String>,
    category: TemplateCategory,
    status: TemplateStatus,
    quality: Quality,
    /// As the platform writes them; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    components: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    language: String,
    category: TemplateCategory,
    /// The provider's events correct it; a template that nobody says more of is taken as approved.
    status: Option<TemplateStatus>,
    business_id: Option<String>,
    components: Box<RawValue>,
}

async fn list(asker: Asker, edge: web::Data<Edge>, paging: Query<Paging>) -> Result<web::Json<Listed<Shown>>, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    let state = super::state(&edge, &asker)?;
    let (ids, next) = page(state.templates.keys().copied(), &paging.0)?;
    let items = ids.into_iter().filter_map(|id| Some(shown(id, state.templates.get(&id)?, None))).collect();
    Ok(web::Json(Listed::new(items, next)))
}

async fn read(asker: Asker, edge: web::Data<Edge>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    show(&edge, &asker, id_in_path(&path, "template")?, HttpResponse::Ok()).await
}

async fn put(asker: Asker, edge: web::Data<Edge>, terms: Terms, body: Body<Wanted>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let Wanted { name, language, category, status, business_id, components } = body.value;
    if !is_language(&language) {
        return Err(Problem::invalid("language", "a code as `pt_PT` is wanted"));
    }
    let id = template_id(edge.keys(), asker.workspace, business_id.as_deref(), &name, &language);
    let template = NewTemplate {
        name,
        language: language_code(&language),
        business_id,
        category,
        status: status.unwrap_or(TemplateStatus::Approved),
        components: components.get().to_owned(),
    };
    let change = WorkspaceChange::PutTemplate { id, template: Box::new(template) };
    edge.workspaces.change(asker.workspace, asked, change).await?;
    show(&edge, &asker, id, HttpResponse::Created()).await
}

fn is_language(text: &str) -> bool {
    (2..=16).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

async fn show(
    edge: &Edge,
    asker: &Asker,
    id: TemplateId,
    mut answer: HttpResponseBuilder,
) -> Result<HttpResponse, Problem> {
    let state = super::state(edge, asker)?;
    let template = state.templates.get(&id).ok_or_else(|| Problem::not_found("template"))?;
    let text = edge.workspaces.texts(asker.workspace, &[components_slot(id)]).await?.pop().flatten();
    let components = text.and_then(|text| RawValue::from_string(text).ok());
    Ok(answer.insert_header(etag(state.version)).json(shown(id, template, components)))
}

fn shown(id: TemplateId, template: &Template, components: Option<Box<RawValue>>) -> Shown {
    Shown {
        id,
        name: template.name.clone(),
        language: template.language.clone(),
        business_id: template.business_id.clone(),
        category: template.category.1,
        status: template.status.1,
        quality: template.quality.1,
        components,
    }
}
