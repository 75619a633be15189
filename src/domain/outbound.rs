//! What leaves, and what a provider may answer.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::inbound::Address;
use super::message::{MessageContent, ProviderMessageId};

/// What we do about a provider's error (`channels.md` §0). The names are stable codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Transient: back off and try again.
    Retry,
    /// Slow the number.
    RateNumber,
    /// Hold only this recipient.
    RatePair,
    /// Slow the whole account or app.
    RateAccount,
    /// A day's or month's quota is used up.
    Quota,
    /// The reply window is closed.
    Window,
    /// This recipient cannot get it: final.
    Unreachable,
    /// The recipient refused: final, and suppress marketing.
    OptOut,
    /// The provider's own cap per person: not before 24 h.
    Cap,
    /// The template is paused, missing or wrong.
    Template,
    /// Our request is wrong: final.
    Content,
    /// The token or a permission is dead: stop the account's sending.
    Auth,
    /// The account is restricted, unpaid or disabled.
    Account,
}

/// Why an attempt failed: the provider's code, what we do about it, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The provider's own code; 0 where it gave none.
    pub code: i64,
    /// What we do about it.
    pub class: ErrorClass,
    /// A sentence in our words; never the provider's text, which may quote people.
    pub sentence: String,
}

/// What became of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SendOutcome {
    /// The provider took it.
    Accepted {
        /// The provider's id.
        provider_id: ProviderMessageId,
        /// Addresses the answer taught us.
        addresses: Vec<Address>,
        /// The platform holds it back for a quality check; it may yet fail.
        held: bool,
    },
    /// The provider refused it: nothing was sent.
    Rejected {
        /// Why.
        failure: Failure,
        /// When to come back, where the answer says so.
        retry_after: Option<Duration>,
    },
    /// Certainly not sent: no byte of the request was written.
    NotSent {
        /// What stood in the way, in our words.
        reason: String,
    },
    /// Bytes were written and no usable answer came: nobody knows.
    Unknown {
        /// What happened, in our words.
        reason: String,
    },
}

/// One message on its way out, with all that a channel needs to write the call.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboundMessage {
    /// To whom, most preferred address first.
    pub to: Vec<Address>,
    /// What it says.
    pub content: MessageContent,
    /// The provider's id of the message it answers.
    pub reply_to: Option<ProviderMessageId>,
    /// Our callback token, at most 128 bytes.
    pub token: String,
}

/// A call to a provider, ready to carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderCall {
    /// The path and query below the account's base URL, with a leading slash.
    pub path: String,
    /// The JSON body.
    pub body: Vec<u8>,
}
