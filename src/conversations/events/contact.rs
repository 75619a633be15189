//! What is said of a contact's events: ids and codes; values are read where the contact is.

use serde_json::{Value, json};

use super::Said;
use crate::conversations::{Conversations, HOPS_MAX};
use crate::domain::contact::{ConsentScope, Contact, ContactEvent as Event, PropertyKey};
use crate::domain::effect::Assignment;
use crate::domain::ids::ContactId;
use crate::shards::CommandError;

/// An event's word and data.
pub(super) fn say(id: ContactId, event: &Event) -> Said {
    if !event.is_public() {
        return None;
    }
    let words = |keys: &[PropertyKey]| keys.iter().map(PropertyKey::word).collect::<Vec<_>>();
    let data = match event {
        Event::Created { author, .. } => json!({ "contact": id, "author": author }),
        Event::IdentitiesAdded { channel, addresses, author, .. } => {
            json!({ "contact": id, "channel": channel, "addresses": addresses, "author": author })
        }
        Event::ConversationAdded { conversation, account, .. } => {
            json!({ "contact": id, "conversation": conversation, "account": account })
        }
        Event::PropertiesChanged { set, cleared, author, .. } => {
            json!({ "contact": id, "set": words(set), "cleared": words(cleared), "author": author })
        }
        Event::LabelsChanged { added, removed, author, .. } => {
            json!({ "contact": id, "added": added, "removed": removed, "author": author })
        }
        Event::Assigned { assignment, author, .. } | Event::CollaboratorsChanged { assignment, author, .. } => json!({
            "contact": id, "owner": assignment.owner, "team": assignment.team,
            "collaborators": assignment.collaborators, "author": author,
        }),
        Event::ConsentChanged { scope, topic, withdrawn, author, .. } => json!({
            "contact": id, "scope": scope_shown(*scope), "topic": topic, "withdrawn": withdrawn, "author": author,
        }),
        Event::MergeStarted { to, .. } => json!({ "contact": id, "moved_to": to }),
        Event::Absorbed { from, .. } => json!({ "contact": id, "absorbed": from }),
        Event::Aliased { .. } | Event::KeyUsed { .. } => return None,
    };
    Some((event.word(), data))
}

fn scope_shown(scope: ConsentScope) -> Value {
    match scope {
        ConsentScope::Address(channel, address) => json!({ "channel": channel, "address": address }),
        ConsentScope::Channel(channel) => json!({ "channel": channel }),
    }
}

impl Conversations {
    /// Whose a contact is now, followed where it was merged.
    pub(super) async fn assignment_of(&self, contact: ContactId) -> Result<Option<Assignment>, CommandError> {
        let mut asked = contact;
        for _ in 0..HOPS_MAX {
            let (moved, assignment) = self
                .shards
                .view::<Contact, _>(asked.0, |state| {
                    (state.moved_to(), state.person().map(|person| person.assignment.clone()))
                })
                .await?;
            match moved {
                Some(to) => asked = to,
                None => return Ok(assignment),
            }
        }
        Ok(None)
    }
}
