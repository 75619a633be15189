//! What a member may do, before custom roles refine it.

use serde::{Deserialize, Serialize};

/// One of the three roles every workspace has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees and changes everything.
    Admin,
    /// Sees the team's and the unassigned.
    TeamAdmin,
    /// Sees their own, their teams' unowned, and what they collaborate on.
    #[default]
    Staff,
}

impl Role {
    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::TeamAdmin => "team_admin",
            Self::Staff => "staff",
        }
    }

    /// The role with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Admin, Self::TeamAdmin, Self::Staff].into_iter().find(|role| role.word() == word)
    }
}
