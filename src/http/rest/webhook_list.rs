//! The deliveries that nobody could take, newest first.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::webhook_lookup::{kept_for, kept_line};
use crate::domain::workspace::Scope;
use crate::http::json::Query;
use crate::http::paging::{self, Listed};
use crate::http::{Asker, Edge, Problem};
use crate::shards::{KeptPlace, KeptReason};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/webhooks").route(web::get().to(list)));
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    state: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A page of what was kept. What came is not in it: it may be long, and is told by the delivery's id.
async fn list(edge: web::Data<Edge>, asker: Asker, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::MessagesRead)?;
    let Wanted { state, limit, cursor } = wanted.0;
    let reasons = reasons(state.as_deref())?;
    let limit = paging::limit_of(limit)?;
    let before: Option<KeptPlace> = cursor.as_deref().map(paging::read_cursor).transpose()?;
    let workspace = edge.workspaces.find(asker.workspace).ok_or_else(|| Problem::not_found("workspace"))?;
    let mut places = Vec::new();
    for app in workspace.apps.keys() {
        for reason in &reasons {
            let found = edge.shards.kept_list(*app, *reason, before, limit + 1).await?;
            places.extend(found.into_iter().map(|place| (place, *reason)));
        }
    }
    places.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
    let more = places.len() > limit;
    places.truncate(limit);
    let next = places.last().filter(|_| more).map(|(place, _)| *place);
    let mut items = Vec::with_capacity(places.len());
    for ((arrived_at, id), reason) in places {
        // One that came again is shown where it stands now.
        let delivery = kept_for(&edge, &asker, id).await?;
        let delivery = delivery.filter(|found| (found.arrived_at, found.reason) == (arrived_at, reason));
        items.extend(delivery.map(|delivery| kept_line(id, &delivery)));
    }
    Ok(HttpResponse::Ok().json(Listed::new(items, next)))
}

/// What a state means; every reason where none is named.
fn reasons(state: Option<&str>) -> Result<Vec<KeptReason>, Problem> {
    Ok(vec![match state {
        None => return Ok(KeptReason::ALL.to_vec()),
        Some("unrouted") => KeptReason::Unrouted,
        Some("unreadable") => KeptReason::Unreadable,
        Some("parked") => KeptReason::Unprocessable,
        Some("unmatched") => KeptReason::Unmatched,
        Some("unknown") => KeptReason::Unknown,
        Some(_) => {
            let why = "it must be `unrouted`, `unreadable`, `parked`, `unmatched` or `unknown`";
            return Err(Problem::invalid("state", why));
        }
    }])
}
