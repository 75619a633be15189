//! What a conversation and a socket cost in memory once they are quiet.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::meet;
use super::posting::{Posting, Posts};
use crate::crowd::{Crowd, Plan};
use crate::options::Options;
use crate::process::Folder;
use crate::report::{Better, Mark, Report};
use crate::server::Server;
use crate::socket::AGENT_PATH;

/// The store's buffers and the feed's tail, which have bounds of their own, are kept small, and no actor leaves the
/// memory, so that what grows is the conversations. They sleep sooner than by default: the run is short.
const SETTINGS: [&str; 7] = [
    "store.write_buffer_bytes_max=8MiB",
    "store.cache_bytes_max=1MiB",
    "store.settle_interval=1s",
    "push.feed_tail_entries_max=1024",
    "actors.idle_after=1h",
    "actors.sleep_after=1s",
    "actors.sweep_interval=1s",
];
/// Conversations that are there before anything is weighed.
const FIRST: u64 = 10_000;
/// Events that each socket is told.
const EVENTS: u64 = 1_000;
/// How often and how long the least is looked for, once everything is written.
const WEIGHINGS: u32 = 16;
const WEIGH_EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(options: &Options) -> Result<Report> {
    let conversations = options.conversations.unwrap_or(90_000);
    let sockets = options.sockets.unwrap_or(2_000);
    let mut report = Report::begin("memory");
    report.did(format!(
        "{conversations} conversations of one message each, beside {FIRST} before; then {sockets} sockets that were \
         told {EVENTS} events; the server with {}",
        SETTINGS.join(", ")
    ));
    let folder = Folder::new(&options.folder)?;
    let server = Server::start(options, folder.path(), &SETTINGS).await?;
    let deliveries = server.deliveries()?;
    meet(&server, &deliveries, 0, FIRST).await?;
    let empty = weigh(&server).await?;
    let half = FIRST + conversations / 2;
    meet(&server, &deliveries, FIRST, half).await?;
    let half_full = weigh(&server).await?;
    meet(&server, &deliveries, half, FIRST + conversations).await?;
    let full = weigh(&server).await?;
    let each = (full as f64 - empty as f64) / conversations as f64;
    report.figure(format!("RSS with {FIRST} conversations"), empty as f64 / 1_048_576.0, "MiB");
    report.figure(format!("RSS with {half}"), half_full as f64 / 1_048_576.0, "MiB");
    report.figure(format!("RSS with {}", FIRST + conversations), full as f64 / 1_048_576.0, "MiB");
    report.mark(Mark {
        name: "memory per idle conversation, its contact included".to_owned(),
        value: each / 1e3,
        unit: "kB",
        better: Better::Lower,
        accept: 2.5,
        aim: Some(2.0),
    });
    let inbox = server.inbox().await?;
    report.check("conversations in the inbox", FIRST + conversations, inbox.conversations);

    // Sockets are weighed in a server of their own: a heap that was full gives pages back while they are counted.
    drop((server, folder));
    let folder = Folder::new(&options.folder)?;
    let server = Server::start(options, folder.path(), &SETTINGS).await?;
    let deliveries = server.deliveries()?;
    meet(&server, &deliveries, 0, FIRST).await?;

    // One socket first: what the events themselves leave in memory is not the sockets'.
    let plan =
        Plan { addr: server.addr, path: AGENT_PATH, tokens: server.member_tokens(), sockets: 1, events_a_post: 1 };
    let posts = |deliveries| Posts::Webhooks { deliveries, customers: FIRST, items: 1 };
    let alone = Posting::new(server.addr, posts(server.deliveries()?), Crowd::open(plan.clone()).await?);
    let span = Duration::from_secs(30);
    alone.burst(8, span, EVENTS).await?;
    let quiet = weigh(&server).await?;
    alone.burst(8, span, EVENTS).await?;
    report.check("events told to one socket", 2 * EVENTS, alone.crowd.counted().deliveries);
    let before = weigh(&server).await?;
    let crowd = Crowd::open(Plan { sockets, ..plan }).await?;
    let opened = weigh(&server).await?;
    let many = Posting::new(server.addr, posts(deliveries), crowd);
    let told = many.burst(8, span, EVENTS).await?;
    let after = weigh(&server).await?;
    let each = |bytes: u64| (bytes as f64 - before as f64) / sockets as f64 / 1_024.0;
    report.figure("RSS with one socket", before as f64 / 1_048_576.0, "MiB");
    report.figure(format!("RSS with {sockets} more, told nothing"), opened as f64 / 1_048_576.0, "MiB");
    report.figure(format!("RSS with {sockets} more, told {EVENTS} events"), after as f64 / 1_048_576.0, "MiB");
    report.figure("memory per socket, told nothing", each(opened), "KiB");
    let events_alone = (before as f64 - quiet as f64) / sockets as f64 / 1_024.0;
    report.figure("of a socket's share, what the events leave in memory anyhow", events_alone, "KiB");
    report.mark(Mark {
        name: format!("memory per socket after {EVENTS} events"),
        value: each(after),
        unit: "KiB",
        better: Better::Lower,
        accept: 16.0,
        aim: Some(12.0),
    });
    report.check("events told", EVENTS * sockets as u64, told.deliveries);
    report.check("sockets open", sockets as u64 + 1, server.metric("tidegate_agent_sockets", "").await?);
    report.check("sockets closed", 0, many.crowd.counted().closed + alone.crowd.counted().closed);
    Ok(report)
}

/// The least that the process holds within a few seconds: by then state rows are written and buffers are given back.
async fn weigh(server: &Server) -> Result<u64> {
    let mut least = u64::MAX;
    for _ in 0..WEIGHINGS {
        sleep(WEIGH_EVERY).await;
        least = least.min(server.rss_bytes()?);
    }
    Ok(least)
}
