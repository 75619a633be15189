//! Who asks: a token names a workspace, and in it a member or a key; both are found in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Workspaces;
use crate::clock::IdSource;
use crate::domain::access::{Grants, Role};
use crate::domain::author::Author;
use crate::domain::ids::{MemberId, WorkspaceId, from_ulid_text};
use crate::domain::secret::Secret;
use crate::domain::workspace::{Member, Scope, TokenDigest, Workspace};

/// Random bytes in a token: 256 bits, so a plain digest of it is enough to keep.
const TOKEN_BYTES: usize = 32;

/// What kind of token it is: its first letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A member's.
    Member,
    /// A program's key.
    Key,
}

impl Credential {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Member => "tgm_",
            Self::Key => "tgk_",
        }
    }
}

/// What somebody may do beyond what a conversation's assignment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// A member's: by role.
    Role(Role),
    /// A key's: by scope.
    Scopes(BTreeSet<Scope>),
}

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// As what they act.
    pub author: Author,
    /// What they may see.
    pub grants: Arc<Grants>,
    /// What they may do.
    pub rights: Rights,
}

impl Caller {
    /// The member, if it is one.
    #[must_use]
    pub const fn member(&self) -> Option<MemberId> {
        match self.author {
            Author::Member(member) => Some(member),
            _ => None,
        }
    }

    /// Whether they may do what this scope is for. Members may read and answer; only admins change the workspace.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        match &self.rights {
            Rights::Scopes(scopes) => scopes.contains(&scope),
            Rights::Role(Role::Admin) => true,
            Rights::Role(Role::TeamAdmin | Role::Staff) => {
                !matches!(scope, Scope::WorkspaceWrite | Scope::BroadcastsWrite)
            }
        }
    }
}

/// A fresh token of a workspace. Whoever holds it is let in; only its digest is kept.
#[must_use]
pub fn new_token(kind: Credential, workspace: WorkspaceId, ids: &dyn IdSource) -> Secret<String> {
    let mut random = [0; TOKEN_BYTES];
    ids.fill(&mut random);
    Secret::new(format!("{}{}_{}", kind.prefix(), workspace.ulid_text(), URL_SAFE_NO_PAD.encode(random)))
}

/// What is kept of a token.
#[must_use]
pub fn digest_of(token: &str) -> TokenDigest {
    TokenDigest(Sha256::digest(token.as_bytes()).into())
}

impl Workspaces {
    /// Whom a token names; none if it is nobody's, or no longer.
    #[must_use]
    pub fn admit(&self, token: &str) -> Option<Caller> {
        let (kind, rest) = [Credential::Member, Credential::Key]
            .into_iter()
            .find_map(|kind| Some((kind, token.strip_prefix(kind.prefix())?)))?;
        let id = WorkspaceId(from_ulid_text(rest.split_once('_')?.0)?);
        let workspace = self.find(id)?;
        let digest = digest_of(token);
        match kind {
            Credential::Member => {
                let now = self.shards.node().surroundings.clock.now();
                let (member, details) = workspace.member_by_token(digest, now)?;
                Some(as_member(id, &workspace, member, details))
            }
            Credential::Key => {
                let (key, details) = workspace.api_key(digest)?;
                Some(Caller {
                    workspace: id,
                    author: Author::Key(key),
                    grants: Arc::new(all_grants()),
                    rights: Rights::Scopes(details.scopes.clone()),
                })
            }
        }
    }

    /// A member as they stand now; none if they work here no longer.
    #[must_use]
    pub fn caller(&self, workspace: WorkspaceId, member: MemberId) -> Option<Caller> {
        let state = self.find(workspace)?;
        let details = state.members.get(&member).filter(|details| !details.disabled)?;
        Some(as_member(workspace, &state, member, details))
    }
}

fn as_member(id: WorkspaceId, workspace: &Workspace, member: MemberId, details: &Member) -> Caller {
    let shares_a_team = |other: &Member| other.teams.iter().any(|team| details.teams.contains(team));
    let team_members = match details.role {
        Role::TeamAdmin => {
            workspace.members.iter().filter(|(_, other)| shares_a_team(other)).map(|(id, _)| *id).collect()
        }
        Role::Admin | Role::Staff => Vec::new(),
    };
    let grants = Grants {
        member,
        role: details.role,
        teams: details.teams.iter().copied().collect(),
        team_members,
        dedicated: details.accounts.iter().copied().collect(),
    };
    Caller {
        workspace: id,
        author: Author::Member(member),
        grants: Arc::new(grants),
        rights: Rights::Role(details.role),
    }
}

/// Programs see every conversation of their workspace; what they may do with them is their scopes' affair.
fn all_grants() -> Grants {
    Grants {
        member: MemberId(0),
        role: Role::Admin,
        teams: Vec::new(),
        team_members: Vec::new(),
        dedicated: Vec::new(),
    }
}
