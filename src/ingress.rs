//! What providers push: a verified body becomes items, items become facts of the actors they concern.
//!
//! A delivery is answered 200 when every item of it is durable: in its actor's log, or as a fact that
//! the owner's sweep takes later. It is refused only before anything of it was promised, and then the
//! provider sends it again; whatever was taken meanwhile is met by its own repetition.

mod carry;
mod facts;
mod lanes;
mod route;
mod sweep;

use std::sync::Arc;

use futures_util::future::join_all;

use crate::actors::Waiting;
use crate::broken::{self, Fault};
use crate::channels::{self, ChannelError};
use crate::domain::ids::{AppId, DeliveryId};
use crate::domain::message::Channel;
use crate::domain::time::Timestamp;
use crate::numbers::Numbers;
use crate::shards::{CommandError, DeferredItem, KeptDelivery, KeptReason, Shards};
use crate::workspaces::Workspaces;

use self::lanes::{Left, lanes};
pub use self::sweep::Sweep;

/// Takes deliveries.
pub struct Ingress {
    shards: Arc<Shards>,
    workspaces: Arc<Workspaces>,
    numbers: Arc<Numbers>,
    /// Items that wait for their actors.
    items: Waiting,
}

/// A verified delivery.
pub struct Arrival<'a> {
    /// The app it came by.
    pub app: AppId,
    /// The app's platform.
    pub channel: Channel,
    /// The body as it came.
    pub body: &'a [u8],
    /// When it arrived.
    pub arrived_at: Timestamp,
}

/// What became of a delivery's items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Items in their actors' logs.
    pub taken: usize,
    /// Items that wait for the sweep.
    pub deferred: usize,
    /// What nobody took: kept under these ids.
    pub kept: Vec<DeliveryId>,
}

impl Ingress {
    /// What takes deliveries for these shards. More than `items_max` items do not wait for their actors: they are
    /// kept for the sweep.
    #[must_use]
    pub fn new(shards: Arc<Shards>, workspaces: Arc<Workspaces>, numbers: Arc<Numbers>, items_max: usize) -> Arc<Self> {
        Arc::new(Self { shards, workspaces, numbers, items: Waiting::at_most(items_max) })
    }

    /// Takes a verified delivery. When it answers `Ok` every item is durable.
    ///
    /// # Errors
    /// The store could not be written: the provider must send it again.
    pub async fn take(&self, arrival: &Arrival<'_>) -> Result<Report, CommandError> {
        let items = match channels::parse(arrival.channel, arrival.body) {
            Ok(items) => items,
            Err(error) => return self.keep_unreadable(arrival, &error).await,
        };
        let mut report = Report::default();
        let mut kept = Vec::new();
        let mut carried = Vec::new();
        let mut left = Vec::new();
        let mut room = Vec::new();
        for item in items {
            let routes = route::accounts(&self.workspaces, arrival.channel, arrival.app, &item.account);
            if routes.is_empty() {
                kept.push(self.unrouted(arrival, &item));
                continue;
            }
            // Most items are for one account: the last one takes the item itself.
            let mut copies = std::iter::repeat_n(item, routes.len());
            for (route, item) in routes.into_iter().zip(copies.by_ref()) {
                if let facts::Concern::Message { at, .. } = facts::concern(&item.kind) {
                    if broken::happens(Fault::DropMessage) {
                        continue;
                    }
                    self.numbers.count_inbound(route.account, at);
                }
                let deferred = DeferredItem {
                    workspace: route.workspace,
                    account: route.account,
                    channel: arrival.channel,
                    app: arrival.app,
                    arrived_at: arrival.arrived_at,
                    panics: 0,
                    tries: 0,
                    item,
                };
                match self.items.permit() {
                    Some(permit) => {
                        room.push(permit);
                        carried.push(deferred);
                    }
                    None => left.push(self.leave(deferred, Err(CommandError::overloaded()))),
                }
            }
        }
        let mut lanes = lanes(&self.shards, carried);
        let outcomes = match lanes.pop() {
            Some(only) if lanes.is_empty() => vec![self.carry_lane(only).await],
            last => join_all(lanes.into_iter().chain(last).map(|lane| self.carry_lane(lane))).await,
        };
        for (taken, left_over) in outcomes {
            report.taken += taken;
            left.extend(left_over);
        }
        let mut deferred = Vec::new();
        for left in left {
            match left {
                Left::Later(shard, due, item) => deferred.push((shard, due, *item)),
                Left::Kept(id, delivery) => kept.push((id, *delivery)),
            }
        }
        // Only here may a delivery be refused: nothing of these was promised yet.
        self.shards.defer(&deferred).await?;
        self.shards.keep(&kept).await?;
        drop(room);
        report.deferred = deferred.len();
        report.kept = kept.into_iter().map(|(id, _)| id).collect();
        count(arrival.channel, &report);
        Ok(report)
    }

    async fn keep_unreadable(&self, arrival: &Arrival<'_>, error: &ChannelError) -> Result<Report, CommandError> {
        let id = self.shards.delivery_id(arrival.app, arrival.body);
        tracing::warn!(delivery = %id, channel = arrival.channel.word(), %error, "a signed delivery cannot be read; it is kept");
        let delivery = KeptDelivery {
            reason: KeptReason::Unreadable,
            channel: arrival.channel,
            app: arrival.app,
            workspace: None,
            arrived_at: arrival.arrived_at,
            item_id: None,
            raw: String::from_utf8_lossy(arrival.body).into_owned(),
        };
        self.shards.keep(&[(id, delivery)]).await?;
        let report = Report { kept: vec![id], ..Report::default() };
        count(arrival.channel, &report);
        Ok(report)
    }

    fn unrouted(
        &self,
        arrival: &Arrival<'_>,
        item: &crate::domain::inbound::InboundItem,
    ) -> (DeliveryId, KeptDelivery) {
        let id = self.shards.delivery_id(arrival.app, item.item_id.as_bytes());
        tracing::warn!(delivery = %id, channel = arrival.channel.word(), "nobody has connected the account of an item; it is kept");
        (id, facts::kept(KeptReason::Unrouted, arrival.channel, arrival.app, None, arrival.arrived_at, item))
    }
}

fn count(channel: Channel, report: &Report) {
    let channel = channel.word();
    metrics::counter!("tidegate_items_total", "channel" => channel, "fate" => "taken").increment(report.taken as u64);
    metrics::counter!("tidegate_items_total", "channel" => channel, "fate" => "deferred")
        .increment(report.deferred as u64);
    metrics::counter!("tidegate_items_total", "channel" => channel, "fate" => "kept")
        .increment(report.kept.len() as u64);
}
