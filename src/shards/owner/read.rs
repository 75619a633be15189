//! Readings: state rows through the shard, with what is on its way laid over; facts straight from the store.

use super::Owner;
use crate::domain::entity::{Found, Lookup};
use crate::domain::ids::{ConversationId, MessageId};
use crate::domain::message::{MessageRef, MessageStatus};
use crate::store::{Page, ScanRange, Store, StoreError, Table};

use super::super::rows;

/// A message has at most so many receipts that matter: statuses times attempts.
const RECEIPTS_MAX: usize = 256;

impl Owner {
    /// Rows of one of this shard's own partitions.
    pub(in super::super) async fn scan_state(
        &self,
        table: Table,
        pk: &[u8],
        range: ScanRange,
    ) -> Result<Page, StoreError> {
        let mut range = range;
        loop {
            let settles = self.overlay.borrow().settles();
            let page = self.node.store.scan(table, pk, range.clone()).await?;
            let overlay = self.overlay.borrow();
            if overlay.settles() != settles {
                // What was on its way when the store was asked has left it: the page may know nothing of it.
                continue;
            }
            let cut = page.rows.last().filter(|_| page.more).map(|row| row.ck.clone());
            let page = overlay.lay_over(table, pk, &range, page);
            match cut {
                // Every row of the store's page is being deleted: what comes after them is meant.
                Some(cut) if page.rows.is_empty() => range = range.after(cut),
                _ => return Ok(page),
            }
        }
    }

    /// What a decision needs to know beyond its entity's memory. It sees everything that was decided
    /// before: what is still on its way to the store is waited for.
    pub(in super::super) async fn look_up(&self, lookup: Lookup) -> Result<Found, StoreError> {
        self.all_committed().await?;
        match lookup {
            Lookup::Message { conversation, at } => {
                Ok(Found::Message(self.node.store.get(&rows::message_key(conversation, at)).await?.is_some()))
            }
            Lookup::Receipts { conversation, message } => {
                let (at, statuses) = self.receipts(conversation, message).await?;
                Ok(Found::Receipts(at, statuses))
            }
            Lookup::ProviderRef { account, provider_id } => {
                let Some(row) = self.node.store.get(&rows::provider_ref_key(account, &provider_id)).await? else {
                    return Ok(Found::ProviderRef(None, Vec::new()));
                };
                let found = rows::read_provider_ref(&row)?;
                let (_, statuses) = self.receipts(found.0, found.1.id).await?;
                Ok(Found::ProviderRef(Some(found), statuses))
            }
        }
    }

    async fn receipts(
        &self,
        conversation: ConversationId,
        message: MessageId,
    ) -> Result<(Option<MessageRef>, Vec<(u16, MessageStatus)>), StoreError> {
        let prefix = rows::receipt_prefix(message);
        let range = rows::with_prefix(&prefix, RECEIPTS_MAX);
        let page = self.node.store.scan(Table::Receipt, &conversation.0.to_be_bytes(), range).await?;
        let mut at = None;
        let mut statuses = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            let receipt = rows::read_receipt(row)?;
            at = Some(receipt.message);
            statuses.push((receipt.attempt, receipt.status));
        }
        Ok((at, statuses))
    }

    /// Waits until nothing that was decided so far is uncommitted.
    async fn all_committed(&self) -> Result<(), StoreError> {
        let (reply, committed) = tokio::sync::oneshot::channel();
        let barrier = Box::new(Passed { reply });
        if self.committer.follow(barrier).is_some() {
            return Ok(());
        }
        match committed.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(StoreError::NotApplied("what it rests on was not committed".into())),
        }
    }
}

/// Says whether the record it hangs on was committed.
struct Passed {
    reply: tokio::sync::oneshot::Sender<bool>,
}

impl super::Staged for Passed {
    fn committed(self: Box<Self>, _: &std::rc::Rc<Owner>, _: crate::store::Position) {
        let _ = self.reply.send(true);
    }

    fn refused(self: Box<Self>, _: &super::CommandError) {
        let _ = self.reply.send(false);
    }
}
