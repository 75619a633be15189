//! The lines of the ledger: one JSON object each, append only.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A send, written before its answer.
    Send(SendLine),
    /// A customer wrote by themselves.
    Inbound(InboundLine),
    /// The front door took a webhook.
    Posted(PostedLine),
}

impl Line {
    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        match self {
            Self::Send(line) => line.n,
            Self::Inbound(line) => line.n,
            Self::Posted(line) => line.n,
        }
    }
}

/// What became of a send, as the provider knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Accepted and answered.
    Accepted,
    /// Accepted, and the caller gets no usable answer.
    AcceptedUnanswered,
    /// Refused with a code.
    Rejected,
    /// Not accepted, and the caller gets no usable answer.
    Dropped,
}

impl Outcome {
    /// Whether the customer gets the message.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Accepted | Self::AcceptedUnanswered)
    }
}

/// A send.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendLine {
    /// The number of the line; numbers go on over restarts.
    pub n: u64,
    /// Business time in milliseconds.
    pub at: i64,
    /// The business number.
    pub phone_number_id: String,
    /// Digits or a business-scoped user id; empty where the call did not say.
    pub recipient: String,
    /// The type of message.
    #[serde(rename = "type")]
    pub kind: String,
    /// `biz_opaque_callback_data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The message's id, where it is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wamid: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Meta's code, where it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// The start of a SHA-256 of the body, in hex.
    pub digest: String,
    /// What is owed for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owes: Vec<Owe>,
}

/// A webhook item that is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owe {
    /// What it says.
    pub what: What,
    /// When, in business time.
    pub due: i64,
    /// It goes out twice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub twice: bool,
}

/// What a webhook item says of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It left.
    Sent,
    /// It arrived.
    Delivered,
    /// It was read.
    Read,
    /// It failed after acceptance, with this code.
    Failed(i64),
    /// The customer answered.
    Reply {
        /// What they wrote.
        text: String,
        /// They quoted the message.
        quotes: bool,
    },
    /// The customer's own message, of an inbound line.
    Inbound,
}

/// A message a customer wrote by themselves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InboundLine {
    /// The number of the line.
    pub n: u64,
    /// Business time in milliseconds, also when it is due.
    pub at: i64,
    /// To which business number.
    pub phone_number_id: String,
    /// The customer's digits.
    pub from: String,
    /// The customer's profile name.
    pub name: String,
    /// The whole message object, with id and timestamp.
    pub message: Box<RawValue>,
}

/// Webhook items that the front door answered with 200.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PostedLine {
    /// The number of the line.
    pub n: u64,
    /// Business time in milliseconds.
    pub at: i64,
    /// The number of the owing line, and the index in its `owes` (0 for an inbound).
    pub items: Vec<(u64, u16)>,
}
