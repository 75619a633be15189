//! What the control API tells: counts, and lines of the ledger and of what customers wrote.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What came since `start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How long ago that was.
    pub since_start_ms: u64,
    /// Lines of the ledger.
    pub sends: u64,
    /// Sends that were accepted and told so.
    pub accepted: u64,
    /// Sends that were accepted and never answered.
    pub silent: u64,
    /// Calls to send that were refused, by code; 502 for a gateway's page, 503 where no more could be kept.
    pub refused: BTreeMap<u32, u64>,
    /// Sends that were refused since the ledger, or what is owed, was full.
    pub ledger_full: u64,
    /// Read marks and typing indicators.
    pub marks: u64,
    /// Files.
    pub uploads: u64,
    /// Receipts, replies and events that are still to be taken; 0 once all is done.
    pub owed: u64,
    /// Statuses of messages, repetitions among them.
    pub receipts: Tally,
    /// What customers wrote back.
    pub replies: Tally,
    /// Events of accounts that were due.
    pub events: Tally,
    /// Posts, those that came again among them.
    pub posts: u64,
    /// Posts that were not taken.
    pub refused_posts: u64,
    /// The status of the last of them; 0 where the connection broke or no answer came.
    pub last_refusal: u16,
    /// By `phone_number_id`.
    pub numbers: BTreeMap<String, NumberCounts>,
}

/// Of one kind of item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// That are to be posted, whenever.
    pub scheduled: u64,
    /// Written into posts; those that came again count again.
    pub posted: u64,
    /// In posts that were answered with 200.
    pub taken: u64,
    /// In posts that were not taken for too long.
    pub given_up: u64,
}

impl Tally {
    /// Still to be taken.
    #[must_use]
    pub const fn owed(self) -> u64 {
        self.scheduled - self.taken - self.given_up
    }
}

/// Of one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberCounts {
    /// Sends that were accepted, told or not.
    pub accepted: u64,
    /// Different recipients of them.
    pub recipients: u64,
    /// The most that were accepted in any 1,000 ms.
    pub busiest_second: u64,
    /// The most that came in any 1,000 ms, accepted or not.
    pub busiest_second_asked: u64,
}

/// A send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line<'a> {
    /// Its place in the ledger, from 0.
    pub n: u64,
    /// When it came, after `start`.
    pub at_us: u64,
    /// When it came, after the epoch.
    pub at_ms: u64,
    /// From which `phone_number_id`.
    pub number: Cow<'a, str>,
    /// To whom, in digits, or a business-scoped user id.
    pub to: Cow<'a, str>,
    /// `biz_opaque_callback_data`.
    pub token: Option<Cow<'a, str>>,
    /// Its type.
    pub kind: Cow<'a, str>,
    /// The template's name.
    pub template: Option<Cow<'a, str>>,
    /// 16 hex digits: XXH3 (64 bits, no seed) of a text's characters in UTF-8 or, of other types, of the bytes of the
    /// part that the type names, as they came.
    pub text_digest: String,
    /// `accepted`, `silent` (accepted and never answered) or `refused`.
    pub verdict: Cow<'a, str>,
    /// Of the refusal, or of the failure that the status tells later.
    pub code: Option<u32>,
    /// The message's id, if it was accepted.
    pub wamid: Option<String>,
    /// What is posted of it; statuses that never are, are left out.
    pub receipts: Vec<Receipt<'a>>,
    /// The id of the message that it quotes.
    pub quoted: Option<Cow<'a, str>>,
}

/// Posts of one status of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt<'a> {
    /// `sent`, `delivered`, `read` or `failed`.
    pub status: Cow<'a, str>,
    /// How often it is posted in all.
    pub owed: u8,
    /// How often it was taken.
    pub taken: u8,
}

/// What a customer wrote back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound<'a> {
    /// Its place among them, from 0.
    pub n: u64,
    /// The message's id.
    pub wamid: String,
    /// To which `phone_number_id`.
    pub number: Cow<'a, str>,
    /// From whom.
    pub from: Cow<'a, str>,
    /// What.
    pub text: Cow<'a, str>,
    /// When it was written, after the epoch.
    pub at_ms: u64,
    /// The id of the message that it answers.
    pub answers: String,
    /// Whether it quotes that.
    pub quotes: bool,
    /// How often it was taken: 0 or 1.
    pub taken: u8,
}
