//! Requests on terms: they rest on a version that the asker saw, or have a key under which they are one request.

use super::answer::Answer;
use super::command::{Command, OnTerms};
use super::event::ConversationEvent as Event;
use super::{Conversation, ConversationId};
use crate::domain::entity::{Context, Decision, Entity};
use crate::domain::ids::{AccountId, WorkspaceId};
use crate::domain::message::MessageRef;
use crate::domain::recall::{CommandKey, RECALL_FOR, Recall};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

type Decided = Result<Decision<Conversation>, Refusal>;

impl Conversation {
    /// Decides a request once for its key, and only on the version that it rests on. A request that changes nothing
    /// is not remembered: made again, it is judged again.
    pub(super) fn on_terms(&self, OnTerms { asked, command }: OnTerms, context: &Context<'_>) -> Decided {
        if let Some(to) = self.redirect {
            return Err(Refusal::Moved { to: to.0 });
        }
        if self.is_repeat(asked.key)? {
            return self.answer_repeat(command, context);
        }
        if self.place.is_some() {
            asked.check_version(self.version)?;
        }
        let mut decision = self.decide(command, context)?;
        if let Some(key) = asked.key.filter(|_| !decision.events.is_empty()) {
            // First of all, so that the last thing that is told carries the version that is answered.
            decision.events.insert(0, Event::KeyUsed { key, at: context.now });
            if let Answer::Changed { version, .. } | Answer::Sent { version, .. } = &mut decision.answer {
                *version += 1;
            }
        }
        Ok(decision)
    }

    /// The answer of the first time, as things stand now.
    fn answer_repeat(&self, command: Command, context: &Context<'_>) -> Decided {
        let (version, epoch) = (self.version, self.epoch);
        match command {
            Command::Retry { message, .. } => {
                let Some(entry) = self.outbox.get(message) else {
                    return Err(Refusal::NotFound { what: "message that may be sent again" });
                };
                let (message, status): (MessageRef, _) = (entry.message, entry.effective());
                Ok(Decision::nothing(Answer::Sent { message, status, repeated: true, version, epoch }))
            }
            // These have names of their own, by which they are known.
            command @ (Command::Send(_) | Command::AddNote { .. }) => self.decide(command, context),
            _ => Ok(Decision::nothing(Answer::Changed { changed: true, version, epoch })),
        }
    }

    /// Binds a key to the conversation that it begins: this id is made of the key and stands for nothing else. After
    /// the 24 hours for which keys are remembered, the key may begin another one.
    pub(super) fn name_start(
        &self,
        key: CommandKey,
        (workspace, account): (WorkspaceId, AccountId),
        to: ConversationId,
        context: &Context<'_>,
    ) -> Decided {
        let mut known = self.keys.iter().flat_map(|keys| keys.iter());
        if let Some(to) = self.redirect.filter(|_| known.any(|(_, at)| at + RECALL_FOR >= context.now)) {
            self.is_repeat(Some(key))?;
            return Ok(Decision::nothing(Answer::Forward { to }));
        }
        let id = ConversationId(context.id);
        let events = vec![Event::Aliased { id, workspace, account, to }, Event::KeyUsed { key, at: context.now }];
        Ok(Decision { events, ..Decision::nothing(Answer::Forward { to }) })
    }

    /// Whether the request with this key began the conversation, rather than finding it there.
    #[must_use]
    pub fn was_begun_by(&self, key: CommandKey) -> bool {
        self.keys.iter().flat_map(|keys| keys.iter()).any(|(known, at)| known == key && at == self.created_at)
    }

    fn is_repeat(&self, key: Option<CommandKey>) -> Result<bool, Refusal> {
        self.keys.as_ref().map_or(Ok(false), |keys| keys.is_repeat(key))
    }

    pub(super) fn take_key(&mut self, key: CommandKey, at: Timestamp) {
        self.keys.get_or_insert_default().remember_sparingly(key, at);
    }

    /// What another conversation remembers is remembered here from now on.
    pub(super) fn take_keys(&mut self, other: &Option<Box<Recall>>) {
        for (key, at) in other.iter().flat_map(|keys| keys.iter()) {
            self.take_key(key, at);
        }
    }
}
