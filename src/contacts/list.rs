//! The contacts of a workspace by creation: every shard keeps its own, and a page merges them.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::access::needs_read;
use super::{ContactView, Contacts};
use crate::domain::access::Action;
use crate::domain::ids::WorkspaceId;
use crate::shards::{CommandError, ContactPlace};
use crate::workspaces::Caller;

/// Contacts and shards that are read at once.
const READ_AT_ONCE: usize = 16;
/// Places that one page looks at: whoever sees few of many gets short pages, not slow ones.
const LOOKED_AT_MAX: usize = 2_000;

/// Contacts in the order of their creation.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactPage {
    /// The contacts.
    pub items: Vec<ContactView>,
    /// The place after which the next page goes on; none at the end.
    pub next: Option<ContactPlace>,
}

impl Contacts {
    /// The contacts that somebody may see after a place, oldest first; at most `limit`. A page may be shorter, even
    /// empty, while there are more.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn list(
        &self,
        caller: &Caller,
        after: Option<ContactPlace>,
        limit: usize,
    ) -> Result<ContactPage, CommandError> {
        needs_read(caller)?;
        let (mut items, mut next, mut looked_at) = (Vec::with_capacity(limit), after, 0);
        loop {
            let places = self.places(caller.workspace, next, limit).await?;
            let last = places.len() < limit;
            let mut views =
                stream::iter(places.iter().map(|place| self.at_place(caller, *place))).buffered(READ_AT_ONCE);
            for place in &places {
                let Some(view) = views.try_next().await? else { break };
                items.extend(view);
                next = Some(*place);
                looked_at += 1;
                if items.len() == limit {
                    break;
                }
            }
            let all_seen = next == places.last().copied().or(next);
            if last && all_seen {
                return Ok(ContactPage { items, next: None });
            }
            if items.len() == limit || looked_at >= LOOKED_AT_MAX {
                return Ok(ContactPage { items, next });
            }
        }
    }

    /// The first places after one, over all shards.
    async fn places(
        &self,
        workspace: WorkspaceId,
        after: Option<ContactPlace>,
        limit: usize,
    ) -> Result<Vec<ContactPlace>, CommandError> {
        let shards = 0..self.shards.count();
        let pages = shards.map(|shard| self.shards.contacts_of(workspace, shard, after, limit));
        let mut places: Vec<ContactPlace> = stream::iter(pages).buffered(READ_AT_ONCE).try_concat().await?;
        places.sort_unstable();
        places.truncate(limit);
        Ok(places)
    }

    /// The contact at a place; none where it went into another, or is not for the asker's eyes.
    async fn at_place(&self, caller: &Caller, (_, id): ContactPlace) -> Result<Option<ContactView>, CommandError> {
        match self.find(caller.workspace, id).await? {
            Some((now, person)) if now == id && self.may(caller, &person, Action::See) => {
                self.view(caller, id, false, person).await.map(Some)
            }
            _ => Ok(None),
        }
    }
}
