//! `[sandbox]`: the Meta-shaped server on loopback, for trying and testing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::SectionReader;
use crate::domain::secret::Secret;

/// The sandbox's server, its customers and its faults.
#[derive(Clone)]
pub struct Sandbox {
    /// Whether it runs inside this process; off by default when a configuration file is given.
    pub enabled: bool,
    /// Where it listens, on loopback.
    pub listen: SocketAddr,
    /// Where it sends webhooks; none means this process's own server.
    pub webhook_url: Option<String>,
    /// Its ledger of accepted sends; none means a file in the store's folder.
    pub ledger_path: Option<PathBuf>,
    /// Signs its webhooks.
    pub app_secret: Secret<String>,
    /// Answers the subscription's challenge.
    pub verify_token: Secret<String>,
    /// Must come with each call.
    pub access_token: Secret<String>,
    /// How long it takes to answer a call.
    pub latency: Duration,
    /// Messages that its made-up customers write by themselves; 0 is none.
    pub customers_per_minute: u32,
    /// When the receipt `sent` comes, after the answer.
    pub sent_after: Duration,
    /// When the receipt `delivered` comes, after the answer.
    pub delivered_after: Duration,
    /// When the receipt `read` comes, after the answer.
    pub read_after: Duration,
    /// How many of the delivered are read, in percent.
    pub read_percent: u32,
    /// How many of the read are replied to, in percent.
    pub reply_percent: u32,
    /// How many of the replies are STOP, in percent.
    pub stop_percent: u32,
    /// Calls refused for good, in percent.
    pub fault_rejected_percent: u32,
    /// Calls answered with 429, in percent.
    pub fault_throttled_percent: u32,
    /// Calls carried out and never answered, in percent.
    pub fault_silent_percent: u32,
    /// Receipts sent twice, in percent.
    pub fault_repeated_percent: u32,
}

impl Sandbox {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        let hour = Duration::from_secs(3_600);
        let mut delay = |key| keys.within(key, Duration::ZERO..=hour);
        let (latency, sent_after) = (delay("latency"), delay("sent_after"));
        let (delivered_after, read_after) = (delay("delivered_after"), delay("read_after"));
        let mut percent = |key| keys.within(key, 0..=100);
        let (read_percent, reply_percent) = (percent("read_percent"), percent("reply_percent"));
        let stop_percent = percent("stop_percent");
        let (fault_rejected_percent, fault_throttled_percent) =
            (percent("fault_rejected_percent"), percent("fault_throttled_percent"));
        let (fault_silent_percent, fault_repeated_percent) =
            (percent("fault_silent_percent"), percent("fault_repeated_percent"));
        Self {
            enabled: keys.value("enabled"),
            listen: keys.checked("listen", |address: &SocketAddr| {
                (!address.ip().is_loopback()).then(|| "must be an address on loopback".to_owned())
            }),
            webhook_url: keys.url("webhook_url"),
            ledger_path: keys.value("ledger_path"),
            app_secret: keys.secret("app_secret"),
            verify_token: keys.secret("verify_token"),
            access_token: keys.secret("access_token"),
            latency,
            customers_per_minute: keys.within("customers_per_minute", 0..=60_000),
            sent_after,
            delivered_after,
            read_after,
            read_percent,
            reply_percent,
            stop_percent,
            fault_rejected_percent,
            fault_throttled_percent,
            fault_silent_percent,
            fault_repeated_percent,
        }
    }
}
