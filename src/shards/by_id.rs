//! Maps over entities: their ids are hashes or random already, so hashing them again is for spreading only.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::domain::entity::EntityKind;

/// What an entity is called in the directory.
pub(super) type EntityKey = (EntityKind, u128);

/// Values by entity.
pub(super) type ById<T> = HashMap<EntityKey, T, BuildHasherDefault<IdHasher>>;

/// A set of entities.
pub(super) type KeySet = HashSet<EntityKey, BuildHasherDefault<IdHasher>>;

/// Ids are hashes or random already; ids of one shard share their lowest bits, so what they have is spread.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        // A table looks at the lowest and the highest bits: this spreads every bit over all of them.
        let spread = u128::from(self.0) * 0x9E37_79B9_7F4A_7C15;
        (spread as u64) ^ ((spread >> 64) as u64)
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u8(&mut self, byte: u8) {
        self.0 = self.0.rotate_left(5) ^ u64::from(byte);
    }
    fn write_u128(&mut self, id: u128) {
        self.0 ^= (id as u64) ^ ((id >> 64) as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hash;

    use super::*;

    fn hash(kind: EntityKind, id: u128) -> u64 {
        let mut hasher = IdHasher::default();
        (kind, id).hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn ids_of_one_shard_fill_a_table_evenly() {
        // Of 4,096 ids that share their lowest bits, as a shard's do, every sixteenth of a table gets its part.
        let ids = (0..4_096_u128).map(|number| number * 16 + 5);
        let mut low = [0_u32; 16];
        let mut high = [0_u32; 16];
        for id in ids {
            let hash = hash(EntityKind::Conversation, id);
            low[(hash & 15) as usize] += 1;
            high[(hash >> 60) as usize] += 1;
        }
        assert!(low.iter().chain(&high).all(|count| (128..512).contains(count)), "{low:?} {high:?}");
        assert_ne!(hash(EntityKind::Contact, 1), hash(EntityKind::Conversation, 1));
    }
}
