//! `[seed]`: what the sandbox workspace starts with.

use super::reader::SectionReader;

/// What the sandbox workspace starts with; without the sandbox nothing is seeded.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Contacts.
    pub contacts: u32,
    /// Agents, beside the admin.
    pub agents: u32,
}

impl Seed {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        Self { contacts: keys.within("contacts", 0..=10_000_000), agents: keys.within("agents", 0..=10_000) }
    }
}
