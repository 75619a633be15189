//! The plan: how the provider behaves. The same in TOML, in a file, and in JSON, at the control API.

mod check;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// How the provider behaves; what is left out is a perfect provider's. Percentages are 0 to 100 and are drawn for each
/// send, from the seed, its number, its recipient and how often that number wrote to that recipient before: two runs with
/// one seed treat the same people alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// All chance comes from it.
    pub seed: u64,
    /// Where receipts, replies and events go; none are made where it is left out.
    pub webhook: Option<Webhook>,
    /// The only token that is let in; any other is refused with 190. Everybody is, where it is left out.
    pub access_token: Option<String>,
    /// What numbers are called in webhooks; others have their id for display and [`BUSINESS_ID`] for account.
    pub numbers: Vec<Number>,
    /// Of answers.
    pub latency: Latency,
    /// Sends of a number in any 1,000 ms, above which they are refused with 130429; 0 for no bound.
    pub rate_per_second: u32,
    /// Sends of a number to one recipient, above which they are refused with 131056.
    pub pair: Option<Pair>,
    /// Percent of templates that are refused with 132001, however often they come to the same recipient.
    pub template_error: f64,
    /// Percent of marketing templates that are accepted and fail with 131049.
    pub marketing_cap: f64,
    /// How the names of marketing templates begin; where there are none, all templates are.
    pub marketing_templates: Vec<String>,
    /// Percent that are accepted and fail with 131026.
    pub undeliverable: f64,
    /// Percent that are refused, half with HTTP 400 and 130429, half with HTTP 429 and 4.
    pub throttled: f64,
    /// Percent that are refused with 5xx: a third each 131000, 2, and a page of 502 that is no JSON.
    pub error: f64,
    /// Percent that are accepted and never answered.
    pub silent: f64,
    /// Percent of those whose connection is closed at once; others hang for two minutes.
    pub silent_closes_percent: f64,
    /// Percent whose answer comes `slow_ms` later.
    pub slow: f64,
    /// How much later.
    pub slow_ms: u64,
    /// What becomes of accepted messages.
    pub receipts: Receipts,
    /// Whether their recipients write back.
    pub replies: Replies,
    /// Spans of time in which something is different; of two that overlap, the later in the list counts.
    pub episodes: Vec<Episode>,
    /// What happens to accounts.
    pub events: Vec<Event>,
}

/// The account of numbers that the plan does not name: the sandbox workspace's.
pub const BUSINESS_ID: &str = "102290129340398";

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// `http://ADDRESS:PORT/PATH`, for example `http://127.0.0.1:8080/webhooks/whatsapp/APP`.
    pub url: String,
    /// The app's secret, by which posts are signed.
    pub secret: String,
}

/// A business number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// Its `phone_number_id`.
    pub id: String,
    /// Its digits, for show.
    pub display: String,
    /// The business account it belongs to.
    pub business_id: String,
}

/// How long answers take: lognormal between these two; at once where both are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// Half take no longer.
    pub median_ms: f64,
    /// 99 in 100 take no longer.
    pub p99_ms: f64,
}

/// A bound of sends to one recipient: a bucket of `burst` that gains one each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Between two sends in the long run.
    pub interval_ms: u64,
    /// At once, after a long pause; at least 1.
    pub burst: u32,
}

/// Receipts: when they are posted, and what goes wrong with them. Each time counts from what comes before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Receipts {
    /// From when a send came to `sent`, or to `failed`; shorter than the latency, it is there before the answer.
    pub sent_ms: u64,
    /// From `sent` to `delivered`.
    pub delivered_ms: u64,
    /// From `delivered` to `read`.
    pub read_ms: u64,
    /// Each of them is longer or shorter by up to this share, 0 to 1.
    pub spread: f64,
    /// Percent of delivered messages that are read.
    pub read_percent: f64,
    /// Percent of statuses that are never posted.
    pub loss_percent: f64,
    /// Whether `failed` is lost as others are.
    pub lose_failures: bool,
    /// Percent of posted statuses that are posted again, one to three times within two seconds.
    pub repeat_percent: f64,
    /// Percent of messages whose statuses are posted in another order than they happened.
    pub shuffle_percent: f64,
    /// Percent of read messages that are never reported as delivered.
    pub read_without_delivered_percent: f64,
    /// Items of a post, 1 to 1,000.
    pub batch_max: usize,
    /// How long an item waits for others.
    pub batch_ms: u64,
    /// Posts at a time, 1 to 64.
    pub connections: usize,
    /// For how long a post that is not taken comes again, before it is given up.
    pub give_up_s: u64,
}

/// Customers who got a message and write back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Replies {
    /// Percent of delivered messages that are answered; half of the answers quote the message.
    pub percent: f64,
    /// Percent of answers that are `STOP`.
    pub stop_percent: f64,
    /// From delivery.
    pub after_ms: u64,
    /// Longer or shorter by up to this share, 0 to 1.
    pub spread: f64,
}

