//! Which customers count now, and until when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer};

use super::trie::Trie;
use crate::domain::ids::AddressId;
use crate::domain::time::Timestamp;

/// How many of the latest customers are remembered where no tier asks for more: the highest tier with a figure.
pub(super) const REMEMBERED: usize = 100_000;

/// One customer. 64 of the 128 bits of an address's keyed hash name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Permit {
    /// The second from which it counts.
    from_s: u32,
    /// The last second at which a message was accepted; 0 if none was.
    accepted_s: u32,
    /// Reservations whose outcome is not known.
    pending: u16,
}

/// The customers who count.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Kept")]
pub(super) struct Counted {
    permits: Trie<Permit>,
    /// Who counts from which second: it follows from the permits and is made from them when they are read.
    #[serde(serialize_with = "nothing")]
    by_second: Trie<Second>,
}

/// Those who count from one second.
#[derive(Clone, Debug, Default)]
struct Second {
    /// How many do.
    live: usize,
    /// Who does, among others who once did: whoever moves on is not looked for here. Shared, because a copy of the state
    /// that is being committed changes few seconds.
    named: Arc<Vec<u64>>,
}

/// As it is kept. (Earlier states kept both.)
#[derive(Deserialize)]
struct Kept {
    permits: Trie<Permit>,
    #[serde(rename = "by_second")]
    _by_second: IgnoredAny,
}

fn nothing<S: Serializer>(_: &Trie<Second>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq([(); 0])
}

impl From<Kept> for Counted {
    fn from(kept: Kept) -> Self {
        let mut moves = Moves::default();
        kept.permits.visit(|customer, permit| {
            moves.join(customer, permit.from_s);
            true
        });
        let mut counted = Self { permits: kept.permits, by_second: Trie::default() };
        counted.follow(moves);
        counted
    }
}

/// Two are equal if the same customers count alike.
impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        self.permits == other.permits
    }
}

/// Who begins to count from which second, and how many no longer count from one.
#[derive(Default)]
struct Moves(BTreeMap<u32, (Vec<u64>, usize)>);

impl Moves {
    fn join(&mut self, customer: u64, second: u32) {
        self.0.entry(second).or_default().0.push(customer);
    }

    fn leave(&mut self, second: u32) {
        self.0.entry(second).or_default().1 += 1;
    }
}

/// The name of a customer here.
pub(super) const fn short(address: AddressId) -> u64 {
    address.0 as u64
}

/// The second that a moment falls in, rounded up: so that nobody counts for less than the period.
fn second_of(at: Timestamp) -> u32 {
    u32::try_from(at.millis().saturating_add(999).div_euclid(1_000)).unwrap_or(0)
}

/// A span in whole seconds, rounded up.
pub(super) fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

/// Seconds as keys that differ in their first bits.
const fn key_of(second: u32) -> u64 {
    (second as u64) << 32
}

const fn ends(second: u32, counts_for_s: u32) -> Timestamp {
    Timestamp::from_seconds(second as i64 + counts_for_s as i64)
}

impl Counted {
    /// How many count at `now`.
    pub(super) fn used(&self, counts_for_s: u32, now: Timestamp) -> usize {
        let mut over = 0;
        self.by_second.visit(|key, second| {
            let past = ends((key >> 32) as u32, counts_for_s) <= now;
            over += if past { second.live } else { 0 };
            past
        });
        self.permits.len() - over
    }

    /// Whether this customer counts at `now`.
    pub(super) fn counts(&self, customer: u64, counts_for_s: u32, now: Timestamp) -> bool {
        self.permits.get(customer).is_some_and(|permit| ends(permit.from_s, counts_for_s) > now)
    }

    /// Whether this customer counts from `at` on, or from later.
    pub(super) fn counts_from_later(&self, customer: u64, at: Timestamp) -> bool {
        self.permits.get(customer).is_some_and(|permit| permit.from_s >= second_of(at))
    }

    /// Whether an outcome of this customer is awaited.
    pub(super) fn is_pending(&self, customer: u64) -> bool {
        self.permits.get(customer).is_some_and(|permit| permit.pending > 0)
    }

