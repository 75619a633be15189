//! A shard is a log. Its owner lives on one arbiter, takes every decision of the entities whose ids
//! fall to it, and appends what they decide, many at once, to its journal.
//!
//! The order of a turn is fixed: decide on a private copy, commit the record and its facts, apply,
//! publish, answer, act. Replay applies alone, so rebuilding never sends. Nobody above this module
//! touches the store.

mod by_id;
mod cap;
mod cell;
mod committer;
mod deliveries;
mod effect_runner;
mod entity_actor;
mod error;
mod facts;
mod feed;
mod kind;
mod kinds;
mod lines;
mod list_in_order;
mod list_members;
mod lists;
mod news;
mod node;
mod overlay;
mod owner;
mod peek;
mod placement;
mod recipients;
mod record;
mod resident;
pub mod rows;
mod strain;
#[cfg(test)]
mod tests;
mod timers;
mod turn;

pub use deliveries::{DeferredItem, DeferredKey, KeptDelivery, KeptPlace, KeptReason};
pub use effect_runner::{Carrying, EffectRunner};
pub use error::CommandError;
pub use facts::ThreadPage;
pub use feed::{FeedPage, FeedTurn};
pub use kind::{Kind, SummaryRow};
pub use list_in_order::ListInOrder;
pub use list_members::{LIST_CHANGES_MAX, member_slice};
pub use lists::ContactPlace;
pub use news::{Committed, News, Subscriber};
pub use node::{Node, ShardOptions};
pub use owner::Hooks;
pub use placement::{HooksFactory, Shards};
pub use recipients::{BroadcastLine, Gate};
pub use resident::Census;
pub use strain::Strain;
