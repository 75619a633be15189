//! One person as it stands: who they are known as, whose they are, what they agreed to. Values are not here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::ContactEvent;
use super::property::PropertyKey;
use crate::domain::effect::Assignment;
use crate::domain::ids::{AccountId, AddressId, ContactId, ConversationId, LabelId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::recall::Recall;
use crate::domain::time::Timestamp;

/// What a consent covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConsentScope {
    /// One address on a channel.
    #[serde(rename = "a")]
    Address(Channel, AddressId),
    /// Every address on a channel, also those that become known later.
    #[serde(rename = "c")]
    Channel(Channel),
}

/// A consent given or withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Opted out.
    pub withdrawn: bool,
    /// When.
    pub at: Timestamp,
}

impl Consent {
    /// Whether this one stands against `other`: the later does, and at one moment the withdrawal.
    #[must_use]
    pub fn outranks(&self, other: &Self) -> bool {
        (self.at, self.withdrawn) > (other.at, other.withdrawn)
    }
}

/// Where a property's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyPlace {
    /// Whether it has a value.
    pub set: bool,
    /// When it was last changed.
    pub at: Timestamp,
    /// The contact under whose id the private row is, where it came by a merge; none means this one.
    pub holder: Option<ContactId>,
}

/// The state of one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// When this id began. Never changes: of two contacts the one born earlier stays, then the smaller id.
    pub born: Timestamp,
    /// When the person first became known, under any id.
    pub created_at: Timestamp,
    /// Rises with every change.
    pub version: u64,
    /// The addresses, and the channels on which each is known.
    pub identities: BTreeMap<AddressId, BTreeSet<Channel>>,
    /// The conversations and their accounts.
    pub conversations: BTreeMap<ConversationId, AccountId>,
    /// Which properties have values, and where.
    pub properties: BTreeMap<PropertyKey, PropertyPlace>,
    /// The labels.
    pub labels: BTreeSet<LabelId>,
    /// What they agreed to, by scope and topic.
    pub consents: BTreeMap<(ConsentScope, String), Consent>,
    /// Whose they are.
    pub assignment: Assignment,
    /// Contacts that were taken in, and redirect here.
    pub absorbed: BTreeSet<ContactId>,
    /// The keys of commands taken.
    pub recall: Recall,
}

impl Person {
    /// A person about whom nothing is known yet.
    #[must_use]
    pub fn new(workspace: WorkspaceId, at: Timestamp) -> Self {
        Self {
            workspace,
            born: at,
            created_at: at,
            version: 0,
            identities: BTreeMap::new(),
            conversations: BTreeMap::new(),
            properties: BTreeMap::new(),
            labels: BTreeSet::new(),
            consents: BTreeMap::new(),
            // From 1, so that a conversation, which starts at 0, takes the first copy.
            assignment: Assignment { version: 1, ..Assignment::default() },
            absorbed: BTreeSet::new(),
            recall: Recall::default(),
        }
    }

    /// What the person agreed to on an address of a channel: the latest of what was said of the address there and of
    /// the whole channel.
    #[must_use]
    pub fn consent(&self, channel: Channel, address: AddressId, topic: &str) -> Option<Consent> {
        [ConsentScope::Channel(channel), ConsentScope::Address(channel, address)]
            .into_iter()
            .filter_map(|scope| self.consents.get(&(scope, topic.to_owned())).copied())
            .reduce(|best, other| if other.outranks(&best) { other } else { best })
    }

    /// Whether the person is known by this address on this channel.
    #[must_use]
    pub fn is_known_by(&self, channel: Channel, address: AddressId) -> bool {
        self.identities.get(&address).is_some_and(|channels| channels.contains(&channel))
    }

