//! `/v1/limits/{id}`: a portfolio's messaging limit.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::inbound::LimitTier;
use crate::domain::workspace::Scope;
use crate::http::idempotency::Terms;
use crate::http::json::Body;
use crate::http::rest::id_in_path;
use crate::http::{Asker, Edge, Problem};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/limits/{id}").route(web::get().to(read)))
        .service(web::resource("/v1/limits/{id}/tier").route(web::put().to(set_tier)));
}

/// A tier in JSON: a number, or `"unlimited"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Tier {
    Limited(u32),
    Word(Word),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Unlimited,
}

impl From<LimitTier> for Tier {
    fn from(tier: LimitTier) -> Self {
        match tier {
            LimitTier::Limited(customers) => Self::Limited(customers),
            LimitTier::Unlimited => Self::Word(Word::Unlimited),
        }
    }
}

impl From<Tier> for LimitTier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Limited(customers) => Self::Limited(customers),
            Tier::Word(Word::Unlimited) => Self::Unlimited,
        }
    }
}

#[derive(Serialize)]
struct Shown {
    id: String,
    tier: Tier,
    used: usize,
    /// None where the tier has no limit.
    free: Option<usize>,
    next_free_at: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTier {
    tier: Tier,
}

async fn read(asker: Asker, edge: web::Data<Edge>, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    show(&edge, &asker, &path).await
}

async fn set_tier(
    asker: Asker,
    edge: web::Data<Edge>,
    path: web::Path<String>,
    terms: Terms,
    body: Body<NewTier>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let id = id_in_path(&path, "limit")?;
    let asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    edge.workspaces.set_tier(asker.workspace, asked, id, body.value.tier.into()).await?;
    show(&edge, &asker, &path).await
}

async fn show(edge: &Edge, asker: &Asker, path: &str) -> Result<HttpResponse, Problem> {
    let id = id_in_path(path, "limit")?;
    let limit = edge.workspaces.limit(asker.workspace, id).await?;
    Ok(HttpResponse::Ok().json(Shown {
        id: id.to_string(),
        tier: limit.tier.into(),
        used: limit.used,
        free: limit.free,
        next_free_at: limit.next_free_at.to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_numbers_or_the_word() {
        for (text, tier) in [("250", LimitTier::Limited(250)), (r#""unlimited""#, LimitTier::Unlimited)] {
            let read: Tier = serde_json::from_str(text).unwrap();
            assert_eq!(LimitTier::from(read), tier);
            assert_eq!(serde_json::to_string(&Tier::from(tier)).unwrap(), text);
        }
        assert!(serde_json::from_str::<Tier>(r#""none""#).is_err());
    }
}
