//! An item as a fact: whom it concerns, and the command that tells it.

use crate::channels::token::CallbackToken;
use crate::domain::broadcast::{Evidence, Refused, chunk_id};
use crate::domain::content::AddressDetails;
use crate::domain::conversation::{
    ChangeConsent, ChangeIdentity, Command, Origin, ReceiveMessage, RecordEcho, RecordReceipt,
};
use crate::domain::ids::{AddressId, AppId, BroadcastId, ConversationId, Keyring, WorkspaceId};
use crate::domain::inbound::{Address, InboundItem, InboundKind, InboundMessage, InboundReceipt, Person};
use crate::domain::message::{Channel, MessageRef};
use crate::domain::time::Timestamp;
use crate::shards::{DeferredItem, KeptDelivery, KeptReason};

/// The actor that an item is for first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// A conversation.
    Conversation(ConversationId),
    /// The number itself.
    Account(u128),
    /// A chunk of a broadcast's recipients.
    Chunk(u128),
}

impl Target {
    pub(super) const fn id(self) -> u128 {
        match self {
            Self::Conversation(id) => id.0,
            Self::Account(id) | Self::Chunk(id) => id,
        }
    }
}

/// What an item is about, as far as pacing cares.
pub(super) enum Concern {
    /// A customer's message of this time.
    Message { at: Timestamp },
    /// Anything else.
    Other,
}

/// What an item is about.
pub(super) const fn concern(kind: &InboundKind) -> Concern {
    match kind {
        InboundKind::Message(message) => Concern::Message { at: message.at },
        _ => Concern::Other,
    }
}

/// Whom an item is for; none where only the store can tell.
pub(super) fn target(keys: &Keyring, item: &DeferredItem) -> Option<Target> {
    let conversation = |address: &Address| {
        let id = keys.address(item.workspace, address.space.word(), &address.text);
        Target::Conversation(keys.conversation(item.account, id))
    };
    match &item.item.kind {
        InboundKind::Message(message) => first_address(message).map(conversation),
        InboundKind::Receipt(receipt) => broadcast(receipt)
            .map(|place| Target::Chunk(chunk_id(keys, place.0, place.1)))
            .or_else(|| token(receipt).map(|(thread, _, _)| Target::Conversation(thread)))
            .or_else(|| receipt.group.as_ref().or(receipt.recipient.addresses.first()).map(conversation)),
        InboundKind::Echo { to, .. } => to.addresses.first().map(conversation),
        InboundKind::IdentityChanged { previous, current, .. } => {
            previous.addresses.first().or(current.addresses.first()).map(conversation)
        }
        InboundKind::MarketingPreference { person, .. } => person.addresses.first().map(conversation),
        InboundKind::Account(_) | InboundKind::Unknown { .. } => Some(Target::Account(item.account.0)),
    }
}

/// The conversation, message and attempt that our own token names.
pub(super) fn token(receipt: &InboundReceipt) -> Option<(ConversationId, crate::domain::ids::MessageId, u16)> {
    match receipt.token.as_deref()?.parse() {
        Ok(CallbackToken::Message { conversation, message, attempt }) => Some((conversation, message, attempt)),
        _ => None,
    }
}

/// A customer's message as a command.
pub(super) fn receive(keys: &Keyring, item: &DeferredItem, message: &InboundMessage) -> Option<Command> {
    let mut people: Vec<&Address> = message.group.iter().collect();
    people.extend(&message.from.addresses);
    let addresses = named(keys, item.workspace, people.into_iter(), &message.from, message.group.as_ref());
    Some(Command::ReceiveMessage(Box::new(ReceiveMessage {
        origin: origin(keys, item, addresses.first()?.0, message.group.is_some()),
        addresses,
        provider_id: message.provider_id.clone(),
        message: MessageRef { at: message.at, id: keys.inbound_message(item.account, &message.provider_id.0) },
        content: message.content.clone(),
        context: message.context.clone(),
        opens_window: message.opens_window,
        free_entry: message.free_entry,
        arrived_at: item.arrived_at,
        seen: None,
    })))
}

