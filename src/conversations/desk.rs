//! The small commands: closing, opening, snoozing, handing over, reading.

use super::api::{Changed, HandOverRequest, ReadRequest, SnoozeRequest};
use super::{Conversations, invalid};
use crate::domain::access::Action;
use crate::domain::conversation::{Answer, Command, HandOver, Summary};
use crate::domain::ids::ConversationId;
use crate::domain::refusal::Refusal;
use crate::shards::CommandError;
use crate::workspaces::Caller;

impl Conversations {
    /// Nothing is left to do.
    ///
    /// # Errors
    /// See [`Self::line`], and what the conversation refuses.
    pub async fn close(&self, caller: &Caller, id: ConversationId) -> Result<Changed, CommandError> {
        let author = caller.author;
        self.change(caller, id, Action::Change, |_| Command::Close { author }).await
    }

    /// There is something to do.
    ///
    /// # Errors
    /// See [`Self::line`], and what the conversation refuses.
    pub async fn open(&self, caller: &Caller, id: ConversationId) -> Result<Changed, CommandError> {
        let author = caller.author;
        self.change(caller, id, Action::Change, |_| Command::Open { author }).await
    }

    /// Be quiet until a time.
    ///
    /// # Errors
    /// See [`Self::line`], and what the conversation refuses.
    pub async fn snooze(
        &self,
        caller: &Caller,
        id: ConversationId,
        request: SnoozeRequest,
    ) -> Result<Changed, CommandError> {
        let (author, until) = (caller.author, request.until.0);
        let wake_on_reply = request.wake_on_reply.unwrap_or(true);
        self.change(caller, id, Action::Change, |_| Command::Snooze { author, until, wake_on_reply }).await
    }

    /// People or a bot handle it from now on.
    ///
    /// # Errors
    /// See [`Self::line`], and what the conversation refuses; an unknown team.
    pub async fn hand_over(
        &self,
        caller: &Caller,
        id: ConversationId,
        request: HandOverRequest,
    ) -> Result<Changed, CommandError> {
        let HandOverRequest { to, summary, team, epoch } = request;
        if let Some(team) = team
            && !self.workspaces.find(caller.workspace).is_some_and(|workspace| workspace.teams.contains(&team))
        {
            return Err(invalid("team", "there is no such team"));
        }
        let order = HandOver { author: caller.author, to: to.into(), epoch, summary, team };
        self.change(caller, id, Action::Change, |_| Command::HandOver(Box::new(order.clone()))).await
    }

    /// The customer's messages up to one of them, or all, were read.
    ///
    /// # Errors
    /// See [`Self::line`]; there is no such message.
    pub async fn mark_read(
        &self,
        caller: &Caller,
        id: ConversationId,
        request: ReadRequest,
    ) -> Result<Changed, CommandError> {
        let line = self.line(caller, id, Action::Send).await?;
        let up_to = match request.up_to {
            None => None,
            Some(message) => match self.place_of(&line, message).await? {
                Some(place) => Some(place.message),
                None => return Err(invalid("up_to", "there is no such message here")),
            },
        };
        let author = caller.author;
        self.change(caller, line.id, Action::Send, |_| Command::MarkRead { author, up_to }).await
    }

    async fn change(
        &self,
        caller: &Caller,
        id: ConversationId,
        action: Action,
        command: impl Fn(&Summary) -> Command,
    ) -> Result<Changed, CommandError> {
        match self.ask(caller, id, action, command).await? {
            (_, Answer::Changed { changed, version, epoch }) => Ok(Changed { changed, version, epoch }),
            _ => Err(CommandError::unavailable()),
        }
    }

    /// Refuses a change that rests on another version than the present one.
    ///
    /// # Errors
    /// See [`Self::line`]; the version differs.
    pub async fn check_version(
        &self,
        caller: &Caller,
        id: ConversationId,
        seen: Option<u64>,
    ) -> Result<(), CommandError> {
        let Some(seen) = seen else { return Ok(()) };
        let version = self.line(caller, id, Action::See).await?.version;
        if version == seen { Ok(()) } else { Err(Refusal::VersionMismatch { version }.into()) }
    }
}
