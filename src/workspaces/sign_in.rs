//! Entering by e-mail address and password, and the tokens of members.

use std::time::Duration;

use super::{Credential, Saved, Workspaces, digest_of, new_token};
use crate::domain::author::Author;
use crate::domain::ids::{MemberId, WorkspaceId};
use crate::domain::recall::Asked;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::workspace::{WorkspaceChange, email_hash, member_slot};
use crate::shards::CommandError;

/// How long a token that came of signing in is good.
pub const SESSION: Duration = Duration::from_secs(14 * 24 * 3_600);

/// Somebody who signed in.
pub struct SignedIn {
    /// Who.
    pub member: MemberId,
    /// Their token. It is told this once.
    pub token: Secret<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A token that was issued.
pub struct Issued {
    /// The token. It is told this once.
    pub token: Secret<String>,
    /// The workspace's version now.
    pub version: u64,
}

impl Workspaces {
    /// Lets a member in by e-mail address and password; none where they do not fit, whichever it was.
    ///
    /// # Errors
    /// [`crate::domain::refusal::Refusal::ComeBack`] after ten failures in five minutes; overloaded where too
    /// many wait.
    pub async fn sign_in(
        &self,
        workspace: WorkspaceId,
        email: &str,
        password: Secret<String>,
    ) -> Result<Option<SignedIn>, CommandError> {
        let now = self.shards.node().surroundings.clock.now();
        let email = email_hash(self.keys(), email);
        let address = self.keys().hash(b"sign_in", &[&workspace.0.to_be_bytes(), &email.to_be_bytes()]);
        self.attempts.begin(address, now)?;
        let member = self.find(workspace).and_then(|state| state.member_by_email(email).map(|(id, _)| id));
        let hashed = match member {
            Some(member) => self.secret(workspace, &member_slot(member, "password")).await?,
            None => None,
        };
        let fits = self.passwords.verify(password, hashed).await?;
        let Some(member) = member.filter(|_| fits) else { return Ok(None) };
        self.attempts.succeeded(address);
        let expires_at = now + SESSION;
        let asked = Asked::by(Author::Member(member));
        let issued = self.issue_token(workspace, asked, member, Some(expires_at)).await?;
        Ok(Some(SignedIn { member, token: issued.token, expires_at }))
    }

    /// Ends a member's token.
    ///
    /// # Errors
    /// The workspace could not be reached.
    pub async fn sign_out(&self, workspace: WorkspaceId, member: MemberId, token: &str) -> Result<Saved, CommandError> {
        let change = WorkspaceChange::RevokeToken { member, digest: digest_of(token) };
        self.change(workspace, Asked::by(Author::Member(member)), change).await
    }

    /// Issues a member's token. Each time it is another one: only its digest is kept, so it cannot be told again.
    ///
    /// # Errors
    /// There is no such member, or they are disabled.
    pub async fn issue_token(
        &self,
        workspace: WorkspaceId,
        asked: Asked,
        member: MemberId,
        expires_at: Option<Timestamp>,
    ) -> Result<Issued, CommandError> {
        let token = new_token(Credential::Member, workspace, &*self.shards.node().surroundings.ids);
        let change = WorkspaceChange::IssueToken { member, digest: digest_of(token.expose()), expires_at };
        // Without the request's key: a repetition must be able to tell a token that is good.
        let saved = self.change(workspace, Asked { key: None, ..asked }, change).await?;
        Ok(Issued { token, version: saved.version })
    }
}
