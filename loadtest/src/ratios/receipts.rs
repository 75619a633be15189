//! Receipts of a broadcast in deliveries of 100, held against a bare handler that reads the same deliveries.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::people::{self, People};
use super::sweep::{Shown, Sweep};
use crate::bare::sink::{BATCH_MAX, KEPT, KINDS, Send, request};
use crate::deliveries::Prepared;
use crate::drive::Drive;
use crate::machine::cpu_seconds;
use crate::options::Options;
use crate::process::Folder;
use crate::report::{Better, Mark, Report};
use crate::rest::Rest;
use crate::server::{Bare, Server};
use crate::statistics::{median, ratio};

/// Numbers that write.
const NUMBERS: u64 = 10;

pub(super) async fn run(options: &Options) -> Result<Report> {
    let recipients = options.requests.map_or(50_000, |requests| requests as u64);
    let connections = options.connections.unwrap_or(64);
    let rounds = options.rounds.unwrap_or(3);
    let at_most = Duration::from_secs(options.seconds.unwrap_or(60));
    let numbers = NUMBERS.min(recipients);
    let mut report = Report::begin("receipts");
    report.did(format!(
        "{rounds} rounds in turn: broadcasts of {numbers} numbers to {recipients} in all, off the clock; then a receipt \
         of each kind ({}) of each message, {BATCH_MAX} a delivery on {connections} connections; then the bare handler \
         takes the same deliveries",
        KINDS.join(", ")
    ));
    let folder = Folder::new(&options.folder)?;
    let server = Server::start(options, folder.path(), &[]).await?;
    let (sink, bare) =
        (Bare::start("bare-sink", folder.path()).await?, Bare::start("bare-handler", folder.path()).await?);
    let mut rest = Rest::open(server.addr, server.token("ADMIN_TOKEN")?).await?;
    let people = People::gather(&mut rest, &server, sink.addr, numbers, recipients).await?;
    people::asleep(&server, recipients).await?;
    let path = server.token("APP").map(|app| format!("/webhooks/whatsapp/{app}"))?;
    let (addr, pid) = (server.addr, server.pid());
    let mut sweep =
        Sweep { server, sink: Rest::open(sink.addr, "").await?, rest, people, at_most, keep: true, done: 0 };

    let (mut ours, mut theirs) = (Side::default(), Side::default());
    let mut broadcasts: Vec<Shown> = Vec::new();
    for _ in 0..rounds {
        let out = sweep.go_out(false, sink.pid()).await.context("the broadcasts")?;
        let kept: Vec<Send> = serde_json::from_value(sweep.sink.get(KEPT).await?)?;
        let receipts = (kept.len() * KINDS.len()) as u64;
        let deliveries = Arc::new(deliveries(&path, kept));
        let drive = Drive { addr, connections, at_most, again: false };
        ours.round(&drive, &deliveries, receipts, pid).await.context("tidegate")?;
        let mut shown = sweep.settled(&out.drafts, true).await?;
        sweep.verify(&out.drafts, &mut shown).await?;
        broadcasts.extend(shown);
        theirs
            .round(&Drive { addr: bare.addr, ..drive }, &deliveries, receipts, bare.pid())
            .await
            .context("the bare handler")?;
    }

    for (name, side) in [("bare handler", &theirs), ("tidegate", &ours)] {
        report.figure(format!("{name}: receipts"), median(&side.rates), "/s");
        report.figure(format!("{name}: receipts per CPU second"), median(&side.per_cpu_second), "");
    }
    let share = ratio(median(&ours.per_cpu_second), median(&theirs.per_cpu_second)) * 100.0;
    report.figure("share per CPU second of the server (where time was stolen)", share, "%");
    report.figure("tidegate: deliveries refused", ours.refused as f64, "");
    report.mark(Mark {
        name: "receipts in deliveries of 100, of the bare handler".to_owned(),
        value: ratio(median(&ours.rates), median(&theirs.rates)) * 100.0,
        unit: "%",
        better: Better::Higher,
        accept: 30.0,
        aim: Some(45.0),
    });

    let all = recipients * KINDS.len() as u64 * rounds as u64;
    report.check("tidegate: receipts taken", all, ours.receipts);
    report.check("bare handler: receipts read", all, bare.number("/items").await?);
    let sum = |count: fn(&Shown) -> u64| broadcasts.iter().map(count).sum::<u64>();
    report.check("tidegate: recipients who read it", recipients * rounds as u64, sum(|shown| shown.read));
    let agree = sum(|shown| u64::from(shown.agrees && shown.is_done(true)));
    report.check("tidegate: broadcasts whose counts agree", broadcasts.len() as u64, agree);
    Ok(report)
}

/// Deliveries of one number and one kind each: every message is sent before it is delivered before it is read, as far as
/// the order of posts goes.
fn deliveries(path: &str, mut kept: Vec<Send>) -> Prepared {
    kept.sort_by(|one, other| one.number.cmp(&other.number));
    let mut prepared = Prepared::default();
    for kind in KINDS {
        for of_number in kept.chunk_by(|one, other| one.number == other.number) {
            for batch in of_number.chunks(BATCH_MAX) {
                prepared.push(&request(path, batch, kind));
            }
        }
    }
    prepared
}

/// What one server did, round by round.
#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    per_cpu_second: Vec<f64>,
    receipts: u64,
    refused: u64,
}

impl Side {
    async fn round(&mut self, drive: &Drive, deliveries: &Arc<Prepared>, receipts: u64, pid: u32) -> Result<()> {
        let cpu = cpu_seconds(pid)?;
        let driven = drive.run(deliveries).await?;
        let cpu = cpu_seconds(pid)? - cpu;
        // Nearly all are full: one that was refused took its share with it.
        let receipts = receipts * driven.answered / (deliveries.len() as u64).max(1);
        self.rates.push(ratio(receipts as f64, driven.seconds));
        self.per_cpu_second.push(ratio(receipts as f64, cpu));
        self.receipts += receipts;
        self.refused += driven.refused;
        Ok(())
    }
}
