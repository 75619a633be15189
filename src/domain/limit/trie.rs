//! An ordered map of 64-bit keys whose copies are cheap: a copy shares every part that neither side changes.
//!
//! An entity's state is copied for every decision that is being committed; a limit scope holds 100,000
//! customers, so its copies must not cost what they hold.

use std::sync::Arc;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Entries of a leaf before it becomes a branch.
const LEAF_MAX: usize = 32;
/// Bits of a key that one branch looks at.
const BITS: u32 = 4;
/// Children of a branch.
const WIDTH: usize = 1 << BITS;

#[derive(Clone, Debug)]
enum Node<V> {
    Leaf(Vec<(u64, V)>),
    Branch([Option<Arc<Node<V>>>; WIDTH]),
}

/// The map.
#[derive(Clone, Debug)]
pub(super) struct Trie<V> {
    root: Arc<Node<V>>,
    len: usize,
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self { root: Arc::new(Node::Leaf(Vec::new())), len: 0 }
    }
}

/// Which child of a branch at this depth leads to the key.
const fn child_of(key: u64, depth: u32) -> usize {
    ((key << (depth * BITS)) >> (u64::BITS - BITS)) as usize
}

impl<V: Clone> Trie<V> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: u64) -> Option<&V> {
        let (mut node, mut depth) = (self.root.as_ref(), 0);
        loop {
            match node {
                Node::Leaf(entries) => {
                    let index = entries.binary_search_by_key(&key, |(known, _)| *known).ok()?;
                    return entries.get(index).map(|(_, value)| value);
                }
                Node::Branch(children) => node = children[child_of(key, depth)].as_deref()?,
            }
            depth += 1;
        }
    }

    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        self.get(key)?;
        let (mut node, mut depth) = (Arc::make_mut(&mut self.root), 0);
        loop {
            match node {
                Node::Leaf(entries) => {
                    let index = entries.binary_search_by_key(&key, |(known, _)| *known).ok()?;
                    return entries.get_mut(index).map(|(_, value)| value);
                }
                Node::Branch(children) => node = Arc::make_mut(children[child_of(key, depth)].as_mut()?),
            }
            depth += 1;
        }
    }

    pub(super) fn insert(&mut self, key: u64, value: V) -> Option<V> {
        let before = insert(Arc::make_mut(&mut self.root), 0, key, value);
        self.len += usize::from(before.is_none());
        before
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<V> {
        self.get(key)?;
        let removed = remove(Arc::make_mut(&mut self.root), 0, key);
        self.len -= usize::from(removed.is_some());
        if self.len == 0 {
            *self = Self::default();
        }
        removed
    }

    /// The entry with the smallest key.
    pub(super) fn first(&self) -> Option<(u64, &V)> {
        let mut found = None;
        walk(&self.root, &mut |key, value| {
            found = Some((key, value));
            false
        });
        found
    }

    /// Visits the entries by rising key, as long as the visitor says so.
    pub(super) fn visit<'a>(&'a self, mut visitor: impl FnMut(u64, &'a V) -> bool) {
        walk(&self.root, &mut visitor);
    }
}

fn insert<V: Clone>(node: &mut Node<V>, depth: u32, key: u64, value: V) -> Option<V> {
    match node {
        Node::Leaf(entries) => match entries.binary_search_by_key(&key, |(known, _)| *known) {
            Ok(index) => entries.get_mut(index).map(|(_, known)| std::mem::replace(known, value)),
            Err(index) => {
                entries.insert(index, (key, value));
                if entries.len() > LEAF_MAX && depth < u64::BITS / BITS {
                    let entries = std::mem::take(entries);
                    let mut children: [Vec<(u64, V)>; WIDTH] = std::array::from_fn(|_| Vec::new());
                    for (key, value) in entries {
                        children[child_of(key, depth)].push((key, value));
                    }
                    let child = |entries: Vec<_>| (!entries.is_empty()).then(|| Arc::new(Node::Leaf(entries)));
                    *node = Node::Branch(children.map(child));
                }
                None
            }
        },
        Node::Branch(children) => match &mut children[child_of(key, depth)] {
            Some(child) => insert(Arc::make_mut(child), depth + 1, key, value),
            empty => {
                *empty = Some(Arc::new(Node::Leaf(vec![(key, value)])));
                None
            }
        },
    }
}

fn remove<V: Clone>(node: &mut Node<V>, depth: u32, key: u64) -> Option<V> {
    match node {
        Node::Leaf(entries) => {
            let index = entries.binary_search_by_key(&key, |(known, _)| *known).ok()?;
            Some(entries.remove(index).1)
        }
        Node::Branch(children) => {
            let slot = &mut children[child_of(key, depth)];
            let child = Arc::make_mut(slot.as_mut()?);
            let removed = remove(child, depth + 1, key);
            let empty = match child {
                Node::Leaf(entries) => entries.is_empty(),
                Node::Branch(children) => children.iter().all(Option::is_none),
            };
            if empty {
                *slot = None;
            }
            removed
        }
    }
}

fn walk<'a, V>(node: &'a Node<V>, visitor: &mut impl FnMut(u64, &'a V) -> bool) -> bool {
    match node {
        Node::Leaf(entries) => entries.iter().all(|(key, value)| visitor(*key, value)),
        Node::Branch(children) => children.iter().flatten().all(|child| walk(child, visitor)),
    }
}

/// Two maps are equal if they hold the same, however they came to it.
impl<V: Clone + PartialEq> PartialEq for Trie<V> {
    fn eq(&self, other: &Self) -> bool {
        let mut same = self.len == other.len;
        self.visit(|key, value| {
            same = same && other.get(key) == Some(value);
            same
        });
        same
    }
}

impl<V: Clone + Serialize> Serialize for Trie<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = Vec::with_capacity(self.len);
        self.visit(|key, value| {
            entries.push((key, value));
            true
        });
        serializer.collect_seq(entries)
    }
}

impl<'de, V: Clone + Deserialize<'de>> Deserialize<'de> for Trie<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(std::marker::PhantomData<V>);
        impl<'de, V: Clone + Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Trie<V>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("pairs of key and value")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Trie<V>, A::Error> {
                let mut trie = Trie::default();
                while let Some((key, value)) = seq.next_element()? {
                    trie.insert(key, value);
                }
                Ok(trie)
            }
        }
        deserializer.deserialize_seq(Entries(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_an_ordered_map(steps in prop::collection::vec((any::<bool>(), 0..300_u64, any::<bool>()), 1..600)) {
            let (mut trie, mut map) = (Trie::default(), BTreeMap::new());
            for (step, (add, low, high)) in steps.into_iter().enumerate() {
                // Keys that share long beginnings, and keys that share none.
                let key = if high { low << 56 | low } else { low };
                let copy = trie.clone();
                if add {
                    prop_assert_eq!(trie.insert(key, step), map.insert(key, step));
                } else {
                    let before = map.clone();
                    prop_assert_eq!(trie.remove(key), map.remove(&key));
                    prop_assert_eq!(copy.get(key), before.get(&key));
                }
                prop_assert_eq!(trie.len(), map.len());
                prop_assert_eq!(trie.get(key), map.get(&key));
                prop_assert_eq!(trie.first(), map.first_key_value().map(|(key, value)| (*key, value)));
            }
            let mut listed = Vec::new();
            trie.visit(|key, value| { listed.push((key, *value)); true });
            prop_assert_eq!(listed, map.into_iter().collect::<Vec<_>>());
            let bytes = rmp_serde::to_vec(&trie).unwrap();
            prop_assert!(crate::packed::read::<Trie<usize>>(&bytes).unwrap() == trie);
        }
    }
}
