//! What a sandbox is told: where it listens, whom it plays, how its customers behave.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::secret::Secret;

/// Everything about a sandbox. Shares are between 0 and 1; delays of customers and receipts are
/// business time, those of the network machine time.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxOptions {
    /// Loopback only; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The folder of `ledger.jsonl`.
    pub folder: PathBuf,
    /// Whether each ledger line is forced to the disk before the answer, or only given to the kernel.
    pub ledger_sync: bool,
    /// When the ledger is this long, sends are refused as if the service were down.
    pub ledger_bytes_max: u64,
    /// The numbers that exist; with none, every number does.
    pub numbers: Vec<SandboxNumber>,
    /// The token that is right; with none, any is.
    pub access_token: Option<Secret<String>>,
    /// Where and how webhooks are posted.
    pub webhook: WebhookOptions,
    /// What becomes of messages.
    pub receipts: ReceiptOptions,
    /// How customers answer.
    pub replies: ReplyOptions,
    /// Customers who write by themselves.
    pub arrivals: ArrivalOptions,
    /// Receipts and inbounds waiting or in flight; past it sends are refused as if the service were down.
    pub owed_max: usize,
    /// Connections at once.
    pub connections_max: usize,
    /// How long `hang` holds a call.
    pub hang_ms: u64,
    /// Makes what is drawn the same in every run.
    pub seed: Option<u64>,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            folder: PathBuf::from("data/sandbox"),
            ledger_sync: false,
            ledger_bytes_max: 4 << 30,
            numbers: Vec::new(),
            access_token: None,
            webhook: WebhookOptions::default(),
            receipts: ReceiptOptions::default(),
            replies: ReplyOptions::default(),
            arrivals: ArrivalOptions::default(),
            owed_max: 500_000,
            connections_max: 4_096,
            hang_ms: 60_000,
            seed: None,
        }
    }
}

/// One business number.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxNumber {
    /// By which calls and webhooks name it.
    pub phone_number_id: String,
    /// Digits for show.
    pub display_phone_number: String,
    /// The business account it belongs to.
    pub waba_id: String,
}

/// Where and how webhooks are posted.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookOptions {
    /// The front door; with none, nothing is owed.
    pub url: Option<String>,
    /// Signs the bodies.
    pub app_secret: Secret<String>,
    /// Items in one POST; Meta goes up to 1,000.
    pub batch_max: usize,
    /// Waits so long for more items to share a POST.
    pub linger_ms: u64,
    /// POSTs at once.
    pub in_flight_max: usize,
    /// For one POST.
    pub deadline_ms: u64,
    /// Before the first repetition; doubled each time.
    pub backoff_ms: u64,
    /// The longest wait between repetitions.
    pub backoff_max_ms: u64,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            url: None,
            app_secret: Secret::default(),
            batch_max: 100,
            linger_ms: 20,
            in_flight_max: 4,
            deadline_ms: 10_000,
            backoff_ms: 200,
            backoff_max_ms: 5_000,
        }
    }
}

/// What becomes of accepted messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiptOptions {
    /// How many fail after acceptance.
    pub failed_share: f64,
    /// With which code.
    pub failed_code: i64,
    /// How many of the others are delivered.
    pub delivered_share: f64,
    /// How many of the delivered are read.
    pub read_share: f64,
    /// From acceptance to `sent` or `failed`.
    pub sent_delay_ms: u64,
    /// From `sent` to `delivered`.
    pub delivered_delay_ms: u64,
    /// From `delivered` to `read`.
    pub read_delay_ms: u64,
}

impl Default for ReceiptOptions {
    fn default() -> Self {
        Self {
            failed_share: 0.0,
            failed_code: 131_026,
            delivered_share: 0.97,
            read_share: 0.8,
            sent_delay_ms: 200,
            delivered_delay_ms: 800,
            read_delay_ms: 4_000,
        }
    }
}

/// How customers answer what they have read.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplyOptions {
    /// How many of those who read answer.
    pub share: f64,
    /// How many of the answers are STOP.
    pub stop_share: f64,
    /// How many of the answers quote the message.
    pub quote_share: f64,
    /// From `read` to the answer.
    pub delay_ms: u64,
}

impl Default for ReplyOptions {
    fn default() -> Self {
        Self { share: 0.0, stop_share: 0.0, quote_share: 0.5, delay_ms: 5_000 }
    }
}

/// Customers who write by themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArrivalOptions {
    /// Messages a minute, over all numbers; 0 for none.
    pub per_minute: f64,
    /// How many people write.
    pub customers: u32,
}

impl Default for ArrivalOptions {
    fn default() -> Self {
        Self { per_minute: 0.0, customers: 50 }
    }
}
