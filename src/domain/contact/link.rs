//! What conversations and other contacts tell a contact: facts, which are taken in any order and any
//! number of times.

use super::Contact;
use super::command::ContactAnswer;
use super::event::ContactEvent;
use super::person::{Consent, ConsentScope, Person};
use super::turn::Turn;
use crate::domain::author::Author;
use crate::domain::effect::Effect;
use crate::domain::entity::{Context, Decision};
use crate::domain::ids::{AccountId, AddressId, ContactId, ConversationId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// What a conversation saw.
pub(super) struct Seen {
    pub(super) conversation: ConversationId,
    pub(super) account: AccountId,
    pub(super) channel: Channel,
    pub(super) addresses: Vec<AddressId>,
    pub(super) at: Timestamp,
}

type Decided = Result<Decision<Contact>, Refusal>;

/// A conversation is this person's, and these are the person's addresses.
pub(super) fn observe(state: &Contact, workspace: WorkspaceId, seen: &Seen, context: &Context<'_>) -> Decided {
    let mut turn = match state {
        Contact::Moved { to, .. } => return Ok(Decision::nothing(ContactAnswer::Forward(*to))),
        Contact::Nobody => Turn::birth(workspace, seen.at, Author::Customer, context),
        Contact::Person(person) => Turn::of(person, context),
    };
    turn.identities(seen.channel, &seen.addresses, seen.at, Author::Customer);
    turn.conversation(seen.conversation, seen.account, seen.at);
    Ok(turn.end(ContactAnswer::Noted))
}

/// The customer gave or withdrew consent on an address.
pub(super) fn record_consent(
    state: &Contact,
    workspace: WorkspaceId,
    (channel, address): (Channel, AddressId),
    topic: &str,
    heard: Consent,
    context: &Context<'_>,
) -> Decided {
    let mut turn = match state {
        Contact::Moved { to, .. } => return Ok(Decision::nothing(ContactAnswer::Forward(*to))),
        Contact::Nobody => Turn::birth(workspace, heard.at, Author::Customer, context),
        Contact::Person(person) => Turn::of(person, context),
    };
    turn.consent(ConsentScope::Address(channel, address), topic, heard.withdrawn, heard.at, Author::Customer)?;
    Ok(turn.end(ContactAnswer::Noted))
}

/// Somebody typed the address that names this contact, for another one.
pub(super) fn claim(state: &Contact, workspace: WorkspaceId, by: ContactId, context: &Context<'_>) -> Decided {
    if by.0 == context.id {
        return Ok(Decision::nothing(ContactAnswer::Claimed));
    }
    match state {
        Contact::Nobody => Ok(alias(workspace, by, context, ContactAnswer::Claimed)),
        Contact::Moved { to, .. } if *to == by => Ok(Decision::nothing(ContactAnswer::Claimed)),
        // Where it leads may be the claimer, by a merge.
        Contact::Moved { to, .. } => Ok(Decision::nothing(ContactAnswer::Forward(*to))),
        Contact::Person(person) if person.absorbed.contains(&by) => Ok(Decision::nothing(ContactAnswer::Claimed)),
        Contact::Person(_) => Err(Refusal::IdentityTaken { by: ContactId(context.id).to_string() }),
    }
}

/// Another contact says that the two are one person.
pub(super) fn link(
    state: &Contact,
    workspace: WorkspaceId,
    from: ContactId,
    born: Timestamp,
    context: &Context<'_>,
) -> Decided {
    let id = ContactId(context.id);
    if from == id {
        return Ok(Decision::nothing(ContactAnswer::Noted));
    }
    let person = match state {
        Contact::Moved { to, .. } => return Ok(Decision::nothing(ContactAnswer::Forward(*to))),
        Contact::Nobody => return Ok(alias(workspace, from, context, ContactAnswer::Noted)),
        Contact::Person(person) if person.absorbed.contains(&from) => {
            return Ok(Decision::nothing(ContactAnswer::Noted));
        }
        Contact::Person(person) => person,
    };
    let mut decision = Decision::nothing(ContactAnswer::Noted);
    if (born, from) < (person.born, id) {
        decision.events.push(ContactEvent::MergeStarted { to: from, at: context.now });
        decision.effects.push(Effect::AbsorbContact { to: from, from: id, payload: person.to_payload() });
    } else {
        // The loser drives the merge: it must hear who stays.
        let (created_at, at) = (person.born, context.now);
        decision.effects.push(Effect::LinkContact { to: from, from: id, created_at, at });
    }
    Ok(decision)
}

/// The losing contact hands its state over.
pub(super) fn absorb(state: &Contact, from: ContactId, payload: &[u8], context: &Context<'_>) -> Decided {
    if from.0 == context.id {
        return Ok(Decision::nothing(ContactAnswer::Noted));
    }
    let unreadable = || Refusal::Invalid { field: "payload".to_owned(), why: "it is not a contact's state".to_owned() };
    let loser = || Person::from_payload(payload).ok_or_else(unreadable);
    let (mut turn, loser) = match state {
        Contact::Moved { to, .. } => return Ok(Decision::nothing(ContactAnswer::Forward(*to))),
        Contact::Person(person) if person.absorbed.contains(&from) => {
            return Ok(Decision::nothing(ContactAnswer::Noted));
        }
        Contact::Person(person) => (Turn::of(person, context), loser()?),
        Contact::Nobody => {
            let loser = loser()?;
            (Turn::birth(loser.workspace, loser.born, Author::System, context), loser)
        }
    };
    turn.absorb(from, loser);
    Ok(turn.end(ContactAnswer::Noted))
}

fn alias(workspace: WorkspaceId, to: ContactId, context: &Context<'_>, answer: ContactAnswer) -> Decision<Contact> {
    let events = vec![ContactEvent::Aliased { workspace, to, at: context.now }];
    Decision { events, effects: Vec::new(), content: Vec::new(), answer }
}
