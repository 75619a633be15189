//! What push needs from the floors that plug it in: who may enter, what commands do, what the
//! store still has. All futures run on the session's own arbiter; all have a deadline here.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};

use super::cursor::Cursor;
use super::entry::{FeedEntry, Viewer};
use crate::domain::ids::{MemberId, WorkspaceId};

/// A bearer token as the client sent it. A secret: it has no Debug.
pub struct Token(pub String);

/// Who sits at a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The member.
    pub member: MemberId,
    /// The socket's number, distinct on its arbiter as long as the process lives.
    pub session: u64,
}

/// What a token, or a member's present rights, admit to.
pub struct Grant {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The member.
    pub member: MemberId,
    /// What the member may see.
    pub viewer: Rc<dyn Viewer>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Not before something changes; the stable word is told to the client (`token_expired`).
    Refused(&'static str),
    /// It cannot be decided now.
    TryLater,
}

/// Decides who may enter.
pub trait Gatekeeper {
    /// Whom the token names and what that member may see.
    fn admit(&self, token: Token) -> LocalBoxFuture<'static, Result<Grant, Denial>>;
    /// What a member who is inside may see now. Asked after a refresh of the workspace.
    fn renew(&self, identity: Identity) -> LocalBoxFuture<'static, Result<Grant, Denial>>;
}

/// A refusal as RFC 9457 has it, already as JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem(pub Value);

impl Problem {
    /// A problem with a stable code.
    #[must_use]
    pub fn new(code: &'static str, status: u16, detail: &str, retryable: bool) -> Self {
        Self(json!({
            "type": format!("urn:tidegate:problem:{code}"),
            "title": code.replace('_', " "),
            "status": status,
            "code": code,
            "detail": detail,
            "retryable": retryable,
        }))
    }
}

/// Carries out commands: the same ones, with the same answers, as REST.
pub trait CommandPort {
    /// Runs one. `name` is one of [`super::client::COMMANDS`]; `body` is the client's whole object.
    /// The future runs to its end even if the socket goes away.
    fn run(
        &self,
        identity: Identity,
        name: &'static str,
        body: Value,
    ) -> LocalBoxFuture<'static, Result<Value, Problem>>;
}

/// Entries read from the store.
pub struct Page {
    /// In order within each shard.
    pub entries: Vec<FeedEntry>,
    /// Where the reading stands: everything up to here was given, or never existed. When nothing
    /// more is stored, it covers everything committed before the call.
    pub next: Cursor,
    /// Whether entries after the asked cursor are gone for good.
    pub gap: bool,
}

/// The store did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the feed cannot be read now")]
pub struct FeedUnavailable;

/// Reads the durable feed.
pub trait FeedReader {
    /// The present end of a workspace's feed, with a place for every shard. It covers everything
    /// that was published before the call.
    fn head(&self, workspace: WorkspaceId) -> LocalBoxFuture<'static, Result<Cursor, FeedUnavailable>>;
    /// What follows `after`, at most `limit` entries.
    fn read(
        &self,
        workspace: WorkspaceId,
        after: Cursor,
        limit: usize,
    ) -> LocalBoxFuture<'static, Result<Page, FeedUnavailable>>;
}

/// Everything plugged in, one set an arbiter.
#[derive(Clone)]
pub struct Ports {
    /// Who may enter.
    pub gatekeeper: Rc<dyn Gatekeeper>,
    /// What commands do.
    pub commands: Rc<dyn CommandPort>,
    /// What the store has.
    pub feed: Rc<dyn FeedReader>,
}
