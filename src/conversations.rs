//! Conversations as people and programs use them: lists, threads, sending, and the small commands.

pub mod inbox;

use std::sync::Arc;

use crate::domain::window::profiles::Switches;
use crate::shards::Shards;
use crate::workspaces::Workspaces;

/// Conversations of every workspace.
pub struct Conversations {
    pub(crate) inbox: Arc<inbox::Inbox>,
}

impl Conversations {
    /// Of these shards.
    #[must_use]
    pub fn new(_: Arc<Shards>, _: Arc<Workspaces>, inbox: Arc<inbox::Inbox>, _: Switches) -> Arc<Self> {
        Arc::new(Self { inbox })
    }
}
