//! What a contact remembers. The bytes are a contract: append variants and fields only.

use serde::{Deserialize, Serialize};

use super::person::{ConsentScope, Person};
use super::property::PropertyKey;
use crate::domain::author::Author;
use crate::domain::effect::Assignment;
use crate::domain::ids::{AccountId, AddressId, ContactId, ConversationId, LabelId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::recall::CommandKey;
use crate::domain::time::Timestamp;

/// What happened to a contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ContactEvent {
    /// A person came into being.
    #[serde(rename = "cr")]
    Created {
        /// The tenant.
        workspace: WorkspaceId,
        /// When, by the provider's clock for what a platform taught.
        at: Timestamp,
        /// Who made it.
        author: Author,
    },
    /// The person is known by more addresses on a channel.
    #[serde(rename = "ia")]
    IdentitiesAdded {
        /// The channel.
        channel: Channel,
        /// The addresses that are new there.
        addresses: Vec<AddressId>,
        /// When.
        at: Timestamp,
        /// Who said so.
        author: Author,
    },
    /// A conversation belongs to the person.
    #[serde(rename = "cv")]
    ConversationAdded {
        /// The conversation.
        conversation: ConversationId,
        /// The account it is on.
        account: AccountId,
        /// When.
        at: Timestamp,
    },
    /// Properties changed; the values are in private rows.
    #[serde(rename = "pc")]
    PropertiesChanged {
        /// Which have a value now.
        set: Vec<PropertyKey>,
        /// Which have none now.
        cleared: Vec<PropertyKey>,
        /// When.
        at: Timestamp,
        /// Who changed them.
        author: Author,
    },
    /// Labels were put on and taken off.
    #[serde(rename = "lb")]
    LabelsChanged {
        /// Put on.
        added: Vec<LabelId>,
        /// Taken off.
        removed: Vec<LabelId>,
        /// When.
        at: Timestamp,
        /// Who changed them.
        author: Author,
    },
    /// The person has another owner or team.
    #[serde(rename = "as")]
    Assigned {
        /// Whose it is now.
        assignment: Assignment,
        /// When.
        at: Timestamp,
        /// Who assigned.
        author: Author,
    },
    /// Other members take part.
    #[serde(rename = "co")]
    CollaboratorsChanged {
        /// Whose it is now.
        assignment: Assignment,
        /// When.
        at: Timestamp,
        /// Who changed it.
        author: Author,
    },
    /// The person opted in or out.
    #[serde(rename = "ct")]
    ConsentChanged {
        /// On which address or channel.
        scope: ConsentScope,
        /// The topic.
        topic: String,
        /// Opted out.
        withdrawn: bool,
        /// When.
        at: Timestamp,
        /// Who said so.
        author: Author,
    },
    /// This id never was a person's of its own: its address belongs to another contact.
    #[serde(rename = "al")]
    Aliased {
        /// The tenant.
        workspace: WorkspaceId,
        /// The contact.
        to: ContactId,
        /// When.
        at: Timestamp,
    },
    /// This contact goes into an older one and redirects from now on.
    #[serde(rename = "ms")]
    MergeStarted {
        /// The older one.
        to: ContactId,
        /// When.
        at: Timestamp,
    },
    /// Another contact was taken in.
    #[serde(rename = "ab")]
    Absorbed {
        /// The other.
        from: ContactId,
        /// What it was, without anything personal.
        person: Box<Person>,
        /// When.
        at: Timestamp,
    },
    /// A command's key was used.
    #[serde(rename = "ku")]
    KeyUsed {
        /// The key.
        key: CommandKey,
        /// When.
        at: Timestamp,
    },
}

impl ContactEvent {
    /// The event's name in the feed. Stable.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Created { .. } => "contact.created",
            Self::IdentitiesAdded { .. } => "contact.identities_added",
            Self::ConversationAdded { .. } => "contact.conversation_added",
            Self::PropertiesChanged { .. } => "contact.updated",
            Self::LabelsChanged { .. } => "contact.labels_changed",
            Self::Assigned { .. } => "contact.assigned",
            Self::CollaboratorsChanged { .. } => "contact.collaborators_changed",
            Self::ConsentChanged { .. } => "contact.consent_changed",
            Self::Aliased { .. } => "contact.aliased",
            Self::MergeStarted { .. } => "contact.redirected",
            Self::Absorbed { .. } => "contact.merged",
            Self::KeyUsed { .. } => "contact.key_used",
        }
    }

    /// Whether anyone but the entity itself has use for it.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        !matches!(self, Self::KeyUsed { .. } | Self::Aliased { .. })
    }
}
