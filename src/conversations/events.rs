//! What happened, as the public hears it: the same body on a socket, in the pull feed, live and on replay.
//!
//! A body rests on the event and on what its turn wrote, never on the state, which moves on. So events of
//! a conversation carry the fields of its line that they change, for readers to lay over the line they have;
//! what a message says is read from its row, and is `null` once it was erased.
//!
//! Who sees an event is judged by the assignment after it while it is live, and by the present one on replay.

mod broadcast;
mod contact;
mod conversation;
mod number;
mod workspace;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::Conversations;
use crate::domain::broadcast::job::Broadcast;
use crate::domain::contact::Contact;
use crate::domain::content::{Content, StoredMessage};
use crate::domain::conversation::{Conversation, Summary};
use crate::domain::effect::Assignment;
use crate::domain::entity::{Entity, EntityKind};
use crate::domain::ids::{
    AccountId, BroadcastId, ContactId, ConversationId, LimitScopeId, MemberId, TeamId, WorkspaceId,
};
use crate::domain::limit::LimitScope;
use crate::domain::message::MessageRef;
use crate::domain::number::Number;
use crate::domain::time::Timestamp;
use crate::domain::workspace::Workspace;
use crate::shards::{CommandError, Committed, FeedTurn, News};

/// Owns what only admins see: no member has this id.
const NOBODY: MemberId = MemberId(0);

/// One event for the public.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicEvent {
    /// The shard.
    pub shard: u16,
    /// The record's position in the shard's log.
    pub position: u64,
    /// The index of the event within the record.
    pub index: u16,
    /// What happened: `message.received`.
    pub word: &'static str,
    /// When it was committed.
    pub at: Timestamp,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The conversation it belongs to.
    pub conversation: Option<ConversationId>,
    /// The entity's version after it.
    pub version: u64,
    /// The rest, by word.
    pub data: Value,
    /// Who sees it.
    pub audience: Arc<Audience>,
    /// Who saw the conversation before, where the event changed that; on replay nobody is told.
    pub previous_audience: Option<Arc<Audience>>,
}

/// Whom an event is about, as far as the access rule asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// The channel account; none is no matter of one account.
    pub account: Option<AccountId>,
    /// The contact's owner.
    pub owner: Option<MemberId>,
    /// The contact's team.
    pub team: Option<TeamId>,
    /// Who else may reply.
    pub collaborators: Vec<MemberId>,
    /// Who was mentioned, as long as that gives access.
    pub mentions: Vec<MemberId>,
}

impl Audience {
    /// Everybody who works in the workspace.
    #[must_use]
    pub fn everybody() -> Self {
        Self::default()
    }

    /// Admins alone.
    #[must_use]
    pub fn admins() -> Self {
        Self { owner: Some(NOBODY), ..Self::default() }
    }

    /// Everybody who may use an account.
    #[must_use]
    pub fn of_account(account: AccountId) -> Self {
        Self { account: Some(account), ..Self::default() }
    }

    /// Those who see a conversation.
    #[must_use]
    pub fn of_conversation(line: &Summary, now: Timestamp) -> Self {
        let mentions = line.mentions.iter().filter(|(_, until)| now < *until).map(|(member, _)| *member);
        Self { account: Some(line.account), mentions: mentions.collect(), ..Self::of_contact(&line.assignment) }
    }

    /// Those who see a contact.
    #[must_use]
    pub fn of_contact(assignment: &Assignment) -> Self {
        let Assignment { owner, team, collaborators, .. } = assignment;
        Self { owner: *owner, team: *team, collaborators: collaborators.clone(), ..Self::default() }
    }
}

