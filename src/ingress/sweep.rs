//! The owner's sweep: items that their actors could not take at once are brought to them again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Ingress;
use super::carry::Carried;
use super::facts::{self, Target};
use super::lanes::Left;
use crate::shards::CommandError;

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
        let ingress = &self.0;
        for shard in 0..ingress.shards.count() {
            let now = ingress.shards.node().surroundings.clock.now();
            let due = ingress.shards.deferred(shard, now, PAGE).await?;
            let mut off = Vec::with_capacity(due.len());
            let mut full: BTreeSet<Option<Target>> = BTreeSet::new();
            for (key, item) in due {
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
                    Err(CommandError::Unavailable { .. }) => break,
                    outcome => {
                        match ingress.leave(item, outcome) {
                            Left::Later(shard, due, item) => ingress.shards.defer(&[(shard, due, *item)]).await?,
                            Left::Kept(id, delivery) => ingress.shards.keep(&[(id, *delivery)]).await?,
                        }
                        off.push(key);
                    }
                }
            }
            settled += off.len();
            ingress.shards.undefer(shard, off).await?;
        }
        Ok(settled)
    }
}
