//! The sandbox inside the process, or alone: a Meta-shaped server on loopback.

use std::path::PathBuf;

use crate::clock::Surroundings;
use crate::config::Config;
use crate::domain::secret::Secret;
use crate::providers::sandbox::{
    ArrivalOptions, Fault, FaultPlan, FaultRate, ReceiptFaults, ReceiptOptions, ReplyOptions, Sandbox, SandboxHandle,
    SandboxNumber, SandboxOptions, WebhookOptions,
};

use super::StartError;
use super::seed::{BUSINESS_ID, DISPLAY, PHONE_NUMBER_ID};

/// People who write by themselves.
const CUSTOMERS: u32 = 40;

/// Starts the sandbox with the configuration's latency and faults; webhooks go to `webhook_url`.
///
/// # Errors
/// What stands in the way.
pub fn start_sandbox(
    config: &Config,
    surroundings: Surroundings,
    webhook_url: Option<String>,
) -> Result<SandboxHandle, StartError> {
    let set = &config.sandbox;
    let share = |percent: u32| f64::from(percent) / 100.0;
    let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let options = SandboxOptions {
        listen: set.listen,
        folder: ledger_folder(config),
        numbers: vec![SandboxNumber {
            phone_number_id: PHONE_NUMBER_ID.to_owned(),
            display_phone_number: DISPLAY.to_owned(),
            waba_id: BUSINESS_ID.to_owned(),
        }],
        access_token: Some(Secret::new(set.access_token.expose().clone())),
        webhook: WebhookOptions {
            url: set.webhook_url.clone().or(webhook_url),
            app_secret: Secret::new(set.app_secret.expose().clone()),
            ..WebhookOptions::default()
        },
        receipts: ReceiptOptions {
            // Whoever does not get a message is a fault, and faults are ordered.
            delivered_share: 1.0,
            read_share: share(set.read_percent),
            sent_delay_ms: millis(set.sent_after),
            delivered_delay_ms: millis(set.delivered_after),
            read_delay_ms: millis(set.read_after),
            ..ReceiptOptions::default()
        },
        replies: ReplyOptions {
            share: share(set.reply_percent),
            stop_share: share(set.stop_percent),
            ..ReplyOptions::default()
        },
        arrivals: ArrivalOptions { per_minute: f64::from(set.customers_per_minute), customers: CUSTOMERS },
        ..SandboxOptions::default()
    };
    let handle = Sandbox::start(options, surroundings)?;
    let rate = |fault, percent| FaultRate { fault, share: share(percent), phone_number_id: None };
    let rates = [
        rate(Fault::Code(131_026), set.fault_rejected_percent),
        rate(Fault::TooManyRequests, set.fault_throttled_percent),
        rate(Fault::Hang, set.fault_silent_percent),
    ];
    let plan = FaultPlan {
        latency_ms: millis(set.latency),
        rates: rates.into_iter().filter(|rate| rate.share > 0.0).collect(),
        receipts: ReceiptFaults { duplicated: share(set.fault_repeated_percent), ..ReceiptFaults::default() },
        ..FaultPlan::default()
    };
    // Three rates are never too many.
    let _ = handle.order(plan);
    Ok(handle)
}

pub(super) fn ledger_folder(config: &Config) -> PathBuf {
    config.sandbox.ledger_path.clone().unwrap_or_else(|| config.store.path.join("sandbox-ledger"))
}
