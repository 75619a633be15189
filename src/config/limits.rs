//! `[limits]`: messaging limits of portfolios that nobody has told us yet.

use std::time::Duration;

use super::reader::SectionReader;

/// Messaging limits.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Unique customers in any moving `period` outside a window; none means unlimited.
    pub default_tier: Option<u32>,
    /// How long a permit counts.
    pub period: Duration,
}

impl Limits {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        let tier: u32 = keys.within("default_tier", 0..=100_000);
        Self {
            default_tier: (tier > 0).then_some(tier),
            period: keys.within("period", Duration::from_secs(60)..=Duration::from_secs(7 * 86_400)),
        }
    }
}
