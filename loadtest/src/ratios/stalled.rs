//! Readers that stop: what the server grows by for each, and when it has closed them all. They are several because
//! one alone is lost in what the allocator keeps and gives back.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep, timeout};

use super::meet;
use super::posting::{Posting, Posts};
use crate::crowd::{Crowd, Plan};
use crate::frames::Kind;
use crate::options::Options;
use crate::process::Folder;
use crate::report::{Better, Mark, Report};
use crate::server::Server;
use crate::socket::{AGENT_PATH, Socket};

/// Items of one delivery: with eight in flight a healthy reader stays within its window of 256.
const ITEMS: u64 = 20;
/// Deliveries in flight.
const IN_FLIGHT: usize = 8;
/// Bytes that the stalled reader's kernel holds for it, about.
const RECEIVE_BYTES: u32 = 4_096;
/// The longest that its end is waited for, and how often it is looked for.
const END_WITHIN: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long at the end the least is looked for.
const QUIET: Duration = Duration::from_secs(5);

pub(super) async fn run(options: &Options) -> Result<Report> {
    let events = options.events.unwrap_or(100_000).next_multiple_of(ITEMS);
    let customers = options.customers.unwrap_or(2_000).max(ITEMS);
    let readers = options.sockets.unwrap_or(32);
    let mut report = Report::begin("stalled");
    report.did(format!(
        "{events} events to a healthy reader, twice, then {events} more with {readers} readers beside it that read nothing; \
         deliveries of {ITEMS} items from {customers} customers"
    ));
    let folder = Folder::new(&options.folder)?;
    let settings = ["store.write_buffer_bytes_max=8MiB", "store.cache_bytes_max=1MiB", "actors.idle_after=1h"];
    let server = Server::start(options, folder.path(), &settings).await?;
    let deliveries = server.deliveries()?;
    meet(&server, &deliveries, 0, customers).await?;
    let before = server.inbox().await?;
    let admin = vec![server.token("ADMIN_TOKEN")?.to_owned()];
    let plan = Plan { addr: server.addr, path: AGENT_PATH, tokens: admin, sockets: 1, events_a_post: ITEMS as usize };
    let posts = Posts::Webhooks { deliveries, customers, items: ITEMS };
    let posting = Posting::new(server.addr, posts, Crowd::open(plan).await?);

    // The first stretch fills what is bounded: the feed's tail, the store's buffers, the conversations' own state.
    let at_most = Duration::from_secs(60);
    let filled = Watch::new(&server).through(posting.burst(IN_FLIGHT, at_most, events / ITEMS)).await?.rest().await?;
    let alone = Watch::new(&server).through(posting.burst(IN_FLIGHT, at_most, events / ITEMS)).await?.rest().await?;
    let mut stalled = Vec::with_capacity(readers);
    for _ in 0..readers {
        let mut socket = Socket::open(server.addr, AGENT_PATH, Some(RECEIVE_BYTES)).await?;
        socket.identify(server.token("ADMIN_TOKEN")?).await?;
        stalled.push(socket);
    }
    let beside = Watch::new(&server).through(posting.burst(IN_FLIGHT, at_most, events / ITEMS)).await?;
    let (beside, closed_after) = beside.until_closed().await?;

    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    report.figure("quiet RSS after the first events, healthy reader alone", mib(filled.quiet()), "MiB");
    report.figure("quiet RSS after as many more, healthy reader alone", mib(alone.quiet()), "MiB");
    report.figure("quiet RSS after as many more, stalled readers not yet closed", mib(beside.quiet()), "MiB");
    report.figure("highest RSS, healthy reader alone", mib(alone.highest()), "MiB");
    report.figure("highest RSS, with the stalled readers", mib(beside.highest()), "MiB");
    report.mark(Mark {
        name: format!("growth a stalled reader, {events} events"),
        value: (mib(beside.quiet()) - mib(alone.quiet())) / readers as f64,
        unit: "MiB",
        better: Better::Lower,
        accept: 2.0,
        aim: None,
    });
    report.mark(Mark {
        name: "time until all were closed".to_owned(),
        value: closed_after.map_or(f64::INFINITY, |took| took.as_secs_f64()),
        unit: "s",
        better: Better::Lower,
        accept: 30.0,
        aim: None,
    });
    let (frames, code) = last_words(&mut stalled[0]).await;
    report.figure("frames that the first of them had been sent", frames as f64, "frames");
    report.figure("code of its close (0: the connection just ended)", f64::from(code), "");
    report.check("events told to the healthy reader", 3 * events, posting.crowd.counted().deliveries);
    report.check("healthy readers closed", 0, posting.crowd.counted().closed);
    report.check(
        "messages in the inbox",
        3 * events,
        server.inbox_with(before.unread + 3 * events).await?.unread - before.unread,
    );
    report.check("sockets open at the end", 1, server.metric("tidegate_agent_sockets", "").await?);
    Ok(report)
}

