//! Faults on order: what goes wrong next, and how often.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::chance::Chance;

/// What may go wrong with a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Refused with Meta's code; nothing is accepted.
    Code(i64),
    /// HTTP 429 with `Retry-After: 2` and code 4; nothing is accepted.
    TooManyRequests,
    /// HTTP 500 with a body that is not JSON; nothing is accepted.
    ServerError,
    /// Accepted, and the answer is a page that is not JSON.
    Garbage,
    /// Accepted, and no answer comes.
    Hang,
    /// Not accepted, and no answer comes.
    HangUnaccepted,
    /// Accepted, and the connection ends without an answer.
    DropAfter,
    /// Not accepted, and the connection ends without an answer.
    DropBefore,
}

/// A fault that strikes at random.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRate {
    /// What happens.
    pub fault: Fault,
    /// To how many sends, between 0 and 1.
    pub share: f64,
    /// Only on this number.
    #[serde(default)]
    pub phone_number_id: Option<String>,
}

/// A fault that strikes the next sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NextFault {
    /// What happens.
    pub fault: Fault,
    /// How many sends it strikes.
    #[serde(default = "once")]
    pub times: u32,
    /// Only sends to this recipient, in digits.
    #[serde(default)]
    pub to: Option<String>,
}

fn once() -> u32 {
    1
}

/// What goes wrong with receipts, as shares between 0 and 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiptFaults {
    /// Never sent.
    pub lost: f64,
    /// Sent twice.
    pub duplicated: f64,
    /// A message's receipts change places.
    pub reordered: f64,
    /// Late by `delay_ms`.
    pub delayed: f64,
    /// How late.
    pub delay_ms: u64,
}

/// All that is ordered; `PUT /sandbox/faults` replaces it as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Before each answer, machine time.
    pub latency_ms: u64,
    /// Up to so much more, evenly spread.
    pub latency_jitter_ms: u64,
    /// At random; the first that hits.
    pub rates: Vec<FaultRate>,
    /// In order, before `rates`.
    pub next: VecDeque<NextFault>,
    /// Of receipts that are planned from now on.
    pub receipts: ReceiptFaults,
}

/// Entries of a plan's lists.
const ENTRIES_MAX: usize = 10_000;

/// The plan in force.
pub(super) struct Faults(Mutex<FaultPlan>);

impl Faults {
    pub(super) fn none() -> Self {
        Self(Mutex::default())
    }

    /// Replaces the plan; false if it is too long.
    pub(super) fn order(&self, plan: FaultPlan) -> bool {
        let fits = plan.rates.len() <= ENTRIES_MAX && plan.next.len() <= ENTRIES_MAX;
        if fits {
            *self.locked() = plan;
        }
        fits
    }

    pub(super) fn plan(&self) -> FaultPlan {
        self.locked().clone()
    }

    pub(super) fn receipts(&self) -> ReceiptFaults {
        self.locked().receipts.clone()
    }

    /// Before the next answer, in milliseconds.
    pub(super) fn latency_ms(&self, chance: &Chance) -> u64 {
        let plan = self.locked();
        let jitter = if plan.latency_jitter_ms == 0 { 0 } else { chance.next() % (plan.latency_jitter_ms + 1) };
        plan.latency_ms.saturating_add(jitter)
    }

    /// What goes wrong with this send.
    pub(super) fn strike(&self, phone_number_id: &str, recipient: &str, chance: &Chance) -> Option<Fault> {
        let mut plan = self.locked();
        let meant = |next: &NextFault| next.to.as_deref().is_none_or(|to| to == recipient);
        if let Some(at) = plan.next.iter().position(meant)
            && let Some(next) = plan.next.get_mut(at)
        {
            let fault = next.fault;
            next.times = next.times.saturating_sub(1);
            if next.times == 0 {
                plan.next.remove(at);
            }
            return Some(fault);
        }
        let here = |rate: &&FaultRate| rate.phone_number_id.as_deref().is_none_or(|id| id == phone_number_id);
        plan.rates.iter().filter(here).find(|rate| chance.hits(rate.share)).map(|rate| rate.fault)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, FaultPlan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::CountedIds;

    #[test]
    fn next_ones_come_in_order_and_then_the_rates() {
        let chance = Chance::new(Some(1), &CountedIds::from(1));
        let faults = Faults::none();
        let plan = r#"{"next":[{"fault":"hang","to":"2"},{"fault":{"code":190},"times":2}],
            "rates":[{"fault":"garbage","share":1.0,"phone_number_id":"B"}]}"#;
        assert!(faults.order(serde_json::from_str(plan).unwrap()));
        let struck: Vec<_> = [("A", "1"), ("A", "2"), ("A", "1"), ("A", "1"), ("B", "1")]
            .map(|(number, to)| faults.strike(number, to, &chance))
            .into();
        let expected = [Some(Fault::Code(190)), Some(Fault::Hang), Some(Fault::Code(190)), None, Some(Fault::Garbage)];
        assert_eq!(struck, expected);
    }
}
