//! Who is on a list: contacts are put on it, taken off, and shown to those who may see them.
//!
//! A contact that was merged stays on the list under the id it had. So a removal takes off every id that leads to the
//! contact, and a page shows the id that it has now.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Contacts;
use super::access::{needs_read, needs_write};
use crate::domain::access::Action;
use crate::domain::contact::Person;
use crate::domain::ids::{ContactId, ListId};
use crate::domain::refusal::Refusal;
use crate::shards::{CommandError, LIST_CHANGES_MAX, member_slice};
use crate::workspaces::Caller;

/// Contacts that are looked up at once.
const READ_AT_ONCE: usize = 16;
/// Contacts that one page looks at: whoever sees few of many gets short pages, not slow ones.
const LOOKED_AT_MAX: usize = 2_000;
/// Readings of slices that one page takes: a few more than there are slices.
const READINGS_MAX: usize = 320;

/// What became of a change of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListChange {
    /// How many contacts are on it by this change, also those that were before.
    pub added: usize,
    /// How many are not by this change, also those that were not before.
    pub removed: usize,
    /// Ids of no contact, or of one that the asker may not see, in the order asked.
    pub not_found: Vec<ContactId>,
}

/// Members of a list: by slice, then by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListMemberPage {
    /// The members, by the ids they have now.
    pub items: Vec<ContactId>,
    /// The place after which the next page goes on; none at the end.
    pub next: Option<ContactId>,
}

impl Contacts {
    /// Puts contacts on a list and takes others off; who is in both is put on. Doing it again changes nothing.
    ///
    /// # Errors
    /// `NotFound` for a list that there is not, `TooMany` over 1,000 contacts, `Forbidden`; see [`CommandError`].
    pub async fn change_list(
        &self,
        caller: &Caller,
        list: ListId,
        add: &[ContactId],
        remove: &[ContactId],
    ) -> Result<ListChange, CommandError> {
        needs_write(caller)?;
        self.has_list(caller, list)?;
        if add.len() + remove.len() > LIST_CHANGES_MAX {
            return Err(Refusal::TooMany { what: "contacts", allowed: LIST_CHANGES_MAX }.into());
        }
        let asked: Vec<ContactId> = add.iter().chain(remove).copied().collect();
        let found = stream::iter(&asked).map(|id| self.seen_at(caller, *id)).buffered(READ_AT_ONCE);
        let found: Vec<Option<(ContactId, Person)>> = found.try_collect().await?;
        let (mut change, mut on, mut off, mut ids_off) =
            (ListChange::default(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (nth, (id, found)) in asked.into_iter().zip(found).enumerate() {
            match found {
                None if change.not_found.contains(&id) => {}
                None => change.not_found.push(id),
                Some((now, _)) if nth < add.len() => drop(on.insert(now)),
                Some((now, _)) if on.contains(&now) => {}
                Some((now, person)) => {
                    off.insert(now);
                    ids_off.extend([id, now]);
                    ids_off.extend(person.absorbed);
                }
            }
        }
        let at = self.shards.node().surroundings.clock.now();
        for (contacts, member) in [(&on, true), (&ids_off, false)] {
            let contacts: Vec<ContactId> = contacts.iter().copied().collect();
            for some in contacts.chunks(LIST_CHANGES_MAX) {
                self.shards.set_list_members(list, some, member, at).await?;
            }
        }
        (change.added, change.removed) = (on.len(), off.len());
        Ok(change)
    }

    /// The members of a list that somebody may see, after a place; at most `limit`. A page may be shorter, even empty,
    /// while there are more.
    ///
    /// # Errors
    /// `NotFound` for a list that there is not, `Forbidden`; see [`CommandError`].
    pub async fn list_members(
        &self,
        caller: &Caller,
        list: ListId,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<ListMemberPage, CommandError> {
        needs_read(caller)?;
        self.has_list(caller, list)?;
        let mut place = after.unwrap_or(ContactId(0));
        let (mut slice, mut within) = (member_slice(place), after);
        let (mut items, mut looked_at) = (Vec::with_capacity(limit), 0);
        for _ in 0..READINGS_MAX {
            let (members, more) = self.shards.list_members(list, slice, within, limit).await?;
            let mut shown =
                stream::iter(&members).map(|id| self.member_shown(caller, list, *id)).buffered(READ_AT_ONCE);
            for id in &members {
                items.extend(shown.try_next().await?.flatten());
                (place, looked_at) = (*id, looked_at + 1);
                if items.len() == limit || looked_at >= LOOKED_AT_MAX {
                    return Ok(ListMemberPage { items, next: Some(place) });
                }
            }
            if more.is_none() && slice == u8::MAX {
                return Ok(ListMemberPage { items, next: None });
            }
            within = more;
            place = more.unwrap_or_else(|| end_of(slice));
            slice += u8::from(more.is_none());
        }
        Ok(ListMemberPage { items, next: Some(place) })
    }

    /// The id under which a member is shown: the one it has now. None where another id shows it, or where it is not for
    /// the asker's eyes.
    async fn member_shown(
        &self,
        caller: &Caller,
        list: ListId,
        id: ContactId,
    ) -> Result<Option<ContactId>, CommandError> {
        let Some((now, person)) = self.seen_at(caller, id).await? else { return Ok(None) };
        if now != id {
            // Of several ids that lead to one contact one shows it: its own, else the smallest.
            for other in std::iter::once(now).chain(person.absorbed.range(..id).copied()) {
                if self.is_on(list, other).await? {
                    return Ok(None);
                }
            }
        }
        Ok(Some(now))
    }

    async fn is_on(&self, list: ListId, contact: ContactId) -> Result<bool, CommandError> {
        let before = contact.0.checked_sub(1).map(ContactId);
        let (first, _) = self.shards.list_members(list, member_slice(contact), before, 1).await?;
        Ok(first == [contact])
    }

    /// The person at an id and the id they have now, where the asker may see them.
    async fn seen_at(&self, caller: &Caller, id: ContactId) -> Result<Option<(ContactId, Person)>, CommandError> {
        let found = self.find(caller.workspace, id).await?;
        Ok(found.filter(|(_, person)| self.may(caller, person, Action::See)))
    }

    fn has_list(&self, caller: &Caller, list: ListId) -> Result<(), Refusal> {
        let known = self.workspaces.find(caller.workspace).is_some_and(|workspace| workspace.lists.contains(&list));
        if known { Ok(()) } else { Err(Refusal::NotFound { what: "list" }) }
    }
}

/// The place after all contacts of a slice.
const fn end_of(slice: u8) -> ContactId {
    ContactId(u128::MAX << 8 | slice as u128)
}
