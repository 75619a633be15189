//! No number sends faster than it may, and no portfolio writes first to more customers than it may.

use std::collections::{HashMap, HashSet};

use super::Evidence;
use crate::brand::PORTFOLIO;
use crate::document::Rule;

pub(super) fn judge(evidence: &Evidence) -> Vec<Rule> {
    vec![above_rate(evidence), over_limit(evidence)]
}

/// In no second a number has more than its rate, as the provider's clock tells.
///
/// A machine that is busy brings together what left in time: a stall of the provider's process is one second with too
/// many calls after one with too few. So the second is allowed 5 percent and two calls more, and it breaks the rule only
/// where two seconds in a row, which a stall of up to a second leaves as they were, have too many as well.
fn above_rate(evidence: &Evidence) -> Rule {
    let mut rule = Rule::new("above_rate", "no number sends more than its rate in any second");
    let mut by_number: HashMap<&str, Vec<u64>> = HashMap::new();
    for call in &evidence.calls {
        by_number.entry(&call.number).or_default().push(call.at_ms);
    }
    let rate = u64::from(evidence.rate_per_second);
    for (number, mut times) in by_number {
        times.sort_unstable();
        let (second, two) = (most(&times, 1_000), most(&times, 2_000));
        if second.0 > rate + rate / 20 + 2 && two.0 > 2 * rate + rate / 25 + 4 {
            rule.broken(|| {
                format!(
                    "number {number} had {} calls in the second before {} ms and {} in the two before {} ms",
                    second.0, second.1, two.0, two.1
                )
            });
        } else {
            rule.kept();
        }
    }
    rule
}

/// The most of sorted times in a window of so many milliseconds, and the last of them.
fn most(times: &[u64], window_ms: u64) -> (u64, u64) {
    let (mut from, mut most) = (0, (0, 0));
    for (to, at) in times.iter().enumerate() {
        while times[from] + window_ms <= *at {
            from += 1;
        }
        most = most.max(((to - from + 1) as u64, *at));
    }
    most
}

fn over_limit(evidence: &Evidence) -> Rule {
    let mut rule = Rule::new("over_limit", "a portfolio writes first to no more customers in 24 hours than its tier");
    if evidence.tier == 0 {
        return rule;
    }
    for (portfolio, customers) in reached(evidence) {
        if customers.len() > evidence.tier as usize {
            rule.broken(|| format!("portfolio {portfolio} wrote first to {} customers", customers.len()));
        } else {
            rule.kept();
        }
    }
    rule
}

/// Whether the portfolio of a number has written first to as many customers as it may.
pub(super) fn is_used_up(evidence: &Evidence, number: u32) -> bool {
    let reached = reached(evidence).get(&(number / PORTFOLIO)).map_or(0, HashSet::len);
    evidence.tier > 0 && reached >= evidence.tier as usize
}

/// By portfolio: whom its templates reached.
fn reached(evidence: &Evidence) -> HashMap<u32, HashSet<&str>> {
    let place = |number: &str| evidence.numbers.iter().position(|known| known.provider_id == number);
    let mut reached: HashMap<u32, HashSet<&str>> = HashMap::new();
    for call in evidence.calls.iter().filter(|call| call.kind == "template" && call.reached()) {
        if let Some(number) = place(&call.number) {
            reached.entry(number as u32 / PORTFOLIO).or_default().insert(&call.to);
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::most;

    #[test]
    fn the_fullest_window_is_found() {
        let times = [0, 400, 999, 1_000, 1_001, 5_000];
        assert_eq!(most(&times, 1_000), (4, 1_001));
        assert_eq!(most(&times, 2_000), (5, 1_001));
        assert_eq!(most(&[], 1_000), (0, 0));
    }
}
