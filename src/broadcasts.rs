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
mod fill;
mod freeze;
mod hear;
mod open_chunks;
mod preview;
mod progress;
mod report;
mod run;
mod tell;
mod totals;
mod view;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

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
pub use self::audience::{Audience, LabelCondition, PropertyCondition};
pub use self::draft::Draft;
pub use self::preview::Preview;
pub use self::progress::Progress;
pub use self::run::LimitedBy;
pub use self::view::{BroadcastView, RecipientPage, RecipientShown, Recount};

/// Hears how a broadcast goes, a few times a second.
type Listener = Box<dyn Fn(&Progress) + Send + Sync>;

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
    /// Who hears how runs go.
    listener: OnceLock<Listener>,
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
        let listener = OnceLock::new();
        Arc::new(Self { open, listener, shards, workspaces, numbers, limits, owner, runs, totals })
    }

    /// Tells `listener` how each broadcast goes, at most twice a second and only what changed. The first one stays.
    pub fn on_progress(&self, listener: impl Fn(&Progress) + Send + Sync + 'static) {
        // A second listener would be a mistake in the wiring, and the first one goes on.
        let _ = self.listener.set(Box::new(listener));
    }

    fn now(&self) -> Timestamp {
        self.shards.node().surroundings.clock.now()
    }

    fn chunk(&self, broadcast: BroadcastId, chunk: u32) -> u128 {
        chunk_id(&self.shards.node().keys, broadcast, chunk)
    }
}
