//! What became of a delivery or of one item of it: by the id under which it was kept, or by the provider's id.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::conversations::api::Moment;
use crate::domain::access::Action;
use crate::domain::conversation::{Conversation, ConversationEvent, Summary};
use crate::domain::entity::EntityKind;
use crate::domain::ids::{ConversationId, DeliveryId, MessageId};
use crate::domain::message::ProviderMessageId;
use crate::domain::workspace::Scope;
use crate::http::json::Query;
use crate::http::paging;
use crate::http::{Asker, Edge, Problem};
use crate::shards::{CommandError, KeptDelivery};

/// The longest id, in bytes.
const ID_BYTES_MAX: usize = 256;
/// Records of the feed that one request looks through backwards, over all shards.
const LOOKED_THROUGH_MAX: u64 = 20_000;
/// Records that are read at once.
const PAGE: usize = 500;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    // Providers' ids hold every character of Base64, the slash too.
    config.service(web::resource("/v1/webhooks/{id:.+}").route(web::get().to(look_up)));
}

/// Where a customer's message is looked for. It has no row of its own by the provider's id: its thread is looked
/// through where the conversation is named, and else the feed, the newest records first, so many at a time.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    conversation: Option<ConversationId>,
    cursor: Option<String>,
}

async fn look_up(
    edge: web::Data<Edge>,
    asker: Asker,
    path: web::Path<String>,
    wanted: Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::MessagesRead)?;
    let id = path.into_inner();
    let found = match id.parse::<DeliveryId>() {
        Ok(delivery) => kept(&edge, &asker, delivery).await?,
        Err(_) if id.len() > ID_BYTES_MAX => None,
        Err(_) => item(&edge, &asker, &id, &wanted.0).await?,
    };
    found.map(|found| HttpResponse::Ok().json(found)).ok_or_else(|| Problem::not_found("delivery"))
}

