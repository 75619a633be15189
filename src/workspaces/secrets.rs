//! The secrets by which webhooks of an app are verified: read from private rows, kept in memory.

use std::sync::Arc;

use super::Workspaces;
use crate::domain::entity::EntityKind;
use crate::domain::ids::{AppId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::secret::Secret;
use crate::domain::workspace::verify_token_slot;
use crate::shards::CommandError;

/// An app's secrets.
pub struct AppSecrets {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The platform.
    pub channel: Channel,
    /// Those that sign its webhooks, newest first: two while one is being replaced.
    pub signing: Vec<Secret<String>>,
    /// The token that answers the platform's verification.
    pub verify_tokens: Vec<Secret<String>>,
    /// The numbers of the signing secrets, by which a newer list is told from this one.
    numbers: Vec<u32>,
}

impl Workspaces {
    /// The secrets of an app; none if there is no such app.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn app_secrets(&self, id: AppId) -> Result<Option<Arc<AppSecrets>>, CommandError> {
        let Some((workspace, channel)) = self.app(id) else { return Ok(None) };
        let Some(app) = self.find(workspace).and_then(|found| found.apps.get(&id).cloned()) else { return Ok(None) };
        if let Some(known) = self.secrets.get(&id)
            && known.numbers == app.secrets
        {
            return Ok(Some(Arc::clone(&known)));
        }
        let mut signing = Vec::with_capacity(app.secrets.len());
        for slot in app.secret_slots(id) {
            signing.extend(self.secret(workspace, &slot).await?);
        }
        let verify_tokens = self.secret(workspace, &verify_token_slot(id)).await?.into_iter().collect();
        let loaded = Arc::new(AppSecrets { workspace, channel, signing, verify_tokens, numbers: app.secrets });
        self.secrets.insert(id, Arc::clone(&loaded));
        Ok(Some(loaded))
    }

    pub(super) async fn secret(
        &self,
        workspace: WorkspaceId,
        slot: &str,
    ) -> Result<Option<Secret<String>>, CommandError> {
        let bytes = self.shards.private(EntityKind::Workspace, workspace.0, slot).await?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(Secret::new))
    }
}
