//! The token that goes out with a message and comes back with its receipts.
//!
//! `m1.<conversation>.<message>.<attempt>` for a reply, `b1.<broadcast>.<chunk>.<index>.<attempt>`
//! for a broadcast. Ids are ULID text without prefix, numbers are decimal. There is one way to
//! write each token, so a token that reads is the token that was written.

use std::fmt;
use std::str::FromStr;

use crate::domain::ids::{BroadcastId, ConversationId, MessageId, from_ulid_text};

/// What any token is at most, in bytes.
pub const TOKEN_BYTES_MAX: usize = 128;

/// Which attempt of which message a receipt speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallbackToken {
    /// A message of a conversation.
    Message {
        /// Whose thread.
        conversation: ConversationId,
        /// Which message.
        message: MessageId,
        /// Which attempt, from 1.
        attempt: u16,
    },
    /// A recipient of a broadcast.
    Broadcast {
        /// Which broadcast.
        broadcast: BroadcastId,
        /// Which chunk of its recipients.
        chunk: u32,
        /// Which recipient of the chunk.
        index: u16,
        /// Which attempt, from 1.
        attempt: u16,
    },
}

/// The text is not a token of ours: somebody else's callback data, or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a callback token of this router")]
pub struct ForeignToken;

impl fmt::Display for CallbackToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { conversation, message, attempt } => {
                write!(f, "m1.{}.{}.{attempt}", conversation.ulid_text(), message.ulid_text())
            }
            Self::Broadcast { broadcast, chunk, index, attempt } => {
                write!(f, "b1.{}.{chunk}.{index}.{attempt}", broadcast.ulid_text())
            }
        }
    }
}

impl FromStr for CallbackToken {
    type Err = ForeignToken;

    fn from_str(text: &str) -> Result<Self, ForeignToken> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(ForeignToken);
        }
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(ForeignToken);
        let token = match next()? {
            "m1" => Self::Message {
                conversation: ConversationId(ulid(next()?)?),
                message: MessageId(ulid(next()?)?),
                attempt: attempt(next()?)?,
            },
            "b1" => Self::Broadcast {
                broadcast: BroadcastId(ulid(next()?)?),
                chunk: decimal(next()?)?,
                index: decimal(next()?)?,
                attempt: attempt(next()?)?,
            },
            _ => return Err(ForeignToken),
        };
        if parts.next().is_some() { Err(ForeignToken) } else { Ok(token) }
    }
}

fn ulid(text: &str) -> Result<u128, ForeignToken> {
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(ForeignToken);
    }
    from_ulid_text(text).ok_or(ForeignToken)
}

fn decimal<N: FromStr>(text: &str) -> Result<N, ForeignToken> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| canonical).ok_or(ForeignToken)
}

fn attempt(text: &str) -> Result<u16, ForeignToken> {
    decimal(text).and_then(|attempt| if attempt == 0 { Err(ForeignToken) } else { Ok(attempt) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_look_as_promised() {
        let token = CallbackToken::Message { conversation: ConversationId(1), message: MessageId(2), attempt: 3 };
        assert_eq!(token.to_string(), "m1.00000000000000000000000001.00000000000000000000000002.3");
        let token = CallbackToken::Broadcast { broadcast: BroadcastId(1), chunk: 0, index: 999, attempt: 1 };
        assert_eq!(token.to_string(), "b1.00000000000000000000000001.0.999.1");
    }

    #[test]
    fn what_is_not_ours_is_foreign() {
        let id = "00000000000000000000000001";
        let foreign = [
            String::new(),
            "bc-77:000123".into(),
            format!("m1.{id}.{id}"),
            format!("m1.{id}.{id}.0"),
            format!("m1.{id}.{id}.01"),
            format!("m1.{id}.{id}.+1"),
            format!("m1.{id}.{id}.65536"),
            format!("m1.{id}.{id}.1.1"),
            format!("m1.{id}.cnv_{id}.1"),
            format!("m2.{id}.{id}.1"),
            format!("m1.{}.{id}.1", "0000000000000000000000000a"),
            format!("m1.{}.{id}.1", "80000000000000000000000000"),
            format!("b1.{id}.1.2"),
            format!("b1.{id}.-1.2.1"),
            format!("b1.{id}.1.65536.1"),
            format!("b1.{id}.1.2.1{}", " ".repeat(200)),
        ];
        for text in foreign {
            assert_eq!(text.parse::<CallbackToken>(), Err(ForeignToken), "{text}");
        }
    }

    fn any_token() -> impl Strategy<Value = CallbackToken> {
        prop_oneof![
            (any::<u128>(), any::<u128>(), 1..=u16::MAX).prop_map(|(conversation, message, attempt)| {
                CallbackToken::Message {
                    conversation: ConversationId(conversation),
                    message: MessageId(message),
                    attempt,
                }
            }),
            (any::<u128>(), any::<u32>(), any::<u16>(), 1..=u16::MAX).prop_map(|(broadcast, chunk, index, attempt)| {
                CallbackToken::Broadcast { broadcast: BroadcastId(broadcast), chunk, index, attempt }
            }),
        ]
    }

    proptest! {
        #[test]
        fn tokens_round_trip_and_fit(token in any_token()) {
            let text = token.to_string();
            prop_assert!(text.len() <= TOKEN_BYTES_MAX);
            prop_assert_eq!(text.parse(), Ok(token));
        }

        #[test]
        fn what_reads_was_written(text in "[mb]1(\\.[0-9A-Za-z+-]{0,27}){3,4}") {
            if let Ok(token) = text.parse::<CallbackToken>() {
                prop_assert_eq!(token.to_string(), text);
            }
        }
    }
}
