//! When a reply may be sent: the service window, judged by the provider's clock.
//!
//! Two clocks never mix. The window here follows the customer's last message; what is billed follows
//! [`billing`]. Opening and shutting only ever take the later time, so any order of arrival ends the same.

pub mod billing;
pub mod profiles;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::Channel;
use super::refusal::{Instead, Refusal};
use super::time::Timestamp;
use billing::Category;
use profiles::{Profile, Switches, Tag, TagUse};

/// Sending stops this long before the provider's window ends (`channels.md` §10.11), unless an operator says otherwise.
pub const MARGIN: Duration = Duration::from_secs(60);

/// How far ahead of ours a provider's clock may be before its times are clamped.
pub const SKEW_MAX: Duration = Duration::from_secs(5);

/// A provider's time as windows may count it: never further in the future than [`SKEW_MAX`].
#[must_use]
pub fn clamped(at: Timestamp, now: Timestamp) -> Timestamp {
    at.min(now + SKEW_MAX)
}

/// What the window knows of one conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The last inbound that opens windows, by the provider's time.
    pub opened_at: Option<Timestamp>,
    /// The last time the provider said that the window is closed.
    pub shut_at: Option<Timestamp>,
    /// Replies that left since `opened_at`.
    pub replies: u8,
}

/// What a message is, as far as windows care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Form {
    /// Anything but a template.
    #[serde(rename = "f")]
    Free,
    /// An approved template of this category.
    #[serde(rename = "t")]
    Template(Category),
}

impl Form {
    /// The category it is billed under.
    #[must_use]
    pub const fn category(self) -> Category {
        match self {
            Self::Free => Category::Service,
            Self::Template(category) => category,
        }
    }
}

/// What is about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Free-form or template.
    pub form: Form,
    /// The channel's tag it carries.
    pub tag: Option<Tag>,
    /// Whether a person wrote it.
    pub by_person: bool,
    /// Replies that were queued before it and have not left.
    pub waiting: u8,
}

/// How a permitted message stands to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Inside the window, or the channel has none.
    Inside,
    /// Outside it: business-initiated, and counted against the messaging limit.
    Outside,
}

impl Window {
    /// Takes an inbound that opens windows. Earlier ones than the last change nothing.
    pub fn open(&mut self, at: Timestamp) {
        if self.opened_at.is_none_or(|opened| at > opened) {
            self.opened_at = Some(at);
            self.replies = 0;
        }
    }

    /// Takes the provider's word that the window was closed at `at`.
    pub fn shut(&mut self, at: Timestamp) {
        self.shut_at = self.shut_at.max(Some(at));
    }

    /// Takes what another conversation with the same person knew: the later window stays.
    pub fn absorb(&mut self, other: &Self) {
        match other.opened_at.cmp(&self.opened_at) {
            std::cmp::Ordering::Greater => {
                self.opened_at = other.opened_at;
                self.replies = other.replies;
            }
            std::cmp::Ordering::Equal => self.replies = self.replies.max(other.replies),
            std::cmp::Ordering::Less => {}
        }
        self.shut_at = self.shut_at.max(other.shut_at);
    }

    /// The last opening that the provider has not contradicted since.
    #[must_use]
    pub fn valid_opening(&self) -> Option<Timestamp> {
        self.opened_at.filter(|opened| self.shut_at.is_none_or(|shut| *opened > shut))
    }

    /// When the window ends or ended, if it ever opened; none where the channel has no window.
    #[must_use]
    pub fn closes_at(&self, channel: Channel, now: Timestamp) -> Option<Timestamp> {
        let length = profiles::of(channel, now).reply_window?;
        let end = self.opened_at? + length;
        Some(match (self.valid_opening(), self.shut_at) {
            (None, Some(shut)) => shut.min(end),
            _ => end,
        })
    }

    /// Whether a free-form message may leave now, margin included.
    #[must_use]
    pub fn is_open(&self, channel: Channel, margin: Duration, now: Timestamp) -> bool {
        match profiles::of(channel, now).reply_window {
            None => true,
            Some(length) => self.valid_opening().is_some_and(|opened| now + margin < opened + length),
        }
    }

    /// Judges a message that is about to leave.
    ///
    /// # Errors
    /// `WindowClosed` with what may be sent instead, `WrongAuthor`-like refusals of tags as `Invalid`
    /// or `Forbidden`.
    pub fn judge(
        &self,
        channel: Channel,
        sending: Sending,
        switches: Switches,
        margin: Duration,
        now: Timestamp,
    ) -> Result<Standing, Refusal> {
        let profile = profiles::of(channel, now);
        if let Some(tag) = sending.tag {
            profile.admits_tag(tag, sending.by_person, switches)?;
        }
        if self.is_open(channel, margin, now) {
            let counted = profile.replies_max.filter(|_| sending.form == Form::Free);
            return match counted {
                Some(most) if self.replies.saturating_add(sending.waiting) >= most => Err(Refusal::TooMany {
                    what: "replies to one message of the customer; wait until the customer writes again",
                    allowed: usize::from(most),
                }),
                _ => Ok(Standing::Inside),
            };
        }
        match sending.form {
            Form::Template(category) if profile.templates.contains(&category) => return Ok(Standing::Outside),
            Form::Template(_) | Form::Free => {}
        }
        if let Some(tag) = sending.tag
            && self.within_tag(profile, tag, margin, now)
        {
            return Ok(Standing::Outside);
        }
        Err(Refusal::WindowClosed {
            closed_at: self.closes_at(channel, now),
            instead: self.instead(profile, sending.by_person, switches, (margin, now)),
        })
    }

    /// Whether a tag's own time, counted from the last inbound, is not over.
    fn within_tag(&self, profile: &Profile, tag: Tag, margin: Duration, now: Timestamp) -> bool {
        match profile.tag(tag).map(|rule| rule.allowed) {
            Some(TagUse::Always) => true,
            Some(TagUse::PeopleWithin { length, .. }) => {
                self.opened_at.is_some_and(|opened| now + margin < opened + length)
            }
            Some(TagUse::Refused(_)) | None => false,
        }
    }

    fn instead(
        &self,
        profile: &Profile,
        by_person: bool,
        switches: Switches,
        (margin, now): (Duration, Timestamp),
    ) -> Vec<Instead> {
        let mut instead = Vec::new();
        if !profile.templates.is_empty() {
            instead.push(Instead::Template);
        }
        let usable = |tag: Tag| {
            profile.admits_tag(tag, by_person, switches).is_ok() && self.within_tag(profile, tag, margin, now)
        };
        if profile.tags.iter().any(|rule| usable(rule.tag)) {
            instead.push(Instead::Tag);
        }
        if profile.mass_messages {
            instead.push(Instead::MassMessage);
        }
        if instead.is_empty() {
            instead.push(Instead::Wait);
        }
        instead
    }
}

#[cfg(test)]
mod tests;