/// What is said of one event: its word and data; none where it is nobody's affair.
type Said = Option<(&'static str, Value)>;

/// Whose turn it was and where it stands.
struct Turn {
    shard: u16,
    position: u64,
    at: Timestamp,
    workspace: WorkspaceId,
    version: u64,
    first_event: u16,
}

impl Turn {
    fn live<E: Entity>(committed: &Committed<'_, E>) -> Self {
        let Committed { shard, position, first_event, at, workspace, version, .. } = *committed;
        Self { shard, position, at, workspace, version, first_event }
    }

    fn again(workspace: WorkspaceId, shard: u16, turn: &FeedTurn) -> Self {
        let FeedTurn { position, at, version, first_event, .. } = *turn;
        Self { shard, position, at, workspace, version, first_event }
    }

    /// The turn's events that are said, each with who sees it.
    fn say<'a, E: 'a>(
        &self,
        events: &'a [E],
        conversation: Option<ConversationId>,
        say: impl Fn(&'a E) -> Said,
        audience: impl Fn(&'a E) -> Arc<Audience>,
    ) -> Vec<PublicEvent> {
        let mut said = Vec::with_capacity(events.len());
        for (offset, event) in events.iter().enumerate() {
            let Some((word, data)) = say(event) else { continue };
            said.push(PublicEvent {
                shard: self.shard,
                position: self.position,
                index: self.first_event + offset as u16,
                word,
                at: self.at,
                workspace: self.workspace,
                conversation,
                version: self.version + offset as u64 + 1,
                data,
                audience: audience(event),
                previous_audience: None,
            });
        }
        said
    }
}

/// What a turn says to the public, right after its commit. `before` is what lists showed of the conversation.
#[must_use]
pub fn public_events(news: &News<'_>, before: Option<&Summary>) -> Vec<PublicEvent> {
    match news {
        News::Conversation(committed) => live_conversation(committed, before),
        News::Contact(committed) => {
            let assignment = committed.state.person().map(|person| &person.assignment);
            let audience = Arc::new(assignment.map_or_else(Audience::admins, Audience::of_contact));
            let id = ContactId(committed.id);
            let say = |event| contact::say(id, event);
            Turn::live(committed).say(committed.events, None, say, |_| Arc::clone(&audience))
        }
        News::Number(committed) => said_of_number(&Turn::live(committed), committed.id, committed.events),
        News::LimitScope(committed) => said_of_limit(&Turn::live(committed), committed.id, committed.events),
        News::Workspace(committed) => said_of_workspace(&Turn::live(committed), committed.events),
        News::Broadcast(committed) => said_of_broadcast(&Turn::live(committed), committed.id, committed.events),
        News::Chunk(_) => Vec::new(),
    }
}

fn live_conversation(committed: &Committed<'_, Conversation>, before: Option<&Summary>) -> Vec<PublicEvent> {
    let Some(line) = committed.state.summary(committed.at) else { return Vec::new() };
    let written = |place: MessageRef| {
        committed.content.iter().find_map(|row| match row {
            Content::Message { at, message, .. } if *at == place => Some(StoredMessage::clone(message)),
            _ => None,
        })
    };
    let audience = Arc::new(Audience::of_conversation(&line, committed.at));
    let id = ConversationId(committed.id);
    let say = |event| conversation::say(id, event, &written);
    let mut said = Turn::live(committed).say(committed.events, Some(id), say, |_| Arc::clone(&audience));
    let previous = before.map(|before| Audience::of_conversation(before, committed.at));
    if let Some(previous) = previous.filter(|previous| *previous != *audience) {
        // Told once: with the first event that changes whose it is.
        let changes = |event: &&mut PublicEvent| conversation::changes_access(event.word);
        if let Some(event) = said.iter_mut().find(changes) {
            event.previous_audience = Some(Arc::new(previous));
        }
    }
    said
}

fn said_of_number(turn: &Turn, id: u128, events: &[<Number as Entity>::Event]) -> Vec<PublicEvent> {
    let account = AccountId(id);
    let audience = Arc::new(Audience::of_account(account));
    turn.say(events, None, |event| number::say(account, event), |_| Arc::clone(&audience))
}

fn said_of_limit(turn: &Turn, id: u128, events: &[<LimitScope as Entity>::Event]) -> Vec<PublicEvent> {
    let audience = Arc::new(Audience::everybody());
    turn.say(events, None, |event| number::say_of_limit(LimitScopeId(id), event), |_| Arc::clone(&audience))
}

fn said_of_broadcast(turn: &Turn, id: u128, events: &[<Broadcast as Entity>::Event]) -> Vec<PublicEvent> {
    let audience = Arc::new(Audience::everybody());
    turn.say(events, None, |event| broadcast::say(BroadcastId(id), event), |_| Arc::clone(&audience))
}

fn said_of_workspace(turn: &Turn, events: &[<Workspace as Entity>::Event]) -> Vec<PublicEvent> {
    let (admins, everybody) = (Arc::new(Audience::admins()), Arc::new(Audience::everybody()));
    turn.say(events, None, workspace::say, |event| {
        Arc::clone(if workspace::is_for_admins(event) { &admins } else { &everybody })
    })
}

impl Conversations {
    /// What a turn of the feed says to the public, read again.
    ///
    /// # Errors
    /// The store did not answer, or what it holds is newer than this program.
    pub async fn replayed(
        &self,
        workspace: WorkspaceId,
        shard: u16,
        turn: &FeedTurn,
    ) -> Result<Vec<PublicEvent>, CommandError> {
        let place = Turn::again(workspace, shard, turn);
        Ok(match turn.kind {
            EntityKind::Conversation => self.replayed_conversation(&place, turn).await?,
            EntityKind::Contact => {
                let events = turn.events::<Contact>()?;
                let id = ContactId(turn.id);
                let assignment = self.assignment_of(id).await?;
                let audience = Arc::new(assignment.as_ref().map_or_else(Audience::admins, Audience::of_contact));
                place.say(&events, None, |event| contact::say(id, event), |_| Arc::clone(&audience))
            }
            EntityKind::Number => said_of_number(&place, turn.id, &turn.events::<Number>()?),
            EntityKind::LimitScope => said_of_limit(&place, turn.id, &turn.events::<LimitScope>()?),
            EntityKind::Workspace => said_of_workspace(&place, &turn.events::<Workspace>()?),
            EntityKind::Broadcast => said_of_broadcast(&place, turn.id, &turn.events::<Broadcast>()?),
            EntityKind::Chunk => Vec::new(),
        })
    }

    async fn replayed_conversation(&self, place: &Turn, turn: &FeedTurn) -> Result<Vec<PublicEvent>, CommandError> {
        let events = turn.events::<Conversation>()?;
        let id = ConversationId(turn.id);
        let Some(line) = self.current(place.workspace, id).await? else { return Ok(Vec::new()) };
        let mut rows: HashMap<MessageRef, StoredMessage> = HashMap::new();
        for at in events.iter().filter_map(conversation::shows) {
            if let Some(stored) = self.shards.message(id, at).await? {
                rows.insert(at, stored);
            }
        }
        let written = |at: MessageRef| rows.get(&at).cloned();
        let audience = Arc::new(Audience::of_conversation(&line, self.now()));
        let say = |event| conversation::say(id, event, &written);
        Ok(place.say(&events, Some(id), say, |_| Arc::clone(&audience)))
    }
}

#[cfg(test)]
mod tests;
