//! Broadcasts: one message to an audience, from its draft to the last receipt.
//!
//! A broadcast and its chunks decide in their own actors. Here is who drives them: a run for each broadcast that is under
//! way, which freezes the audience, claims blocks when the number grants a turn, and records what became of them.

mod act;
mod attribute;
mod audience;
mod claim;
mod draft;
mod drive;
mod freeze;
mod hear;
mod open_chunks;
mod report;
mod run;
mod tell;
mod totals;
mod view;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dashmap::DashMap;

use crate::domain::broadcast::chunk_id;
use crate::domain::ids::BroadcastId;
use crate::domain::time::Timestamp;
use crate::limits::Limits;
use crate::numbers::Numbers;
use crate::shards::Shards;
use crate::workspaces::Workspaces;

use self::run::Run;
use self::totals::Totals;

pub use self::act::{Saved, Unconfirmed};
pub use self::audience::{Audience, LabelCondition, PropertyCondition, shown};
pub use self::draft::Draft;
pub use self::run::LimitedBy;
pub use self::view::{BroadcastView, RecipientPage, RecipientShown, Recount};

/// Every broadcast of this process's shards.
pub struct Broadcasts {
    shards: Arc<Shards>,
    workspaces: Arc<Workspaces>,
    numbers: Arc<Numbers>,
    limits: Arc<Limits>,
    /// This process: it doubts what others had claimed.
    owner: u128,
    /// Every shard and workspace is open: runs may begin.
    open: AtomicBool,
    runs: DashMap<BroadcastId, Arc<Run>>,
    totals: DashMap<BroadcastId, Arc<Totals>>,
}

impl Broadcasts {
    /// The broadcasts of these shards; nothing runs before [`Self::load`].
    #[must_use]
    pub fn new(shards: Arc<Shards>, workspaces: Arc<Workspaces>, numbers: Arc<Numbers>) -> Arc<Self> {
        let surroundings = &shards.node().surroundings;
        let owner = surroundings.ids.ulid(surroundings.clock.now());
        let limits = Limits::new(Arc::clone(&shards));
        let (runs, totals) = (DashMap::new(), DashMap::new());
        let open = AtomicBool::new(false);
        Arc::new(Self { open, shards, workspaces, numbers, limits, owner, runs, totals })
    }

    fn now(&self) -> Timestamp {
        self.shards.node().surroundings.clock.now()
    }

    fn chunk(&self, broadcast: BroadcastId, chunk: u32) -> u128 {
        chunk_id(&self.shards.node().keys, broadcast, chunk)
    }
}
