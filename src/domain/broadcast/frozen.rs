//! Who a recipient is: content beside the ledger, written when the audience is frozen and never changed.

use serde::{Deserialize, Serialize};

use super::recipient::SkipReason;
use crate::domain::ids::{AddressId, BroadcastId, ContactId, ConversationId, Keyring};
use crate::domain::inbound::Address;

/// Recipients of one row: those of a claim are in one or two rows, and a row stays a few dozen kilobytes.
pub const PAGE_RECIPIENTS: u16 = 200;

/// One recipient as it was when the audience was frozen. No `Debug`: it is personal.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct FrozenRecipient {
    /// The person.
    pub contact: ContactId,
    /// Their conversation on the broadcast's number.
    pub conversation: ConversationId,
    /// The address, by its id.
    pub address: AddressId,
    /// The address.
    pub to: Address,
    /// The texts of the message, filled for them, in the order in which the message has them.
    pub texts: Vec<String>,
    /// A rule that keeps it from leaving, known already.
    pub skip: Option<SkipReason>,
}

/// Where in a broadcast a message of a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BroadcastPlace {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Which chunk of it, from 0.
    pub chunk: u32,
    /// Which recipient of the chunk.
    pub index: u16,
    /// Which attempt, from 1.
    pub attempt: u16,
    /// The claim under which it left: its outcomes are found by it.
    pub claim: u128,
}

/// The id under which a chunk decides.
#[must_use]
pub fn chunk_id(keys: &Keyring, broadcast: BroadcastId, chunk: u32) -> u128 {
    keys.hash(b"chunk", &[&broadcast.0.to_be_bytes(), &chunk.to_be_bytes()])
}
