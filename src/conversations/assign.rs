//! Whom a conversation's contact belongs to: asked of the contact, which tells all its conversations.

use super::api::{AssignRequest, Assigned, CollaborateRequest};
use super::{Conversations, HOPS_MAX, invalid, not_found};
use crate::domain::access::Action;
use crate::domain::contact::{Contact, ContactAnswer, ContactCommand};
use crate::domain::ids::{ContactId, ConversationId};
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::shards::CommandError;
use crate::workspaces::Caller;

impl Conversations {
    /// Gives a conversation's contact to an owner, else to a team, else to nobody. The version in the terms is the
    /// contact's.
    ///
    /// # Errors
    /// See [`Self::line`]; an unknown member or team.
    pub async fn assign(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ConversationId,
        request: AssignRequest,
    ) -> Result<Assigned, CommandError> {
        let AssignRequest { owner, team } = request;
        let line = self.line(caller, id, Action::Assign).await?;
        if owner.is_some_and(|owner| !self.works_here(caller, owner)) {
            return Err(invalid("owner", "nobody of that id works here"));
        }
        if let Some(team) = team
            && !self.workspaces.find(caller.workspace).is_some_and(|workspace| workspace.teams.contains(&team))
        {
            return Err(invalid("team", "there is no such team"));
        }
        self.tell_contact(line.contact, || ContactCommand::Assign { asked, owner, team }).await
    }

    /// Asks a member to join in, or no longer. Whoever joined in may leave by themselves. The version in the terms is
    /// the contact's.
    ///
    /// # Errors
    /// See [`Self::line`]; an unknown member.
    pub async fn collaborate(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ConversationId,
        request: CollaborateRequest,
    ) -> Result<Assigned, CommandError> {
        let CollaborateRequest { member, remove } = request;
        let leaves = remove && caller.member() == Some(member);
        let line = self.line(caller, id, if leaves { Action::See } else { Action::Assign }).await?;
        if !remove && !self.works_here(caller, member) {
            return Err(invalid("member", "nobody of that id works here"));
        }
        let command = || match remove {
            true => ContactCommand::RemoveCollaborator { asked, member },
            false => ContactCommand::AddCollaborator { asked, member },
        };
        self.tell_contact(line.contact, command).await
    }

    async fn tell_contact(
        &self,
        first: ContactId,
        command: impl Fn() -> ContactCommand,
    ) -> Result<Assigned, CommandError> {
        let mut asked = first;
        for _ in 0..HOPS_MAX {
            match self.shards.ask::<Contact>(asked.0, command()).await {
                Ok(ContactAnswer::Saved { id, version, .. }) => {
                    let assignment = self
                        .shards
                        .view::<Contact, _>(id.0, |contact| contact.person().map(|person| person.assignment.clone()))
                        .await?
                        .ok_or_else(not_found)?;
                    let (owner, team, collaborators) = (assignment.owner, assignment.team, assignment.collaborators);
                    return Ok(Assigned { contact: id, contact_version: version, owner, team, collaborators });
                }
                Err(CommandError::Refused(Refusal::Moved { to })) => asked = ContactId(to),
                // The conversation is there, so its contact will be in a moment.
                Ok(_) | Err(CommandError::Refused(Refusal::NotFound { .. })) => return Err(CommandError::unavailable()),
                Err(error) => return Err(error),
            }
        }
        Err(CommandError::unavailable())
    }
}
