//! What became of a delivery or of one item of it: by the id under which it was kept, or by the provider's id.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::conversations::api::Moment;
use crate::domain::access::Action;
use crate::domain::conversation::{Conversation, ConversationEvent};
use crate::domain::entity::EntityKind;
use crate::domain::ids::{ConversationId, DeliveryId, MessageId};
use crate::domain::message::ProviderMessageId;
use crate::domain::workspace::Scope;
use crate::http::{Asker, Edge, Problem};
use crate::shards::{CommandError, KeptDelivery};

/// The longest id, in bytes.
const ID_BYTES_MAX: usize = 256;
/// Records of the feed that are looked through backwards, over all shards.
const LOOKED_THROUGH_MAX: u64 = 20_000;
/// Records that are read at once.
const PAGE: usize = 500;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    // Providers' ids hold every character of Base64, the slash too.
    config.service(web::resource("/v1/webhooks/{id:.+}").route(web::get().to(look_up)));
}

async fn look_up(edge: web::Data<Edge>, asker: Asker, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::MessagesRead)?;
    let id = path.into_inner();
    let found = match id.parse::<DeliveryId>() {
        Ok(delivery) => kept(&edge, &asker, delivery).await?,
        Err(_) if id.len() > ID_BYTES_MAX => None,
        Err(_) => item(&edge, &asker, &id).await?,
    };
    found.map(|found| HttpResponse::Ok().json(found)).ok_or_else(|| Problem::not_found("delivery"))
}

/// An item by the provider's id: a message of ours, one that was kept, or a customer's.
async fn item(edge: &Edge, asker: &Asker, id: &str) -> Result<Option<Value>, CommandError> {
    let Some(workspace) = edge.workspaces.find(asker.workspace) else { return Ok(None) };
    let provider_id = ProviderMessageId(id.to_owned());
    let accounts: Vec<_> =
        workspace.accounts.keys().copied().filter(|account| asker.grants.may_use(*account)).collect();
    for account in &accounts {
        if let Some((conversation, message, _)) = edge.shards.message_of_provider(*account, &provider_id).await? {
            return shown(edge, asker, conversation, message.id).await;
        }
    }
    for app in workspace.apps.keys() {
        let found = kept(edge, asker, edge.shards.delivery_id(*app, id.as_bytes())).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let named: Vec<MessageId> = accounts.iter().map(|account| edge.keys().inbound_message(*account, id)).collect();
    match received(edge, asker, &named).await? {
        Some((conversation, message)) => shown(edge, asker, conversation, message).await,
        None => Ok(None),
    }
}

/// What was kept, for those whose workspace it belongs to.
async fn kept(edge: &Edge, asker: &Asker, id: DeliveryId) -> Result<Option<Value>, CommandError> {
    let Some(delivery) = edge.shards.kept(id).await? else { return Ok(None) };
    let of_app = edge.workspaces.app(delivery.app).map(|(workspace, _)| workspace);
    if delivery.workspace.or(of_app) != Some(asker.workspace) {
        return Ok(None);
    }
    let KeptDelivery { reason, channel, app, arrived_at, item_id, raw, .. } = delivery;
    Ok(Some(json!({
        "id": id, "outcome": reason, "channel": channel, "app": app, "arrived_at": Moment(arrived_at),
        "item": item_id, "raw": raw,
    })))
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
    Ok(Some(json!({ "outcome": "taken", "account": line.account, "conversation": line.id, "message": message })))
}

/// The newest conversations that received one of these messages, in the newest records of each shard.
async fn received(
    edge: &Edge,
    asker: &Asker,
    named: &[MessageId],
) -> Result<Option<(ConversationId, MessageId)>, CommandError> {
    let heads = edge.shards.feed_heads().await?;
    let each = LOOKED_THROUGH_MAX / (heads.len() as u64).max(1);
    for (shard, head) in heads.into_iter().enumerate() {
        let mut after = head.saturating_sub(each);
        loop {
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
