//! The inbox: lists of conversations and their counts.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::conversations::api::Line;
use crate::conversations::inbox::Shelf;
use crate::conversations::{ListQuery, ListView};
use crate::domain::ids::{AccountId, TeamId};
use crate::domain::message::Channel;
use crate::domain::workspace::Scope;
use crate::http::json::Query;
use crate::http::paging::{Listed, Paging};
use crate::http::{Asker, Edge, Problem};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/v1/inbox").route(web::get().to(list)))
        .service(web::resource("/v1/inbox/counts").route(web::get().to(counts)));
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    view: Option<String>,
    team: Option<TeamId>,
    state: Option<String>,
    channel: Option<String>,
    account: Option<AccountId>,
    limit: Option<usize>,
    cursor: Option<String>,
}

async fn list(edge: web::Data<Edge>, asker: Asker, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::MessagesRead)?;
    let query = query(wanted.0)?;
    let (lines, next) = edge.conversations.list(&asker, query)?;
    let items: Vec<Line> = lines.iter().map(|line| Line::from(&**line)).collect();
    Ok(HttpResponse::Ok().json(Listed::new(items, next)))
}

fn query(wanted: Wanted) -> Result<ListQuery, Problem> {
    let Wanted { view, team, state, channel, account, limit, cursor } = wanted;
    let view = ListView::from_word(view.as_deref().unwrap_or("all"), team).ok_or_else(|| {
        Problem::invalid("view", "it is `all`, `mine`, `team`, `unassigned`, `collaborations` or `mentions`")
    })?;
    let known =
        |word: String| Channel::from_word(&word).ok_or_else(|| Problem::invalid("channel", "there is no such channel"));
    let paging = Paging { limit, cursor };
    Ok(ListQuery {
        view,
        shelf: shelf(state)?,
        channel: channel.map(known).transpose()?,
        account,
        after: paging.after()?,
        limit: paging.limit()?,
    })
}

fn shelf(state: Option<String>) -> Result<Option<Shelf>, Problem> {
    let known = |word: String| {
        Shelf::from_word(&word).ok_or_else(|| Problem::invalid("state", "it is `open`, `snoozed` or `closed`"))
    };
    state.map(known).transpose()
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    state: Option<String>,
}

/// Counts what is open, or what is in another state.
async fn counts(edge: web::Data<Edge>, asker: Asker, wanted: Query<Counted>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::MessagesRead)?;
    let shelf = shelf(wanted.0.state)?.unwrap_or(Shelf::Open);
    let (edge, caller) = (edge.into_inner(), asker.0);
    // It looks at everybody who holds conversations: that is not for a thread that carries actors.
    let counted = web::block(move || edge.conversations.counts(&caller, Some(shelf))).await;
    let counts = counted
        .map_err(|_| Problem::unavailable("Nothing could be counted now.", std::time::Duration::from_secs(1)))?;
    Ok(HttpResponse::Ok().json(counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_query_and_others_are_refused() {
        let wanted = Wanted { view: Some("mine".into()), state: Some("snoozed".into()), ..Wanted::default() };
        let read = query(wanted).unwrap();
        assert_eq!((read.view, read.shelf, read.limit), (ListView::Mine, Some(Shelf::Snoozed), 50));
        for wrong in [
            Wanted { view: Some("yours".into()), ..Wanted::default() },
            Wanted { state: Some("shut".into()), ..Wanted::default() },
            Wanted { channel: Some("fax".into()), ..Wanted::default() },
            Wanted { limit: Some(201), ..Wanted::default() },
            Wanted { cursor: Some("?".into()), ..Wanted::default() },
        ] {
            assert_eq!(query(wrong).unwrap_err().code(), "invalid");
        }
    }
}
