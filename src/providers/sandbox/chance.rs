//! What the sandbox draws: the same in every run when it is given a seed.

use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::clock::IdSource;

/// A source of draws.
pub(super) struct Chance {
    seed: u64,
    drawn: AtomicU64,
}

impl Chance {
    pub(super) fn new(seed: Option<u64>, ids: &dyn IdSource) -> Self {
        let seed = seed.unwrap_or_else(|| {
            let mut bytes = [0; 8];
            ids.fill(&mut bytes);
            u64::from_le_bytes(bytes)
        });
        Self { seed, drawn: AtomicU64::new(0) }
    }

    /// The next 64 bits, in order of asking.
    pub(super) fn next(&self) -> u64 {
        mixed(self.seed, self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    /// True with probability `share`.
    pub(super) fn hits(&self, share: f64) -> bool {
        unit(self.next()) < share
    }

    /// Draws of their own for `key`, whatever else is drawn meanwhile.
    pub(super) fn of(&self, key: &str) -> Self {
        Self { seed: xxh3_64_with_seed(key.as_bytes(), self.seed), drawn: AtomicU64::new(0) }
    }
}

fn mixed(seed: u64, index: u64) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&index.to_le_bytes());
    xxh3_64_with_seed(&bytes, seed)
}

/// Between 0 (in) and 1 (out).
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::CountedIds;

    #[test]
    fn shares_are_kept_and_a_seed_repeats() {
        let (ids, other) = (CountedIds::from(1), CountedIds::from(99));
        let chance = Chance::new(Some(7), &ids);
        let hits = (0..10_000).filter(|_| chance.hits(0.25)).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
        assert!(!chance.hits(0.0));
        assert!(chance.hits(1.0));
        let again = Chance::new(Some(7), &other);
        assert_eq!(chance.of("b1.x").next(), again.of("b1.x").next());
        assert_ne!(chance.of("b1.x").next(), again.of("b1.y").next());
    }
}
