//! What requests say of a broadcast.

use serde::{Deserialize, Deserializer};

use crate::broadcasts::{Audience, BroadcastView, Draft};
use crate::conversations::api::{Moment, read_content};
use crate::domain::broadcast::job::Doubtful;
use crate::domain::ids::{AccountId, ContactId};
use crate::domain::message::MessageContent;
use crate::http::Problem;
use crate::http::rest::given::given;

/// A broadcast, or what is to change of one. A field that is left out stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BroadcastForm {
    name: Option<String>,
    account: Option<AccountId>,
    audience: Option<Audience>,
    #[serde(default, deserialize_with = "content")]
    content: Option<MessageContent>,
    marketing: Option<bool>,
    unconfirmed: Option<Doubtful>,
    #[serde(default, deserialize_with = "given")]
    send_until: Option<Option<Moment>>,
    #[serde(default, deserialize_with = "given")]
    rate_per_second: Option<Option<u32>>,
}

/// When it is to leave; none is now.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PublishForm {
    pub(super) at: Option<Moment>,
}

/// To whom it is shown beforehand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewForm {
    pub(super) contact: ContactId,
}

/// The broadcast's own rate; none is the number's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateForm {
    pub(super) per_second: Option<u32>,
}

impl BroadcastForm {
    /// A new broadcast.
    ///
    /// # Errors
    /// 422 with the field that is missing.
    pub(super) fn draft(self) -> Result<Draft, Problem> {
        let missing = |field| Problem::invalid(field, "it is missing");
        Ok(Draft {
            name: self.name.ok_or_else(|| missing("name"))?,
            account: self.account.ok_or_else(|| missing("account"))?,
            audience: self.audience.ok_or_else(|| missing("audience"))?,
            content: self.content.ok_or_else(|| missing("content"))?,
            marketing: self.marketing.unwrap_or(true),
            doubtful: self.unconfirmed.unwrap_or_default(),
            send_until: self.send_until.flatten().map(|Moment(at)| at),
            rate_per_second: self.rate_per_second.flatten(),
        })
    }

    /// A broadcast as it is, with what the request changes.
    ///
    /// # Errors
    /// 422 where what it said cannot be read any more and is not said anew.
    pub(super) fn over(self, present: &BroadcastView) -> Result<Draft, Problem> {
        let missing = |field| Problem::invalid(field, "the present one cannot be read; give it anew");
        let plan = &present.plan;
        Ok(Draft {
            name: self.name.unwrap_or_else(|| present.name.clone()),
            account: self.account.unwrap_or(plan.account),
            audience: self.audience.or_else(|| present.audience.clone()).ok_or_else(|| missing("audience"))?,
            content: self.content.or_else(|| present.content.clone()).ok_or_else(|| missing("content"))?,
            marketing: self.marketing.unwrap_or(plan.marketing),
            doubtful: self.unconfirmed.unwrap_or(plan.doubtful),
            send_until: self.send_until.map_or(plan.send_until, |given| given.map(|Moment(at)| at)),
            rate_per_second: self.rate_per_second.unwrap_or(plan.rate_per_second),
        })
    }
}

fn content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<MessageContent>, D::Error> {
    read_content(deserializer).map(Some)
}
