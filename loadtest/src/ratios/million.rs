//! A server with a million open conversations: pages of its inbox, its start after `kill -9`, and what a conversation that
//! is not in memory costs whoever writes to it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};

use super::meet;
use crate::deliveries::{Deliveries, Prepared};
use crate::drive::Drive;
use crate::options::Options;
use crate::process::Folder;
use crate::report::{Better, Mark, Report};
use crate::rest::Rest;
use crate::server::Server;
use crate::statistics::percentile;

/// Conversations that are made at once.
const SLICE: u64 = 100_000;
/// Pages that are read, of so many lines: one after another from the newest on.
const PAGES: usize = 2_000;
const LINES: u64 = 50;
/// Conversations that are written to, first when none of them is in memory.
const WRITTEN_TO: usize = 2_000;
/// How long a start may take, and how often it is looked.
const READY_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(super) async fn run(options: &Options) -> Result<Report> {
    let conversations = options.conversations.unwrap_or(1_000_000);
    let written_to = options.requests.unwrap_or(WRITTEN_TO).min(conversations as usize);
    let mut report = Report::begin("million");
    report.did(format!(
        "{conversations} open conversations; {PAGES} pages of {LINES} of the inbox; kill -9 and a start; a delivery of \
         one item to each of {written_to} of them on one connection, and one more to each"
    ));
    let folder = Folder::new(&options.folder)?;
    let mut server = Server::start(options, folder.path(), &[]).await?;
    let deliveries = server.deliveries()?;
    for from in (0..conversations).step_by(SLICE as usize) {
        meet(&server, &deliveries, from, (from + SLICE).min(conversations)).await?;
    }
    report.check("conversations in the inbox", conversations, server.inbox().await?.conversations);

    let mut pages = pages(&server, conversations).await?;
    tell(&mut report, "inbox page", &mut pages);
    report.mark(Mark {
        name: format!("inbox page p99 with {conversations} open conversations"),
        value: ms(&mut pages, 0.99),
        unit: "ms",
        better: Better::Lower,
        accept: 20.0,
        aim: Some(5.0),
    });

    server.end(true).await?;
    let begun = Instant::now();
    server.start_again().await?;
    while !server.is_ready().await {
        if begun.elapsed() > READY_WITHIN {
            bail!("the server was not ready within {READY_WITHIN:?}");
        }
        sleep(LOOK_EVERY).await;
    }
    report.mark(Mark {
        name: format!("ready after kill -9 with {conversations} conversations"),
        value: begun.elapsed().as_secs_f64(),
        unit: "s",
        better: Better::Lower,
        accept: 10.0,
        aim: Some(5.0),
    });
    report.check("conversations in the inbox after it", conversations, server.inbox().await?.conversations);

    let mut cold = write_to(&server, &deliveries, written_to, conversations).await.context("cold conversations")?;
    let mut resident = write_to(&server, &deliveries, written_to, conversations).await.context("resident ones")?;
    tell(&mut report, "delivery to a cold conversation", &mut cold);
    tell(&mut report, "delivery to a resident one", &mut resident);
    report.mark(Mark {
        name: "cold activation p99, the delivery and its commit included".to_owned(),
        value: ms(&mut cold, 0.99),
        unit: "ms",
        better: Better::Lower,
        accept: 10.0,
        aim: Some(2.0),
    });
    Ok(report)
}

/// How long pages took, in microseconds; from the first again once the last was read.
async fn pages(server: &Server, conversations: u64) -> Result<Vec<u32>> {
    let mut rest = Rest::open(server.addr, server.token("ADMIN_TOKEN")?).await?;
    let path = format!("/v1/inbox?limit={LINES}");
    let (mut took, mut next) = (Vec::with_capacity(PAGES), path.clone());
    while took.len() < PAGES {
        let begun = Instant::now();
        let page = rest.get(&next).await?;
        took.push(us(begun.elapsed()));
        let lines = page["items"].as_array().map_or(0, Vec::len) as u64;
        match page["next"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => next.clone_from(&path),
        }
        if lines == 0 || lines < LINES.min(conversations) && page["next"].is_string() {
            bail!("a page had {lines} lines");
        }
    }
    Ok(took)
}

/// How long deliveries took, one of each of some customers who are far from each other.
async fn write_to(server: &Server, deliveries: &Deliveries, count: usize, customers: u64) -> Result<Vec<u32>> {
    let prepared = Arc::new(Prepared::single_items(deliveries, count, customers));
    let drive = Drive { addr: server.addr, connections: 1, at_most: Duration::from_secs(60), again: false };
    let driven = drive.run(&prepared).await?;
    if driven.answered < prepared.len() as u64 {
        bail!("{} of {} deliveries were taken", driven.answered, prepared.len());
    }
    Ok(driven.latencies_us)
}

fn tell(report: &mut Report, name: &str, took: &mut [u32]) {
    report.figure(format!("{name}: p50"), ms(took, 0.5), "ms");
    report.figure(format!("{name}: p99"), ms(took, 0.99), "ms");
}

fn ms(took: &mut [u32], share: f64) -> f64 {
    f64::from(percentile(took, share)) / 1e3
}

fn us(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(u32::MAX)
}
