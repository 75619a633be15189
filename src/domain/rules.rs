//! The figures that decisions go by and an operator may change. The defaults are the product's.
//!
//! Only `decide` and readings ask them. What `apply` needs of them stands in the event, so that replay ends the same
//! whatever the figures are by then.

use std::time::Duration;

use super::inbound::LimitTier;
use super::limit::{COUNTS_FOR, TIER_DEFAULT};
use super::pace::{NUMBER_RATE_DEFAULT, NUMBER_RATE_SHARED};
use super::status::{DOUBT, WAIT_MAX};
use super::window::MARGIN;

/// The figures of one process, for every decision it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The rate of a number that has none of its own, in messages a second.
    pub rate_per_second: u32,
    /// The same for a number that is shared with the phone app.
    pub shared_rate_per_second: u32,
    /// How long a send may wait before it may no longer leave.
    pub wait_max: Duration,
    /// How long a send without an answer stays in doubt before it becomes unconfirmed.
    pub doubt: Duration,
    /// Free-form sending stops this long before a window's end.
    pub margin: Duration,
    /// The tier of a portfolio of which nobody said anything.
    pub tier: LimitTier,
    /// How long a customer counts against a messaging limit.
    pub counts_for: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            rate_per_second: NUMBER_RATE_DEFAULT,
            shared_rate_per_second: NUMBER_RATE_SHARED,
            wait_max: WAIT_MAX,
            doubt: DOUBT,
            margin: MARGIN,
            tier: TIER_DEFAULT,
            counts_for: COUNTS_FOR,
        }
    }
}
