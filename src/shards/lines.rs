//! What each kind shows in lists, and what is told of it.

use super::kind::{Kind, SummaryRow};
use super::news::{Committed, News};
use super::recipients::broadcast_ck;
use super::rows::time_key;
use crate::domain::broadcast::chunk::Chunk;
use crate::domain::broadcast::job::{Broadcast, Status};
use crate::domain::contact::Contact;
use crate::domain::conversation::Conversation;
use crate::domain::entity::Entity;
use crate::domain::ids::BroadcastId;
use crate::domain::limit::LimitScope;
use crate::domain::number::Number;
use crate::domain::time::Timestamp;
use crate::domain::workspace::Workspace;
use crate::store::{RowKey, Table, encoding};

impl Kind for Conversation {
    fn summary_row(&self, id: u128, shard: u16, now: Timestamp) -> Option<SummaryRow> {
        let summary = self.summary(now)?;
        let key = RowKey::new(Table::Inbox, &shard.to_be_bytes(), &id.to_be_bytes());
        if summary.moved_to.is_some() {
            return Some(SummaryRow { key, value: None });
        }
        match encoding::encode(&summary) {
            Ok(value) => Some(SummaryRow { key, value: Some(value) }),
            Err(error) => {
                tracing::error!(%error, "failed to encode a conversation's summary");
                None
            }
        }
    }

    fn news<'a>(committed: &'a Committed<'a, Self>) -> News<'a> {
        News::Conversation(committed)
    }
}

impl Kind for Contact {
    fn summary_row(&self, id: u128, shard: u16, _: Timestamp) -> Option<SummaryRow> {
        // The line of a contact that was merged stays where it is: readers follow the redirect and leave it out.
        let person = self.person()?;
        let mut ck = Vec::with_capacity(40);
        ck.extend_from_slice(&person.workspace.0.to_be_bytes());
        ck.extend_from_slice(&time_key(person.born));
        ck.extend_from_slice(&id.to_be_bytes());
        let key = RowKey::new(Table::ContactList, &shard.to_be_bytes(), &ck);
        Some(SummaryRow { key, value: Some(Vec::new()) })
    }

    fn news<'a>(committed: &'a Committed<'a, Self>) -> News<'a> {
        News::Contact(committed)
    }
}

impl Kind for Workspace {
    fn summary_row(&self, id: u128, shard: u16, _: Timestamp) -> Option<SummaryRow> {
        self.workspace()?;
        let key = RowKey::new(Table::WorkspaceList, &shard.to_be_bytes(), &id.to_be_bytes());
        Some(SummaryRow { key, value: Some(Vec::new()) })
    }

    fn news<'a>(committed: &'a Committed<'a, Self>) -> News<'a> {
        News::Workspace(committed)
    }
}

impl Kind for Number {
    fn summary_row(&self, _: u128, _: u16, _: Timestamp) -> Option<SummaryRow> {
        None
    }

    fn news<'a>(committed: &'a Committed<'a, Self>) -> News<'a> {
        News::Number(committed)
    }
}

impl Kind for Broadcast {
    fn summary_row(&self, id: u128, shard: u16, _: Timestamp) -> Option<SummaryRow> {
        let (workspace, (_, created)) = (self.workspace()?, self.created()?);
        let ck = broadcast_ck(workspace, (created, BroadcastId(id)));
        let listed = self.status() != Some(Status::Deleted);
        let key = RowKey::new(Table::BroadcastList, &shard.to_be_bytes(), &ck);
        Some(SummaryRow { key, value: listed.then(Vec::new) })
    }

    fn news<'a>(committed: &'a Committed<'a, Self>) -> News<'a> {
        News::Broadcast(committed)
    }
}

impl Kind for Chunk {
    fn summary_row(&self, _: u128, _: u16, _: Timestamp) -> Option<SummaryRow> {
        None
    }

    fn news<'a>(committed: &'a Committed<'a, Self>) -> News<'a> {
        News::Chunk(committed)
    }
}

impl Kind for LimitScope {
    fn summary_row(&self, _: u128, _: u16, _: Timestamp) -> Option<SummaryRow> {
        None
    }

    fn news<'a>(committed: &'a Committed<'a, Self>) -> News<'a> {
        News::LimitScope(committed)
    }
}
