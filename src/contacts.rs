//! Contacts as people and programs use them.

use std::sync::Arc;

use crate::domain::effect::Effect;
use crate::shards::{CommandError, Shards};
use crate::workspaces::Workspaces;

/// Contacts of every workspace.
pub struct Contacts {}

impl Contacts {
    /// Of these shards.
    #[must_use]
    pub fn new(_: Arc<Shards>, _: Arc<Workspaces>) -> Arc<Self> {
        Arc::new(Self {})
    }

    /// Carries an effect.
    pub async fn carry(&self, _: &Effect) -> Option<Result<(), CommandError>> {
        None
    }
}
