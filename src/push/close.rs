//! Why a socket was closed, as numbers in two ranges: *come back* and *do not*.
//!
//! 4000 to 4099: connect again, with the cursor. 4100 to 4199: not before something has changed
//! (the token, the program, the member's rights). Codes below 4000 are those of RFC 6455.

/// Why the server closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Close {
    /// The reader did not keep up: resume.
    SlowReader,
    /// Nothing was heard for too long, not even a pong: resume.
    Unresponsive,
    /// The server stops or moves: resume, elsewhere if possible.
    GoingAway,
    /// A dependency did not answer in time: resume after a pause.
    TryLater,
    /// Neither `identify` nor `resume` came in time.
    IdentifyTimeout,
    /// The cursor cannot be read: come back with `identify` and read everything again.
    UnreadableCursor,
    /// The token is not valid, or no longer.
    NotAdmitted,
    /// The member's access was taken away.
    Revoked,
    /// A frame that this protocol does not have, or not at this moment.
    Protocol,
    /// Commands faster than their answers are read.
    Flood,
    /// A text frame on a MessagePack socket or the reverse, or a message in several frames (RFC 6455).
    Unsupported,
    /// A text that is not UTF-8 (RFC 6455).
    NotUtf8,
    /// A message over 64 KiB (RFC 6455).
    TooBig,
    /// Frames that break RFC 6455.
    BrokenFraming,
}

impl Close {
    /// Every reason, for tables and tests.
    pub const ALL: [Self; 14] = [
        Self::SlowReader,
        Self::Unresponsive,
        Self::GoingAway,
        Self::TryLater,
        Self::IdentifyTimeout,
        Self::UnreadableCursor,
        Self::NotAdmitted,
        Self::Revoked,
        Self::Protocol,
        Self::Flood,
        Self::Unsupported,
        Self::NotUtf8,
        Self::TooBig,
        Self::BrokenFraming,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::SlowReader => 4000,
            Self::Unresponsive => 4001,
            Self::GoingAway => 4002,
            Self::TryLater => 4003,
            Self::IdentifyTimeout => 4004,
            Self::UnreadableCursor => 4005,
            Self::NotAdmitted => 4100,
            Self::Revoked => 4101,
            Self::Protocol => 4102,
            Self::Flood => 4103,
            Self::Unsupported => 1003,
            Self::NotUtf8 => 1007,
            Self::TooBig => 1009,
            Self::BrokenFraming => 1002,
        }
    }

    /// The word beside the number.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SlowReader => "slow_reader",
            Self::Unresponsive => "unresponsive",
            Self::GoingAway => "going_away",
            Self::TryLater => "try_later",
            Self::IdentifyTimeout => "identify_timeout",
            Self::UnreadableCursor => "unreadable_cursor",
            Self::NotAdmitted => "not_admitted",
            Self::Revoked => "revoked",
            Self::Protocol => "protocol",
            Self::Flood => "flood",
            Self::Unsupported => "unsupported",
            Self::NotUtf8 => "not_utf8",
            Self::TooBig => "too_big",
            Self::BrokenFraming => "broken_framing",
        }
    }

    /// Whether the client should connect again by itself.
    #[must_use]
    pub const fn may_come_back(self) -> bool {
        matches!(self.code(), 4000..4100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_distinct_and_in_the_protocol_page() {
        let page = include_str!("protocol.md");
        let codes: HashSet<u16> = Close::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Close::ALL.len());
        for reason in Close::ALL {
            assert!(page.contains(&format!("| {} | `{}` |", reason.code(), reason.word())), "{reason:?}");
        }
    }
}
