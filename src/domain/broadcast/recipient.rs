//! One recipient's place in the ledger: the states, and what evidence makes of them.

use serde::{Deserialize, Serialize};

use crate::domain::message::MessageStatus;
use crate::domain::outbound::ErrorClass;

/// What a recipient has come to.
///
/// From `Attempting` on they are declared in the order in which evidence about one attempt raises them, as a message's
/// statuses are (`product.md` §3): `Failed` is above `Sent` and below `Delivered`. The numbers are stored: append only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RecipientState {
    /// Nothing has left yet, or everything that was tried came back.
    #[default]
    Pending = 0,
    /// A rule keeps it from leaving: final.
    Skipped = 1,
    /// The broadcast was cancelled before its turn: final.
    Cancelled = 2,
    /// Claimed: from here on bytes may have left.
    Attempting = 3,
    /// Bytes left and no answer came: evidence is waited for.
    InDoubt = 4,
    /// No evidence came: nobody knows. Late evidence still corrects it.
    Unconfirmed = 5,
    /// The provider took it.
    Accepted = 6,
    /// The provider sent it on.
    Sent = 7,
    /// The provider refused it, at once or later.
    Failed = 8,
    /// The customer's device has it.
    Delivered = 9,
    /// The customer saw it.
    Read = 10,
}

impl RecipientState {
    /// Every state, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Skipped,
        Self::Cancelled,
        Self::Attempting,
        Self::InDoubt,
        Self::Unconfirmed,
        Self::Accepted,
        Self::Sent,
        Self::Failed,
        Self::Delivered,
        Self::Read,
    ];

    /// The state with this stored number; `Pending` for a number that nothing here has written.
    #[must_use]
    pub fn from_u8(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// The word in REST, in exports and in the ledger's listings. Stable.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Attempting => "attempting",
            Self::InDoubt => "in_doubt",
            Self::Unconfirmed => "unconfirmed",
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }

    /// Whether the recipient has an outcome: nothing of ours is open any more.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Attempting | Self::InDoubt)
    }

    /// Whether no attempt is under way or behind it that decides: it waits, or it will not leave.
    pub(super) const fn is_unattempted(self) -> bool {
        matches!(self, Self::Pending | Self::Skipped | Self::Cancelled)
    }

    /// The state that a provider's word stands for; none for statuses that only we give.
    #[must_use]
    pub const fn shown_by(status: MessageStatus) -> Option<Self> {
        match status {
            MessageStatus::Accepted => Some(Self::Accepted),
            MessageStatus::Sent => Some(Self::Sent),
            MessageStatus::Failed => Some(Self::Failed),
            MessageStatus::Delivered => Some(Self::Delivered),
            MessageStatus::Read => Some(Self::Read),
            MessageStatus::Queued | MessageStatus::InDoubt | MessageStatus::Unconfirmed => None,
        }
    }
}

/// Why a recipient was passed over. The names are stable codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// They withdrew their consent.
    OptedOut,
    /// Marketing needs an opt-in, and they gave none.
    NotOptedIn,
    /// A free message, and their window is closed.
    WindowClosed,
    /// A variable has neither a value nor a default.
    VariableMissing,
    /// The platform cannot reach the address.
    Unreachable,
    /// The contact was erased since.
    Erased,
    /// Its turn did not come before the end of sending.
    Expired,
}

/// A provider's refusal, as the log keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The provider's own code; 0 where it gave none.
    pub code: i64,
    /// What we do about it.
    pub class: ErrorClass,
}

/// What a receipt says of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which recipient of the chunk.
    pub index: u16,
    /// Which attempt, from 1.
    pub attempt: u16,
    /// The status.
    pub status: MessageStatus,
    /// Why, where it failed.
    pub refused: Option<Refused>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_states_number_is_stored_and_its_word_is_its_own() {
        let words: std::collections::BTreeSet<_> = RecipientState::ALL.into_iter().map(RecipientState::word).collect();
        assert_eq!(words.len(), RecipientState::ALL.len());
        for (number, state) in RecipientState::ALL.into_iter().enumerate() {
            assert_eq!((state as usize, RecipientState::from_u8(number as u8)), (number, state));
        }
        assert_eq!(RecipientState::from_u8(200), RecipientState::Pending);
    }

    #[test]
    fn evidence_raises_in_the_order_of_a_messages_statuses() {
        use MessageStatus::{Accepted, Delivered, Failed, InDoubt, Queued, Read, Sent, Unconfirmed};
        let shown: Vec<_> = [Accepted, Sent, Failed, Delivered, Read].map(RecipientState::shown_by).to_vec();
        assert!(shown.is_sorted() && shown.iter().all(Option::is_some));
        assert!([Queued, InDoubt, Unconfirmed].into_iter().all(|ours| RecipientState::shown_by(ours).is_none()));
    }
}
