//! What conversations in memory know of broadcasts: the messages claimed for them in the last three days.
//!
//! One that is activated reads them from its thread references; one that is in memory is told. It is no part of its state:
//! who replies to what is decided by it, and the decision is what the log keeps.

use super::super::rows;
use super::Owner;
use crate::domain::broadcast::{BroadcastPlace, REPLY_WITHIN};
use crate::domain::entity::EntityKind;
use crate::domain::ids::ConversationId;
use crate::domain::time::Timestamp;
use crate::store::{ScanRange, Store, StoreError, Table};

/// Broadcasts that one conversation remembers: the latest.
const REMEMBERED_MAX: usize = 32;

impl Owner {
    /// The broadcasts that a conversation in memory had in the last three days.
    pub(in super::super) fn broadcasts_of(&self, conversation: u128) -> Vec<(Timestamp, BroadcastPlace)> {
        let known = self.broadcasts.borrow();
        let since = self.now() - REPLY_WITHIN;
        let known = known.get(&conversation).into_iter().flatten();
        known.filter(|(at, _)| *at >= since).copied().collect()
    }

    /// A broadcast's message was claimed for a conversation: remembered if that is in memory.
    pub(in super::super) fn hint_broadcast(&self, conversation: u128, at: Timestamp, place: BroadcastPlace) {
        if self.directory.borrow().contains_key(&(EntityKind::Conversation, conversation)) {
            self.remember_broadcasts(conversation, [(at, place)]);
        }
    }

    /// Reads what a conversation that is activated had.
    pub(super) async fn load_broadcasts(&self, conversation: u128) -> Result<(), StoreError> {
        if !self.node.may_have_broadcasts() {
            return Ok(());
        }
        let mut range = ScanRange::last(REMEMBERED_MAX);
        range.from = std::ops::Bound::Included(rows::time_key(self.now() - REPLY_WITHIN).to_vec());
        let pk = ConversationId(conversation).0.to_be_bytes();
        let page = self.node.store.scan(Table::ThreadReference, &pk, range).await?;
        let found = page.rows.iter().map(rows::read_thread_reference).collect::<Result<Vec<_>, _>>()?;
        if !found.is_empty() {
            self.remember_broadcasts(conversation, found);
        }
        Ok(())
    }

    /// It left memory.
    pub(super) fn drop_broadcasts(&self, kind: EntityKind, id: u128) {
        if kind == EntityKind::Conversation {
            self.broadcasts.borrow_mut().remove(&id);
        }
    }

    fn remember_broadcasts(&self, conversation: u128, more: impl IntoIterator<Item = (Timestamp, BroadcastPlace)>) {
        let mut broadcasts = self.broadcasts.borrow_mut();
        let known = broadcasts.entry(conversation).or_default();
        for one in more {
            if !known.contains(&one) {
                known.push(one);
            }
        }
        if known.len() > REMEMBERED_MAX {
            known.sort_by_key(|(at, _)| *at);
            let over = known.len() - REMEMBERED_MAX;
            known.drain(..over);
        }
    }
}
