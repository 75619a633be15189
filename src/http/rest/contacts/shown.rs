//! A contact as answers show it.

use serde_json::{Map, Value, json};

use super::values;
use crate::contacts::ContactView;
use crate::domain::contact::ConsentScope;
use crate::domain::ids::AddressId;

/// The whole contact.
pub(super) fn contact(view: &ContactView) -> Value {
    let person = &view.person;
    let properties: Map<String, Value> =
        view.properties.iter().map(|(key, value)| (key.word(), values::shown(value))).collect();
    let mut shown = json!({
        "id": view.id,
        "version": person.version,
        "created_at": person.created_at.to_string(),
        "identities": identities(view),
        "properties": properties,
        "labels": person.labels,
        "consents": consents(view),
        "owner": person.assignment.owner,
        "team": person.assignment.team,
        "collaborators": person.assignment.collaborators,
        "conversations": view.conversations,
    });
    if view.moved {
        shown["moved_to"] = json!(view.id);
    }
    shown
}

/// One line an address and channel.
fn identities(view: &ContactView) -> Vec<Value> {
    let mut lines = Vec::new();
    for (address, channels) in &view.person.identities {
        for channel in channels {
            let mut line = named(view, *address);
            line["channel"] = json!(channel.word());
            if let Some(details) = view.addresses.get(address) {
                line["name"] = json!(details.name);
                line["username"] = json!(details.username);
            }
            lines.push(line);
        }
    }
    lines
}

fn consents(view: &ContactView) -> Vec<Value> {
    let line = |((scope, topic), consent): (&(ConsentScope, String), &crate::domain::contact::Consent)| {
        let scope = match scope {
            ConsentScope::Address(channel, address) => {
                let mut shown = named(view, *address);
                shown["channel"] = json!(channel.word());
                shown
            }
            ConsentScope::Channel(channel) => json!({"channel": channel.word()}),
        };
        json!({"scope": scope, "topic": topic, "withdrawn": consent.withdrawn, "at": consent.at.to_string()})
    };
    view.person.consents.iter().map(line).collect()
}

/// An address by its text; one whose text nobody ever said is null.
fn named(view: &ContactView, address: AddressId) -> Value {
    let address = view.addresses.get(&address).map(|details| &details.address);
    json!({"space": address.map(|address| address.space.word()), "address": address.map(|address| &address.text)})
}
