//! How content becomes rows and rows become content again: the one place that knows keys and bytes.
//!
//! Values are encoded as [`encoding`] says. Times in keys are shifted so that byte order is
//! time order also before 1970.

use std::ops::Bound;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::broadcast::BroadcastPlace;
use crate::domain::content::{AddressDetails, Content, StoredMessage};
use crate::domain::entity::EntityKind;
use crate::domain::ids::{AccountId, AddressId, ConversationId, MessageId, WorkspaceId};
use crate::domain::message::{Channel, MessageRef, MessageStatus, ProviderMessageId};
use crate::domain::outbound::Failure;
use crate::domain::time::Timestamp;
use crate::store::{Put, Row, RowKey, ScanRange, StoreError, Table, encoding};

/// A time as 8 bytes in byte order.
#[must_use]
pub(super) fn time_key(at: Timestamp) -> [u8; 8] {
    ((at.0 as u64) ^ (1 << 63)).to_be_bytes()
}

/// The time in such a key.
#[must_use]
pub(super) fn time_of_key(bytes: &[u8]) -> Option<Timestamp> {
    let raw = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    Some(Timestamp((raw ^ (1 << 63)) as i64))
}

/// The clustering key of a message in its thread.
#[must_use]
pub fn message_ck(at: MessageRef) -> Vec<u8> {
    let mut ck = Vec::with_capacity(24);
    ck.extend_from_slice(&time_key(at.at));
    ck.extend_from_slice(&at.id.0.to_be_bytes());
    ck
}

/// The message that a clustering key names.
#[must_use]
pub fn message_of_ck(ck: &[u8]) -> Option<MessageRef> {
    let at = time_of_key(ck)?;
    let id = u128::from_be_bytes(ck.get(8..24)?.try_into().ok()?);
    Some(MessageRef { at, id: MessageId(id) })
}

/// The row of a message.
#[must_use]
pub fn message_key(conversation: ConversationId, at: MessageRef) -> RowKey {
    RowKey::new(Table::Message, &conversation.0.to_be_bytes(), &message_ck(at))
}

/// The row of an address.
#[must_use]
pub fn address_key(address: AddressId) -> RowKey {
    RowKey::new(Table::Address, &address.0.to_be_bytes(), &[])
}

/// The row of a private value.
#[must_use]
pub fn private_key(kind: EntityKind, id: u128, slot: &str) -> RowKey {
    RowKey::new(Table::Private, &private_pk(kind, id), slot.as_bytes())
}

/// The partition of an entity's private values.
#[must_use]
pub fn private_pk(kind: EntityKind, id: u128) -> [u8; 17] {
    let mut pk = [0; 17];
    pk[0] = kind as u8;
    pk[1..].copy_from_slice(&id.to_be_bytes());
    pk
}

/// The row that says which message a provider's id means.
#[must_use]
pub fn provider_ref_key(account: AccountId, provider_id: &ProviderMessageId) -> RowKey {
    RowKey::new(Table::ProviderRef, &account.0.to_be_bytes(), provider_id.0.as_bytes())
}

/// The row of a conversation's window gate.
#[must_use]
pub fn window_gate_key(conversation: ConversationId) -> RowKey {
    RowKey::new(Table::WindowGate, &conversation.0.to_be_bytes(), &[])
}

/// The row of the consent gate of an address on a channel, on a topic.
#[must_use]
pub fn consent_gate_key(workspace: WorkspaceId, channel: Channel, address: AddressId, topic: &str) -> RowKey {
    let mut pk = [0; 33];
    pk[..16].copy_from_slice(&workspace.0.to_be_bytes());
    pk[16] = channel as u8;
    pk[17..].copy_from_slice(&address.0.to_be_bytes());
    RowKey::new(Table::ConsentGate, &pk, topic.as_bytes())
}

/// What a receipt row says.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiptRow {
    /// Which message.
    pub message: MessageRef,
    /// Which attempt, from 1.
    pub attempt: u16,
    /// The status.
    pub status: MessageStatus,
    /// When, by the provider's clock.
    pub at: Timestamp,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The provider's id, where this row teaches it.
    pub provider_id: Option<ProviderMessageId>,
}

/// The clustering key under which receipts of a message begin.
///
/// Receipts are found by the message's id alone, because a callback token carries no time; the time
/// stands at the end of the value.
#[must_use]
pub fn receipt_prefix(message: MessageId) -> [u8; 16] {
    message.0.to_be_bytes()
}

/// The first `limit` rows whose clustering key begins with `prefix`.
#[must_use]
pub fn with_prefix(prefix: &[u8], limit: usize) -> ScanRange {
    let mut after = prefix.to_vec();
    // The next key that does not begin with it: the last byte that can rise does.
    while after.last() == Some(&u8::MAX) {
        after.pop();
    }
    let to = match after.last_mut() {
        Some(last) => {
            *last += 1;
            Bound::Excluded(after)
        }
        None => Bound::Unbounded,
    };
    ScanRange { from: Bound::Included(prefix.to_vec()), to, reverse: false, limit }
}

