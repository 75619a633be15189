//! Where the names of a workspace's parts are: slots of its private rows. Stored: they never change.

use crate::domain::ids::{ApiKeyId, LabelId, ListId, MemberId, PropertyId, TeamId};

/// The row with the workspace's own name.
pub const NAME_SLOT: &str = "name";

/// A member's row: `name`, `email` or `password`.
#[must_use]
pub fn member_slot(id: MemberId, what: &str) -> String {
    format!("member/{id}/{what}")
}

/// The row with a team's name.
#[must_use]
pub fn team_slot(id: TeamId) -> String {
    format!("team/{id}/name")
}

/// The row with an API key's name.
#[must_use]
pub fn api_key_slot(id: ApiKeyId) -> String {
    format!("key/{id}/name")
}

/// The row with a property's name.
#[must_use]
pub fn property_slot(id: PropertyId) -> String {
    format!("property/{id}/name")
}

/// The row with a label's name.
#[must_use]
pub fn label_slot(id: LabelId) -> String {
    format!("label/{id}/name")
}

/// The row with a list's name.
#[must_use]
pub fn list_slot(id: ListId) -> String {
    format!("list/{id}/name")
}

/// The row that says that a list was removed. It stays: who was on the list is not forgotten with it, so the same id
/// must not come back and have them all.
#[must_use]
pub fn list_removed_slot(id: ListId) -> String {
    format!("list/{id}/removed")
}
