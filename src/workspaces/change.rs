//! Beginning a workspace and changing it, by asking its actor.

use std::collections::BTreeSet;

use super::Workspaces;
use crate::domain::entity::{Context, Entity, EntityKind};
use crate::domain::ids::{MemberId, WorkspaceId};
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::domain::role::Role;
use crate::domain::secret::Secret;
use crate::domain::workspace::{MemberProfile, Workspace, WorkspaceAnswer, WorkspaceChange, WorkspaceCommand};
use crate::shards::CommandError;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The workspace's version now.
    pub version: u64,
    /// It was so before, or the same command came before.
    pub repeated: bool,
}

/// The workspace's first admin, as they are handed in.
#[derive(Clone)]
pub struct NewAdmin {
    /// The name.
    pub name: String,
    /// The e-mail address, by which they sign in.
    pub email: String,
    /// The password; none where they enter by a token alone.
    pub password: Option<Secret<String>>,
}

/// A workspace that has begun.
pub struct Begun {
    /// The workspace's version now.
    pub version: u64,
    /// The first admin.
    pub admin: MemberId,
    /// A token of the admin. It is told this once; each repetition tells another.
    pub token: Secret<String>,
}

impl Workspaces {
    /// Begins a workspace with its first admin. A repetition does what is still missing.
    ///
    /// # Errors
    /// A refusal of the name, the address or the password; then nothing has begun.
    pub async fn begin(
        &self,
        id: WorkspaceId,
        asked: Asked,
        name: String,
        admin: NewAdmin,
    ) -> Result<Begun, CommandError> {
        let member = MemberId(self.keys().keyed(id, "member", "first admin"));
        let password_hash = self.hashed(admin.password).await?;
        let profile = || MemberProfile {
            name: Some(admin.name.clone()),
            email: Some(admin.email.clone()),
            password_hash: password_hash.clone(),
        };
        // Judged beforehand, so that no workspace begins that nobody can enter.
        self.rehearse(id, &asked, first_admin(member, profile()))?;
        self.shards.ask::<Workspace>(id.0, WorkspaceCommand::Create { asked, name }).await?;
        // Only the beginning carries the key: each later step finds by itself whether it was done.
        let alone = Asked::by(asked.author);
        let saved = self.change(id, alone, first_admin(member, profile())).await?;
        let token = self.issue_token(id, alone, member, None).await?;
        Ok(Begun { version: saved.version.max(token.version), admin: member, token: token.token })
    }

    /// Changes a workspace. What it says is visible to every request when this answers.
    ///
    /// # Errors
    /// The rule that said no, or that the workspace could not be reached.
    pub async fn change(&self, id: WorkspaceId, asked: Asked, change: WorkspaceChange) -> Result<Saved, CommandError> {
        self.shards.takes_commands(id.0)?;
        let command = WorkspaceCommand::Change { asked, change: Box::new(change) };
        match self.shards.ask::<Workspace>(id.0, command).await? {
            WorkspaceAnswer::Saved { version, repeated } => Ok(Saved { version, repeated }),
            // Only facts are noted.
            WorkspaceAnswer::Noted => Err(CommandError::Panicked),
        }
    }

    /// The hash of a new password, in its own text form; none of none.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for one that is too short or too long; overloaded where too many wait.
    pub async fn hashed(&self, password: Option<Secret<String>>) -> Result<Option<Secret<String>>, CommandError> {
        match password {
            Some(password) => self.passwords.hash(password, &*self.shards.node().surroundings.ids).await.map(Some),
            None => Ok(None),
        }
    }

    /// Texts that are kept in private rows of a workspace, in the order asked.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn texts(&self, id: WorkspaceId, slots: &[String]) -> Result<Vec<Option<String>>, CommandError> {
        let rows = self.shards.privates_at(EntityKind::Workspace, id.0, slots).await?;
        Ok(rows.into_iter().map(|row| row.and_then(|bytes| String::from_utf8(bytes).ok())).collect())
    }

    /// Judges a change against a workspace that has just begun.
    fn rehearse(&self, id: WorkspaceId, asked: &Asked, change: WorkspaceChange) -> Result<(), Refusal> {
        let fresh = Workspace { id: Some(id), ..Workspace::default() };
        let now = self.shards.node().surroundings.clock.now();
        let context =
            Context { now, id: id.0, keys: self.keys(), rules: &self.shards.node().options.rules, broadcasts: &[] };
        let command = WorkspaceCommand::Change { asked: Asked::by(asked.author), change: Box::new(change) };
        fresh.decide(command, &context).map(drop)
    }
}

fn first_admin(id: MemberId, profile: MemberProfile) -> WorkspaceChange {
    WorkspaceChange::AddMember { id, role: Role::Admin, teams: BTreeSet::new(), accounts: BTreeSet::new(), profile }
}
