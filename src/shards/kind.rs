//! What the machinery must know of an entity's kind beyond its rules.

use super::news::{Committed, News};
use crate::domain::entity::Entity;
use crate::domain::time::Timestamp;
use crate::store::RowKey;

/// A line in a list, written when the entity settles: read without waking the entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRow {
    /// Which row.
    pub key: RowKey,
    /// Its bytes; none takes the line off the list.
    pub value: Option<Vec<u8>>,
}

/// An entity that shards carry.
pub trait Kind: Entity {
    /// Its line in a list, if it has one, as of `now`.
    fn summary_row(&self, id: u128, shard: u16, now: Timestamp) -> Option<SummaryRow>;

    /// What subscribers hear when something of it was committed.
    fn news<'a>(committed: &'a Committed<'a, Self>) -> News<'a>;
}
