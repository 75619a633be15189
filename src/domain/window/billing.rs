//! What is billed: a fixed 24 h per category from the message that opened it, and the free entry point.
//!
//! Accounting only. Nothing here ever lets a free-form message leave.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::template_form::TemplateCategory;
use crate::domain::time::Timestamp;

/// How long a billing conversation lasts from the message that opened it.
pub const BILLING_LENGTH: Duration = Duration::from_secs(24 * 3_600);

/// The business must answer a customer who came by an ad or a page button within this time.
pub const FREE_ENTRY_ANSWER: Duration = Duration::from_secs(24 * 3_600);

/// How long messages are free of charge after that answer.
pub const FREE_ENTRY_LENGTH: Duration = Duration::from_secs(72 * 3_600);

/// What a message is charged as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Advertising: needs consent.
    Marketing,
    /// News of an order or account.
    Utility,
    /// One-time codes.
    Authentication,
    /// Answers to the customer.
    Service,
}

impl Category {
    /// The platform's word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::Utility => "utility",
            Self::Authentication => "authentication",
            Self::Service => "service",
        }
    }

    /// The category with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Marketing, Self::Utility, Self::Authentication, Self::Service]
            .into_iter()
            .find(|category| category.word() == word)
    }
}

impl From<TemplateCategory> for Category {
    fn from(category: TemplateCategory) -> Self {
        match category {
            TemplateCategory::Marketing => Self::Marketing,
            TemplateCategory::Utility => Self::Utility,
            TemplateCategory::Authentication => Self::Authentication,
        }
    }
}

/// When the present billing conversation of each category was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingClock {
    opened_at: [Option<Timestamp>; 4],
}

impl BillingClock {
    /// Takes a message of ours that the provider took at `at`; true if it opened a conversation.
    pub fn charge(&mut self, category: Category, at: Timestamp) -> bool {
        let opens = self.ends_at(category).is_none_or(|end| at >= end);
        if opens {
            self.opened_at[category as usize] = Some(at);
        }
        opens
    }

    /// When the category's last billing conversation ends or ended.
    #[must_use]
    pub fn ends_at(&self, category: Category) -> Option<Timestamp> {
        self.opened_at[category as usize].map(|opened| opened + BILLING_LENGTH)
    }

    /// Takes what another conversation with the same person knew.
    pub fn absorb(&mut self, other: &Self) {
        for (own, theirs) in self.opened_at.iter_mut().zip(other.opened_at) {
            *own = (*own).max(theirs);
        }
    }
}

/// A customer who came by an ad or a page button.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreeEntry {
    /// When the customer last came so, by the provider's time.
    pub entered_at: Option<Timestamp>,
    /// When we answered that, if it was in time.
    pub answered_at: Option<Timestamp>,
}

impl FreeEntry {
    /// Takes an inbound that came by an ad or a page button.
    pub fn enter(&mut self, at: Timestamp) {
        if self.entered_at.is_none_or(|entered| at > entered) {
            *self = Self { entered_at: Some(at), answered_at: None };
        }
    }

    /// Takes a message of ours that the provider took at `at`.
    pub fn answer(&mut self, at: Timestamp) {
        let in_time = self.entered_at.is_some_and(|entered| entered <= at && at <= entered + FREE_ENTRY_ANSWER);
        if in_time && self.answered_at.is_none() {
            self.answered_at = Some(at);
        }
    }

    /// Until when messages are free of charge, if they ever were.
    #[must_use]
    pub fn free_until(&self) -> Option<Timestamp> {
        self.answered_at.map(|answered| answered + FREE_ENTRY_LENGTH)
    }

    /// Takes what another conversation with the same person knew: the later entry stays.
    pub fn absorb(&mut self, other: &Self) {
        if other.entered_at > self.entered_at || (other.entered_at == self.entered_at && self.answered_at.is_none()) {
            *self = *other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_billing_conversation_is_fixed_from_its_opening_and_apart_by_category() {
        let mut clock = BillingClock::default();
        assert!(clock.charge(Category::Utility, Timestamp(0)));
        assert!(!clock.charge(Category::Utility, Timestamp(23 * HOUR)));
        assert!(clock.charge(Category::Marketing, Timestamp(23 * HOUR)));
        assert!(clock.charge(Category::Utility, Timestamp(24 * HOUR)));
        assert_eq!(clock.ends_at(Category::Utility), Some(Timestamp(48 * HOUR)));
        assert_eq!(clock.ends_at(Category::Service), None);
    }

    #[test]
    fn a_free_entry_needs_an_answer_within_a_day_and_lasts_three() {
        let mut entry = FreeEntry::default();
        entry.enter(Timestamp(0));
        entry.answer(Timestamp(25 * HOUR));
        assert_eq!(entry.free_until(), None);
        entry.enter(Timestamp(30 * HOUR));
        entry.answer(Timestamp(31 * HOUR));
        entry.answer(Timestamp(40 * HOUR));
        assert_eq!(entry.free_until(), Some(Timestamp((31 + 72) * HOUR)));
        entry.enter(Timestamp(0));
        assert_eq!(entry.free_until(), Some(Timestamp((31 + 72) * HOUR)));
    }
}
