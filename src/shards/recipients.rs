//! Rows of broadcasts: who the recipients are, what keeps them from leaving, and where threads find them.

use std::collections::BTreeMap;

use super::error::CommandError;
use super::facts::read;
use super::placement::Shards;
use super::rows;
use crate::domain::broadcast::{BroadcastPlace, FrozenRecipient, PAGE_RECIPIENTS};
use crate::domain::entity::EntityKind;
use crate::domain::ids::{AddressId, BroadcastId, ContactId, ConversationId, WorkspaceId};
use crate::domain::message::{Channel, ProviderMessageId};
use crate::domain::time::Timestamp;
use crate::store::{Row, RowKey, ScanRange, Store, Table};

/// Rows of one chunk, at most.
const PAGES_MAX: usize = 16;
/// Reports of one claim, at most.
const REPORTS_MAX: usize = 512;

/// What the gates say of one recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// Whether consent was withdrawn; none where nothing was ever said.
    pub withdrawn: Option<bool>,
    /// The last inbound that opened the conversation's window; none where it is closed or never opened.
    pub opened_at: Option<Timestamp>,
}

/// A place in the list of a workspace's broadcasts: when it was created, and which.
pub type BroadcastLine = (Timestamp, BroadcastId);

impl Shards {
    /// Keeps who the recipients of chunks are: each page with its chunk's id and its first index. Durable when `Ok`.
    ///
    /// # Errors
    /// The store could not be written.
    pub async fn keep_recipients(&self, pages: &[(u128, u16, Vec<FrozenRecipient>)]) -> Result<(), CommandError> {
        let now = self.node().surroundings.clock.now().micros();
        let mut puts = Vec::with_capacity(pages.len());
        for (chunk, first, page) in pages {
            let key = RowKey::new(Table::Recipient, &chunk.to_be_bytes(), &first.to_be_bytes());
            puts.push(read(rows::put(key, page, now))?);
        }
        self.write(puts).await
    }

