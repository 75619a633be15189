//! How long a durable webhook takes on one connection, over what it cannot go below: a write of 4 KiB with
//! fdatasync in the same folder, and a bare handler.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use super::meet;
use crate::deliveries::Prepared;
use crate::drive::Drive;
use crate::options::Options;
use crate::process::Folder;
use crate::report::{Better, Mark, Report};
use crate::server::{Bare, Server};
use crate::statistics::percentile;

/// Bytes that are appended before each fdatasync.
const BLOCK: [u8; 4_096] = [0x5A; 4_096];
/// Appends of one round.
const APPENDS: usize = 200;

pub(super) async fn run(options: &Options) -> Result<Report> {
    let customers = options.customers.unwrap_or(2_000);
    let requests = options.requests.unwrap_or(2_000);
    let rounds = options.rounds.unwrap_or(5);
    let at_most = Duration::from_secs(options.seconds.unwrap_or(4));
    let mut report = Report::begin("latency");
    report.did(format!(
        "{rounds} rounds in turn on one connection: {APPENDS} appends of {} bytes with fdatasync, {requests} requests \
         to the bare handler, {requests} to tidegate, from {customers} customers",
        BLOCK.len()
    ));
    let folder = Folder::new(&options.folder)?;
    let server = Server::start(options, folder.path(), &[]).await?;
    let bare = Bare::start("bare-handler", folder.path()).await?;
    let deliveries = server.deliveries()?;
    meet(&server, &deliveries, 0, customers).await?;
    let before = server.inbox().await?;

    let drive = Drive { addr: server.addr, connections: 1, at_most, again: false };
    let bare_drive = Drive { addr: bare.addr, ..drive.clone() };
    let warm = Arc::new(Prepared::single_items(&deliveries, requests.min(200), customers));
    let (mut answered, mut bare_answered, mut refused) = (0, 0, 0);
    for (drive, count) in [(&drive, &mut answered), (&bare_drive, &mut bare_answered)] {
        let driven = drive.run(&warm).await.context("warming up")?;
        *count += driven.answered;
        refused += driven.refused;
    }
    let (mut synced, mut in_place, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let path = folder.path().join("append");
        let (appended, overwritten) = tokio::task::spawn_blocking(move || writes(&path)).await??;
        synced.extend(appended);
        in_place.extend(overwritten);
        let prepared = Arc::new(Prepared::single_items(&deliveries, requests, customers));
        let driven = bare_drive.run(&prepared).await.context("the bare handler")?;
        bare_answered += driven.answered;
        refused += driven.refused;
        theirs.extend(driven.latencies_us);
        let driven = drive.run(&prepared).await.context("tidegate")?;
        answered += driven.answered;
        refused += driven.refused;
        ours.extend(driven.latencies_us);
    }

    let mut middle = Vec::new();
    for (name, took) in
        [("append and fdatasync", &mut synced), ("bare handler", &mut theirs), ("tidegate, durable", &mut ours)]
    {
        middle.push(f64::from(percentile(took, 0.5)) / 1e3);
        report.figure(format!("{name}: p50 of {}", took.len()), f64::from(percentile(took, 0.5)) / 1e3, "ms");
        report.figure(format!("{name}: p99"), f64::from(percentile(took, 0.99)) / 1e3, "ms");
    }
    let in_place = f64::from(percentile(&mut in_place, 0.5)) / 1e3;
    report.figure("fdatasync of a block written in place: p50", in_place, "ms");
    report.figure("durable webhook p50, over that and the bare handler", middle[2] - middle[1] - in_place, "ms");
    report.mark(Mark {
        name: "durable webhook p50, over fdatasync and bare handler".to_owned(),
        value: middle[2] - middle[1] - middle[0],
        unit: "ms",
        better: Better::Lower,
        accept: 0.5,
        aim: Some(0.2),
    });
    let after = server.inbox_with(before.unread + answered).await?;
    report.check("tidegate: messages in the inbox", answered, after.unread - before.unread);
    report.check("bare handler: items read", bare_answered, bare.number("/items").await?);
    report.check("refused", 0, refused);
    Ok(report)
}

/// How long each write and its fdatasync took, in microseconds: of blocks that make the file longer, and of the same
/// blocks written once more in place, as into a log whose room was made before.
fn writes(path: &Path) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
    let appended = blocks(&mut file)?;
    file.rewind()?;
    Ok((appended, blocks(&mut file)?))
}

fn blocks(file: &mut File) -> Result<Vec<u32>> {
    let mut took = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let begun = Instant::now();
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        took.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(took)
}