/// A span of time, counted from `start`, in which what is given here replaces the plan's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Episode {
    /// When it begins.
    pub from_ms: u64,
    /// How long it lasts.
    pub for_ms: u64,
    /// See [`Plan`], as all that follow.
    pub latency: Option<Latency>,
    /// As the plan's.
    pub template_error: Option<f64>,
    /// As the plan's.
    pub marketing_cap: Option<f64>,
    /// As the plan's.
    pub undeliverable: Option<f64>,
    /// As the plan's.
    pub throttled: Option<f64>,
    /// As the plan's.
    pub error: Option<f64>,
    /// As the plan's.
    pub silent: Option<f64>,
    /// As the plan's.
    pub silent_closes_percent: Option<f64>,
    /// As the plan's.
    pub slow: Option<f64>,
    /// As the plan's.
    pub slow_ms: Option<u64>,
}

/// Something that happens to an account, told by a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When, counted from `start`.
    pub at_ms: u64,
    /// To which number, or to its account.
    pub number: String,
    /// What.
    pub kind: EventKind,
    /// Meta's word for it. `quality`: `FLAGGED` if left out; `account` and `template` need it.
    pub event: Option<String>,
    /// `tier` needs it, `quality` may have it: `TIER_2K` and so on.
    pub limit: Option<String>,
    /// The name that `template` needs.
    pub template: Option<String>,
    /// Its language; `en_US` if left out.
    pub language: Option<String>,
}

/// Kinds of [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// `phone_number_quality_update`
    Quality,
    /// `business_capability_update`
    Tier,
    /// `account_update`
    Account,
    /// `message_template_status_update`
    Template,
}

/// The part of a plan that episodes change, as it is at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Mood {
    pub(super) latency: Latency,
    pub(super) template_error: f64,
    pub(super) marketing_cap: f64,
    pub(super) undeliverable: f64,
    pub(super) throttled: f64,
    pub(super) error: f64,
    pub(super) silent: f64,
    pub(super) silent_closes_percent: f64,
    pub(super) slow: f64,
    pub(super) slow_ms: u64,
}

impl Default for Receipts {
    fn default() -> Self {
        Self {
            sent_ms: 0,
            delivered_ms: 0,
            read_ms: 0,
            spread: 0.0,
            read_percent: 100.0,
            loss_percent: 0.0,
            lose_failures: false,
            repeat_percent: 0.0,
            shuffle_percent: 0.0,
            read_without_delivered_percent: 0.0,
            batch_max: 100,
            batch_ms: 25,
            connections: 8,
            give_up_s: 120,
        }
    }
}

impl Plan {
    /// Reads it from TOML.
    ///
    /// # Errors
    /// A field that does not exist, has another type or is out of its bounds: the error names it.
    pub fn from_toml(text: &str) -> Result<Self> {
        let plan: Self = toml::from_str(text).context("a plan that cannot be read")?;
        plan.check()?;
        Ok(plan)
    }

    /// Reads it from JSON.
    ///
    /// # Errors
    /// As [`Plan::from_toml`].
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let plan: Self = serde_json::from_slice(text).context("a plan that cannot be read")?;
        plan.check()?;
        Ok(plan)
    }

    /// What holds so long after `start`.
    pub(super) fn mood(&self, at_us: u64) -> Mood {
        let at_ms = at_us / 1_000;
        let mut mood = Mood {
            latency: self.latency,
            template_error: self.template_error,
            marketing_cap: self.marketing_cap,
            undeliverable: self.undeliverable,
            throttled: self.throttled,
            error: self.error,
            silent: self.silent,
            silent_closes_percent: self.silent_closes_percent,
            slow: self.slow,
            slow_ms: self.slow_ms,
        };
        for episode in &self.episodes {
            if at_ms.checked_sub(episode.from_ms).is_some_and(|since| since < episode.for_ms) {
                mood = Mood {
                    latency: episode.latency.unwrap_or(mood.latency),
                    template_error: episode.template_error.unwrap_or(mood.template_error),
                    marketing_cap: episode.marketing_cap.unwrap_or(mood.marketing_cap),
                    undeliverable: episode.undeliverable.unwrap_or(mood.undeliverable),
                    throttled: episode.throttled.unwrap_or(mood.throttled),
                    error: episode.error.unwrap_or(mood.error),
                    silent: episode.silent.unwrap_or(mood.silent),
                    silent_closes_percent: episode.silent_closes_percent.unwrap_or(mood.silent_closes_percent),
                    slow: episode.slow.unwrap_or(mood.slow),
                    slow_ms: episode.slow_ms.unwrap_or(mood.slow_ms),
                };
            }
        }
        mood
    }
}
