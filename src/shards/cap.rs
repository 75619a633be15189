//! How many entities may be in memory, and when it is looked who has to leave.

use std::cell::Cell;

/// A bound on what is in memory, with room made an eighth at a time: a look at everybody in memory costs what everybody
/// costs, so it has to make room for many who arrive.
pub(super) struct Cap {
    max: usize,
    looks_above: Cell<usize>,
}

impl Cap {
    /// At most `max` entities, a number of at least one.
    pub(super) const fn new(max: usize) -> Self {
        Self { max, looks_above: Cell::new(max) }
    }

    /// Whether so many in memory are a reason to look who has to leave.
    pub(super) fn is_passed_by(&self, resident: usize) -> bool {
        resident > self.looks_above.get()
    }

    /// How many of so many in memory have to leave, the longest unused first.
    pub(super) fn surplus(&self, resident: usize) -> usize {
        if resident > self.max { resident - (self.max - self.room()) } else { 0 }
    }

    /// Says how many stayed when so many had to leave. Where those who stay are busy, the next look is worth its cost
    /// only after as many have arrived as one makes room for.
    pub(super) fn looked(&self, surplus: usize, stayed: usize) {
        self.looks_above.set(if surplus > 0 { self.max.max(stayed + self.room()) } else { self.max });
    }

    fn room(&self) -> usize {
        self.max.div_ceil(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it is looked while so many arrive, where so many of them stay busy.
    fn looks(cap: &Cap, arrive: usize, busy: usize) -> (usize, usize) {
        let (mut resident, mut looks, mut most) = (0, 0, 0);
        for _ in 0..arrive {
            resident += 1;
            most = most.max(resident);
            if cap.is_passed_by(resident) {
                looks += 1;
                let surplus = cap.surplus(resident);
                resident -= surplus.min(resident.saturating_sub(busy));
                cap.looked(surplus, resident);
            }
        }
        (looks, most)
    }

    #[test]
    fn one_look_makes_room_for_an_eighth() {
        assert_eq!(looks(&Cap::new(800), 800, 0), (0, 800));
        let (looks, most) = looks(&Cap::new(800), 80_800, 0);
        assert_eq!(most, 801);
        assert!((790..=800).contains(&looks), "{looks} looks for 80,000 above the cap");
    }

    #[test]
    fn busy_ones_are_not_looked_at_for_each_arrival() {
        for busy in [799, 800, 801, 2_000] {
            let (looks, _) = looks(&Cap::new(800), busy + 1_000, busy);
            assert!(looks <= (busy + 1_000 - 800) / 100 + 1, "{looks} looks with {busy} busy");
        }
    }

    #[test]
    fn a_cap_of_one_is_kept() {
        let cap = Cap::new(1);
        assert!(!cap.is_passed_by(1));
        assert_eq!((cap.surplus(1), cap.surplus(2)), (0, 2));
    }

    #[test]
    fn a_look_without_need_leaves_the_cap_where_it_is() {
        let cap = Cap::new(800);
        cap.looked(cap.surplus(799), 799);
        assert!(cap.is_passed_by(801));
    }
}
