//! A broadcast: one message to an audience, frozen into chunks of recipients, each of whom has a place in a ledger.
//!
//! The ledger is what a crash must not lose: a recipient is claimed in the log before the first byte of a send, and
//! every claim ends in an outcome, or in doubt.

pub mod chunk;
mod frozen;
pub mod guard;
pub mod job;
mod message;
mod recipient;
mod tally;
mod turns;
pub mod variables;

pub use frozen::{BroadcastPlace, FrozenRecipient, PAGE_RECIPIENTS, chunk_id};
pub use message::{CompiledMessage, UnclearMessage};
pub use recipient::{Evidence, RecipientState, Refused, SkipReason};
pub use tally::Tally;
pub use turns::Turns;

/// Recipients of one chunk, at most.
pub const CHUNK_MAX: u16 = 1_000;
/// How long after it a customer's message counts as a reply to a broadcast (`product.md` §6).
pub const REPLY_WITHIN: std::time::Duration = std::time::Duration::from_secs(3 * 24 * 3_600);
/// Recipients of one claim, at most: about a second of a number's rate, and all that a crash leaves in doubt.
pub const BLOCK_MAX: usize = 200;
