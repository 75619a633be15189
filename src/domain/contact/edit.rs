//! What people and programs change in a contact.

use super::Contact;
use super::command::{ContactAnswer, ContactDraft, SaveHow};
use super::turn::Turn;
use crate::domain::entity::{Context, Decision};
use crate::domain::ids::{ContactId, WorkspaceId};
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;

/// The most addresses that may be typed for one contact.
pub const IDENTITIES_MAX: usize = 100;
/// The most properties of one contact.
pub const PROPERTIES_MAX: usize = 300;
/// The most labels of one contact.
pub const LABELS_MAX: usize = 200;
/// The most consents of one contact, over addresses, channels and topics.
pub const CONSENTS_MAX: usize = 1_000;
/// The most collaborators of one contact.
pub const COLLABORATORS_MAX: usize = 50;
/// The longest topic of a consent, in characters.
pub const TOPIC_MAX_CHARS: usize = 64;

/// Creates or changes a contact.
pub(super) fn save(
    state: &Contact,
    asked: &Asked,
    workspace: WorkspaceId,
    how: SaveHow,
    draft: ContactDraft,
    context: &Context<'_>,
) -> Result<Decision<Contact>, Refusal> {
    let taken = |by: ContactId| match draft.identities.is_empty() {
        true => Refusal::AlreadyExists { what: "contact" },
        false => Refusal::IdentityTaken { by: by.to_string() },
    };
    let created = match state {
        Contact::Moved { to, .. } if how == SaveHow::Create && !draft.identities.is_empty() => return Err(taken(*to)),
        Contact::Moved { to, .. } => return Err(Refusal::Moved { to: to.0 }),
        Contact::Nobody if how == SaveHow::Update => return Err(Refusal::NotFound { what: "contact" }),
        Contact::Nobody => true,
        Contact::Person(person) => {
            if person.recall.is_repeat(asked.key)? {
                return Ok(Decision::nothing(saved(context.id, person.version, false, true)));
            }
            if how == SaveHow::Create {
                return Err(taken(ContactId(context.id)));
            }
            asked.check_version(person.version)?;
            false
        }
    };
    let mut turn = match state.person() {
        Some(person) => Turn::of(person, context),
        None => {
            asked.check_version(0)?;
            Turn::birth(workspace, context.now, asked.author, context)
        }
    };
    for identity in draft.identities {
        turn.typed(identity.channel, identity.details, asked.author)?;
    }
    turn.properties(draft.properties, asked.author)?;
    turn.labels(&draft.labels, &[], asked.author)?;
    for consent in draft.consents {
        turn.consent(consent.scope, &consent.topic, consent.withdrawn, context.now, asked.author)?;
    }
    Ok(finish(turn, asked, context, created))
}

/// Changes a contact that is there.
pub(super) fn change<'a>(
    state: &Contact,
    asked: &Asked,
    context: &'a Context<'a>,
    edit: impl FnOnce(&mut Turn<'a>) -> Result<(), Refusal>,
) -> Result<Decision<Contact>, Refusal> {
    let person = match state {
        Contact::Nobody => return Err(Refusal::NotFound { what: "contact" }),
        Contact::Moved { to, .. } => return Err(Refusal::Moved { to: to.0 }),
        Contact::Person(person) => person,
    };
    if person.recall.is_repeat(asked.key)? {
        return Ok(Decision::nothing(saved(context.id, person.version, false, true)));
    }
    asked.check_version(person.version)?;
    let mut turn = Turn::of(person, context);
    edit(&mut turn)?;
    Ok(finish(turn, asked, context, false))
}

fn finish(mut turn: Turn<'_>, asked: &Asked, context: &Context<'_>, created: bool) -> Decision<Contact> {
    if let (Some(key), false) = (asked.key, turn.is_idle()) {
        turn.key_used(key);
    }
    let version = turn.person.version;
    turn.end(saved(context.id, version, created, false))
}

fn saved(id: u128, version: u64, created: bool, repeated: bool) -> ContactAnswer {
    ContactAnswer::Saved { id: ContactId(id), version, created, repeated }
}
