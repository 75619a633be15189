//! The pull feed: every public event of a workspace, in order within each shard.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::workspace::Scope;
use crate::http::json::Query;
use crate::http::ports::Sight;
use crate::http::{Asker, Edge, Problem, feed, paging};
use crate::push::entry::Sight as Seen;
use crate::push::{Cursor, FeedEntry};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/events").route(web::get().to(list)));
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    cursor: Option<String>,
    limit: Option<usize>,
}

/// A page of the feed. `next` is always there: a page without items is the end for now.
#[derive(Serialize)]
struct Events<'a> {
    items: Vec<&'a RawValue>,
    next: String,
}

/// Without a cursor it begins with the first event there is. Readers are shown what they may see now.
async fn list(edge: web::Data<Edge>, asker: Asker, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::EventsRead)?;
    let Wanted { cursor, limit } = wanted.0;
    let unread = |_| Problem::invalid("cursor", "it is not a cursor of this feed");
    let after = cursor.as_deref().map(Cursor::parse).transpose().map_err(unread)?.unwrap_or_default();
    let (entries, next) = feed::read(&edge, asker.workspace, &after, paging::limit_of(limit)?).await?;
    let sight = Sight::of(&asker);
    let seen = |entry: &&FeedEntry| entry.seen_by(&sight) == Seen::Whole;
    let items = entries.iter().filter(seen).filter_map(|entry| serde_json::from_str(entry.body().json()).ok());
    Ok(HttpResponse::Ok().json(Events { items: items.collect(), next: next.to_string() }))
}
