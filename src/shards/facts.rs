//! Facts read straight from the store: threads, receipts, addresses, private values.
//!
//! They are rows with deterministic keys, fresh on every engine, and need no shard's leave.

use super::error::CommandError;
use super::placement::Shards;
use super::rows::{self, ReceiptRow};
use crate::domain::content::{AddressDetails, StoredMessage};
use crate::domain::entity::EntityKind;
use crate::domain::ids::{AccountId, AddressId, ConversationId, MessageId};
use crate::domain::message::{MessageRef, ProviderMessageId};
use crate::store::{ScanRange, Store, StoreError, Table};

/// A message has at most so many receipts that matter: statuses times attempts.
const RECEIPTS_MAX: usize = 256;
/// Rows of a thread that are read at once where one is looked for.
const KEYS_AT_ONCE: usize = 500;
/// An entity has at most so many private values.
const PRIVATES_MAX: usize = 4_096;

/// Messages of a thread, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThreadPage {
    /// The messages.
    pub messages: Vec<(MessageRef, StoredMessage)>,
    /// Whether there are older ones.
    pub more: bool,
}

impl Shards {
    /// One message of a thread.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn message(
        &self,
        conversation: ConversationId,
        at: MessageRef,
    ) -> Result<Option<StoredMessage>, CommandError> {
        let row = read(self.node().store.get(&rows::message_key(conversation, at)).await)?;
        row.map(|row| read(rows::value(Table::Message, &row.value))).transpose()
    }

    /// Where a message stands in a thread. The whole thread is looked through, newest first, so many keys at a time.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn place_in_thread(
        &self,
        conversation: ConversationId,
        message: MessageId,
    ) -> Result<Option<MessageRef>, CommandError> {
        let pk = conversation.0.to_be_bytes();
        let mut range = ScanRange::last(KEYS_AT_ONCE);
        loop {
            let page = read(self.node().store.scan(Table::Message, &pk, range).await)?;
            let mut places = page.rows.iter().filter_map(|row| rows::message_of_ck(&row.ck));
            if let Some(found) = places.find(|at| at.id == message) {
                return Ok(Some(found));
            }
            match page.rows.last() {
                Some(oldest) if page.more => range = ScanRange::last(KEYS_AT_ONCE).after(oldest.ck.clone()),
                _ => return Ok(None),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Messages of a thread before `before`, or the newest; at most `limit`, 1 to 1,000.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn thread(
        &self,
        conversation: ConversationId,
        before: Option<MessageRef>,
        limit: usize,
    ) -> Result<ThreadPage, CommandError> {
        let mut range = ScanRange::last(limit.clamp(1, 1_000));
        if let Some(before) = before {
            range = range.after(rows::message_ck(before));
        }
        let page = read(self.node().store.scan(Table::Message, &conversation.0.to_be_bytes(), range).await)?;
        let messages = page.rows.iter().map(rows::read_message).collect::<Result<_, _>>();
        Ok(ThreadPage { messages: read(messages)?, more: page.more })
    }

    /// What became of a message, in the order of attempts and statuses.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn receipts(
        &self,
        conversation: ConversationId,
        message: MessageId,
    ) -> Result<Vec<ReceiptRow>, CommandError> {
        let range = rows::with_prefix(&rows::receipt_prefix(message), RECEIPTS_MAX);
        let page = read(self.node().store.scan(Table::Receipt, &conversation.0.to_be_bytes(), range).await)?;
        read(page.rows.iter().map(rows::read_receipt).collect())
    }

    /// Which message of ours a provider's id means, and which attempt of it.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn message_of_provider(
        &self,
        account: AccountId,
        provider_id: &ProviderMessageId,
    ) -> Result<Option<(ConversationId, MessageRef, u16)>, CommandError> {
        let row = read(self.node().store.get(&rows::provider_ref_key(account, provider_id)).await)?;
        row.map(|row| read(rows::read_provider_ref(&row))).transpose()
    }

    /// What these addresses are, in the order asked.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn addresses(&self, ids: &[AddressId]) -> Result<Vec<Option<AddressDetails>>, CommandError> {
        let keys: Vec<_> = ids.iter().map(|id| rows::address_key(*id)).collect();
        let found = read(self.node().store.get_many(&keys).await)?;
        found.into_iter().map(|row| row.map(|row| read(rows::read_address(&row))).transpose()).collect()
    }

    /// One private value of an entity.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn private(&self, kind: EntityKind, id: u128, slot: &str) -> Result<Option<Vec<u8>>, CommandError> {
        Ok(read(self.node().store.get(&rows::private_key(kind, id, slot)).await)?.map(|row| row.value))
    }

    /// These private values of an entity, in the order asked.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn privates_at(
        &self,
        kind: EntityKind,
        id: u128,
        slots: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, CommandError> {
        let keys: Vec<_> = slots.iter().map(|slot| rows::private_key(kind, id, slot)).collect();
        let found = read(self.node().store.get_many(&keys).await)?;
        Ok(found.into_iter().map(|row| row.map(|row| row.value)).collect())
    }

    /// Every private value of an entity, by its slot.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn privates(&self, kind: EntityKind, id: u128) -> Result<Vec<(String, Vec<u8>)>, CommandError> {
        let range = ScanRange::first(PRIVATES_MAX);
        let page = read(self.node().store.scan(Table::Private, &rows::private_pk(kind, id), range).await)?;
        Ok(page.rows.into_iter().map(|row| (String::from_utf8_lossy(&row.ck).into_owned(), row.value)).collect())
    }
}

/// A reading that failed is told once to the operator; the asker may come back.
pub(super) fn read<T>(outcome: Result<T, StoreError>) -> Result<T, CommandError> {
    outcome.map_err(|error| {
        tracing::warn!(%error, "failed to read the store");
        CommandError::unavailable()
    })
}
