//! What a run draws: a pure function of its seed and of what the draw is for, whatever else is drawn meanwhile.

/// A source of draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance(u64);

impl Chance {
    /// The source of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(mixed(seed ^ 0x7469_6465_6761_7465))
    }

    /// A source of its own for one purpose.
    #[must_use]
    pub fn of(self, purpose: &str) -> Self {
        // FNV-1a: the standard library promises no hash that is the same in its next version.
        let basis = self.0 ^ 0xCBF2_9CE4_8422_2325;
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        Self(mixed(purpose.bytes().fold(basis, hash)))
    }

    /// 64 bits for what these numbers name.
    #[must_use]
    pub fn bits(self, of: &[u64]) -> u64 {
        of.iter().fold(self.0, |bits, number| mixed(bits.wrapping_add(0x9E37_79B9_7F4A_7C15) ^ mixed(*number)))
    }

    /// From 0, which it may be, to 1, which it may not.
    #[must_use]
    pub fn unit(self, of: &[u64]) -> f64 {
        (self.bits(of) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether it hits, so many times in a hundred.
    #[must_use]
    pub fn hits(self, percent: f64, of: &[u64]) -> bool {
        self.unit(of) * 100.0 < percent
    }

    /// From 0 to `below`, which it is not; 0 of nothing.
    #[must_use]
    pub fn below(self, below: u64, of: &[u64]) -> u64 {
        ((u128::from(self.bits(of)) * u128::from(below)) >> 64) as u64
    }
}

/// The finalizer of splitmix64: each bit of the input changes half of the output's (Steele, Lea, Flood 2014).
const fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_repeat_and_do_not_hang_together() {
        let chance = Chance::new(7).of("replies");
        let hits = (0..10_000).filter(|item| chance.hits(25.0, &[*item])).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
        let mut counts = [0; 10];
        (0..10_000).for_each(|item| counts[chance.below(10, &[item, 3]) as usize] += 1);
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
        assert_eq!(chance, Chance::new(7).of("replies"));
        assert_ne!(chance, Chance::new(8).of("replies"));
        assert_ne!(chance, Chance::new(7).of("delays"));
        assert_ne!(chance.bits(&[1, 2]), chance.bits(&[2, 1]));
        assert_eq!(chance.below(0, &[1]), 0);
        assert!(!chance.hits(0.0, &[5]) && chance.hits(100.0, &[5]));
    }
}
