//! A conversation: one contact on one channel account. It alone decides the window, the billing clock,
//! the status of messages, who handles it, and in which epoch.
//!
//! A person may be known by several addresses, each of which names a conversation. What is learned
//! later joins them: of two, the one with the earlier first inbound stays (then the smaller id), the
//! other hands over what it knows and forwards from then on. Its thread stays where it is.

mod answer;
mod apply;
mod command;
mod desk;
mod draft;
mod event;
mod explain;
mod identity;
mod inbound;
mod memory;
mod outcome;
mod receipt;
mod send;
mod summary;
mod terms;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::draft::Draft;
use self::memory::{KnownAddress, Outbox, Recent};
use super::access::Subject;
use super::consent::Consent;
use super::effect::Assignment;
use super::entity::{Context, Decision, Entity, EntityKind, Found, Lookup};
use super::ids::{AccountId, ContactId, ConversationId, MemberId, WorkspaceId};
use super::message::{Channel, MessageRef};
use super::recall::Recall;
use super::refusal::Refusal;
use super::time::Timestamp;
use super::window::Window;
use super::window::billing::{BillingClock, FreeEntry};

pub use self::answer::{Answer, Departure};
pub use self::command::{
    ChangeConsent, ChangeIdentity, Command, HandOver, Handler, KnownMessage, Link, OnTerms, Origin, ReceiveMessage,
    RecordEcho, RecordOutcome, RecordReceipt, SendMessage, Start, TemplateFacts,
};
pub use self::event::{ConversationEvent, FailureCode, Rule};
pub use self::explain::Remembered;
pub use self::memory::{ABSORBED_MAX, ADDRESSES_MAX, CLIENT_MEMORY, MENTIONS_MAX, OUTGOING_MAX, RECENT_MAX};
pub use self::summary::Summary;

/// Whether there is something to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// There is.
    #[serde(rename = "o")]
    Open,
    /// Quiet until a time.
    #[serde(rename = "s")]
    Snoozed {
        /// Until when.
        until: Timestamp,
        /// Whether the customer's next message ends it.
        wake_on_reply: bool,
    },
    /// There is not.
    #[default]
    #[serde(rename = "c")]
    Closed,
}

impl State {
    /// The word used in answers: `open`, `snoozed`, `closed`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Snoozed { .. } => "snoozed",
            Self::Closed => "closed",
        }
    }
}

/// Where a conversation is: fixed when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    id: ConversationId,
    workspace: WorkspaceId,
    account: AccountId,
}

/// The state of a conversation. The default is one that nobody has begun.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    place: Option<Place>,
    channel: Option<Channel>,
    contact: Option<ContactId>,
    group: bool,
    created_at: Timestamp,
    /// Where it went, once it was merged.
    redirect: Option<ConversationId>,
    /// Whose threads are read through this one.
    absorbed: Vec<ConversationId>,
    assignment: Assignment,
    state: State,
    handler: Option<Handler>,
    epoch: u64,
    addresses: Vec<KnownAddress>,
    window: Window,
    billing: BillingClock,
    free_entry: FreeEntry,
    consent: Option<Consent>,
    first_inbound: Option<Timestamp>,
    last_inbound: Option<MessageRef>,
    last_message: Option<MessageRef>,
    unread: u32,
    recent: Recent,
    outbox: Outbox,
    mentions: Vec<(MemberId, Timestamp)>,
    version: u64,
    /// The keys of requests, where there were any: most conversations never hear one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<Box<Recall>>,
}

impl Conversation {
    /// What access depends on; none for an id that never had a conversation of its own.
    #[must_use]
    pub fn subject(&self) -> Option<Subject<'_>> {
        self.channel?;
        Some(Subject {
            account: self.place?.account,
            owner: self.assignment.owner,
            team: self.assignment.team,
            collaborators: &self.assignment.collaborators,
            mentions: &self.mentions,
        })
    }

    /// Who handles it.
    #[must_use]
    pub fn handler(&self) -> Handler {
        self.handler.unwrap_or(Handler::Human)
    }

    /// Where the person's conversation is, if this one was merged.
    #[must_use]
    pub fn moved_to(&self) -> Option<ConversationId> {
        self.redirect
    }

    /// The conversations whose threads are read through this one.
    #[must_use]
    pub fn absorbed(&self) -> &[ConversationId] {
        &self.absorbed
    }

    /// The reply window.
    #[must_use]
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// What is billed.
    #[must_use]
    pub fn billing(&self) -> &BillingClock {
        &self.billing
    }

    /// The status of a message of ours, while it is remembered.
    #[must_use]
    pub fn status_of(&self, message: super::ids::MessageId) -> Option<super::message::MessageStatus> {
        self.outbox.get(message).map(memory::Outgoing::effective)
    }

    /// Whether rows of this thread are this conversation's to judge.
    fn owns_thread(&self, thread: ConversationId) -> bool {
        self.place.is_some_and(|place| place.id == thread) || self.absorbed.contains(&thread)
    }
}

impl Entity for Conversation {
    const KIND: EntityKind = EntityKind::Conversation;
    type Command = Command;
    type Event = ConversationEvent;
    type Answer = Answer;