    /// When fewer than `limit` count, if nothing more is sent.
    pub(super) fn below(&self, limit: usize, counts_for_s: u32, now: Timestamp) -> Timestamp {
        let used = self.used(counts_for_s, now);
        if used < limit {
            return now;
        }
        let (must_go, mut gone, mut at) = (used - limit + 1, 0, ends(second_of(now), counts_for_s));
        self.by_second.visit(|key, second| {
            let end = ends((key >> 32) as u32, counts_for_s);
            if end > now {
                gone += second.live;
                at = end;
            }
            gone < must_go
        });
        at
    }

    /// These were reserved, and count from so many seconds later.
    pub(super) fn reserve(
        &mut self,
        customers: &[u64],
        (at, later_s): (Timestamp, u32),
        counts_for_s: u32,
        remember_at_most: usize,
    ) {
        self.forget(at, counts_for_s, usize::MAX);
        let second = second_of(at).saturating_add(later_s);
        let mut moves = Moves::default();
        for customer in customers {
            let mut permit =
                self.permits.get(*customer).copied().unwrap_or(Permit { from_s: 0, accepted_s: 0, pending: 0 });
            permit.pending = permit.pending.saturating_add(1);
            self.set(*customer, Permit { from_s: permit.from_s.max(second), ..permit }, &mut moves);
        }
        self.follow(moves);
        self.forget(at, counts_for_s, remember_at_most);
    }

    /// These were certainly not sent.
    pub(super) fn give_back(&mut self, customers: &[u64]) {
        let mut moves = Moves::default();
        for customer in customers {
            let Some(permit) = self.permits.get(*customer).copied() else { continue };
            match (permit.pending, permit.accepted_s) {
                (0, _) => {}
                (1, 0) => {
                    self.permits.remove(*customer);
                    moves.leave(permit.from_s);
                }
                (1, accepted_s) => {
                    self.set(*customer, Permit { from_s: accepted_s, accepted_s, pending: 0 }, &mut moves);
                }
                (pending, _) => self.set(*customer, Permit { pending: pending - 1, ..permit }, &mut moves),
            }
        }
        self.follow(moves);
    }

    /// The provider took these at `at`.
    pub(super) fn accept(&mut self, customers: &[u64], at: Timestamp) {
        let second = second_of(at);
        let mut moves = Moves::default();
        for customer in customers {
            let known = self.permits.get(*customer).copied();
            let permit = known.unwrap_or(Permit { from_s: second, accepted_s: 0, pending: 0 });
            let (pending, accepted_s) = (permit.pending.saturating_sub(1), permit.accepted_s.max(second));
            // While another message to the same customer is under way, its reservation counts too.
            let from_s = if pending == 0 { accepted_s } else { permit.from_s.max(accepted_s) };
            self.set(*customer, Permit { from_s, accepted_s, pending }, &mut moves);
        }
        self.follow(moves);
    }

    fn set(&mut self, customer: u64, permit: Permit, moves: &mut Moves) {
        let before = self.permits.insert(customer, permit).map(|before| before.from_s);
        if before != Some(permit.from_s) {
            before.into_iter().for_each(|second| moves.leave(second));
            moves.join(customer, permit.from_s);
        }
    }

    /// The seconds follow what became of the permits.
    fn follow(&mut self, moves: Moves) {
        for (second, (joined, left)) in moves.0 {
            let key = key_of(second);
            if self.by_second.get(key).is_none() {
                self.by_second.insert(key, Second::default());
            }
            let Some(known) = self.by_second.get_mut(key) else { continue };
            known.live = (known.live + joined.len()).saturating_sub(left);
            if known.live == 0 {
                self.by_second.remove(key);
            } else if known.named.is_empty() {
                known.named = Arc::new(joined);
            } else {
                Arc::make_mut(&mut known.named).extend(joined);
            }
        }
    }

    /// Lets those go who count no longer at `now`, and the oldest over `at_most`.
    fn forget(&mut self, now: Timestamp, counts_for_s: u32, at_most: usize) {
        while let Some((key, first)) = self.by_second.first() {
            let from_s = (key >> 32) as u32;
            let over = self.permits.len().saturating_sub(at_most);
            if ends(from_s, counts_for_s) > now && over < first.live {
                break;
            }
            for customer in self.by_second.remove(key).unwrap_or_default().named.iter() {
                if self.permits.get(*customer).is_some_and(|permit| permit.from_s == from_s) {
                    self.permits.remove(*customer);
                }
            }
        }
    }
}
