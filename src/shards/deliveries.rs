//! What could not be handed to an actor: items that wait for the owner's sweep, and deliveries that
//! nobody can take, kept for whoever asks what became of them.

use serde::{Deserialize, Serialize};

use super::error::CommandError;
use super::facts::read;
use super::placement::Shards;
use super::rows;
use crate::domain::ids::{AccountId, AppId, DeliveryId, WorkspaceId};
use crate::domain::inbound::InboundItem;
use crate::domain::message::Channel;
use crate::domain::time::Timestamp;
use crate::store::{Put, Row, RowKey, ScanRange, Store, StoreError, Table};

/// A row's clustering key, as the sweep deletes it.
pub type DeferredKey = Vec<u8>;

/// An item that its actor could not take at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeferredItem {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The account.
    pub account: AccountId,
    /// The platform.
    pub channel: Channel,
    /// The app it came by.
    pub app: AppId,
    /// When it arrived.
    pub arrived_at: Timestamp,
    /// How often an actor panicked over it.
    pub panics: u8,
    /// How often its message was not known.
    pub tries: u8,
    /// The item.
    pub item: InboundItem,
}

/// A kept delivery's place in a list: when it arrived, then its id.
pub type KeptPlace = (Timestamp, DeliveryId);

/// Why a delivery has a row of its own. The word is stable, and the number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum KeptReason {
    /// Nobody here has connected the account it names.
    Unrouted = 1,
    /// It was signed, and its bytes could not be understood.
    Unreadable = 2,
    /// Its actor panicked over it three times.
    Unprocessable = 3,
    /// A receipt for a message that nobody here sent.
    Unmatched = 4,
    /// A kind that this version does not know.
    Unknown = 5,
}

impl KeptReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Unrouted, Self::Unreadable, Self::Unprocessable, Self::Unmatched, Self::Unknown];
}

/// A delivery, or one item of it, that nobody took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDelivery {
    /// Why.
    pub reason: KeptReason,
    /// The platform.
    pub channel: Channel,
    /// The app it came by.
    pub app: AppId,
    /// The tenant, where it is known.
    pub workspace: Option<WorkspaceId>,
    /// When it arrived.
    pub arrived_at: Timestamp,
    /// The provider's id of the item, where it has one.
    pub item_id: Option<String>,
    /// What came: JSON text of the item, or the body as far as it is text.
    pub raw: String,
}

impl Shards {
    /// Keeps items as facts for their shards' sweep, each due at a time; durable when `Ok`.
    ///
    /// # Errors
    /// The store did not take them: the delivery must be refused.
    pub async fn defer(&self, items: &[(u16, Timestamp, DeferredItem)]) -> Result<(), CommandError> {
        let mut puts = Vec::with_capacity(items.len());
        for (shard, due, deferred) in items {
            let id =
                self.node().keys.hash(b"item", &[&deferred.account.0.to_be_bytes(), deferred.item.item_id.as_bytes()]);
            let mut ck = rows::time_key(*due).to_vec();
            ck.extend_from_slice(&id.to_be_bytes());
            let key = RowKey::new(Table::Ingress, &shard.to_be_bytes(), &ck);
            puts.push(read(rows::put_named(key, deferred, due.micros()))?);
        }
        self.write(puts).await
    }

