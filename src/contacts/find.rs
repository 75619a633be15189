//! The way to a contact: redirects are followed, and what the asker may not see is not there.

use super::Contacts;
use crate::domain::access::Action;
use crate::domain::contact::{Contact, ContactAnswer, ContactCommand, Person};
use crate::domain::entity::Entity;
use crate::domain::ids::{ContactId, WorkspaceId};
use crate::domain::refusal::Refusal;
use crate::shards::CommandError;
use crate::workspaces::Caller;

/// Redirects that are followed for somebody who asks. Chains have no loops, and merges make them short.
const HOPS_MAX: usize = 8;
/// Redirects that a fact follows: it must arrive, and a person has at most so many addresses and more.
const FACT_HOPS_MAX: usize = 128;

impl Contacts {
    /// The person at an id of a workspace, behind its redirects, and the id it has.
    pub(super) async fn find(
        &self,
        workspace: WorkspaceId,
        id: ContactId,
    ) -> Result<Option<(ContactId, Person)>, CommandError> {
        let mut at = id;
        for _ in 0..=HOPS_MAX {
            let state = self.shards.view::<Contact, _>(at.0, Clone::clone).await?;
            if state.workspace() != Some(workspace) {
                return Ok(None);
            }
            match state {
                Contact::Nobody => return Ok(None),
                Contact::Moved { to, .. } => at = to,
                Contact::Person(person) => return Ok(Some((at, *person))),
            }
        }
        Err(CommandError::unavailable())
    }

    /// The person at an id, if the asker may do this with it.
    ///
    /// # Errors
    /// `NotFound` where the asker may not even see it; `Forbidden` where the action alone is denied.
    pub(super) async fn find_for(
        &self,
        caller: &Caller,
        id: ContactId,
        action: Action,
        what: &'static str,
    ) -> Result<(ContactId, Person), CommandError> {
        let not_found = Refusal::NotFound { what: "contact" };
        let (id, person) = self.find(caller.workspace, id).await?.ok_or_else(|| not_found.clone())?;
        if !self.may(caller, &person, Action::See) {
            return Err(not_found.into());
        }
        if !self.may(caller, &person, action) {
            return Err(Refusal::Forbidden { what }.into());
        }
        Ok((id, person))
    }

    /// Asks a contact, or the one it redirects to.
    pub(super) async fn ask(
        &self,
        id: ContactId,
        command: impl Fn() -> ContactCommand,
    ) -> Result<ContactAnswer, CommandError> {
        self.shards.takes_commands(id.0)?;
        self.follow(id, HOPS_MAX, command).await
    }

    /// Tells a contact a fact, or the one it redirects to.
    pub(super) async fn tell(&self, id: ContactId, command: impl Fn() -> ContactCommand) -> Result<(), CommandError> {
        self.follow(id, FACT_HOPS_MAX, command).await.map(drop)
    }

    async fn follow(
        &self,
        id: ContactId,
        hops_max: usize,
        command: impl Fn() -> ContactCommand,
    ) -> Result<ContactAnswer, CommandError> {
        let mut at = id;
        for _ in 0..=hops_max {
            match self.shards.ask::<Contact>(at.0, command()).await {
                Ok(ContactAnswer::Forward(to)) => at = to,
                Err(CommandError::Refused(Refusal::Moved { to })) => at = ContactId(to),
                answer => return answer,
            }
        }
        tracing::warn!(contact = %id, hops_max, "gave up on a chain of redirects");
        Err(CommandError::unavailable())
    }
}
