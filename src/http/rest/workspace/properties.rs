//! `/v1/properties`: what a workspace wants to know of its contacts. The same name is the same property.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::pages::page;
use crate::domain::contact::PropertyType;
use crate::domain::ids::PropertyId;
use crate::domain::workspace::{Scope, WorkspaceChange, property_slot};
use crate::http::idempotency::Terms;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, Paging};
use crate::http::{Asker, Edge, Problem};

/// The most words of a choice.
const CHOICES_MAX: usize = 200;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/properties").route(web::get().to(list)).route(web::post().to(define)));
}

#[derive(Serialize)]
struct Shown {
    id: PropertyId,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    choices: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewProperty {
    name: String,
    #[serde(rename = "type")]
    kind: Kind,
    choices: Option<Vec<String>>,
}

/// The kinds of value, as JSON names them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Text,
    Texts,
    Number,
    Bool,
    Date,
    Choice,
}

async fn list(asker: Asker, edge: web::Data<Edge>, paging: Query<Paging>) -> Result<web::Json<Listed<Shown>>, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    let state = super::state(&edge, &asker)?;
    let (ids, next) = page(state.properties.keys().copied(), &paging.0)?;
    let slots: Vec<String> = ids.iter().copied().map(property_slot).collect();
    let names = edge.workspaces.texts(asker.workspace, &slots).await?;
    let known = ids.into_iter().zip(names).filter_map(|(id, name)| Some((id, name, state.properties.get(&id)?)));
    let items = known.map(|(id, name, property)| shown(id, name, property)).collect();
    Ok(web::Json(Listed::new(items, next)))
}

async fn define(
    asker: Asker,
    edge: web::Data<Edge>,
    terms: Terms,
    body: Body<NewProperty>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    let NewProperty { name, kind, choices } = body.value;
    let (name, property) = (name.trim().to_owned(), typed(kind, choices)?);
    let id = PropertyId(edge.keys().keyed(asker.workspace, "property", &name.to_lowercase()));
    // Contacts hold values of the known type; only the words of a choice may change under them.
    if let Some(known) = super::state(&edge, &asker)?.properties.get(&id)
        && kind_of(known) != kind
    {
        let detail = "There is a property of this name already, and its values are of another type.";
        return Err(Problem::new(StatusCode::CONFLICT, "already_exists", detail));
    }
    let change = WorkspaceChange::DefineProperty { id, name: name.clone(), kind: property.clone() };
    edge.workspaces.change(asker.workspace, asked, change).await?;
    Ok(HttpResponse::Created().json(shown(id, Some(name), &property)))
}

fn typed(kind: Kind, choices: Option<Vec<String>>) -> Result<PropertyType, Problem> {
    if kind != Kind::Choice && choices.is_some() {
        return Err(Problem::invalid("choices", "only the type `choice` has them"));
    }
    Ok(match kind {
        Kind::Text => PropertyType::Text,
        Kind::Texts => PropertyType::Texts,
        Kind::Number => PropertyType::Number,
        Kind::Bool => PropertyType::Bool,
        Kind::Date => PropertyType::Date,
        Kind::Choice => {
            let words = choices.unwrap_or_default();
            let fits = (1..=CHOICES_MAX).contains(&words.len())
                && words.iter().all(|word| (1..=200).contains(&word.chars().count()));
            if !fits {
                let why = format!("1 to {CHOICES_MAX} words of 1 to 200 characters are wanted");
                return Err(Problem::invalid("choices", why));
            }
            PropertyType::Choice(words)
        }
    })
}

const fn kind_of(property: &PropertyType) -> Kind {
    match property {
        PropertyType::Text => Kind::Text,
        PropertyType::Texts => Kind::Texts,
        PropertyType::Number => Kind::Number,
        PropertyType::Bool => Kind::Bool,
        PropertyType::Date => Kind::Date,
        PropertyType::Choice(_) => Kind::Choice,
    }
}

fn shown(id: PropertyId, name: Option<String>, property: &PropertyType) -> Shown {
    let choices = if let PropertyType::Choice(words) = property { Some(words.clone()) } else { None };
    Shown { id, name, kind: kind_of(property), choices }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_belong_to_the_type_choice_alone() {
        let words = |count: usize| Some(vec!["gold".to_owned(); count]);
        assert_eq!(typed(Kind::Choice, words(1)).unwrap(), PropertyType::Choice(vec!["gold".to_owned()]));
        for (kind, choices) in [(Kind::Choice, None), (Kind::Choice, words(CHOICES_MAX + 1)), (Kind::Text, words(1))] {
            assert_eq!(typed(kind, choices).map_err(|problem| problem.code()), Err("invalid"));
        }
        for kind in [Kind::Text, Kind::Texts, Kind::Number, Kind::Bool, Kind::Date] {
            assert_eq!(kind_of(&typed(kind, None).unwrap()), kind);
        }
    }
}