/// Content as the row to write.
///
/// # Errors
/// The value cannot be written, which is a mistake in its type.
pub fn to_put(content: &Content) -> Result<Put, StoreError> {
    Ok(match content {
        Content::Message { conversation, at, message } => {
            put_named(message_key(*conversation, *at), message.as_ref(), at.at.micros())?
        }
        Content::Receipt { conversation, message, attempt, status, at, failure, provider_id } => {
            let mut ck = Vec::with_capacity(19);
            ck.extend_from_slice(&receipt_prefix(message.id));
            ck.extend_from_slice(&attempt.to_be_bytes());
            ck.push(*status as u8);
            let key = RowKey::new(Table::Receipt, &conversation.0.to_be_bytes(), &ck);
            put(key, &(at, failure, provider_id, message.at), at.micros())?
        }
        Content::ProviderRef { account, provider_id, conversation, message, attempt } => {
            put(provider_ref_key(*account, provider_id), &(conversation, message, attempt), message.at.micros())?
        }
        Content::Address { id, details, at } => put_named(address_key(*id), details, at.micros())?,
        Content::WindowGate { conversation, opened_at, at } => {
            put(window_gate_key(*conversation), opened_at, at.micros())?
        }
        Content::ConsentGate { workspace, channel, address, topic, withdrawn, at } => {
            // An opt-out wins a tie: the larger bytes do, and `true` is larger.
            put(consent_gate_key(*workspace, *channel, *address, topic), withdrawn, at.micros())?
        }
        Content::Private { kind, id, slot, value, at } => {
            Put { key: private_key(*kind, *id, slot), value: value.clone(), ts_us: at.micros(), ttl_s: 0 }
        }
        Content::ThreadReference { conversation, at, place } => {
            let mut ck = Vec::with_capacity(30);
            ck.extend_from_slice(&time_key(*at));
            ck.extend_from_slice(&place.broadcast.0.to_be_bytes());
            ck.extend_from_slice(&place.chunk.to_be_bytes());
            ck.extend_from_slice(&place.index.to_be_bytes());
            put(RowKey::new(Table::ThreadReference, &conversation.0.to_be_bytes(), &ck), place, at.micros())?
        }
        Content::BlockOutcome { chunk, claim, first, provider_ids, at } => {
            let mut ck = Vec::with_capacity(18);
            ck.extend_from_slice(&claim.to_be_bytes());
            ck.extend_from_slice(&first.to_be_bytes());
            put(RowKey::new(Table::BlockOutcome, &chunk.to_be_bytes(), &ck), provider_ids, at.micros())?
        }
    })
}

/// A message row as content.
///
/// # Errors
/// The bytes are not such a row.
pub fn read_message(row: &Row) -> Result<(MessageRef, StoredMessage), StoreError> {
    let at = message_of_ck(&row.ck).ok_or_else(|| corrupt(Table::Message, "its key is too short"))?;
    Ok((at, value(Table::Message, &row.value)?))
}

/// A receipt row as content.
///
/// # Errors
/// The bytes are not such a row.
pub fn read_receipt(row: &Row) -> Result<ReceiptRow, StoreError> {
    let short = || corrupt(Table::Receipt, "its key is too short");
    let id = row.ck.get(..16).and_then(|raw| raw.try_into().ok()).ok_or_else(short)?;
    let attempt = row.ck.get(16..18).and_then(|raw| raw.try_into().ok()).ok_or_else(short)?;
    let status = row.ck.get(18).copied().and_then(status_of).ok_or_else(short)?;
    let (at, failure, provider_id, message_at) = value(Table::Receipt, &row.value)?;
    Ok(ReceiptRow {
        message: MessageRef { at: message_at, id: MessageId(u128::from_be_bytes(id)) },
        attempt: u16::from_be_bytes(attempt),
        status,
        at,
        failure,
        provider_id,
    })
}

/// A thread reference's row: when it was claimed, and where in which broadcast it is.
///
/// # Errors
/// The bytes are not such a row.
pub fn read_thread_reference(row: &Row) -> Result<(Timestamp, BroadcastPlace), StoreError> {
    let at = time_of_key(&row.ck).ok_or_else(|| corrupt(Table::ThreadReference, "its key is too short"))?;
    Ok((at, value(Table::ThreadReference, &row.value)?))
}

/// An address row as content.
///
/// # Errors
/// The bytes are not such a row.
pub fn read_address(row: &Row) -> Result<AddressDetails, StoreError> {
    value(Table::Address, &row.value)
}

/// A provider reference row as content.
///
/// # Errors
/// The bytes are not such a row.
pub fn read_provider_ref(row: &Row) -> Result<(ConversationId, MessageRef, u16), StoreError> {
    value(Table::ProviderRef, &row.value)
}

