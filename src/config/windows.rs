//! `[windows]`: switches of the reply windows; the windows themselves are a profile per channel.

use std::time::Duration;

use super::reader::SectionReader;

/// Switches of the reply windows.
#[derive(Clone, Debug)]
pub struct Windows {
    /// Free-form messages are refused from so long before a window's end.
    pub margin: Duration,
    /// Whether the human-agent tag is used on Instagram.
    pub human_agent_on_instagram: bool,
    /// Whether each message of an agent extends Messenger's 7 days.
    pub extend_messenger_human_agent: bool,
}

impl Windows {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        Self {
            margin: keys.within("margin", Duration::ZERO..=Duration::from_secs(3_600)),
            human_agent_on_instagram: keys.value("human_agent_on_instagram"),
            extend_messenger_human_agent: keys.value("extend_messenger_human_agent"),
        }
    }
}
