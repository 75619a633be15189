//! A conversation as lists and details show it.

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use crate::conversations::inbox::last_at;
use crate::domain::content::AddressDetails;
use crate::domain::conversation::{Handler, State, Summary};
use crate::domain::ids::{AccountId, BotId, ContactId, ConversationId, MemberId, TeamId};
use crate::domain::inbound::AddressSpace;
use crate::domain::message::Channel;

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The conversation.
    pub id: ConversationId,
    /// The person.
    pub contact: ContactId,
    /// The account it is on.
    pub account: AccountId,
    /// The account's channel.
    pub channel: Channel,
    /// A thread of several people, which cannot be answered.
    pub group: bool,
    /// `open`, `snoozed` or `closed`.
    pub state: &'static str,
    /// Until when it is snoozed.
    pub snoozed_until: Option<Moment>,
    /// Who handles it.
    pub handler: HandlerShown,
    /// The ownership epoch.
    pub epoch: u64,
    /// The contact's owner.
    pub owner: Option<MemberId>,
    /// The contact's team, where there is no owner.
    pub team: Option<TeamId>,
    /// Who else may reply.
    pub collaborators: Vec<MemberId>,
    /// Messages of the customer that nobody has read.
    pub unread: u32,
    /// When it was last active: its newest message, else its beginning.
    pub last_message_at: Moment,
    /// The customer's newest message.
    pub last_inbound_at: Option<Moment>,
    /// When the reply window ends or ended.
    pub window_closes_at: Option<Moment>,
    /// Until when messages are free of charge.
    pub free_until: Option<Moment>,
    /// The customer withdrew consent to marketing.
    pub marketing_withdrawn: bool,
    /// When it began.
    pub created_at: Moment,
    /// Rises with every change.
    pub version: u64,
}

impl From<&Summary> for Line {
    fn from(summary: &Summary) -> Self {
        let assignment = &summary.assignment;
        let snoozed_until = match summary.state {
            State::Snoozed { until, .. } => Some(Moment(until)),
            State::Open | State::Closed => None,
        };
        Self {
            id: summary.id,
            contact: summary.contact,
            account: summary.account,
            channel: summary.channel,
            group: summary.group,
            state: summary.state.word(),
            snoozed_until,
            handler: summary.handler.into(),
            epoch: summary.epoch,
            owner: assignment.owner,
            team: assignment.team,
            collaborators: assignment.collaborators.clone(),
            unread: summary.unread,
            last_message_at: Moment(last_at(summary)),
            last_inbound_at: summary.last_inbound.map(|message| Moment(message.at)),
            window_closes_at: summary.window_closes_at.map(Moment),
            free_until: summary.free_until.map(Moment),
            marketing_withdrawn: summary.marketing_withdrawn,
            created_at: Moment(summary.created_at),
            version: summary.version,
        }
    }
}

/// Who handles a conversation: `{"kind":"human"}` or `{"kind":"bot","bot":"bot_…"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HandlerShown {
    /// People.
    Human {},
    /// A program.
    Bot {
        /// Which.
        bot: BotId,
    },
}

impl From<Handler> for HandlerShown {
    fn from(handler: Handler) -> Self {
        match handler {
            Handler::Human => Self::Human {},
            Handler::Bot(bot) => Self::Bot { bot },
        }
    }
}

impl From<HandlerShown> for Handler {
    fn from(shown: HandlerShown) -> Self {
        match shown {
            HandlerShown::Human {} => Self::Human,
            HandlerShown::Bot { bot } => Self::Bot(bot),
        }
    }
}

/// A conversation with what is known of the person's addresses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detail {
    /// The line.
    #[serde(flatten)]
    pub line: Line,
    /// The addresses, in the order learned.
    pub addresses: Vec<AddressShown>,
}

/// An address of the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddressShown {
    /// What kind of address.
    pub space: AddressSpace,
    /// The address.
    pub address: String,
    /// The profile name.
    pub name: Option<String>,
    /// The user name.
    pub username: Option<String>,
    /// Whether it is in use.
    pub current: bool,
}

impl AddressShown {
    /// An address as its row has it.
    #[must_use]
    pub fn new(details: AddressDetails, current: bool) -> Self {
        let AddressDetails { address, name, username } = details;
        Self { space: address.space, address: address.text, name, username, current }
    }
}