/// A row of any versioned value.
///
/// # Errors
/// The value cannot be written, which is a mistake in its type.
pub fn put<T: Serialize + ?Sized>(key: RowKey, stored: &T, ts_us: i64) -> Result<Put, StoreError> {
    let bytes = encoding::encode(stored)?;
    Ok(Put { key, value: Some(bytes), ts_us, ttl_s: 0 })
}

/// A row of a value whose fields may be left out.
///
/// # Errors
/// The value cannot be written, which is a mistake in its type.
pub fn put_named<T: Serialize + ?Sized>(key: RowKey, stored: &T, ts_us: i64) -> Result<Put, StoreError> {
    Ok(Put { key, value: Some(encoding::encode_named(stored)?), ts_us, ttl_s: 0 })
}

/// The versioned value of a row.
///
/// # Errors
/// The bytes are not such a value.
pub fn value<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, StoreError> {
    encoding::decode(table.word(), bytes)
}

fn corrupt(table: Table, why: &str) -> StoreError {
    StoreError::Corrupt { table: table.word(), why: why.to_owned() }
}

fn status_of(number: u8) -> Option<MessageStatus> {
    use MessageStatus::{Accepted, Delivered, Failed, InDoubt, Queued, Read, Sent, Unconfirmed};
    [Queued, InDoubt, Unconfirmed, Accepted, Sent, Failed, Delivered, Read]
        .into_iter()
        .find(|status| *status as u8 == number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outbound::ErrorClass;

    #[test]
    fn keys_sort_as_times_do() {
        let times = [i64::MIN, -1, 0, 1, 1_795_165_200_000, i64::MAX];
        let keys: Vec<_> = times.iter().map(|at| time_key(Timestamp(*at))).collect();
        assert!(keys.is_sorted());
        assert!(times.iter().zip(&keys).all(|(at, key)| time_of_key(key) == Some(Timestamp(*at))));
    }

    #[test]
    fn a_message_whose_fields_are_left_out_comes_back() {
        use crate::domain::author::Author;
        use crate::domain::message::{Media, MediaKind, MessageContent, MessageContext};
        let media = Media { link: Some("https://example.test/a".into()), voice: true, ..Media::default() };
        let message = StoredMessage {
            author: Author::Customer,
            content: MessageContent::Media { kind: MediaKind::Audio, media },
            context: MessageContext { product: Some("{}".into()), ..MessageContext::default() },
            provider_id: Some(ProviderMessageId("wamid.x".into())),
            sender: None,
            arrived_at: Timestamp(3),
        };
        let at = MessageRef { at: Timestamp(5), id: MessageId(77) };
        let content = Content::Message { conversation: ConversationId(1), at, message: Box::new(message.clone()) };
        let written = to_put(&content).expect("encodes");
        let row = Row { ck: written.key.ck().to_vec(), value: written.value.expect("has one"), ts_us: written.ts_us };
        assert_eq!(read_message(&row).expect("reads"), (at, message));
    }

    #[test]
    fn a_consent_gate_is_of_one_channel_and_an_opt_out_wins_a_tie() {
        let gate = |channel, withdrawn| {
            let (workspace, address, topic) = (WorkspaceId(1), AddressId(2), "marketing".to_owned());
            to_put(&Content::ConsentGate { workspace, channel, address, topic, withdrawn, at: Timestamp(3) })
                .expect("encodes")
        };
        let (agreed, stopped) = (gate(Channel::WhatsApp, false), gate(Channel::WhatsApp, true));
        assert_eq!((&agreed.key, agreed.ts_us), (&stopped.key, stopped.ts_us));
        assert!(stopped.value > agreed.value, "of two rows with one time the store keeps the larger");
        let keys: std::collections::BTreeSet<_> =
            Channel::ALL.into_iter().map(|channel| gate(channel, true).key).collect();
        assert_eq!(keys.len(), Channel::ALL.len());
        let numbers: Vec<_> = Channel::ALL.into_iter().map(|channel| gate(channel, true).key.pk()[16]).collect();
        assert_eq!(numbers, (0..9).collect::<Vec<u8>>(), "a channel's number is in stored keys");
    }

    #[test]
    fn a_receipt_comes_back_as_it_went() {
        let message = MessageRef { at: Timestamp(5), id: MessageId(77) };
        let failure = Failure { code: 131_047, class: ErrorClass::Window, sentence: "The window is closed.".into() };
        let written = to_put(&Content::Receipt {
            conversation: ConversationId(1),
            message,
            attempt: 2,
            status: MessageStatus::Failed,
            at: Timestamp(9),
            failure: Some(failure.clone()),
            provider_id: None,
        })
        .expect("encodes");
        let row = Row { ck: written.key.ck().to_vec(), value: written.value.expect("has one"), ts_us: written.ts_us };
        let read = read_receipt(&row).expect("reads");
        assert_eq!((read.message, read.attempt, read.status), (message, 2, MessageStatus::Failed));
        assert_eq!(read.failure, Some(failure));
        assert!(read_receipt(&Row { ck: vec![1], ..row }).is_err());
    }
}
