//! What lists and details show of a conversation.

use serde::{Deserialize, Serialize};

use super::{Conversation, Handler, State};
use crate::domain::access::Subject;
use crate::domain::effect::Assignment;
use crate::domain::ids::{AccountId, AddressId, ContactId, ConversationId, MemberId, WorkspaceId};
use crate::domain::message::{Channel, MessageRef};
use crate::domain::time::Timestamp;

/// What lists and details show of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The conversation.
    pub id: ConversationId,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The account.
    pub account: AccountId,
    /// The channel.
    pub channel: Channel,
    /// The contact.
    pub contact: ContactId,
    /// A thread of several people, which cannot be answered.
    pub group: bool,
    /// Where the person's conversation is, if this one was merged: lists leave it out.
    pub moved_to: Option<ConversationId>,
    /// The conversations whose threads are read through this one.
    pub absorbed: Vec<ConversationId>,
    /// Open, snoozed, closed.
    pub state: State,
    /// Who handles it.
    pub handler: Handler,
    /// The ownership epoch.
    pub epoch: u64,
    /// Whom the contact belongs to.
    pub assignment: Assignment,
    /// Who was mentioned, and until when that gives access.
    pub mentions: Vec<(MemberId, Timestamp)>,
    /// Messages of the customer that nobody has read.
    pub unread: u32,
    /// The newest message in thread order.
    pub last_message: Option<MessageRef>,
    /// The customer's first message.
    pub first_inbound_at: Option<Timestamp>,
    /// The customer's newest message.
    pub last_inbound: Option<MessageRef>,
    /// When the reply window ends or ended; none where there is none or it never opened.
    pub window_closes_at: Option<Timestamp>,
    /// Until when messages are free of charge.
    pub free_until: Option<Timestamp>,
    /// The customer withdrew consent to marketing.
    pub marketing_withdrawn: bool,
    /// Every address of the person, in the order learned, and whether it is in use.
    pub addresses: Vec<(AddressId, bool)>,
    /// When it began.
    pub created_at: Timestamp,
    /// Rises with every change.
    pub version: u64,
}

impl Summary {
    /// What access depends on.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            account: self.account,
            owner: self.assignment.owner,
            team: self.assignment.team,
            collaborators: &self.assignment.collaborators,
            mentions: &self.mentions,
        }
    }
}

impl Conversation {
    /// What lists show; none for an id that never had a conversation of its own.
    ///
    /// `now` picks the window profile in force.
    #[must_use]
    pub fn summary(&self, now: Timestamp) -> Option<Summary> {
        let (place, channel, contact) = (self.place?, self.channel?, self.contact?);
        Some(Summary {
            id: place.id,
            workspace: place.workspace,
            account: place.account,
            channel,
            contact,
            group: self.group,
            moved_to: self.redirect,
            absorbed: self.absorbed.clone(),
            state: self.state,
            handler: self.handler(),
            epoch: self.epoch,
            assignment: self.assignment.clone(),
            mentions: self.mentions.clone(),
            unread: self.unread,
            last_message: self.last_message,
            first_inbound_at: self.first_inbound,
            last_inbound: self.last_inbound,
            window_closes_at: self.window.closes_at(channel, now),
            free_until: self.free_entry.free_until(),
            marketing_withdrawn: self.consent.is_some_and(|consent| consent.withdrawn),
            addresses: self.addresses.iter().map(|known| (known.id, known.is_current())).collect(),
            created_at: self.created_at,
            version: self.version,
        })
    }
}
