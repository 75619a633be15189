//! Commands of the five kinds, as people and platforms give them.

use super::rig::{T0, keys};
use crate::domain::author::Author;
use crate::domain::contact::ContactCommand;
use crate::domain::content::AddressDetails;
use crate::domain::conversation::{Command, Origin, ReceiveMessage, SendMessage};
use crate::domain::ids::{AccountId, AddressId, AppId, ConversationId, LimitScopeId, MemberId, TeamId, WorkspaceId};
use crate::domain::inbound::{Address, AddressSpace, LimitTier};
use crate::domain::limit::LimitCommand;
use crate::domain::message::{Channel, MessageContent, MessageContext, MessageRef, ProviderMessageId};
use crate::domain::number::{NewConnection, NumberCommand};
use crate::domain::recall::Asked;
use crate::domain::time::Timestamp;
use crate::domain::window::profiles::Switches;
use crate::domain::workspace::{WorkspaceChange, WorkspaceCommand};

pub(super) const WORKSPACE: WorkspaceId = WorkspaceId(1);
pub(super) const ACCOUNT: AccountId = AccountId(2);
pub(super) const AGENT: Author = Author::Member(MemberId(3));

pub(super) fn after(seconds: i64) -> Timestamp {
    Timestamp(T0.0 + seconds * 1_000)
}

fn address(person: u128) -> AddressId {
    keys().address(WORKSPACE, "phone", &format!("35191{person}"))
}

/// The conversation with a person.
pub(super) fn of(person: u128) -> u128 {
    keys().conversation(ACCOUNT, address(person)).0
}

/// A customer's message, by its number; it is written so many seconds after the start.
pub(super) fn heard(person: u128, number: i64) -> Command {
    let provider_id = format!("wamid.{person}.{number}");
    let details = AddressDetails {
        address: Address { space: AddressSpace::Phone, text: format!("35191{person}") },
        name: None,
        username: None,
    };
    let contact = keys().contact(WORKSPACE, address(person));
    let at = after(number);
    Command::ReceiveMessage(Box::new(ReceiveMessage {
        origin: Origin { workspace: WORKSPACE, account: ACCOUNT, channel: Channel::WhatsApp, contact, group: false },
        addresses: vec![(address(person), details)],
        message: MessageRef { at, id: keys().inbound_message(ACCOUNT, &provider_id) },
        provider_id: ProviderMessageId(provider_id),
        content: MessageContent::Text { body: "olá".to_owned() },
        context: MessageContext::default(),
        opens_window: true,
        free_entry: false,
        arrived_at: at,
        seen: None,
    }))
}

pub(super) fn reply(number: i64) -> Command {
    Command::Send(Box::new(SendMessage {
        author: AGENT,
        client_id: format!("c{number}"),
        content: MessageContent::Text { body: "bom dia".to_owned() },
        reply_to: None,
        quoted: None,
        epoch: None,
        tag: None,
        template: None,
        switches: Switches::default(),
    }))
}

pub(super) fn note(number: i64) -> Command {
    Command::AddNote { author: AGENT, client_id: format!("n{number}"), body: "x".to_owned(), mentions: Vec::new() }
}

pub(super) fn close() -> Command {
    Command::Close { author: AGENT }
}

pub(super) fn snooze(until: Timestamp) -> Command {
    Command::Snooze { author: AGENT, until, wake_on_reply: false }
}

/// A conversation of this contact.
pub(super) fn observe(person: u128, at: i64) -> ContactCommand {
    ContactCommand::Observe {
        workspace: WORKSPACE,
        conversation: ConversationId(of(person)),
        account: ACCOUNT,
        channel: Channel::WhatsApp,
        addresses: vec![address(person)],
        at: after(at),
    }
}

/// The contact that a person's address names.
pub(super) fn contact(person: u128) -> u128 {
    keys().contact(WORKSPACE, address(person)).0
}

pub(super) fn assign(team: u128) -> ContactCommand {
    ContactCommand::Assign { asked: Asked::by(AGENT), owner: None, team: Some(TeamId(team)) }
}

pub(super) fn connect(rate: u32) -> NumberCommand {
    let connection = Box::new(NewConnection {
        workspace: WORKSPACE,
        channel: Channel::WhatsApp,
        app: AppId(3),
        limit_scope: LimitScopeId(4),
        provider_id: "1065".to_owned(),
        business_id: None,
        base_url: None,
        access_token: None,
        display: None,
        rate_per_second: Some(rate),
        shared_with_phone: false,
    });
    NumberCommand::Connect { asked: Asked::by(AGENT), connection }
}

pub(super) fn pause() -> NumberCommand {
    NumberCommand::PauseSending { asked: Asked::by(AGENT) }
}

pub(super) fn resume() -> NumberCommand {
    NumberCommand::ResumeSending { asked: Asked::by(AGENT) }
}

pub(super) fn tier(limit: u32, at: i64) -> LimitCommand {
    LimitCommand::SetTier { tier: LimitTier::Limited(limit), at: after(at), author: Author::System }
}

pub(super) fn reserve(customers: impl IntoIterator<Item = u128>) -> LimitCommand {
    LimitCommand::Reserve { recipients: customers.into_iter().map(AddressId).collect() }
}

pub(super) fn create() -> WorkspaceCommand {
    WorkspaceCommand::Create { asked: Asked::by(Author::System), name: "Loja".to_owned() }
}

pub(super) fn team(number: u128) -> WorkspaceCommand {
    let change = Box::new(WorkspaceChange::CreateTeam { id: TeamId(number), name: format!("team {number}") });
    WorkspaceCommand::Change { asked: Asked::by(Author::System), change }
}
