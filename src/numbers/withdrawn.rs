//! Who withdrew consent a moment ago: a block reads the gates when it is claimed, and this is asked just before each of
//! its messages leaves.

use std::time::Duration;

use dashmap::DashMap;

use crate::domain::ids::AddressId;
use crate::domain::message::Channel;
use crate::domain::time::Timestamp;

/// How long a withdrawal is kept here: far longer than a claimed block may wait. Blocks claimed later read the gate.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// How many are kept before old ones are looked for.
const SWEPT_OVER: usize = 10_000;

/// The latest withdrawals of consent to marketing on this node.
#[derive(Default)]
pub(super) struct Withdrawn {
    since: DashMap<(Channel, AddressId), Timestamp>,
}

impl Withdrawn {
    /// Takes what a customer said at `now`.
    pub(super) fn hear(&self, channel: Channel, address: AddressId, withdrawn: bool, now: Timestamp) {
        if !withdrawn {
            self.since.remove(&(channel, address));
            return;
        }
        if self.since.len() >= SWEPT_OVER {
            self.since.retain(|_, at| *at + KEPT_FOR > now);
        }
        self.since.insert((channel, address), now);
    }

    /// Whether somebody withdrew it.
    pub(super) fn has(&self, channel: Channel, address: AddressId) -> bool {
        !self.since.is_empty() && self.since.contains_key(&(channel, address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_withdrawal_is_known_until_it_is_taken_back_or_old() {
        let withdrawn = Withdrawn::default();
        let (channel, address) = (Channel::WhatsApp, AddressId(1));
        withdrawn.hear(channel, address, true, Timestamp(0));
        assert!(withdrawn.has(channel, address) && !withdrawn.has(Channel::Sms, address));
        withdrawn.hear(channel, address, false, Timestamp(1));
        assert!(!withdrawn.has(channel, address));
        for other in 0..=SWEPT_OVER as u128 {
            withdrawn.hear(channel, AddressId(other), true, Timestamp(1_000 * other as i64));
        }
        assert!(!withdrawn.has(channel, address), "an old one made room");
        assert!(withdrawn.has(channel, AddressId(SWEPT_OVER as u128)));
    }
}
