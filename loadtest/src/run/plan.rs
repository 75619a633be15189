//! What customers write and how the provider delivers it: all of it fixed by the scenario and its seed before the run.

use std::time::Duration;

use crate::chance::Chance;
use crate::scenario::Customers;

/// A message that a customer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Which customers of the scenario's, and which one of them.
    pub(super) part: u32,
    pub(super) customer: u32,
    /// The number that is written to.
    pub(super) number: u32,
    /// When it is written.
    pub(super) at: Duration,
    /// Whether it is from a day before yesterday, so that no window is open by it.
    pub(super) stale: bool,
}

/// A delivery: these messages leave together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Post {
    /// When.
    pub(super) due: Duration,
    /// Which messages, by their place in the plan.
    pub(super) items: Vec<u32>,
}

/// Everything that one part of the customers does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) written: Vec<Written>,
    pub(super) posts: Vec<Post>,
}

/// Plans a part of the customers. Places in the plan count from `first`.
pub(super) fn plan(
    (part, customers): (usize, &Customers),
    numbers: u32,
    lasts: Duration,
    first: u32,
    chance: Chance,
) -> Plan {
    let chance = chance.of("customers").of(&part.to_string());
    let written: Vec<Written> = customers
        .arrivals
        .times(lasts, &chance.of("arrivals"))
        .into_iter()
        .enumerate()
        .map(|(item, at)| {
            let customer = chance.of("who").below(u64::from(customers.people), &[item as u64]) as u32;
            // Whether a window is open is the customer's, not the message's.
            let stale = chance.of("stale").hits(customers.stale_percent, &[u64::from(customer)]);
            Written { part: part as u32, customer, number: customer % numbers.max(1), at, stale }
        })
        .collect();
    let mut due: Vec<(Duration, u32)> = Vec::with_capacity(written.len() * customers.copies as usize);
    for (item, written) in written.iter().enumerate() {
        for copy in 0..customers.copies {
            let late = chance.of("late").below(customers.delay_ms + 1, &[item as u64, u64::from(copy)]);
            due.push((written.at + Duration::from_millis(late), first + item as u32));
        }
    }
    due.sort_unstable();
    let posts = match customers.rebatch_ms {
        0 => due.into_iter().map(|(due, item)| Post { due, items: vec![item] }).collect(),
        window => rebatched(&due, Duration::from_millis(window), customers.items_max, chance),
    };
    Plan { written, posts }
}

/// Shuffles what is due within each window, and cuts it into deliveries of random sizes.
fn rebatched(due: &[(Duration, u32)], window: Duration, items_max: usize, chance: Chance) -> Vec<Post> {
    let window_of = |at: Duration| (at.as_nanos() / window.as_nanos().max(1)) as u64;
    let mut posts = Vec::new();
    for together in due.chunk_by(|one, other| window_of(one.0) == window_of(other.0)) {
        let number = window_of(together[0].0);
        let mut items: Vec<(u64, u32)> = (0..)
            .zip(together)
            .map(|(place, (_, item))| (chance.of("shuffle").bits(&[number, place]), *item))
            .collect();
        items.sort_unstable();
        let due = window * (number as u32 + 1);
        let (mut rest, mut cut) = (&items[..], 0);
        while !rest.is_empty() {
            let size = 1 + chance.of("size").below(items_max as u64, &[number, cut]) as usize;
            let (now, later) = rest.split_at(size.min(rest.len()));
            posts.push(Post { due, items: now.iter().map(|(_, item)| *item).collect() });
            (rest, cut) = (later, cut + 1);
        }
    }
    posts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrivals::Arrivals;

    fn storm() -> Customers {
        Customers {
            people: 50,
            arrivals: Arrivals::Poisson { per_second: 100.0 },
            copies: 3,
            delay_ms: 2_000,
            rebatch_ms: 250,
            items_max: 40,
            connections: 1,
            stale_percent: 20.0,
        }
    }

    fn of(customers: &Customers, seed: u64) -> Plan {
        plan((1, customers), 4, Duration::from_secs(10), 1_000, Chance::new(seed))
    }

    #[test]
    fn two_plans_of_one_seed_are_the_same() {
        assert_eq!(of(&storm(), 5), of(&storm(), 5));
        assert_ne!(of(&storm(), 5), of(&storm(), 6));
    }

    #[test]
    fn each_message_is_delivered_as_often_as_is_said_and_not_before_it_is_written() {
        let plan = of(&storm(), 5);
        let mut copies = vec![0; plan.written.len()];
        for post in &plan.posts {
            assert!((1..=40).contains(&post.items.len()));
            for item in &post.items {
                let place = (*item - 1_000) as usize;
                copies[place] += 1;
                assert!(post.due >= plan.written[place].at);
                assert!(post.due <= plan.written[place].at + Duration::from_millis(2_250));
            }
        }
        assert!(copies.iter().all(|copies| *copies == 3));
        assert!(plan.posts.is_sorted_by_key(|post| post.due));
        let in_order = plan.posts.iter().flat_map(|post| &post.items).is_sorted();
        assert!(!in_order, "it was to be shuffled");
    }

    #[test]
    fn without_a_storm_a_message_is_a_delivery_when_it_is_written() {
        let calm = Customers { copies: 1, delay_ms: 0, rebatch_ms: 0, ..storm() };
        let plan = of(&calm, 5);
        assert_eq!(plan.posts.len(), plan.written.len());
        assert!(plan.posts.iter().zip(&plan.written).all(|(post, written)| post.due == written.at));
    }

    #[test]
    fn a_customer_has_one_number_and_one_kind_of_window() {
        let plan = of(&storm(), 5);
        let mut known = std::collections::BTreeMap::new();
        for written in &plan.written {
            let first = *known.entry(written.customer).or_insert((written.number, written.stale));
            assert_eq!(first, (written.number, written.stale));
        }
        let stale = known.values().filter(|(_, stale)| *stale).count();
        assert!((2..=22).contains(&stale), "{stale} of {}", known.len());
    }
}
