//! The ledger of a broadcast: its recipients, those nobody knows about, and the counts told again from it.

use std::str::FromStr;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{About, shown};
use crate::broadcasts::Unconfirmed;
use crate::domain::broadcast::RecipientState;
use crate::http::Problem;
use crate::http::json::{Body, Query};
use crate::http::paging::{Listed, limit_of, read_cursor};

/// Recipients that one request decides about, at most.
const DECIDED_MAX: usize = 1_000;

/// Which rows of the ledger.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    state: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn recipients(about: About, which: Query<Which>) -> Result<web::Json<Listed<Value>>, Problem> {
    let Which { state, limit, cursor } = which.0;
    let only = state.as_deref().map(state_of).transpose()?;
    let after = cursor.as_deref().map(read_cursor::<(u32, u16)>).transpose()?;
    let page = about.edge.broadcasts.recipients(&about.asker, about.id, only, after, limit_of(limit)?).await?;
    Ok(web::Json(Listed::new(page.items.iter().map(shown::recipient).collect(), page.next)))
}

fn state_of(word: &str) -> Result<RecipientState, Problem> {
    let known = RecipientState::ALL.into_iter().find(|state| state.word() == word);
    known.ok_or_else(|| Problem::invalid("state", "it is not a state of a recipient"))
}

/// What becomes of unconfirmed recipients.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decide {
    #[serde(default)]
    resend: Vec<String>,
    #[serde(default)]
    drop: Vec<String>,
}

pub(super) async fn decide(about: About, body: Body<Decide>) -> Result<HttpResponse, Problem> {
    let Decide { resend, drop } = body.value;
    if resend.len() + drop.len() > DECIDED_MAX {
        return Err(Problem::invalid("resend", format_args!("at most {DECIDED_MAX} recipients at once")));
    }
    for (names, what, field) in [(drop, Unconfirmed::Drop, "drop"), (resend, Unconfirmed::Resend, "resend")] {
        let places = names.iter().map(|name| place_of(name, field)).collect::<Result<Vec<_>, _>>()?;
        if !places.is_empty() {
            about.edge.broadcasts.decide(&about.asker, about.id, &places, what).await?;
        }
    }
    Ok(HttpResponse::NoContent().finish())
}

/// The chunk and index that a recipient's name says.
fn place_of(name: &str, field: &str) -> Result<(u32, u16), Problem> {
    let parts =
        name.split_once('.').and_then(|(chunk, index)| Some((u32::from_str(chunk).ok()?, u16::from_str(index).ok()?)));
    parts.ok_or_else(|| Problem::invalid(field, format_args!("`{name}` is not a recipient's name, as `0.17`")))
}

pub(super) async fn verify(about: About) -> Result<web::Json<Value>, Problem> {
    let recount = about.edge.broadcasts.recount(&about.asker, about.id).await?;
    Ok(web::Json(json!({
        "agrees": recount.shown == recount.counted && recount.chunks_that_differ == 0,
        "shown": shown::counts(&recount.shown),
        "counted": shown::counts(&recount.counted),
        "chunks_that_differ": recount.chunks_that_differ,
    })))
}

pub(super) async fn failures(about: About) -> Result<web::Json<Value>, Problem> {
    let failures = about.edge.broadcasts.failures(&about.asker, about.id).await?;
    let items: Vec<_> = failures.iter().map(|(code, count)| json!({ "code": code, "count": count })).collect();
    Ok(web::Json(json!({ "items": items })))
}