    /// The recipients of a chunk, in the order of their indexes.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn recipients(&self, chunk: u128) -> Result<Vec<FrozenRecipient>, CommandError> {
        let range = ScanRange::first(PAGES_MAX);
        let page = read(self.node().store.scan(Table::Recipient, &chunk.to_be_bytes(), range).await)?;
        let mut recipients = Vec::with_capacity(usize::from(PAGE_RECIPIENTS) * page.rows.len());
        for row in &page.rows {
            recipients.extend(read(rows::value::<Vec<FrozenRecipient>>(Table::Recipient, &row.value))?);
        }
        Ok(recipients)
    }

    /// One recipient of a chunk; none where it was erased.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn recipient(&self, chunk: u128, index: u16) -> Result<Option<FrozenRecipient>, CommandError> {
        let first = index / PAGE_RECIPIENTS * PAGE_RECIPIENTS;
        let key = RowKey::new(Table::Recipient, &chunk.to_be_bytes(), &first.to_be_bytes());
        let Some(row) = read(self.node().store.get(&key).await)? else { return Ok(None) };
        let page: Vec<FrozenRecipient> = read(rows::value(Table::Recipient, &row.value))?;
        Ok(page.into_iter().nth(usize::from(index - first)))
    }

    /// What the gates say of recipients, in the order asked: one reading of all their rows, which wakes nobody. Consent is
    /// read where a topic is named.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn gates(
        &self,
        workspace: WorkspaceId,
        channel: Channel,
        topic: Option<&str>,
        recipients: &[(AddressId, ConversationId)],
    ) -> Result<Vec<Gate>, CommandError> {
        let windows = recipients.iter().map(|(_, conversation)| rows::window_gate_key(*conversation));
        let consents = topic.into_iter().flat_map(|topic| {
            recipients.iter().map(move |(address, _)| rows::consent_gate_key(workspace, channel, *address, topic))
        });
        let keys: Vec<RowKey> = windows.chain(consents).collect();
        let mut windows = read(self.node().store.get_many(&keys).await)?;
        let consents = windows.split_off(recipients.len().min(windows.len()));
        let consents = consents.into_iter().chain(std::iter::repeat(None));
        let mut gates = Vec::with_capacity(recipients.len());
        for (window, consent) in windows.into_iter().zip(consents) {
            let withdrawn = consent.map(|row| read(rows::value::<bool>(Table::ConsentGate, &row.value))).transpose()?;
            let opened_at =
                window.map(|row| read(rows::value::<Option<Timestamp>>(Table::WindowGate, &row.value))).transpose()?;
            gates.push(Gate { withdrawn, opened_at: opened_at.flatten() });
        }
        Ok(gates)
    }

    /// Private values of contacts, in the order asked.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn contact_values(&self, asked: &[(ContactId, String)]) -> Result<Vec<Option<Vec<u8>>>, CommandError> {
        let keys: Vec<_> =
            asked.iter().map(|(contact, slot)| rows::private_key(EntityKind::Contact, contact.0, slot)).collect();
        let found = read(self.node().store.get_many(&keys).await)?;
        Ok(found.into_iter().map(|row| row.map(|row| row.value)).collect())
    }

    /// The broadcasts whose messages were claimed for a conversation since a time, latest first; at most `limit`.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn thread_references(
        &self,
        conversation: ConversationId,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, BroadcastPlace)>, CommandError> {
        let mut range = ScanRange::last(limit.clamp(1, 1_000));
        range.from = std::ops::Bound::Included(rows::time_key(since).to_vec());
        let pk = conversation.0.to_be_bytes();
        let page = read(self.node().store.scan(Table::ThreadReference, &pk, range).await)?;
        read(page.rows.iter().map(rows::read_thread_reference).collect())
    }

    /// Messages of broadcasts were claimed for these conversations at a time: those in memory remember it.
    pub fn hint_broadcasts(&self, at: Timestamp, claimed: &[(ConversationId, BroadcastPlace)]) {
        let mut by_shard: BTreeMap<u16, Vec<(ConversationId, BroadcastPlace)>> = BTreeMap::new();
        for (conversation, place) in claimed {
            by_shard.entry(self.shard_of(conversation.0)).or_default().push((*conversation, *place));
        }
        for (shard, claimed) in by_shard {
            self.on(shard, move |owner| {
                for (conversation, place) in claimed {
                    owner.hint_broadcast(conversation.0, at, place);
                }
            });
        }
    }

    /// The provider's ids of what left under a claim.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn provider_ids(&self, chunk: u128, claim: u128) -> Result<Vec<(u16, ProviderMessageId)>, CommandError> {
        let range = rows::with_prefix(&claim.to_be_bytes(), REPORTS_MAX);
        let page = read(self.node().store.scan(Table::BlockOutcome, &chunk.to_be_bytes(), range).await)?;
        let mut ids = Vec::new();
        for row in &page.rows {
            ids.extend(read(rows::value::<Vec<(u16, ProviderMessageId)>>(Table::BlockOutcome, &row.value))?);
        }
        Ok(ids)
    }

    /// A shard's broadcasts of a workspace before a place, latest first; at most `limit`.
    ///
    /// # Errors
    /// The shard or the store did not answer.
    pub async fn broadcasts_of(
        &self,
        workspace: WorkspaceId,
        shard: u16,
        before: Option<BroadcastLine>,
        limit: usize,
    ) -> Result<Vec<BroadcastLine>, CommandError> {
        let prefix = workspace.0.to_be_bytes();
        let mut range = rows::with_prefix(&prefix, limit.clamp(1, 10_000));
        range.reverse = true;
        if let Some(before) = before {
            range.to = std::ops::Bound::Excluded(broadcast_ck(workspace, before).to_vec());
        }
        let page = self.lines(Table::BroadcastList, shard, range).await?;
        let line = |row: &Row| {
            let created = rows::time_of_key(row.ck.get(16..)?)?;
            let id = row.ck.get(24..40)?.try_into().ok()?;
            Some((created, BroadcastId(u128::from_be_bytes(id))))
        };
        Ok(page.rows.iter().filter_map(line).collect())
    }
}

/// Where in its shard's list a broadcast is.
pub(super) fn broadcast_ck(workspace: WorkspaceId, (created, id): BroadcastLine) -> [u8; 40] {
    let mut ck = [0; 40];
    ck[..16].copy_from_slice(&workspace.0.to_be_bytes());
    ck[16..24].copy_from_slice(&rows::time_key(created));
    ck[24..].copy_from_slice(&id.0.to_be_bytes());
    ck
}
