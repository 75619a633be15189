//! The small commands: closing, opening, snoozing, handing over, reading.
//!
//! Each is asked on terms: the version that it rests on, and the key under which it is one request.

use super::api::{Changed, HandOverRequest, ReadRequest, SnoozeRequest};
use super::{Conversations, invalid};
use crate::domain::access::Action;
use crate::domain::conversation::{Answer, Command, HandOver, OnTerms};
use crate::domain::ids::ConversationId;
use crate::domain::recall::Asked;
use crate::shards::CommandError;
use crate::workspaces::Caller;

impl Conversations {
    /// Nothing is left to do.
    ///
    /// # Errors
    /// See [`Self::line`], and what the conversation refuses.
    pub async fn close(&self, caller: &Caller, asked: Asked, id: ConversationId) -> Result<Changed, CommandError> {
        let author = asked.author;
        self.change(caller, asked, id, Action::Change, || Command::Close { author }).await
    }

    /// There is something to do.
    ///
    /// # Errors
    /// See [`Self::line`], and what the conversation refuses.
    pub async fn open(&self, caller: &Caller, asked: Asked, id: ConversationId) -> Result<Changed, CommandError> {
        let author = asked.author;
        self.change(caller, asked, id, Action::Change, || Command::Open { author }).await
    }

    /// Be quiet until a time.
    ///
    /// # Errors
    /// See [`Self::line`], and what the conversation refuses.
    pub async fn snooze(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ConversationId,
        request: SnoozeRequest,
    ) -> Result<Changed, CommandError> {
        let (author, until) = (asked.author, request.until.0);
        let wake_on_reply = request.wake_on_reply.unwrap_or(true);
        self.change(caller, asked, id, Action::Change, || Command::Snooze { author, until, wake_on_reply }).await
    }

    /// People or a bot handle it from now on.
    ///
    /// # Errors
    /// See [`Self::line`], and what the conversation refuses; an unknown team.
    pub async fn hand_over(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ConversationId,
        request: HandOverRequest,
    ) -> Result<Changed, CommandError> {
        let HandOverRequest { to, summary, team, epoch } = request;
        if let Some(team) = team
            && !self.workspaces.find(caller.workspace).is_some_and(|workspace| workspace.teams.contains(&team))
        {
            return Err(invalid("team", "there is no such team"));
        }
        let order = HandOver { author: asked.author, to: to.into(), epoch, summary, team };
        self.change(caller, asked, id, Action::Change, || Command::HandOver(Box::new(order.clone()))).await
    }

    /// The customer's messages up to one of them, or all, were read.
    ///
    /// # Errors
    /// See [`Self::line`]; there is no such message.
    pub async fn mark_read(
        &self,
        caller: &Caller,
        asked: Asked,
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
        let author = asked.author;
        self.change(caller, asked, line.id, Action::Send, || Command::MarkRead { author, up_to }).await
    }

    async fn change(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ConversationId,
        action: Action,
        command: impl Fn() -> Command,
    ) -> Result<Changed, CommandError> {
        match self.ask(caller, id, action, |_| on_terms(asked, command())).await? {
            (_, Answer::Changed { changed, version, epoch }) => Ok(Changed { changed, version, epoch }),
            _ => Err(CommandError::unavailable()),
        }
    }
}

/// A request on the asker's terms; one without any is asked as it is.
pub(super) fn on_terms(asked: Asked, command: Command) -> Command {
    match asked {
        Asked { if_version: None, key: None, .. } => command,
        asked => Command::OnTerms(Box::new(OnTerms { asked, command })),
    }
}