/// The chunk of which broadcast a receipt is about, and what it says; none where its token is no broadcast's.
pub(super) fn broadcast(said: &InboundReceipt) -> Option<(BroadcastId, u32, Evidence)> {
    match said.token.as_deref()?.parse() {
        Ok(CallbackToken::Broadcast { broadcast, chunk, index, attempt }) => {
            let refused = said.failure.as_ref().map(|failure| Refused { code: failure.code, class: failure.class });
            Some((broadcast, chunk, Evidence { index, attempt, status: said.status, refused }))
        }
        _ => None,
    }
}

/// A receipt as a command to `thread`.
pub(super) fn receipt(item: &DeferredItem, thread: ConversationId, said: &InboundReceipt) -> Command {
    Command::RecordReceipt(Box::new(RecordReceipt {
        account: item.account,
        thread,
        message: token(said).map(|(_, message, attempt)| (message, attempt)),
        provider_id: said.provider_id.clone(),
        status: said.status,
        at: said.at,
        failure: said.failure.clone(),
        pricing: said.pricing.clone(),
        known: None,
    }))
}

/// What concerns a person, and is neither a message nor a receipt, as a command.
pub(super) fn personal(keys: &Keyring, item: &DeferredItem) -> Option<Command> {
    let of = |person: &Person| named(keys, item.workspace, person.addresses.iter(), person, None);
    Some(match &item.item.kind {
        InboundKind::Echo { to, provider_id, at, content } => {
            let addresses = of(to);
            Command::RecordEcho(Box::new(RecordEcho {
                origin: origin(keys, item, addresses.first()?.0, false),
                addresses,
                provider_id: provider_id.clone(),
                message: MessageRef { at: *at, id: keys.inbound_message(item.account, &provider_id.0) },
                content: content.clone(),
                arrived_at: item.arrived_at,
                seen: None,
            }))
        }
        InboundKind::IdentityChanged { previous, current, at, notice } => {
            let (previous, current) = (of(previous), of(current));
            let first = previous.first().or(current.first())?.0;
            Command::ChangeIdentity(Box::new(ChangeIdentity {
                origin: origin(keys, item, first, false),
                previous,
                current,
                at: *at,
                notice: notice.as_ref().map(|(provider_id, content)| {
                    let id = keys.inbound_message(item.account, &provider_id.0);
                    (MessageRef { at: *at, id }, provider_id.clone(), content.clone())
                }),
                arrived_at: item.arrived_at,
                seen: None,
            }))
        }
        InboundKind::MarketingPreference { person, stopped, at } => {
            let addresses = of(person);
            Command::ChangeConsent(Box::new(ChangeConsent {
                origin: origin(keys, item, addresses.first()?.0, false),
                addresses,
                withdrawn: *stopped,
                at: *at,
            }))
        }
        _ => return None,
    })
}

/// An item as it is kept for whoever asks what became of it.
pub(super) fn kept(
    reason: KeptReason,
    channel: Channel,
    app: AppId,
    workspace: Option<WorkspaceId>,
    arrived_at: Timestamp,
    item: &InboundItem,
) -> KeptDelivery {
    let raw = serde_json::to_string(item).unwrap_or_else(|error| format!("{{\"unwritable\":\"{error}\"}}"));
    KeptDelivery { reason, channel, app, workspace, arrived_at, item_id: Some(item.item_id.clone()), raw }
}

fn first_address(message: &InboundMessage) -> Option<&Address> {
    message.group.as_ref().or(message.from.addresses.first())
}

fn origin(keys: &Keyring, item: &DeferredItem, first: AddressId, group: bool) -> Origin {
    Origin {
        workspace: item.workspace,
        account: item.account,
        channel: item.channel,
        contact: keys.contact(item.workspace, first),
        group,
    }
}

/// Each address with its id, and the person's names beside it; a group has none of the writer's.
fn named<'a>(
    keys: &Keyring,
    workspace: WorkspaceId,
    addresses: impl Iterator<Item = &'a Address>,
    person: &Person,
    group: Option<&Address>,
) -> Vec<(AddressId, AddressDetails)> {
    addresses
        .map(|address| {
            let is_group = group == Some(address);
            let details = AddressDetails {
                address: address.clone(),
                name: person.name.clone().filter(|_| !is_group),
                username: person.username.clone().filter(|_| !is_group),
            };
            (keys.address(workspace, address.space.word(), &address.text), details)
        })
        .collect()
}
