//! What requests say of contacts, brought into the words of the core.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::values;
use crate::contacts;
use crate::domain::contact::{ConsentScope, ContactDraft, TypedConsent, TypedIdentity};
use crate::domain::ids::{LabelId, MemberId, TeamId, WorkspaceId};
use crate::domain::inbound::AddressSpace;
use crate::domain::message::Channel;
use crate::domain::refusal::Refusal;
use crate::http::{Edge, Problem};

/// The most addresses, consents or labels that one request may name.
const NAMED_MAX: usize = 200;

/// A contact to be. What it does not name stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactForm {
    #[serde(default)]
    identities: Vec<IdentityForm>,
    /// `null` erases a property.
    #[serde(default)]
    properties: Map<String, Value>,
    #[serde(default)]
    labels: Vec<LabelId>,
    #[serde(default)]
    consents: Vec<ConsentForm>,
}

/// An address on a channel.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityForm {
    channel: Channel,
    space: Option<AddressSpace>,
    address: String,
    name: Option<String>,
    username: Option<String>,
}

/// A consent on a channel, or on one address there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsentForm {
    channel: Option<Channel>,
    space: Option<AddressSpace>,
    address: Option<String>,
    topic: String,
    withdrawn: bool,
}

/// Whose a contact is to be; neither is nobody's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssignForm {
    pub(super) owner: Option<MemberId>,
    pub(super) team: Option<TeamId>,
}

impl ContactForm {
    /// The draft that it means in a workspace.
    pub(super) fn draft(self, edge: &Edge, workspace: WorkspaceId) -> Result<ContactDraft, Problem> {
        let counts =
            [("identities", self.identities.len()), ("labels", self.labels.len()), ("consents", self.consents.len())];
        if let Some((what, _)) = counts.into_iter().find(|(_, count)| *count > NAMED_MAX) {
            return Err(Refusal::TooMany { what, allowed: NAMED_MAX }.into());
        }
        let mut draft = ContactDraft { labels: self.labels, ..ContactDraft::default() };
        for (index, form) in self.identities.into_iter().enumerate() {
            draft.identities.push(form.identity().map_err(|refusal| within("identities", index, refusal))?);
        }
        let known = edge.workspaces.find(workspace).ok_or_else(|| Problem::not_found("workspace"))?;
        for (word, value) in &self.properties {
            draft.properties.push(values::property(&known, word, value)?);
        }
        for (index, form) in self.consents.into_iter().enumerate() {
            let consent = form.consent(edge, workspace).map_err(|refusal| within("consents", index, refusal))?;
            // Said twice, the last word counts.
            draft.consents.retain(|said: &TypedConsent| (said.scope, &said.topic) != (consent.scope, &consent.topic));
            draft.consents.push(consent);
        }
        Ok(draft)
    }
}

impl IdentityForm {
    /// The identity, in its normal form.
    pub(super) fn identity(self) -> Result<TypedIdentity, Refusal> {
        contacts::identity(self.channel, self.space, &self.address, self.name, self.username)
    }
}

impl ConsentForm {
    /// The consent, by the id of its address.
    pub(super) fn consent(self, edge: &Edge, workspace: WorkspaceId) -> Result<TypedConsent, Refusal> {
        let scope = match (self.channel, &self.address) {
            (Some(channel), None) => ConsentScope::Channel(channel),
            (Some(channel), Some(text)) => {
                let address = contacts::address(self.space.unwrap_or(AddressSpace::Phone), text)?;
                ConsentScope::Address(channel, edge.contacts.address_id(workspace, &address))
            }
            (None, _) => {
                let why = "a consent is on a channel, and with an `address` on that one there".to_owned();
                return Err(Refusal::Invalid { field: "channel".to_owned(), why });
            }
        };
        Ok(TypedConsent { scope, topic: self.topic, withdrawn: self.withdrawn })
    }
}

/// The refusal of one element, with its place in the list.
fn within(list: &str, index: usize, refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Invalid { field, why } => Refusal::Invalid { field: format!("{list}[{index}].{field}"), why },
        other => other,
    }
}
