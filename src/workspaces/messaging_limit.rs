//! The messaging limits of a workspace's portfolios: reading them, and setting their tier.

use super::Workspaces;
use crate::domain::ids::{LimitScopeId, WorkspaceId};
use crate::domain::inbound::LimitTier;
use crate::domain::limit::{LimitCommand, LimitScope, TIERS};
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::shards::CommandError;

/// How a messaging limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitStanding {
    /// The tier.
    pub tier: LimitTier,
    /// How many customers count now.
    pub used: usize,
    /// How many further ones may be written to now; none means any number.
    pub free: Option<usize>,
    /// When the next further one may be.
    pub next_free_at: Timestamp,
}

impl Workspaces {
    /// How a messaging limit stands now.
    ///
    /// # Errors
    /// No account of the workspace counts against it, or it could not be reached.
    pub async fn limit(&self, workspace: WorkspaceId, id: LimitScopeId) -> Result<LimitStanding, CommandError> {
        self.check_limit(workspace, id)?;
        let now = self.shards.node().surroundings.clock.now();
        let rules = self.shards.node().options.rules;
        let read = move |scope: &LimitScope| LimitStanding {
            tier: scope.tier(&rules),
            used: scope.used(&rules, now),
            free: scope.free(&rules, now),
            next_free_at: scope.free_at(&rules, now),
        };
        self.shards.view::<LimitScope, _>(id.0, read).await
    }

    /// Sets the tier, as the provider told an admin.
    ///
    /// # Errors
    /// No account of the workspace counts against it, or there is no such tier.
    pub async fn set_tier(
        &self,
        workspace: WorkspaceId,
        asked: Asked,
        id: LimitScopeId,
        tier: LimitTier,
    ) -> Result<(), CommandError> {
        self.check_limit(workspace, id)?;
        if !TIERS.contains(&tier) {
            let why = "the tiers are 250, 2000, 10000, 100000 and \"unlimited\"".to_owned();
            return Err(Refusal::Invalid { field: "tier".to_owned(), why }.into());
        }
        let at = self.shards.node().surroundings.clock.now();
        let command = LimitCommand::SetTier { tier, at, author: asked.author };
        self.shards.ask::<LimitScope>(id.0, command).await.map(drop)
    }

    fn check_limit(&self, workspace: WorkspaceId, id: LimitScopeId) -> Result<(), Refusal> {
        let counts = |state: &crate::domain::workspace::Workspace| {
            state.accounts.values().any(|account| account.limit_scope == id)
        };
        let known = self.find(workspace).is_some_and(|state| counts(&state));
        if known { Ok(()) } else { Err(Refusal::NotFound { what: "limit" }) }
    }
}
