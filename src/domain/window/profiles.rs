//! The windows of the nine channels as dated figures (`product.md` §1, `channels.md`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::billing::Category;
use crate::domain::message::Channel;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

const HOUR: u64 = 3_600;

/// 2026-04-27T00:00:00Z: from here on Meta answers error 100 to three of Messenger's tags.
pub const TAGS_REFUSED_SINCE: Timestamp = Timestamp::from_seconds(1_777_248_000);

/// A tag that lets a message leave outside the reply window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Tag {
    /// A person answers late.
    HumanAgent,
    /// An event the customer registered for has changed.
    ConfirmedEventUpdate,
    /// News of an order.
    PostPurchaseUpdate,
    /// News of the customer's account.
    AccountUpdate,
}

impl Tag {
    /// The platform's word for it, as the wire and the API have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::HumanAgent => "HUMAN_AGENT",
            Self::ConfirmedEventUpdate => "CONFIRMED_EVENT_UPDATE",
            Self::PostPurchaseUpdate => "POST_PURCHASE_UPDATE",
            Self::AccountUpdate => "ACCOUNT_UPDATE",
        }
    }
}

/// What an account has switched on. Off is what November 2026's profile ships.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Switches {
    /// Messenger's HUMAN_AGENT tag extends the window to 7 days.
    pub human_agent: bool,
    /// Instagram takes HUMAN_AGENT too.
    pub human_agent_on_instagram: bool,
}

/// Which switch a tag hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// [`Switches::human_agent`].
    HumanAgent,
    /// [`Switches::human_agent_on_instagram`].
    HumanAgentOnInstagram,
}

/// What a tag allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagUse {
    /// At any time.
    Always,
    /// To people only, for so long after the last inbound, where switched on.
    PeopleWithin {
        /// How long.
        length: Duration,
        /// The switch.
        switch: Switch,
    },
    /// The platform no longer takes it; the sentence says why and what to do.
    Refused(&'static str),
}

/// One tag of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagRule {
    /// The tag.
    pub tag: Tag,
    /// What it allows.
    pub allowed: TagUse,
}

/// The rules of one channel while they were in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The channel.
    pub channel: Channel,
    /// In force from here (inclusive).
    pub since: Timestamp,
    /// In force until here (exclusive); none while it is current.
    pub until: Option<Timestamp>,
    /// How long a reply may follow the customer's last message; none is for ever.
    pub reply_window: Option<Duration>,
    /// How many replies one message of the customer allows; none is any number.
    pub replies_max: Option<u8>,
    /// The categories of templates that may leave outside the window.
    pub templates: &'static [Category],
    /// The tags that the channel knows.
    pub tags: &'static [TagRule],
    /// Mass messages may be sent outside the window.
    pub mass_messages: bool,
}

impl Profile {
    /// The rule of a tag on this channel.
    #[must_use]
    pub fn tag(&self, tag: Tag) -> Option<&TagRule> {
        self.tags.iter().find(|rule| rule.tag == tag)
    }

    /// Whether a message with this tag may be sent at all.
    ///
    /// # Errors
    /// `Invalid` where the channel does not take the tag, with the reason; `Forbidden` where the tag
    /// is for people and a program asks.
    pub fn admits_tag(&self, tag: Tag, by_person: bool, switches: Switches) -> Result<(), Refusal> {
        let invalid = |why: String| Err(Refusal::Invalid { field: "tag".to_owned(), why });
        match self.tag(tag).map(|rule| rule.allowed) {
            None => invalid(format!("{} does not take {}", self.channel.word(), tag.word())),
            Some(TagUse::Refused(why)) => invalid(why.to_owned()),
            Some(TagUse::Always) => Ok(()),
            Some(TagUse::PeopleWithin { .. }) if !by_person => {
                Err(Refusal::Forbidden { what: "send with HUMAN_AGENT, which is for people," })
            }
            Some(TagUse::PeopleWithin { switch, .. }) => {
                let on = match switch {
                    Switch::HumanAgent => switches.human_agent,
                    Switch::HumanAgentOnInstagram => switches.human_agent_on_instagram,
                };
                if on { Ok(()) } else { invalid("HUMAN_AGENT is not switched on for this account".to_owned()) }
            }
        }
    }
}

const UTILITY_INSTEAD: &str =
    "Meta refuses this tag since 27 April 2026 (error 100); send an approved utility template instead";

const fn refused(tag: Tag) -> TagRule {
    TagRule { tag, allowed: TagUse::Refused(UTILITY_INSTEAD) }
}

const fn always(tag: Tag) -> TagRule {
    TagRule { tag, allowed: TagUse::Always }
}

const fn human_agent(switch: Switch) -> TagRule {
    let length = Duration::from_secs(7 * 24 * HOUR);
    TagRule { tag: Tag::HumanAgent, allowed: TagUse::PeopleWithin { length, switch } }
}

const fn windowless(channel: Channel) -> Profile {
    Profile {
        channel,
        since: Timestamp(i64::MIN),
        until: None,
        reply_window: None,
        replies_max: None,
        templates: &[],
        tags: &[],
        mass_messages: false,
    }
}

const fn hours(channel: Channel, hours: u64) -> Profile {
    Profile { reply_window: Some(Duration::from_secs(hours * HOUR)), ..windowless(channel) }
}

/// Every profile that was or is in force.
pub const PROFILES: [Profile; 10] = [
    Profile {
        templates: &[Category::Marketing, Category::Utility, Category::Authentication],
        ..hours(Channel::WhatsApp, 24)
    },
    Profile { tags: &[human_agent(Switch::HumanAgentOnInstagram)], ..hours(Channel::Instagram, 24) },
    Profile {
        until: Some(TAGS_REFUSED_SINCE),
        tags: &[
            always(Tag::ConfirmedEventUpdate),
            always(Tag::PostPurchaseUpdate),
            always(Tag::AccountUpdate),
            human_agent(Switch::HumanAgent),
        ],
        ..hours(Channel::Messenger, 24)
    },
    Profile {
        since: TAGS_REFUSED_SINCE,
        templates: &[Category::Utility],
        tags: &[
            refused(Tag::ConfirmedEventUpdate),
            refused(Tag::PostPurchaseUpdate),
            refused(Tag::AccountUpdate),
            human_agent(Switch::HumanAgent),
        ],
        ..hours(Channel::Messenger, 24)
    },
    Profile { replies_max: Some(5), mass_messages: true, ..hours(Channel::WeChat, 48) },
    windowless(Channel::Line),
    windowless(Channel::Telegram),
    windowless(Channel::Viber),
    windowless(Channel::Sms),
    windowless(Channel::LiveChat),
];

/// The profile of a channel in force at a moment.
#[must_use]
pub fn of(channel: Channel, now: Timestamp) -> &'static Profile {
    let in_force = |profile: &&Profile| {
        profile.channel == channel && profile.since <= now && profile.until.is_none_or(|until| now < until)
    };
    // The dates of a channel's profiles leave no gap (a test says so); the first is only for the type.
    PROFILES.iter().find(in_force).unwrap_or(&PROFILES[0])
}
