//! A rule said no. Not an error to anyone but the asker, who hears which rule and what to do.

use std::fmt;
use std::time::Duration;

use super::author::Author;
use super::time::Timestamp;

/// What may be sent instead of a refused free-form message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// An approved template.
    Template,
    /// A message with one of the channel's tags.
    Tag,
    /// A mass message.
    MassMessage,
    /// Nothing: wait until the customer writes.
    Wait,
}

impl Instead {
    /// The stable word of answers: `template`, `tag`, `mass_message`, `wait`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Tag => "tag",
            Self::MassMessage => "mass_message",
            Self::Wait => "wait",
        }
    }
}

/// The rule that said no. Each has a stable code and a sentence that says what to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// There is no such thing, or the asker may not see it: the two are not told apart.
    NotFound {
        /// What was looked for: `conversation`, `contact`, …
        what: &'static str,
    },
    /// The asker sees it but may not do this.
    Forbidden {
        /// What may not be done, as `send`, `assign`, …
        what: &'static str,
    },
    /// The reply window is closed.
    WindowClosed {
        /// When it closed; none if it never opened.
        closed_at: Option<Timestamp>,
        /// What may be sent instead.
        instead: Vec<Instead>,
    },
    /// This thread cannot be answered (a group, a redirected conversation).
    CannotAnswer {
        /// Why, in words.
        why: &'static str,
    },
    /// The customer withdrew consent to this kind of message on this address.
    ConsentWithdrawn,
    /// A bot spoke with an epoch that is over.
    StaleEpoch {
        /// The epoch now.
        epoch: u64,
        /// Who handles the conversation now, in words: `bot` or `human`.
        handler: &'static str,
    },
    /// The same client id came with another body.
    ClientIdReused,
    /// The version that the asker saw is not the present one.
    VersionMismatch {
        /// The present version.
        version: u64,
    },
    /// The thing is in a state in which this cannot be done.
    WrongState {
        /// The state's name.
        state: &'static str,
        /// What was asked.
        action: &'static str,
    },
    /// A field is wrong.
    Invalid {
        /// The field's path, as `content.body`.
        field: String,
        /// What is wrong and what would be right.
        why: String,
    },
    /// The address belongs to somebody else, and a person asked: nothing is linked silently.
    IdentityTaken {
        /// The other contact, as text.
        by: String,
    },
    /// The thing with this name or key is there already.
    AlreadyExists {
        /// What is there.
        what: &'static str,
    },
    /// The template is not in a state in which it may be sent.
    TemplateNotSendable {
        /// Its status, in words.
        status: &'static str,
    },
    /// The number does not send now.
    SendingPaused {
        /// Why, as a stable word: `token`, `restricted`, `disabled`, `admin`.
        reason: &'static str,
        /// Until when, if known.
        until: Option<Timestamp>,
    },
    /// A limiter says no, and when to come back.
    ComeBack {
        /// Which limiter: `messaging_limit`, `pair_rate`, `number_rate`.
        limiter: &'static str,
        /// When.
        at: Timestamp,
        /// How long that is from the refusal.
        wait: Duration,
    },
    /// More than the product allows of something.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        allowed: usize,
    },
    /// The thing moved: ask there.
    Moved {
        /// The id it has now.
        to: u128,
    },
    /// This author may not do this at all.
    WrongAuthor {
        /// Who asked.
        author: Author,
        /// What was asked.
        action: &'static str,
    },
}

impl Refusal {
    /// The stable code that answers, frames and metrics carry.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Forbidden { .. } => "forbidden",
            Self::WindowClosed { .. } => "window_closed",
            Self::CannotAnswer { .. } => "cannot_answer",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::StaleEpoch { .. } => "stale_epoch",
            Self::ClientIdReused => "client_id_reused",
            Self::VersionMismatch { .. } => "version_mismatch",
            Self::WrongState { .. } => "wrong_state",
            Self::Invalid { .. } => "invalid",
            Self::IdentityTaken { .. } => "identity_taken",
            Self::AlreadyExists { .. } => "already_exists",
            Self::TemplateNotSendable { .. } => "template_not_sendable",
            Self::SendingPaused { .. } => "sending_paused",
            Self::ComeBack { .. } => "come_back",
            Self::TooMany { .. } => "too_many",
            Self::Moved { .. } => "moved",
            Self::WrongAuthor { .. } => "wrong_author",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { what } => write!(f, "There is no such {what}, or you may not see it."),
            Self::Forbidden { what } => write!(f, "Your role does not allow you to {what} here."),
            Self::WindowClosed { closed_at, instead } => {
                match closed_at {
                    Some(at) => write!(f, "The reply window closed at {at}.")?,
                    None => f.write_str("The customer has not written here yet, so no reply window is open.")?,
                }
                let words: Vec<&str> = instead
                    .iter()
                    .map(|form| match form {
                        Instead::Template => "an approved template",
                        Instead::Tag => "a message with one of the channel's tags",
                        Instead::MassMessage => "a mass message",
                        Instead::Wait => "nothing until the customer writes",
                    })
                    .collect();
                write!(f, " You may send {}.", words.join(" or "))
            }
            Self::CannotAnswer { why } => write!(f, "This conversation cannot be answered: {why}."),
            Self::ConsentWithdrawn => f.write_str(
                "The customer opted out of these messages on this address; answers to their own messages stay allowed.",
            ),
            Self::StaleEpoch { epoch, handler } => {
                write!(
                    f,
                    "The conversation changed hands: a {handler} handles it in epoch {epoch}. Read it again before sending."
                )
            }
            Self::ClientIdReused => f.write_str("This client message id was used for another message. Use a new one."),
            Self::VersionMismatch { version } => {
                write!(f, "It changed meanwhile and is at version {version}. Read it again.")
            }
            Self::WrongState { state, action } => write!(f, "It is {state}, so you cannot {action} it."),
            Self::Invalid { field, why } => write!(f, "The field `{field}` is wrong: {why}."),
            Self::IdentityTaken { by } => {
                write!(f, "This address belongs to {by}. Merge the two contacts if they are one person.")
            }
            Self::AlreadyExists { what } => write!(f, "There is such a {what} already."),
            Self::TemplateNotSendable { status } => {
                write!(f, "The template is {status}; only an approved one may be sent.")
            }
            Self::SendingPaused { reason, until } => {
                write!(f, "The number does not send now ({reason})")?;
                match until {
                    Some(at) => write!(f, " until {at}."),
                    None => f.write_str(" until somebody resumes it."),
                }
            }
            Self::ComeBack { limiter, at, .. } => {
                write!(f, "The limiter {limiter} has nothing free; come back at {at}.")
            }
            Self::TooMany { what, allowed } => write!(f, "At most {allowed} {what} are allowed."),
            Self::Moved { .. } => f.write_str("It was merged into another; ask there."),
            Self::WrongAuthor { action, .. } => write!(f, "This kind of author may not {action}."),
        }
    }
}

impl std::error::Error for Refusal {}
