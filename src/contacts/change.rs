//! The small changes: whose a contact is, who takes part, its labels, what it agreed to.

use super::Contacts;
use super::access::needs_write;
use super::save::{Saved, saved};
use crate::domain::access::Action;
use crate::domain::contact::{ConsentScope, ContactCommand};
use crate::domain::ids::{ContactId, LabelId, MemberId, TeamId};
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::shards::CommandError;
use crate::workspaces::Caller;

impl Contacts {
    /// Gives a contact to an owner, else to a team, else to nobody.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid` for who does not work here; see [`CommandError`].
    pub async fn assign(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ContactId,
        owner: Option<MemberId>,
        team: Option<TeamId>,
    ) -> Result<Saved, CommandError> {
        if let Some(owner) = owner {
            self.works_here(caller, owner, "owner")?;
        }
        if let Some(team) = team
            && !self.workspaces.find(caller.workspace).is_some_and(|workspace| workspace.teams.contains(&team))
        {
            return Err(invalid("team", "the workspace has no such team").into());
        }
        let command = || ContactCommand::Assign { asked, owner, team };
        self.change(caller, id, Action::Assign, "assign contacts", command).await
    }

    /// Lets a member take part in a contact's conversations, or no longer. Whoever may say whom the contact
    /// belongs to decides it; a member may always leave.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid` for who does not work here; see [`CommandError`].
    pub async fn collaborate(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ContactId,
        member: MemberId,
        join: bool,
    ) -> Result<Saved, CommandError> {
        if join {
            self.works_here(caller, member, "member")?;
        }
        let leaves = !join && caller.member() == Some(member);
        let action = if leaves { Action::See } else { Action::Assign };
        let command = || match join {
            true => ContactCommand::AddCollaborator { asked, member },
            false => ContactCommand::RemoveCollaborator { asked, member },
        };
        self.change(caller, id, action, "choose collaborators", command).await
    }

    /// Puts a label on, or takes it off.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for a label that is not defined; see [`CommandError`].
    pub async fn label(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ContactId,
        label: LabelId,
        on: bool,
    ) -> Result<Saved, CommandError> {
        let defined = self.workspaces.find(caller.workspace).is_some_and(|workspace| workspace.labels.contains(&label));
        if on && !defined {
            return Err(invalid("label", "the workspace has no such label").into());
        }
        let command = || match on {
            true => ContactCommand::AddLabel { asked, label },
            false => ContactCommand::RemoveLabel { asked, label },
        };
        self.change(caller, id, Action::Change, "label contacts", command).await
    }

    /// Records what a contact agreed to, or no longer does.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for an address that is not the contact's; see [`CommandError`].
    pub async fn consent(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ContactId,
        scope: ConsentScope,
        topic: String,
        withdrawn: bool,
    ) -> Result<Saved, CommandError> {
        needs_write(caller)?;
        let (id, person) = self.find_for(caller, id, Action::Change, "change this contact").await?;
        if let ConsentScope::Address(channel, address) = scope
            && !person.is_known_by(channel, address)
        {
            return Err(invalid("address", "the contact is not known by this address on this channel").into());
        }
        let command = || ContactCommand::SetConsent { asked, scope, topic: topic.clone(), withdrawn };
        Ok(saved(&self.ask(id, command).await?, id, person.version))
    }

    async fn change(
        &self,
        caller: &Caller,
        id: ContactId,
        action: Action,
        what: &'static str,
        command: impl Fn() -> ContactCommand,
    ) -> Result<Saved, CommandError> {
        needs_write(caller)?;
        let (id, person) = self.find_for(caller, id, action, what).await?;
        Ok(saved(&self.ask(id, command).await?, id, person.version))
    }

    fn works_here(&self, caller: &Caller, member: MemberId, field: &str) -> Result<(), Refusal> {
        match self.workspaces.caller(caller.workspace, member) {
            Some(_) => Ok(()),
            None => Err(invalid(field, "nobody with this id works here now")),
        }
    }
}

fn invalid(field: &str, why: &str) -> Refusal {
    Refusal::Invalid { field: field.to_owned(), why: why.to_owned() }
}
