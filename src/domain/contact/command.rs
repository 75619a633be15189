//! What may be asked of a contact, and what the asker hears.

use super::person::ConsentScope;
use super::property::{PropertyKey, PropertyValue};
use crate::domain::content::AddressDetails;
use crate::domain::ids::{AccountId, AddressId, ContactId, ConversationId, LabelId, MemberId, TeamId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::recall::Asked;
use crate::domain::time::Timestamp;

/// What may be asked of a contact.
///
/// Those with [`Asked`] come from people and programs; a redirected contact refuses them with
/// `Moved`. The others are facts and effects; a redirected contact answers `Forward`, and the one
/// who carries the fact brings it there.
pub enum ContactCommand {
    /// Create or change.
    Save {
        /// Who asks.
        asked: Asked,
        /// The tenant.
        workspace: WorkspaceId,
        /// Whether it must not, or must, be there.
        how: SaveHow,
        /// What is to be so.
        draft: ContactDraft,
    },
    /// Opt in or out.
    SetConsent {
        /// Who asks.
        asked: Asked,
        /// On which address or channel.
        scope: ConsentScope,
        /// The topic; `marketing` is the one everybody has.
        topic: String,
        /// Opted out.
        withdrawn: bool,
    },
    /// Give to an owner, else to a team, else to nobody.
    Assign {
        /// Who asks.
        asked: Asked,
        /// The owner.
        owner: Option<MemberId>,
        /// The team; only without an owner.
        team: Option<TeamId>,
    },
    /// Let a member take part.
    AddCollaborator {
        /// Who asks.
        asked: Asked,
        /// The member.
        member: MemberId,
    },
    /// Let a member take part no longer.
    RemoveCollaborator {
        /// Who asks.
        asked: Asked,
        /// The member.
        member: MemberId,
    },
    /// Put a label on.
    AddLabel {
        /// Who asks.
        asked: Asked,
        /// The label.
        label: LabelId,
    },
    /// Take a label off.
    RemoveLabel {
        /// Who asks.
        asked: Asked,
        /// The label.
        label: LabelId,
    },
    /// Somebody typed an address for the contact `by`; asked of the contact that the address names
    /// ([`crate::domain::ids::Keyring::contact`]), once `by` exists. It becomes an alias of `by`, or refuses with
    /// `IdentityTaken`.
    ClaimIdentity {
        /// The tenant.
        workspace: WorkspaceId,
        /// The contact that wants the address.
        by: ContactId,
    },
    /// A conversation belongs to this contact, and the platform knows the person by these addresses.
    Observe {
        /// The tenant.
        workspace: WorkspaceId,
        /// The conversation.
        conversation: ConversationId,
        /// The account it is on.
        account: AccountId,
        /// The account's channel.
        channel: Channel,
        /// Every address the person is known by there.
        addresses: Vec<AddressId>,
        /// The provider's time.
        at: Timestamp,
    },
    /// A customer gave or withdrew consent in a conversation.
    RecordConsent {
        /// The tenant.
        workspace: WorkspaceId,
        /// The channel on which it was said.
        channel: Channel,
        /// The address.
        address: AddressId,
        /// The topic.
        topic: String,
        /// Opted out.
        withdrawn: bool,
        /// The provider's time.
        at: Timestamp,
    },
    /// Another contact says: we are one person.
    Link {
        /// The tenant.
        workspace: WorkspaceId,
        /// The contact that says so.
        from: ContactId,
        /// Its birth, which decides who stays.
        born: Timestamp,
    },
    /// The losing contact says: take me in.
    Absorb {
        /// The loser.
        from: ContactId,
        /// Its state in stored form, as its effect carries it.
        payload: Vec<u8>,
    },
}

/// Whether the contact must not, or must, be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveHow {
    /// It must not: an address that somebody has is refused as `IdentityTaken`.
    Create,
    /// It must.
    Update,
    /// Either.
    Upsert,
}

/// What somebody wants a contact to be. What it does not name stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactDraft {
    /// Addresses to add. Those that name another contact must have been claimed first.
    pub identities: Vec<TypedIdentity>,
    /// Properties to set; none erases one. Checked against their types by the asker.
    pub properties: Vec<(PropertyKey, Option<PropertyValue>)>,
    /// Labels to put on.
    pub labels: Vec<LabelId>,
    /// Consents to record.
    pub consents: Vec<TypedConsent>,
}

/// An address that somebody typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedIdentity {
    /// Where it is used.
    pub channel: Channel,
    /// What it is, normalised.
    pub details: AddressDetails,
}

/// A consent that somebody typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedConsent {
    /// On which address or channel.
    pub scope: ConsentScope,
    /// The topic.
    pub topic: String,
    /// Opted out.
    pub withdrawn: bool,
}

/// What an asker hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactAnswer {
    /// The command is done.
    Saved {
        /// The contact.
        id: ContactId,
        /// Its version now.
        version: u64,
        /// It was not there before.
        created: bool,
        /// The same command came before; nothing was done now.
        repeated: bool,
    },
    /// The address is an alias of the claimer.
    Claimed,
    /// The fact is taken, or was already.
    Noted,
    /// The contact redirects: bring the fact there.
    Forward(ContactId),
}