    fn decide(&self, command: Command, context: &Context<'_>) -> Result<Decision<Self>, Refusal> {
        let draft = || Draft::new(self, context);
        match command {
            Command::Start(start) => draft().start(&start),
            Command::ReceiveMessage(inbound) => self.receive(*inbound, context),
            Command::RecordEcho(echo) => self.echo(*echo, context),
            Command::RecordReceipt(receipt) => self.take_receipt(*receipt, context),
            Command::ChangeIdentity(change) => self.change_identity(*change, context),
            Command::ChangeConsent(change) => self.forwarding(|| draft().change_consent(&change)),
            Command::Link(link) => self.link(&link, context),
            Command::Absorb { from, payload } => self.absorb(from, &payload, context),
            Command::CopyAssignment { contact, assignment } => {
                self.forwarding(|| draft().copy_assignment(contact, assignment))
            }
            Command::Send(send) => self.begun()?.send(*send, draft()),
            Command::Retry { message, author, template, switches } => {
                self.begun()?.retry(message, author, template, switches, draft())
            }
            Command::Depart { thread, message, attempt, switches, template } => {
                self.forwarding(|| self.depart((thread, message, attempt), switches, template, draft()))
            }
            Command::RecordOutcome(outcome) => self.forwarding(|| self.take_outcome(*outcome, draft())),
            Command::AddNote { author, client_id, body, mentions } => {
                self.begun()?.add_note(author, &client_id, body, mentions, draft())
            }
            Command::Close { author } => self.begun()?.close(author, draft()),
            Command::Open { author } => self.begun()?.open(author, draft()),
            Command::Snooze { author, until, wake_on_reply } => {
                self.begun()?.snooze(author, until, wake_on_reply, draft())
            }
            Command::HandOver(order) => self.begun()?.hand_over(*order, draft()),
            Command::MarkRead { author, up_to } => self.begun()?.mark_read(author, up_to, draft()),
            Command::OnTerms(request) => self.on_terms(*request, context),
            Command::NameStart { key, workspace, account, to } => {
                self.name_start(key, (workspace, account), to, context)
            }
            Command::Wake => Ok(draft().wake()),
        }
    }

    fn apply(&mut self, event: &ConversationEvent) {
        self.take(event);
        self.version += 1;
    }

    fn due(&self) -> Option<Timestamp> {
        if self.redirect.is_some() {
            return None;
        }
        let snooze = match self.state {
            State::Snoozed { until, .. } => Some(until),
            State::Open | State::Closed => None,
        };
        self.outbox.0.iter().filter_map(memory::Outgoing::due).chain(snooze).min()
    }

    fn wake() -> Option<Command> {
        Some(Command::Wake)
    }

    fn lookup(&self, command: &Command) -> Option<Lookup> {
        let thread = |message: MessageRef| {
            let unsure = self.recent.is_unsure_of(message);
            self.place.filter(|_| unsure).map(|place| Lookup::Message { conversation: place.id, at: message })
        };
        match command {
            Command::ReceiveMessage(inbound) => thread(inbound.message),
            Command::ChangeIdentity(change) => change.notice.as_ref().and_then(|(message, ..)| thread(*message)),
            Command::RecordEcho(echo) if self.redirect.is_none() && !self.recent.has(echo.message) => {
                Some(Lookup::ProviderRef { account: echo.origin.account, provider_id: echo.provider_id.clone() })
            }
            Command::RecordReceipt(receipt) if self.redirect.is_none() => self.receipt_lookup(receipt),
            Command::RecordOutcome(outcome) if self.redirect.is_none() => (self.outbox.get(outcome.message).is_none()
                && self.owns_thread(outcome.thread))
            .then_some(Lookup::Receipts { conversation: outcome.thread, message: outcome.message }),
            _ => None,
        }
    }

    fn found(command: Command, found: Found) -> Command {
        match (command, found) {
            (Command::ReceiveMessage(mut inbound), Found::Message(seen)) => {
                inbound.seen = Some(seen);
                Command::ReceiveMessage(inbound)
            }
            (Command::ChangeIdentity(mut change), Found::Message(seen)) => {
                change.seen = Some(seen);
                Command::ChangeIdentity(change)
            }
            (Command::RecordEcho(mut echo), Found::ProviderRef(known, _)) => {
                echo.seen = Some(known.is_some());
                Command::RecordEcho(echo)
            }
            (Command::RecordReceipt(mut receipt), found) => {
                receipt.known = receipt::known(&receipt, found);
                Command::RecordReceipt(receipt)
            }
            (Command::RecordOutcome(mut outcome), Found::Receipts(Some(message), statuses)) => {
                let (thread, attempt) = (outcome.thread, outcome.attempt);
                outcome.known = Some(KnownMessage { thread, message, attempt, statuses });
                Command::RecordOutcome(outcome)
            }
            (command, _) => command,
        }
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn workspace(&self) -> Option<WorkspaceId> {
        self.place.map(|place| place.workspace)
    }
}

impl Conversation {
    /// A fact that reached a merged conversation goes to where the person's is.
    fn forwarding(&self, decide: impl FnOnce() -> Result<Decision<Self>, Refusal>) -> Result<Decision<Self>, Refusal> {
        match self.redirect {
            Some(to) => Ok(Decision::nothing(Answer::Forward { to })),
            None => decide(),
        }
    }

    /// A request needs a conversation that has begun and has not moved.
    fn begun(&self) -> Result<&Self, Refusal> {
        match (self.redirect, self.place) {
            (Some(to), _) => Err(Refusal::Moved { to: to.0 }),
            (None, None) => Err(Refusal::NotFound { what: "conversation" }),
            (None, Some(_)) => Ok(self),
        }
    }
}
