//! What can be run.

mod fanout;
mod freeze;
mod latency;
mod memory;
mod million;
mod pace;
mod people;
mod posting;
mod receipts;
mod replies;
mod stalled;
mod sweep;
mod webhooks;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::deliveries::{Deliveries, Prepared};
use crate::drive::Drive;
use crate::options::Options;
use crate::report::Report;
use crate::server::Server;

/// How long after the last answer the last event has been pushed, for certain.
const PUSHED_AFTER: Duration = Duration::from_secs(1);

/// The longest that one call makes conversations for.
const MET_WITHIN: Duration = Duration::from_secs(300);

/// What is held against a bare server in the same run, or against a bound.
pub const NAMES: [&str; 11] =
    ["webhooks", "latency", "fanout", "memory", "stalled", "receipts", "sweep", "pace", "replies", "freeze", "million"];

/// Runs a scenario and tells what it found.
///
/// # Errors
/// There is no such scenario, or something stood in its way.
pub async fn run(name: &str, options: &Options) -> Result<Report> {
    let scenario: Pin<Box<dyn Future<Output = Result<Report>> + '_>> = match name {
        "webhooks" => Box::pin(webhooks::run(options)),
        "latency" => Box::pin(latency::run(options)),
        "fanout" => Box::pin(fanout::run(options)),
        "memory" => Box::pin(memory::run(options)),
        "stalled" => Box::pin(stalled::run(options)),
        "million" => Box::pin(million::run(options)),
        "replies" => Box::pin(replies::run(options)),
        "freeze" => Box::pin(freeze::run(options)),
        "pace" => Box::pin(pace::run(options)),
        "receipts" => Box::pin(receipts::run(options)),
        "sweep" => Box::pin(sweep::run(options)),
        _ => bail!("there is no scenario `{name}`; `loadtest help` lists what there is"),
    };
    let mut report = scenario.await?;
    report.end();
    Ok(report)
}

/// Makes the conversations of customers `from` to `to` before anything is timed.
async fn meet(server: &Server, deliveries: &Deliveries, from: u64, to: u64) -> Result<()> {
    let prepared = Arc::new(Prepared::first_contacts(deliveries, from, to, 20));
    let drive = Drive { addr: server.addr, connections: 16, at_most: MET_WITHIN, again: false };
    let driven = drive.run(&prepared).await.context("making conversations")?;
    let all = prepared.len() as u64;
    if driven.answered < all {
        let late = all.saturating_sub(driven.answered + driven.refused);
        bail!(
            "of {all} deliveries that make conversations {} were taken, {} refused and {late} not begun within {MET_WITHIN:?}",
            driven.answered,
            driven.refused
        );
    }
    // Their events are pushed a little after their answers; who opens a socket now hears none of them.
    tokio::time::sleep(PUSHED_AFTER).await;
    Ok(())
}
