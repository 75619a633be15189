//! `[providers]`: outgoing calls.

use std::time::Duration;

use super::reader::SectionReader;
use super::units::Size;

/// Outgoing calls.
#[derive(Clone, Debug)]
pub struct Providers {
    /// How long connecting may take, TLS included.
    pub connect_timeout: Duration,
    /// How long a call may take, from its first byte to the end of its answer.
    pub call_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Connections at once to one provider.
    pub connections_max: usize,
    /// The longest answer that is read.
    pub answer_bytes_max: Size,
    /// Where Meta's Graph API is reached, unless an account names its own.
    pub graph_url: String,
    /// The version of the Graph API.
    pub graph_version: String,
}

impl Providers {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        let (millis, second) = (Duration::from_millis(100), Duration::from_secs(1));
        Self {
            connect_timeout: keys.within("connect_timeout", millis..=60 * second),
            call_timeout: keys.within("call_timeout", millis..=300 * second),
            idle_timeout: keys.within("idle_timeout", second..=600 * second),
            connections_max: keys.within("connections_max", 1..=16_384),
            answer_bytes_max: keys.within("answer_bytes_max", Size::kib(4)..=Size::mib(64)),
            graph_url: keys.url("graph_url").unwrap_or_default(),
            graph_version: keys.checked("graph_version", |version: &String| {
                (!is_version(version)).then(|| "must be a version such as `v25.0`".to_owned())
            }),
        }
    }
}

/// `v`, digits, a dot, digits.
fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('v')
        .and_then(|version| version.split_once('.'))
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}