/// The server's RSS, looked at several times a second.
struct Watch<'a> {
    server: &'a Server,
    begun: Instant,
    /// When, and how much.
    seen: Vec<(Instant, u64)>,
}

impl<'a> Watch<'a> {
    fn new(server: &'a Server) -> Self {
        Self { server, begun: Instant::now(), seen: Vec::new() }
    }

    fn look(&mut self) -> Result<()> {
        self.seen.push((Instant::now(), self.server.rss_bytes()?));
        Ok(())
    }

    /// Watches while something runs.
    async fn through<T>(mut self, running: impl Future<Output = Result<T>>) -> Result<Self> {
        let mut running = std::pin::pin!(running);
        loop {
            tokio::select! {
                outcome = &mut running => {
                    outcome?;
                    return Ok(self);
                }
                () = sleep(LOOK_EVERY) => self.look()?,
            }
        }
    }

    /// Watches while nothing happens, as long as a quiet figure needs.
    async fn rest(mut self) -> Result<Self> {
        let end = Instant::now() + QUIET;
        while Instant::now() < end {
            sleep(LOOK_EVERY).await;
            self.look()?;
        }
        Ok(self)
    }

    /// Watches until only the healthy socket is left, and tells how long after the beginning that was.
    async fn until_closed(mut self) -> Result<(Self, Option<Duration>)> {
        while self.begun.elapsed() < END_WITHIN {
            if self.server.metric("tidegate_agent_sockets", "").await? == 1 {
                let closed_after = self.begun.elapsed();
                return Ok((self, Some(closed_after)));
            }
            self.look()?;
            sleep(LOOK_EVERY).await;
        }
        Ok((self, None))
    }

    /// The least at the end: what is held, without what work holds for a moment.
    fn quiet(&self) -> u64 {
        let last = self.seen.last().map(|(at, _)| *at);
        let late = self.seen.iter().filter(|(at, _)| last.is_some_and(|last| last.duration_since(*at) <= QUIET));
        late.map(|(_, bytes)| *bytes).min().unwrap_or_default()
    }

    fn highest(&self) -> u64 {
        self.seen.iter().map(|(_, bytes)| *bytes).max().unwrap_or_default()
    }
}

/// Reads what a stalled socket still has: how many frames, and the code of the last, if it is a close.
async fn last_words(stalled: &mut Socket) -> (u64, u16) {
    let (mut frames, mut code) = (0, 0);
    let mut read = vec![0; 65_536];
    while let Ok(Ok(count @ 1..)) =
        timeout(Duration::from_secs(5), tokio::io::AsyncReadExt::read(&mut stalled.stream, &mut read)).await
    {
        let cut = stalled.cutter.take(&read[..count], |kind, payload| {
            frames += 1;
            if kind == Kind::Close {
                code = payload.first_chunk::<2>().map_or(1_005, |code| u16::from_be_bytes(*code));
            }
        });
        if cut.is_err() || code != 0 {
            break;
        }
    }
    (frames, code)
}
