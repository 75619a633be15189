//! Conversations as people and programs use them: lists, threads, sending, and the small commands.
//!
//! Everybody who asks is a [`Caller`]. What they may not see is not found; what they see and may not do is
//! refused. A conversation that was merged is followed to where the person's is.

pub mod api;
mod assign;
mod broadcast_messages;
mod desk;
pub mod events;
mod explain;
pub mod inbox;
mod lists;
mod places;
mod send;
mod start;
mod thread;

use std::sync::Arc;

use crate::domain::access::{Action, may};
use crate::domain::conversation::{Answer, Command, Conversation, Summary};
use crate::domain::ids::{ConversationId, WorkspaceId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::window::profiles::Switches;
use crate::shards::{CommandError, Shards};
use crate::workspaces::{Caller, Workspaces};

use self::api::{AddressShown, Detail, Line};
use self::inbox::Inbox;

pub use self::lists::{Counts, ListPlace, ListQuery, ListView, TeamCount};
pub use self::thread::Thread;

/// Redirects that are followed: a conversation was merged at most a few times.
const HOPS_MAX: usize = 8;

/// Every conversation, as its users see it.
pub struct Conversations {
    shards: Arc<Shards>,
    workspaces: Arc<Workspaces>,
    inbox: Arc<Inbox>,
    switches: Switches,
}

impl Conversations {
    /// The conversations of a process. `switches` are those that its numbers judge by.
    #[must_use]
    pub fn new(shards: Arc<Shards>, workspaces: Arc<Workspaces>, inbox: Arc<Inbox>, switches: Switches) -> Arc<Self> {
        Arc::new(Self { shards, workspaces, inbox, switches })
    }

    /// The inbox index.
    #[must_use]
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// A conversation that the caller sees and may do this with; followed where it was merged.
    ///
    /// # Errors
    /// Not found where the caller does not see it; forbidden where they see it and may not.
    pub async fn line(
        &self,
        caller: &Caller,
        id: ConversationId,
        action: Action,
    ) -> Result<Arc<Summary>, CommandError> {
        let Some(line) = self.current(caller.workspace, id).await? else { return Err(not_found()) };
        let now = self.now();
        if !may(&caller.grants, &line.subject(), Action::See, now) {
            return Err(not_found());
        }
        if !may(&caller.grants, &line.subject(), action, now) {
            return Err(Refusal::Forbidden { what: "do this" }.into());
        }
        Ok(line)
    }

    /// A conversation with what is known of the person's addresses.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub async fn detail(&self, caller: &Caller, id: ConversationId) -> Result<Detail, CommandError> {
        let line = self.line(caller, id, Action::See).await?;
        let ids: Vec<_> = line.addresses.iter().map(|(id, _)| *id).collect();
        let known = self.shards.addresses(&ids).await?;
        let addresses = known
            .into_iter()
            .zip(&line.addresses)
            .filter_map(|(details, (_, current))| Some(AddressShown::new(details?, *current)))
            .collect();
        Ok(Detail { line: Line::from(&*line), addresses })
    }

    /// A conversation as it stands, followed where it was merged; none where there is none in the workspace.
    pub async fn current(
        &self,
        workspace: WorkspaceId,
        id: ConversationId,
    ) -> Result<Option<Arc<Summary>>, CommandError> {
        let mut asked = id;
        for _ in 0..HOPS_MAX {
            if let Some(line) = self.inbox.find(self.shards.shard_of(asked.0), workspace, asked) {
                return Ok(Some(line));
            }
            let now = self.now();
            let (moved, summary) = self
                .shards
                .view::<Conversation, _>(asked.0, move |state| (state.moved_to(), state.summary(now)))
                .await?;
            match (moved, summary) {
                (Some(to), _) => asked = to,
                (None, Some(summary)) if summary.workspace == workspace => return Ok(Some(Arc::new(summary))),
                (None, _) => return Ok(None),
            }
        }
        Err(CommandError::unavailable())
    }

    /// Asks a conversation for something that the caller may do; followed where it was merged meanwhile.
    async fn ask(
        &self,
        caller: &Caller,
        id: ConversationId,
        action: Action,
        command: impl Fn(&Summary) -> Command,
    ) -> Result<(Arc<Summary>, Answer), CommandError> {
        let mut asked = id;
        for _ in 0..HOPS_MAX {
            let line = self.line(caller, asked, action).await?;
            self.shards.takes_commands(line.id.0)?;
            match self.shards.ask::<Conversation>(line.id.0, command(&line)).await {
                Err(CommandError::Refused(Refusal::Moved { to })) => asked = ConversationId(to),
                outcome => return Ok((line, outcome?)),
            }
        }
        Err(CommandError::unavailable())
    }

    fn now(&self) -> Timestamp {
        self.shards.node().surroundings.clock.now()
    }
}

fn not_found() -> CommandError {
    Refusal::NotFound { what: "conversation" }.into()
}

fn invalid(field: &str, why: impl Into<String>) -> CommandError {
    Refusal::Invalid { field: field.to_owned(), why: why.into() }.into()
}