/// An item by the provider's id: a message of ours, one that was kept, or a customer's.
async fn item(edge: &Edge, asker: &Asker, id: &str, wanted: &Wanted) -> Result<Option<Value>, Problem> {
    let Some(workspace) = edge.workspaces.find(asker.workspace) else { return Ok(None) };
    let provider_id = ProviderMessageId(id.to_owned());
    let accounts: Vec<_> =
        workspace.accounts.keys().copied().filter(|account| asker.grants.may_use(*account)).collect();
    for account in &accounts {
        if let Some((conversation, message, _)) = edge.shards.message_of_provider(*account, &provider_id).await? {
            return Ok(shown(edge, asker, conversation, message.id).await?);
        }
    }
    for app in workspace.apps.keys() {
        let found = kept(edge, asker, edge.shards.delivery_id(*app, id.as_bytes())).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let named: Vec<MessageId> = accounts.iter().map(|account| edge.keys().inbound_message(*account, id)).collect();
    if let Some(conversation) = wanted.conversation {
        return Ok(in_thread(edge, asker, conversation, id).await?);
    }
    let spans = spans(&edge.shards.feed_heads().await?, wanted.cursor.as_deref())?;
    if let Some((conversation, message)) = received(edge, asker, &named, &spans).await? {
        return Ok(shown(edge, asker, conversation, message).await?);
    }
    let rest: Vec<u64> = spans.iter().map(|(after, _)| *after).collect();
    if rest.iter().all(|upto| *upto == 0) {
        return Ok(None);
    }
    let why = "There is no such item among the records looked through, and there are older ones. Ask again with `next` \
        as the `cursor`, or name the `conversation`, whose thread is looked through as a whole.";
    Err(Problem::new(StatusCode::NOT_FOUND, "not_found", why).with("next", json!(paging::write_cursor(&rest))))
}

/// What is looked through of each shard: the records after the first position up to the second, which are the newest,
/// or those before where another request ended.
fn spans(heads: &[u64], cursor: Option<&str>) -> Result<Vec<(u64, u64)>, Problem> {
    let upto = match cursor {
        None => heads.to_vec(),
        Some(cursor) => paging::read_cursor::<Vec<u64>>(cursor)?,
    };
    if upto.len() != heads.len() {
        return Err(Problem::invalid("cursor", "it is not a cursor of this list"));
    }
    let each = (LOOKED_THROUGH_MAX / (heads.len() as u64).max(1)).max(1);
    Ok(upto
        .into_iter()
        .zip(heads)
        .map(|(upto, head)| upto.min(*head))
        .map(|upto| (upto.saturating_sub(each), upto))
        .collect())
}

/// A customer's message of one conversation, however old it is.
async fn in_thread(
    edge: &Edge,
    asker: &Asker,
    conversation: ConversationId,
    id: &str,
) -> Result<Option<Value>, CommandError> {
    let line = match edge.conversations.line(asker, conversation, Action::See).await {
        Err(CommandError::Refused(_)) => return Ok(None),
        outcome => outcome?,
    };
    let message = edge.keys().inbound_message(line.account, id);
    match edge.conversations.message(asker, line.id, message).await {
        Err(CommandError::Refused(_)) => Ok(None),
        outcome => outcome.map(|_| Some(taken(&line, message))),
    }
}

/// What was kept, for those whose workspace it belongs to.
async fn kept(edge: &Edge, asker: &Asker, id: DeliveryId) -> Result<Option<Value>, CommandError> {
    let delivery = kept_for(edge, asker, id).await?;
    Ok(delivery.map(|delivery| {
        let mut line = kept_line(id, &delivery);
        line["raw"] = json!(delivery.raw);
        line
    }))
}

/// The delivery, if its workspace is the asker's.
pub(super) async fn kept_for(edge: &Edge, asker: &Asker, id: DeliveryId) -> Result<Option<KeptDelivery>, CommandError> {
    let delivery = edge.shards.kept(id).await?;
    Ok(delivery.filter(|delivery| {
        let of_app = edge.workspaces.app(delivery.app).map(|(workspace, _)| workspace);
        delivery.workspace.or(of_app) == Some(asker.workspace)
    }))
}

/// A kept delivery without what came.
pub(super) fn kept_line(id: DeliveryId, delivery: &KeptDelivery) -> Value {
    json!({
        "id": id, "outcome": delivery.reason, "channel": delivery.channel, "app": delivery.app,
        "arrived_at": Moment(delivery.arrived_at), "item": delivery.item_id,
    })
}

/// A message of a conversation that the asker sees.
async fn shown(
    edge: &Edge,
    asker: &Asker,
    conversation: ConversationId,
    message: MessageId,
) -> Result<Option<Value>, CommandError> {
    let line = match edge.conversations.line(asker, conversation, Action::See).await {
        Err(CommandError::Refused(_)) => return Ok(None),
        outcome => outcome?,
    };
    Ok(Some(taken(&line, message)))
}

fn taken(line: &Summary, message: MessageId) -> Value {
    json!({ "outcome": "taken", "account": line.account, "conversation": line.id, "message": message })
}

/// The conversation that received one of these messages, in these records of each shard.
async fn received(
    edge: &Edge,
    asker: &Asker,
    named: &[MessageId],
    spans: &[(u64, u64)],
) -> Result<Option<(ConversationId, MessageId)>, CommandError> {
    for (shard, (after, upto)) in spans.iter().enumerate() {
        let mut after = *after;
        while after < *upto {
            let page = edge.shards.feed(asker.workspace, shard as u16, after, PAGE).await?;
            for turn in page.turns.iter().filter(|turn| turn.kind == EntityKind::Conversation) {
                let of_these = turn.events::<Conversation>()?.into_iter().find_map(|event| match event {
                    ConversationEvent::MessageReceived { message, .. }
                    | ConversationEvent::EchoRecorded { message }
                    | ConversationEvent::NoticeRecorded { message } => Some(message.id).filter(|id| named.contains(id)),
                    _ => None,
                });
                if let Some(message) = of_these {
                    return Ok(Some((ConversationId(turn.id), message)));
                }
            }
            after = page.upto;
            if !page.more {
                break;
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_looked_through_in_steps() {
        let heads = [25_000, 3, 0, 19_999];
        let mut seen = [0; 4];
        let (mut cursor, mut steps) = (None, 0);
        loop {
            let spans = spans(&heads, cursor.as_deref()).unwrap();
            assert!(spans.iter().map(|(after, upto)| upto - after).sum::<u64>() <= LOOKED_THROUGH_MAX);
            for (shard, (after, upto)) in spans.iter().enumerate() {
                assert_eq!(heads[shard] - seen[shard], *upto, "it goes on where it ended");
                seen[shard] += upto - after;
            }
            steps += 1;
            let rest: Vec<u64> = spans.iter().map(|(after, _)| *after).collect();
            if rest.iter().all(|upto| *upto == 0) {
                break;
            }
            cursor = paging::write_cursor(&rest);
        }
        assert_eq!((seen, steps), (heads, 5));
        assert!(spans(&heads[..2], cursor.as_deref()).is_err(), "a cursor of another number of shards");
        assert!(spans(&heads, Some("x")).is_err());
    }
}
