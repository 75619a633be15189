//! News goes up only through subscriptions: what was committed, shown to whoever `app` plugged in.

use crate::domain::broadcast::chunk::Chunk;
use crate::domain::broadcast::job::Broadcast;
use crate::domain::contact::Contact;
use crate::domain::content::Content;
use crate::domain::conversation::{Conversation, Summary};
use crate::domain::ids::WorkspaceId;
use crate::domain::limit::LimitScope;
use crate::domain::number::Number;
use crate::domain::workspace::Workspace;
use crate::store::Position;

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
    /// The entity's version before the first event; each event raises it by one.
    pub version: u64,
    /// The state after it.
    pub state: &'a E,
    /// What happened, in order.
    pub events: &'a [E::Event],
    /// The rows committed with it.
    pub content: &'a [Content],
}

/// What a subscriber hears, by kind.
pub enum News<'a> {
    /// Of a workspace.
    Workspace(&'a Committed<'a, Workspace>),
    /// Of a contact.
    Contact(&'a Committed<'a, Contact>),
    /// Of a conversation.
    Conversation(&'a Committed<'a, Conversation>),
    /// Of a number.
    Number(&'a Committed<'a, Number>),
    /// Of a messaging limit.
    LimitScope(&'a Committed<'a, LimitScope>),
    /// Of a broadcast.
    Broadcast(&'a Committed<'a, Broadcast>),
    /// Of a chunk of a broadcast's recipients.
    Chunk(&'a Committed<'a, Chunk>),
}

/// Hears what a shard committed, on the shard's own arbiter, in the order of its log. It must not block.
pub trait Subscriber {
    /// The shard opened, or opened again: here are its conversations, page by page.
    fn listed(&self, shard: u16, conversations: Vec<Summary>);

    /// The lines told stand for everything up to this record. Turns before it that were not told are
    /// in the feed alone.
    fn caught_up(&self, shard: u16, position: Position);

    /// The shard opened again and met records that were told to nobody: here is what an entity came to by them, with
    /// all their events and without their content. It comes before [`Self::caught_up`], and may come twice.
    fn missed(&self, news: &News<'_>);

    /// A turn was committed.
    fn committed(&self, news: &News<'_>);

    /// Every turn of this record has been told.
    fn record_ended(&self, shard: u16, position: Position);
}
