//! Posts that make events, and the crowd that they arrive at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::crowd::{Counted, Crowd};
use crate::deliveries::Deliveries;
use crate::wire::Connection;

/// Connections that take turns where the pace is set.
const PACED_CONNECTIONS: u64 = 16;

/// What is posted.
pub(super) enum Posts {
    /// Webhooks of so many customers' texts each, from so many customers.
    Webhooks { deliveries: Deliveries, customers: u64, items: u64 },
    /// The same bytes each time.
    Same(Vec<u8>),
}

/// Where it is posted, and who hears of it.
pub(super) struct Posting {
    pub(super) addr: SocketAddr,
    pub(super) posts: Posts,
    pub(super) crowd: Crowd,
    posted: AtomicU64,
}

/// What a stretch of posting came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    pub(super) events: u64,
    pub(super) deliveries: u64,
    pub(super) frames: u64,
    pub(super) seconds: f64,
}

impl Stretch {
    pub(super) fn deliveries_per_second(&self) -> f64 {
        crate::statistics::ratio(self.deliveries as f64, self.seconds)
    }

    pub(super) fn events_a_frame(&self) -> f64 {
        crate::statistics::ratio(self.deliveries as f64, self.frames as f64)
    }
}

impl Posting {
    pub(super) fn new(addr: SocketAddr, posts: Posts, crowd: Crowd) -> Arc<Self> {
        Arc::new(Self { addr, posts, crowd, posted: AtomicU64::new(0) })
    }

    /// Events that every socket should have had by now.
    pub(super) fn events_posted(&self) -> u64 {
        self.posted.load(Ordering::Acquire)
    }

    fn events_a_post(&self) -> u64 {
        match &self.posts {
            Posts::Webhooks { items, .. } => *items,
            Posts::Same(_) => 1,
        }
    }

    /// Keeps so many posts under way, each until every socket has had its events, for a time or a number of posts.
    pub(super) async fn burst(
        self: &Arc<Self>,
        in_flight: usize,
        at_most: Duration,
        posts_max: u64,
    ) -> Result<Stretch> {
        let (before, begun_us) = (self.crowd.counted(), self.crowd.now_us());
        let end = Instant::now() + at_most;
        let left = Arc::new(AtomicU64::new(posts_max));
        self.crowd.allow(in_flight);
        let mut lanes = JoinSet::new();
        for _ in 0..in_flight {
            let (posting, left) = (Arc::clone(self), Arc::clone(&left));
            lanes.spawn(async move {
                let mut connection = Connection::open(posting.addr).await?;
                loop {
                    posting.crowd.turn().await?;
                    let over = Instant::now() >= end;
                    if over
                        || left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_err()
                    {
                        return Ok(());
                    }
                    posting.post(&mut connection).await?;
                }
            });
        }
        let outcome = finish(lanes).await;
        let arrived = match outcome {
            Ok(()) => self.crowd.wait_for(self.events_posted()).await,
            Err(error) => Err(error),
        };
        self.crowd.forbid();
        arrived.map(|()| self.stretch(before, begun_us))
    }

    /// Posts at a rate, whatever arrives.
    pub(super) async fn paced(self: &Arc<Self>, per_second: u64, span: Duration) -> Result<Stretch> {
        let (before, begun_us) = (self.crowd.counted(), self.crowd.now_us());
        let begun = Instant::now();
        let step = Duration::from_secs(1) / u32::try_from(per_second.max(1)).unwrap_or(u32::MAX);
        let mut lanes = JoinSet::new();
        for lane in 0..PACED_CONNECTIONS as u32 {
            let posting = Arc::clone(self);
            lanes.spawn(async move {
                let mut connection = Connection::open(posting.addr).await?;
                let mut next = begun + step * lane;
                while next < begun + span {
                    sleep_until(next).await;
                    posting.post(&mut connection).await?;
                    next += step * PACED_CONNECTIONS as u32;
                }
                Ok(())
            });
        }
        finish(lanes).await?;
        self.crowd.wait_for(self.events_posted()).await?;
        self.crowd.forbid();
        Ok(self.stretch(before, begun_us))
    }

    async fn post(&self, connection: &mut Connection) -> Result<()> {
        let events = self.events_a_post();
        let first = self.posted.fetch_add(events, Ordering::AcqRel);
        self.crowd.posted(first);
        let status = match &self.posts {
            Posts::Webhooks { deliveries, customers, items } => {
                let customer = |item: u64| (first + item) % (*customers).max(1);
                connection.call(&deliveries.request((0..*items).map(customer))).await?
            }
            Posts::Same(request) => connection.call(request).await?,
        };
        if status == 200 { Ok(()) } else { bail!("a post was answered {status}") }
    }

    fn stretch(&self, before: Counted, begun_us: u64) -> Stretch {
        let after = self.crowd.counted();
        Stretch {
            events: after.arrived - before.arrived,
            deliveries: after.deliveries - before.deliveries,
            frames: after.frames - before.frames,
            seconds: after.last_arrival_us.saturating_sub(begun_us) as f64 / 1e6,
        }
    }
}

/// The first error, once all have ended.
async fn finish(mut lanes: JoinSet<Result<()>>) -> Result<()> {
    let mut first = Ok(());
    while let Some(lane) = lanes.join_next().await {
        let outcome = lane.unwrap_or_else(|error| Err(error.into()));
        if first.is_ok() {
            first = outcome;
        }
    }
    first
}
