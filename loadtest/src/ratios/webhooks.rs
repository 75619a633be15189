//! Throughput of signed webhooks of one item each, held against a bare handler in the same run.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::meet;
use crate::deliveries::Prepared;
use crate::drive::{Drive, Driven};
use crate::machine::cpu_seconds;
use crate::options::Options;
use crate::process::Folder;
use crate::report::{Better, Mark, Report};
use crate::server::{Bare, Server};
use crate::statistics::{median, percentile, ratio};

pub(super) async fn run(options: &Options) -> Result<Report> {
    let connections = options.connections.unwrap_or(256);
    let customers = options.customers.unwrap_or(10_000);
    let requests = options.requests.unwrap_or(50_000);
    let rounds = options.rounds.unwrap_or(5);
    let at_most = Duration::from_secs(options.seconds.unwrap_or(4));
    let mut report = Report::begin("webhooks");
    report.did(format!(
        "{rounds} rounds in turn: {requests} deliveries of one item from {customers} customers on {connections} \
         connections (at most {at_most:?}), then the bare handler for as long"
    ));
    let folder = Folder::new(&options.folder)?;
    let server = Server::start(options, folder.path(), &[]).await?;
    let bare = Bare::start("bare-handler", folder.path()).await?;
    let deliveries = server.deliveries()?;
    meet(&server, &deliveries, 0, customers).await?;
    let before = server.inbox().await?;
    let items_before = items(&server).await?;

    let warm = Arc::new(Prepared::single_items(&deliveries, requests.min(2_000), customers));
    let drive = Drive { addr: server.addr, connections, at_most, again: false };
    let warmed = drive.run(&warm).await.context("tidegate, warming up")?;
    let bare_drive = Drive { addr: bare.addr, again: true, at_most: Duration::from_millis(300), ..drive.clone() };
    let bare_warmed = bare_drive.run(&warm).await.context("the bare handler, warming up")?;

    let (mut ours, mut theirs) = (Side::default(), Side::default());
    for _ in 0..rounds {
        let prepared = Arc::new(Prepared::single_items(&deliveries, requests, customers));
        let driven = ours.round(&drive, &prepared, server.pid()).await.context("tidegate")?;
        let as_long = Duration::from_secs_f64(driven.max(0.1)).min(at_most);
        let drive = Drive { at_most: as_long, ..bare_drive.clone() };
        theirs.round(&drive, &prepared, bare.pid()).await.context("the bare handler")?;
    }

    for (name, side) in [("bare handler", &mut theirs), ("tidegate", &mut ours)] {
        report.figure(format!("{name}: rate"), median(&side.rates), "deliveries/s");
        report.figure(format!("{name}: rate per CPU second"), median(&side.per_cpu_second), "deliveries");
        report.figure(format!("{name}: p50"), f64::from(percentile(&mut side.latencies_us, 0.5)) / 1e3, "ms");
        report.figure(format!("{name}: p99"), f64::from(percentile(&mut side.latencies_us, 0.99)) / 1e3, "ms");
    }
    report.figure("tidegate: refused", (ours.refused + warmed.refused) as f64, "deliveries");
    let per_round: Vec<f64> =
        ours.rates.iter().zip(&theirs.rates).map(|(ours, theirs)| ratio(*ours, *theirs) * 100.0).collect();
    report.figure("lowest round's share", per_round.iter().copied().fold(f64::INFINITY, f64::min), "%");
    report.figure("highest round's share", per_round.iter().copied().fold(0.0, f64::max), "%");
    let per_cpu = ratio(median(&ours.per_cpu_second), median(&theirs.per_cpu_second)) * 100.0;
    report.figure("share per CPU second of the server (where time was stolen)", per_cpu, "%");
    report.mark(Mark {
        name: "full webhook path, of the bare handler".to_owned(),
        value: ratio(median(&ours.rates), median(&theirs.rates)) * 100.0,
        unit: "%",
        better: Better::Higher,
        accept: 30.0,
        aim: Some(40.0),
    });

    let answered = ours.answered + warmed.answered;
    let after = server.inbox_with(before.unread + answered).await?;
    report.check("tidegate: messages in the inbox", answered, after.unread - before.unread);
    report.check("tidegate: items taken or set aside", answered, items(&server).await? - items_before);
    report.check("tidegate: conversations", customers, after.conversations);
    let bare_answered = theirs.answered + bare_warmed.answered;
    report.check("bare handler: items read", bare_answered, bare.number("/items").await?);
    report.check("bare handler: refused", 0, theirs.refused + bare_warmed.refused);
    Ok(report)
}

/// Items that the server says it has taken, or has kept to take them later.
async fn items(server: &Server) -> Result<u64> {
    let mut items = 0;
    for fate in ["taken", "deferred"] {
        items += server.metric("tidegate_items_total", &format!("fate=\"{fate}\"")).await?;
    }
    Ok(items)
}

/// What one server did, round by round.
#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    per_cpu_second: Vec<f64>,
    latencies_us: Vec<u32>,
    answered: u64,
    refused: u64,
}

impl Side {
    /// Drives a round and gives its seconds.
    async fn round(&mut self, drive: &Drive, prepared: &Arc<Prepared>, pid: u32) -> Result<f64> {
        let cpu = cpu_seconds(pid)?;
        let driven: Driven = drive.run(prepared).await?;
        self.rates.push(driven.per_second());
        self.per_cpu_second.push(ratio(driven.answered as f64, cpu_seconds(pid)? - cpu));
        self.answered += driven.answered;
        self.refused += driven.refused;
        self.latencies_us.extend(driven.latencies_us);
        Ok(driven.seconds)
    }
}