    /// The addresses known on a channel.
    pub fn addresses_on(&self, channel: Channel) -> impl Iterator<Item = AddressId> + '_ {
        self.identities.iter().filter(move |(_, channels)| channels.contains(&channel)).map(|(address, _)| *address)
    }

    /// The private row that holds a property's value: whose, under the id `own` of this contact; none if it has no
    /// value.
    #[must_use]
    pub fn property_holder(&self, own: ContactId, key: PropertyKey) -> Option<ContactId> {
        self.properties.get(&key).filter(|place| place.set).map(|place| place.holder.unwrap_or(own))
    }

    /// The state as a merge carries it.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        // Only plain values: nothing here can fail to encode.
        rmp_serde::to_vec(self).unwrap_or_default()
    }

    /// The state that a merge carried; none if the bytes are not one.
    #[must_use]
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        crate::packed::read(payload).ok()
    }

    /// Takes one event about a living person into the state.
    pub(super) fn apply(&mut self, event: &ContactEvent) {
        self.version += 1;
        match event {
            ContactEvent::Created { .. } | ContactEvent::Aliased { .. } | ContactEvent::MergeStarted { .. } => {}
            ContactEvent::IdentitiesAdded { channel, addresses, at, .. } => {
                self.created_at = self.created_at.min(*at);
                for address in addresses {
                    self.identities.entry(*address).or_default().insert(*channel);
                }
            }
            ContactEvent::ConversationAdded { conversation, account, at } => {
                self.created_at = self.created_at.min(*at);
                self.conversations.insert(*conversation, *account);
            }
            ContactEvent::PropertiesChanged { set, cleared, at, .. } => {
                for (keys, set) in [(set, true), (cleared, false)] {
                    for key in keys {
                        self.properties.insert(*key, PropertyPlace { set, at: *at, holder: None });
                    }
                }
            }
            ContactEvent::LabelsChanged { added, removed, .. } => {
                self.labels.extend(added);
                self.labels.retain(|label| !removed.contains(label));
            }
            ContactEvent::Assigned { assignment, .. } | ContactEvent::CollaboratorsChanged { assignment, .. } => {
                self.assignment = assignment.clone();
            }
            ContactEvent::ConsentChanged { scope, topic, withdrawn, at, .. } => {
                self.hear(*scope, topic, Consent { withdrawn: *withdrawn, at: *at });
            }
            ContactEvent::Absorbed { from, person, .. } => self.absorb(*from, person),
            ContactEvent::KeyUsed { key, at } => self.recall.remember(*key, *at),
        }
    }

    fn hear(&mut self, scope: ConsentScope, topic: &str, consent: Consent) {
        let known = self.consents.entry((scope, topic.to_owned())).or_insert(consent);
        if consent.outranks(known) {
            *known = consent;
        }
    }

    /// Takes another contact in. What both have, the later decides; so the order of merges does not matter.
    fn absorb(&mut self, from: ContactId, other: &Self) {
        self.created_at = self.created_at.min(other.created_at);
        for (address, channels) in &other.identities {
            self.identities.entry(*address).or_default().extend(channels);
        }
        self.conversations.extend(&other.conversations);
        for (key, place) in &other.properties {
            let theirs = PropertyPlace { holder: place.holder.or(Some(from)), ..*place };
            match self.properties.get(key) {
                Some(ours) if (ours.at, ours.set, ours.holder) >= (theirs.at, theirs.set, theirs.holder) => {}
                _ => drop(self.properties.insert(*key, theirs)),
            }
        }
        self.labels.extend(&other.labels);
        for ((scope, topic), consent) in &other.consents {
            self.hear(*scope, topic, *consent);
        }
        for (key, at) in other.recall.iter() {
            self.recall.remember(key, at);
        }
        self.absorbed.insert(from);
        self.absorbed.extend(&other.absorbed);
        let (ours, theirs) = (&mut self.assignment, &other.assignment);
        ours.version = ours.version.max(theirs.version) + 1;
        if ours.owner.is_none() && theirs.owner.is_some() {
            (ours.owner, ours.team) = (theirs.owner, None);
        } else if ours.owner.is_none() {
            ours.team = ours.team.or(theirs.team);
        }
        for member in &theirs.collaborators {
            if !ours.collaborators.contains(member) {
                ours.collaborators.push(*member);
            }
        }
        let owner = ours.owner;
        ours.collaborators.retain(|member| Some(*member) != owner);
    }
}
