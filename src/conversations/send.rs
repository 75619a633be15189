//! Sending: what the channel and the template allow is judged here, all else by the conversation.

use super::api::{Moment, NoteRequest, SendRequest, Sent};
use super::desk::on_terms;
use super::{Conversations, invalid};
use crate::channels::{self, ChannelError};
use crate::domain::access::Action;
use crate::domain::conversation::{Answer, Command, SendMessage, Summary, TemplateFacts};
use crate::domain::ids::{ConversationId, MemberId, MessageId};
use crate::domain::message::{MessageContent, ProviderMessageId};
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::shards::CommandError;
use crate::workspaces::Caller;

impl Conversations {
    /// Queues a message. The same client id with the same body is one message and one answer.
    ///
    /// # Errors
    /// See [`Self::line`]; what the channel, the template or the conversation refuses.
    pub async fn send(&self, caller: &Caller, id: ConversationId, request: SendRequest) -> Result<Sent, CommandError> {
        let SendRequest { client_id, content, reply_to, epoch, tag } = request;
        let client_id = client_id.ok_or_else(no_client_id)?;
        let line = self.line(caller, id, Action::Send).await?;
        writable(line.channel, &content)?;
        let template = self.template(&line, &content)?;
        let quoted = self.quoted(&line, reply_to).await?;
        let (author, switches) = (caller.author, self.switches);
        let command = |_: &Summary| {
            Command::Send(Box::new(SendMessage {
                author,
                client_id: client_id.clone(),
                content: content.clone(),
                reply_to,
                quoted: quoted.clone(),
                epoch,
                tag,
                template,
                switches,
            }))
        };
        sent(&self.ask(caller, line.id, Action::Send, command).await?.1)
    }

    /// Tries a failed or unconfirmed message again.
    ///
    /// # Errors
    /// See [`Self::line`]; there is no such message, or it is not to be sent again.
    pub async fn retry(
        &self,
        caller: &Caller,
        asked: Asked,
        id: ConversationId,
        message: MessageId,
    ) -> Result<Sent, CommandError> {
        let line = self.line(caller, id, Action::Send).await?;
        let unknown = || CommandError::from(Refusal::NotFound { what: "message" });
        let place = self.place_of(&line, message).await?.ok_or_else(unknown)?;
        let stored = self.shards.message(place.thread, place.message).await?.ok_or_else(unknown)?;
        let template = self.template(&line, &stored.content)?;
        let (author, switches) = (asked.author, self.switches);
        let command = |_: &Summary| on_terms(asked, Command::Retry { message, author, template, switches });
        sent(&self.ask(caller, line.id, Action::Send, command).await?.1)
    }

    /// Adds a note among colleagues. Whoever is mentioned sees the conversation for 24 hours.
    ///
    /// # Errors
    /// See [`Self::line`]; an unknown member is mentioned.
    pub async fn note(&self, caller: &Caller, id: ConversationId, request: NoteRequest) -> Result<Sent, CommandError> {
        let NoteRequest { client_id, body, mentions } = request;
        let client_id = client_id.ok_or_else(no_client_id)?;
        if let Some(unknown) = mentions.iter().find(|member| !self.works_here(caller, **member)) {
            return Err(invalid("mentions", format!("{unknown} does not work here")));
        }
        let author = caller.author;
        let command = |_: &Summary| Command::AddNote {
            author,
            client_id: client_id.clone(),
            body: body.clone(),
            mentions: mentions.clone(),
        };
        sent(&self.ask(caller, id, Action::Send, command).await?.1)
    }

    /// Whether a member works in the caller's workspace.
    pub(super) fn works_here(&self, caller: &Caller, member: MemberId) -> bool {
        let workspace = self.workspaces.find(caller.workspace);
        workspace.is_some_and(|workspace| workspace.members.get(&member).is_some_and(|details| !details.disabled))
    }

    /// What the conversation must know of the template; its parameters are checked here. Whether it may be
    /// sent now is the conversation's to say, after it has looked for the client id.
    fn template(&self, line: &Summary, content: &MessageContent) -> Result<Option<TemplateFacts>, CommandError> {
        let MessageContent::Template { name, language, fills } = content else { return Ok(None) };
        let workspace = self.workspaces.find(line.workspace);
        if let Some((_, template)) =
            workspace.as_ref().and_then(|workspace| workspace.template_for(line.account, name, language))
        {
            template.shape.check(fills)?;
        }
        Ok(self.workspaces.template_facts(line.workspace, line.account, name, language))
    }

    async fn quoted(
        &self,
        line: &Summary,
        reply_to: Option<MessageId>,
    ) -> Result<Option<ProviderMessageId>, CommandError> {
        let Some(message) = reply_to else { return Ok(None) };
        let Some(place) = self.place_of(line, message).await? else {
            return Err(invalid("reply_to", "there is no such message here"));
        };
        match self.provider_id_of(place).await? {
            Some(quoted) => Ok(Some(quoted)),
            None => Err(invalid("reply_to", "the provider has not taken that message, so it cannot be quoted")),
        }
    }
}

/// Whether the channel can write this at all.
fn writable(channel: crate::domain::message::Channel, content: &MessageContent) -> Result<(), CommandError> {
    channels::validate(channel, content).map_err(|error| match error {
        ChannelError::Refused(refusal) => refusal.into(),
        ChannelError::NotConnected(_) | ChannelError::Unverified(_) | ChannelError::Unreadable(_) => {
            Refusal::CannotAnswer { why: "its channel is not connected yet" }.into()
        }
    })
}

fn no_client_id() -> CommandError {
    invalid("client_id", "it is missing; every send carries one, unique in its conversation")
}

fn sent(answer: &Answer) -> Result<Sent, CommandError> {
    match *answer {
        Answer::Sent { message, status, version, epoch, .. } => {
            Ok(Sent { message: message.id, at: Moment(message.at), status, version, epoch })
        }
        _ => Err(CommandError::unavailable()),
    }
}
