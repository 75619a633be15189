//! Messages of customers, and echoes of what the business wrote in the platform's own app.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::content;
use super::person::{self, Named};
use super::wire::{Text, WireMessage, read};
use super::{Scope, identity};
use crate::domain::inbound::{InboundKind, InboundMessage};
use crate::domain::message::{MessageContent, MessageContext, ProviderMessageId};

/// One of `messages`. None without an id, a time or somebody who wrote it.
pub(super) fn message(scope: &Scope<'_>, raw: &RawValue) -> Option<(String, InboundKind)> {
    let wire: WireMessage<'_> = read(raw)?;
    let provider_id = ProviderMessageId(Text::owned(&wire.id)?);
    let at = Text::time(&wire.timestamp)?;
    let item_id = provider_id.0.clone();
    let named = Named {
        phone: Text::filled(&wire.from),
        user_id: Text::filled(&wire.from_user_id),
        parent_user_id: Text::filled(&wire.from_parent_user_id),
    };
    let content = content(&wire, raw);
    if let Some((previous, current)) = wire.system.and_then(|system| identity::moved(named, system)) {
        let notice = Some((provider_id, content));
        return Some((item_id, InboundKind::IdentityChanged { previous, current, at, notice }));
    }
    let from = scope.people.complete(named);
    if from.addresses.is_empty() {
        return None;
    }
    let group = person::group(&wire.group_id);
    let opens_window = group.is_none() && opens_window(&wire, &content);
    let context = context(&wire);
    let free_entry = context.referral.is_some();
    let message = InboundMessage { from, group, provider_id, at, content, context, opens_window, free_entry };
    Some((item_id, InboundKind::Message(message)))
}

/// One of `message_echoes`. None without an id, a time or somebody to whom it went.
pub(super) fn echo(scope: &Scope<'_>, raw: &RawValue) -> Option<(String, InboundKind)> {
    let wire: WireMessage<'_> = read(raw)?;
    let provider_id = ProviderMessageId(Text::owned(&wire.id)?);
    let at = Text::time(&wire.timestamp)?;
    let named = Named {
        phone: Text::filled(&wire.to),
        user_id: Text::filled(&wire.to_user_id),
        parent_user_id: Text::filled(&wire.to_parent_user_id),
    };
    let to = scope.people.complete(named);
    if to.addresses.is_empty() || wire.group_id.is_some() {
        return None;
    }
    let content = content(&wire, raw);
    Some((provider_id.0.clone(), InboundKind::Echo { to, provider_id, at, content }))
}

/// Every message of a customer opens the window, but what the platform or a change of an older
/// message says does not (`channels.md` §1.9, §10.13; for reactions Meta does not say).
fn opens_window(wire: &WireMessage<'_>, content: &MessageContent) -> bool {
    let silent = matches!(
        content,
        MessageContent::Reaction { .. }
            | MessageContent::Edit { .. }
            | MessageContent::Revoke { .. }
            | MessageContent::System { .. }
    );
    // Also where their part is damaged; a `request_welcome` only says that somebody opened the chat.
    let kind = wire.kind.as_deref().unwrap_or_default();
    !silent && !matches!(kind, "reaction" | "edit" | "revoke" | "system" | "request_welcome")
}

fn context(wire: &WireMessage<'_>) -> MessageContext {
    #[derive(Default, Deserialize)]
    struct WireContext<'a> {
        #[serde(borrow)]
        id: Option<Text<'a>>,
        forwarded: Option<bool>,
        frequently_forwarded: Option<bool>,
        #[serde(borrow)]
        referred_product: Option<&'a RawValue>,
    }
    let given: WireContext<'_> = wire.context.and_then(read).unwrap_or_default();
    let object = |raw: &&RawValue| raw.get().starts_with('{');
    MessageContext {
        quoted: Text::owned(&given.id).map(ProviderMessageId),
        forwarded: given.forwarded == Some(true) || given.frequently_forwarded == Some(true),
        product: given.referred_product.filter(object).map(|raw| raw.get().to_owned()),
        referral: wire.referral.filter(object).map(|raw| raw.get().to_owned()),
    }
}
