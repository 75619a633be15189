//! Whose turn it is, by deficit round robin: those who share a number's rate, or a portfolio's permits, get equal parts of
//! it, however large their single portions are.

use std::collections::VecDeque;

/// Those who take turns, in the order of their turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turns<K> {
    ring: VecDeque<Waiting<K>>,
    /// What a turn adds to what somebody may take, in units of what is shared.
    quantum: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting<K> {
    key: K,
    /// What it may still take.
    deficit: u32,
    /// Its turn has begun: it gets no second quantum for it.
    begun: bool,
}

impl<K: Copy + Eq> Turns<K> {
    /// Nobody takes turns yet. `quantum` is the largest portion that anybody takes at once, at least 1: a smaller one makes
    /// some wait for several turns, a larger one makes the others wait longer.
    #[must_use]
    pub fn new(quantum: u32) -> Self {
        Self { ring: VecDeque::new(), quantum: quantum.max(1) }
    }

    /// Lets somebody take turns, after everybody else; nothing changes for who does already.
    pub fn join(&mut self, key: K) {
        if !self.ring.iter().any(|waiting| waiting.key == key) {
            self.ring.push_back(Waiting { key, deficit: 0, begun: false });
        }
    }

    /// Somebody takes turns no more.
    pub fn leave(&mut self, key: K) {
        self.ring.retain(|waiting| waiting.key != key);
    }

    /// Whether nobody takes turns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Whose turn it is, and how much of `room` it may take: never more than it `wants`. None where nobody wants
    /// anything, or there is no room.
    ///
    /// Who wants nothing passes, and has nothing saved when it wants again. A turn that ends for want of room goes on with
    /// the next call.
    pub fn grant(&mut self, room: u32, mut wants: impl FnMut(K) -> u32) -> Option<(K, u32)> {
        if room == 0 {
            return None;
        }
        for _ in 0..self.ring.len() {
            let quantum = self.quantum;
            let head = self.ring.front_mut()?;
            if !head.begun {
                head.deficit = head.deficit.saturating_add(quantum);
                head.begun = true;
            }
            let key = head.key;
            let wanted = wants(key);
            let granted = wanted.min(head.deficit).min(room);
            head.deficit -= granted;
            if granted == wanted {
                head.deficit = 0;
            }
            if granted == wanted || head.deficit == 0 {
                self.end_turn();
            }
            if granted > 0 {
                return Some((key, granted));
            }
        }
        None
    }

    /// Gives back what was granted and certainly not used.
    pub fn give_back(&mut self, key: K, unused: u32) {
        if let Some(waiting) = self.ring.iter_mut().find(|waiting| waiting.key == key) {
            waiting.deficit = waiting.deficit.saturating_add(unused).min(self.quantum);
        }
    }

    fn end_turn(&mut self) {
        if let Some(mut ended) = self.ring.pop_front() {
            ended.begun = false;
            self.ring.push_back(ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUANTUM: u32 = 200;

    #[test]
    fn who_wants_nothing_passes_and_saves_nothing() {
        let mut turns = Turns::new(QUANTUM);
        assert_eq!(turns.grant(10, |_: u8| 1), None);
        for key in [1_u8, 2, 1] {
            turns.join(key);
        }
        for _ in 0..5 {
            assert_eq!(turns.grant(QUANTUM, |key| if key == 1 { 0 } else { QUANTUM }), Some((2, QUANTUM)));
        }
        let both: Vec<_> = (0..4).filter_map(|_| turns.grant(1_000, |_| 1_000)).collect();
        assert_eq!(both.iter().map(|(_, granted)| *granted).collect::<Vec<_>>(), [QUANTUM; 4], "nothing was saved up");
        assert_eq!(turns.grant(0, |_| 1), None);
        turns.leave(1);
        turns.leave(2);
        assert!(turns.is_empty());
    }

    #[test]
    fn a_turn_that_ends_for_want_of_room_goes_on() {
        let mut turns = Turns::new(QUANTUM);
        turns.join(1_u8);
        turns.join(2);
        let taken: Vec<_> = (0..5).filter_map(|_| turns.grant(80, |_| 1_000)).collect();
        assert_eq!(taken, [(1, 80), (1, 80), (1, 40), (2, 80), (2, 80)]);
    }

    #[test]
    fn what_was_not_used_may_be_taken_again() {
        let mut turns = Turns::new(QUANTUM);
        turns.join(1_u8);
        turns.join(2);
        assert_eq!(turns.grant(QUANTUM, |_| QUANTUM), Some((1, QUANTUM)));
        turns.give_back(1, 50);
        turns.give_back(9, 50);
        assert_eq!(turns.grant(QUANTUM, |_| QUANTUM), Some((2, QUANTUM)));
        assert_eq!(turns.grant(1_000, |_| 1_000), Some((1, QUANTUM + 50)));
    }

    proptest! {
        /// Ten broadcasts on one number: each within 5 % of its due, whatever portions they ask for and get room for.
        #[test]
        fn everybody_gets_an_equal_part(
            sharers in 2_u8..11,
            portions in prop::collection::vec(1_u32..=QUANTUM, 11),
            rooms in prop::collection::vec(1_u32..1_000, 16),
        ) {
            let mut turns = Turns::new(QUANTUM);
            for key in 0..sharers {
                turns.join(key);
            }
            let mut taken = vec![0_u64; usize::from(sharers)];
            let mut asked: Vec<u32> = portions.clone();
            for room in rooms.iter().cycle().take(40_000) {
                // Each always has a portion of its own size ready, and the next one after it.
                let (key, granted) = turns.grant(*room, |key| asked[usize::from(key)] + QUANTUM).unwrap();
                taken[usize::from(key)] += u64::from(granted);
                asked[usize::from(key)] = portions[(usize::from(key) + granted as usize) % portions.len()];
            }
            let due = taken.iter().sum::<u64>() as f64 / f64::from(sharers);
            for (key, taken) in taken.iter().enumerate() {
                prop_assert!((*taken as f64 / due - 1.0).abs() < 0.05, "{key}: {taken} of {due}");
            }
        }
    }
}
