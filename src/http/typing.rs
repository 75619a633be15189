//! Somebody types an answer: colleagues see it, and where the channel can show it, the customer does.

use std::sync::Arc;

use serde_json::json;

use super::{Edge, Problem, entry};
use crate::conversations::events;
use crate::domain::access::Action;
use crate::domain::ids::ConversationId;
use crate::domain::message::Channel;
use crate::push::Signal;
use crate::workspaces::Caller;

/// Shows that the caller types in a conversation. It rests on nothing and is told to those who are there.
pub(super) async fn show(edge: &Edge, caller: &Caller, id: ConversationId) -> Result<(), Problem> {
    let line = edge.conversations.line(caller, id, Action::Send).await?;
    let audience = entry::audience(&events::Audience::of_conversation(&line, edge.now()));
    let said = json!({ "conversation": line.id, "author": caller.author });
    match Signal::new(caller.workspace, "typing", &line.id.to_string(), Some(Arc::new(audience)), &said) {
        Ok(signal) => edge.hub.signal(&Arc::new(signal)),
        Err(error) => tracing::warn!(%error, "a signal cannot be written"),
    }
    if let (Channel::WhatsApp, Some(last)) = (line.channel, line.last_inbound) {
        // A courtesy: whoever types is not kept waiting, nor refused, for it.
        let _ = edge.numbers.be_courteous(line.account, line.id, last, true).await;
    }
    Ok(())
}