    /// Items that are due for the sweep of a shard, oldest first, after the key `after`; at most `limit`.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn deferred(
        &self,
        shard: u16,
        now: Timestamp,
        after: Option<DeferredKey>,
        limit: usize,
    ) -> Result<Vec<(DeferredKey, DeferredItem)>, CommandError> {
        let mut range = ScanRange::first(limit.clamp(1, 1_000));
        if let Some(after) = after {
            range = range.after(after);
        }
        range.to = std::ops::Bound::Excluded(rows::time_key(Timestamp(now.0 + 1)).to_vec());
        let page = read(self.node().store.scan(Table::Ingress, &shard.to_be_bytes(), range).await)?;
        page.rows.into_iter().map(|row| Ok((row.ck, read(rows::value(Table::Ingress, &row.value))?))).collect()
    }

    /// Takes items off the sweep's list.
    ///
    /// # Errors
    /// The store did not take it: they are swept again, which is harmless.
    pub async fn undefer(&self, shard: u16, taken: Vec<DeferredKey>) -> Result<(), CommandError> {
        let ts_us = self.node().surroundings.clock.now().micros() + 1_000;
        let pk = shard.to_be_bytes();
        self.write(taken.iter().map(|ck| Put::delete(Table::Ingress, &pk, ck, ts_us)).collect()).await
    }

    /// Keeps what nobody took; durable when `Ok`. A repeated one meets its own row.
    ///
    /// # Errors
    /// The store did not take it: the delivery must be refused.
    pub async fn keep(&self, kept: &[(DeliveryId, KeptDelivery)]) -> Result<(), CommandError> {
        let mut puts = Vec::with_capacity(kept.len() * 2);
        for (id, delivery) in kept {
            let (pk, ck) = (list_pk(delivery.app, delivery.reason), list_ck((delivery.arrived_at, *id)));
            puts.push(read(rows::put(RowKey::new(Table::DeliveryList, &pk, &ck), &(), delivery.arrived_at.micros()))?);
            puts.push(read(rows::put_named(delivery_key(*id), delivery, delivery.arrived_at.micros()))?);
        }
        self.write(puts).await
    }

    /// What was kept under an id.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn kept(&self, id: DeliveryId) -> Result<Option<KeptDelivery>, CommandError> {
        let row = read(self.node().store.get(&delivery_key(id)).await)?;
        row.map(|row| read(rows::value(Table::Delivery, &row.value))).transpose()
    }

    /// An app's deliveries that were kept for one reason, newest first, before a place; at most `limit`, 1 to 1,000.
    /// One that came again, or is kept for another reason by now, still has its earlier places.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn kept_list(
        &self,
        app: AppId,
        reason: KeptReason,
        before: Option<KeptPlace>,
        limit: usize,
    ) -> Result<Vec<KeptPlace>, CommandError> {
        let mut range = ScanRange::last(limit.clamp(1, 1_000));
        if let Some(before) = before {
            range = range.after(list_ck(before).to_vec());
        }
        let page = read(self.node().store.scan(Table::DeliveryList, &list_pk(app, reason), range).await)?;
        let place = |row: &Row| {
            let id = row.ck.get(8..24)?.try_into().ok()?;
            Some((rows::time_of_key(&row.ck)?, DeliveryId(u128::from_be_bytes(id))))
        };
        Ok(page.rows.iter().filter_map(place).collect())
    }

    /// The id under which an item, or a whole body, of an app is kept.
    #[must_use]
    pub fn delivery_id(&self, app: AppId, named: &[u8]) -> DeliveryId {
        DeliveryId(self.node().keys.hash(b"delivery", &[&app.0.to_be_bytes(), named]))
    }

    /// Writes facts; durable when `Ok`.
    pub(super) async fn write(&self, puts: Vec<Put>) -> Result<(), CommandError> {
        if puts.is_empty() {
            return Ok(());
        }
        let outcome = self.node().store.put_facts(puts).await;
        if let Err(StoreError::Final(why)) = &outcome {
            self.node().fail(why.clone());
        }
        read(outcome)
    }
}

fn delivery_key(id: DeliveryId) -> RowKey {
    RowKey::new(Table::Delivery, &id.0.to_be_bytes(), &[])
}

fn list_pk(app: AppId, reason: KeptReason) -> [u8; 17] {
    let mut pk = [reason as u8; 17];
    pk[..16].copy_from_slice(&app.0.to_be_bytes());
    pk
}

fn list_ck((arrived_at, id): KeptPlace) -> [u8; 24] {
    let mut ck = [0; 24];
    ck[..8].copy_from_slice(&rows::time_key(arrived_at));
    ck[8..].copy_from_slice(&id.0.to_be_bytes());
    ck
}
