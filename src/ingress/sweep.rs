//! The owner's sweep: items that their actors could not take at once are brought to them again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Ingress;
use super::carry::Carried;
use super::facts::{self, Target};
use super::lanes::Left;
use crate::shards::{CommandError, DeferredItem, DeferredKey};

/// Items taken from a shard in one go.
const PAGE: usize = 200;
/// How often the sweep looks.
const EVERY: Duration = Duration::from_secs(1);

/// The sweep over every shard of this process.
pub struct Sweep(Arc<Ingress>);

impl Sweep {
    /// A sweep for what takes deliveries here.
    #[must_use]
    pub const fn new(ingress: Arc<Ingress>) -> Self {
        Self(ingress)
    }

    /// Sweeps, as long as the process lives.
    pub async fn run(self) {
        loop {
            match self.once().await {
                Ok(0) => tokio::time::sleep(EVERY).await,
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => {
                    tracing::debug!(%error, "the sweep could not go on; trying again");
                    tokio::time::sleep(EVERY).await;
                }
            }
        }
    }

    /// Brings what is due to its actors once. Answers how many items were taken off the list.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn once(&self) -> Result<usize, CommandError> {
        let mut settled = 0;
        for shard in 0..self.0.shards.count() {
            settled += self.shard(shard).await?;
        }
        Ok(settled)
    }

    /// Goes through what is due in a shard, page by page: the actors that are full do not keep the others waiting.
    async fn shard(&self, shard: u16) -> Result<usize, CommandError> {
        let shards = &self.0.shards;
        let now = shards.node().surroundings.clock.now();
        let mut full: BTreeSet<Option<Target>> = BTreeSet::new();
        let (mut settled, mut after) = (0, None);
        loop {
            let page = shards.deferred(shard, now, after, PAGE).await?;
            after = page.last().map(|(key, _)| key.clone());
            let is_last = page.len() < PAGE;
            let (off, anybody) = self.carry_page(page, &mut full).await?;
            settled += off.len();
            shards.undefer(shard, off).await?;
            if is_last || !anybody {
                return Ok(settled);
            }
        }
    }

    /// Brings a page to its actors, except to those that are full. Answers which items come off the list, and whether
    /// anybody of the shard answers.
    async fn carry_page(
        &self,
        page: Vec<(DeferredKey, DeferredItem)>,
        full: &mut BTreeSet<Option<Target>>,
    ) -> Result<(Vec<DeferredKey>, bool), CommandError> {
        let ingress = &self.0;
        let mut off = Vec::with_capacity(page.len());
        for (key, item) in page {
            let target = facts::target(&ingress.shards.node().keys, &item);
            if full.contains(&target) {
                continue;
            }
            match ingress.carry(&item).await {
                Ok(Carried::Taken) => off.push(key),
                Err(CommandError::Overloaded { .. }) => {
                    // It keeps its place, and those of the same actor behind it; the others need not wait.
                    full.insert(target);
                }
                // Nobody of the shard answers: all keep their places.
                Err(CommandError::Unavailable { .. }) => return Ok((off, false)),
                outcome => {
                    match ingress.leave(item, outcome) {
                        Left::Later(shard, due, item) => ingress.shards.defer(&[(shard, due, *item)]).await?,
                        Left::Kept(id, delivery) => ingress.shards.keep(&[(id, *delivery)]).await?,
                    }
                    off.push(key);
                }
            }
        }
        Ok((off, true))
    }
}
