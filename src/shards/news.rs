//! News goes up only through subscriptions: what was committed, shown to whoever `app` plugged in.

use crate::domain::content::Content;
use crate::domain::ids::WorkspaceId;
use crate::store::{Position, Row};

/// What one turn committed.
pub struct Committed<'a, E: crate::domain::entity::Entity> {
    /// The shard that decided.
    pub shard: u16,
    /// The record.
    pub position: Position,
    /// The index of the turn's first event in the record.
    pub first_event: u16,
    /// When it was committed, in business time.
    pub at: crate::domain::time::Timestamp,
    /// The entity.
    pub id: u128,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The state after it.
    pub state: &'a E,
    /// What happened, in order.
    pub events: &'a [E::Event],
    /// The rows committed with it.
    pub content: &'a [Content],
}

/// What a subscriber hears, by kind.
pub enum News<'a> {
    #[doc(hidden)]
    None(std::marker::PhantomData<&'a ()>),
}

/// Hears what a shard committed, on the shard's own arbiter, in the order of its log. It must not block.
pub trait Subscriber {
    /// The shard opened: here are the lines of its lists, page by page, before anything else is told.
    fn listed(&self, shard: u16, rows: &[Row]);

    /// A turn was committed.
    fn committed(&self, news: &News<'_>);

    /// Every turn of this record has been told.
    fn record_ended(&self, shard: u16, position: Position);
}
