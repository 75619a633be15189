//! Receipts: what the platform says became of a message of ours (`channels.md` §1.4).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Scope;
use super::person::{self, Named};
use super::wire::{Text, WireStatus, read};
use crate::channels::whatsapp::error_table::{failure, failure_without_code};
use crate::domain::inbound::{InboundKind, InboundReceipt, Pricing};
use crate::domain::message::{MessageStatus, ProviderMessageId};
use crate::domain::outbound::Failure;

/// One of `statuses`. None for a status that says nothing here (`deleted`, `warning`).
pub(super) fn receipt(scope: &Scope<'_>, raw: &RawValue) -> Option<(String, InboundKind)> {
    said(scope, &read::<WireStatus<'_>>(raw)?)
}

/// The same of one that was read.
pub(super) fn said(scope: &Scope<'_>, wire: &WireStatus<'_>) -> Option<(String, InboundKind)> {
    let provider_id = ProviderMessageId(Text::owned(&wire.id)?);
    let at = Text::time(&wire.timestamp)?;
    let word = wire.status.as_deref()?;
    let status = match word {
        "sent" => MessageStatus::Sent,
        "delivered" => MessageStatus::Delivered,
        // A recording that was played has been seen.
        "read" | "played" => MessageStatus::Read,
        "failed" => MessageStatus::Failed,
        _ => return None,
    };
    let participant = Text::filled(&wire.recipient_participant_id);
    let participant_user_id = Text::filled(&wire.recipient_participant_user_id);
    let in_group = wire.recipient_type.as_deref() == Some("group");
    let (group, named) = if in_group {
        let named = Named { phone: participant, user_id: participant_user_id, parent_user_id: None };
        (person::group(&wire.recipient_id), named)
    } else {
        let named = Named {
            phone: Text::filled(&wire.recipient_id),
            user_id: Text::filled(&wire.recipient_user_id),
            parent_user_id: Text::filled(&wire.recipient_parent_user_id),
        };
        (None, named)
    };
    let recipient = scope.people.complete(named);
    // The status is part of the id: one message has several receipts, and in a group one a person.
    let item_id = match participant.or(participant_user_id) {
        Some(participant) => format!("{}:{word}:{participant}", provider_id.0),
        None => format!("{}:{word}", provider_id.0),
    };
    let receipt = InboundReceipt {
        provider_id,
        status,
        at,
        token: Text::owned(&wire.biz_opaque_callback_data),
        recipient,
        group,
        failure: (status == MessageStatus::Failed).then(|| failed(wire.errors)),
        pricing: wire.pricing.and_then(pricing),
    };
    Some((item_id, InboundKind::Receipt(receipt)))
}

fn failed(errors: Option<&RawValue>) -> Failure {
    let errors: Vec<&RawValue> = errors.and_then(read).unwrap_or_default();
    errors.first().and_then(|raw| code_of(raw)).map_or_else(|| failure_without_code(None), |code| failure(code, None))
}

/// The code of one error object.
pub(super) fn code_of(raw: &RawValue) -> Option<i64> {
    #[derive(Deserialize)]
    struct WireError<'a> {
        #[serde(borrow)]
        code: Option<Text<'a>>,
    }
    read::<WireError<'_>>(raw)?.code?.parse().ok()
}

fn pricing(raw: &RawValue) -> Option<Pricing> {
    #[derive(Deserialize)]
    struct WirePricing<'a> {
        billable: Option<bool>,
        #[serde(borrow)]
        category: Option<Text<'a>>,
        #[serde(borrow, rename = "type")]
        kind: Option<Text<'a>>,
    }
    let wire: WirePricing<'_> = read(raw)?;
    Some(Pricing {
        billable: wire.billable.unwrap_or(false),
        category: Text::owned(&wire.category)?,
        kind: Text::owned(&wire.kind),
    })
}
