//! What a member may do, before custom roles refine it.

use serde::{Deserialize, Serialize};

/// One of the three roles every workspace has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees and changes everything.
    Admin,
    /// Sees the team's and the unassigned.
    TeamAdmin,
    /// Sees their own, their teams' unowned, and what they collaborate on.
    Staff,
}
