//! The members of a list in the order of their ids.
//!
//! The embedded engine keeps contacts by id, so neighbours are read from one block, and that block once. A list keeps its
//! members in slices by the last byte of the id, each in order: they are merged.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use futures_util::future::try_join_all;

use super::error::CommandError;
use super::list_members::SLICES;
use super::placement::Shards;
use crate::domain::ids::{ContactId, ListId};

/// Members of one slice at hand; of all slices 1 MB.
const PAGE: usize = 256;

/// Goes through a list.
pub struct ListInOrder<'a> {
    shards: &'a Shards,
    list: ListId,
    slices: Vec<Slice>,
    /// The first member of each slice that is not at its end.
    heads: BinaryHeap<Reverse<(ContactId, u8)>>,
}

/// What is known of one slice.
struct Slice {
    at_hand: VecDeque<ContactId>,
    /// After whom to go on; none where all is at hand.
    after: Option<ContactId>,
}

impl Shards {
    /// Begins to go through the members of a list.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn list_in_order(&self, list: ListId) -> Result<ListInOrder<'_>, CommandError> {
        let slices = try_join_all((0..SLICES).map(|slice| self.slice_after(list, slice as u8, None))).await?;
        let mut members = ListInOrder { shards: self, list, slices, heads: BinaryHeap::with_capacity(SLICES) };
        for slice in 0..SLICES {
            members.step(slice as u8).await?;
        }
        Ok(members)
    }

    async fn slice_after(&self, list: ListId, slice: u8, after: Option<ContactId>) -> Result<Slice, CommandError> {
        let (members, after) = self.list_members(list, slice, after, PAGE).await?;
        Ok(Slice { at_hand: members.into(), after })
    }
}

impl ListInOrder<'_> {
    /// The next members: `limit` of them, 1 or more, but at the end, where there are fewer and then none.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn next(&mut self, limit: usize) -> Result<Vec<ContactId>, CommandError> {
        let mut next = Vec::with_capacity(limit);
        while next.len() < limit
            && let Some(Reverse((member, slice))) = self.heads.pop()
        {
            next.push(member);
            self.step(slice).await?;
        }
        Ok(next)
    }

    /// Puts the slice's next member among the heads.
    async fn step(&mut self, slice: u8) -> Result<(), CommandError> {
        loop {
            let known = &mut self.slices[usize::from(slice)];
            if let Some(member) = known.at_hand.pop_front() {
                self.heads.push(Reverse((member, slice)));
                return Ok(());
            }
            // A page may be empty where many left the list.
            let Some(after) = known.after else { return Ok(()) };
            self.slices[usize::from(slice)] = self.shards.slice_after(self.list, slice, Some(after)).await?;
        }
    }
}
