//! The rules of membership: versions in a total order, and the dead stay dead.

use serde::{Deserialize, Serialize};

use super::Member;

/// Who takes part; its version rises with every change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Membership {
    /// The number of changes.
    pub(super) version: u64,
    /// The members, by node.
    pub(super) members: Vec<Member>,
}

impl Membership {
    /// Adds or changes a member, if the version is `expect_version` and its incarnation is neither past nor dead.
    pub(super) fn change(&mut self, expect_version: u64, member: Member) -> bool {
        if expect_version != self.version {
            return false;
        }
        match self.members.binary_search_by_key(&member.owner.node, |known| known.owner.node) {
            Ok(place) => {
                let known = &mut self.members[place];
                let past = member.owner.incarnation < known.owner.incarnation;
                let risen = member.owner.incarnation == known.owner.incarnation && member.alive && !known.alive;
                if past || risen {
                    return false;
                }
                *known = member;
            }
            Err(place) => self.members.insert(place, member),
        }
        self.version += 1;
        true
    }
}

/// Whether a beat is news beside the last one known of its node.
pub(super) fn beat_rises(known: Option<(u64, u64)>, incarnation: u64, number: u64) -> bool {
    known.is_none_or(|known| (incarnation, number) > known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Owner, encoding};

    #[test]
    fn a_membership_comes_back_as_it_went() {
        let mut membership = Membership::default();
        let owner = Owner { node: u128::MAX - 1, incarnation: 4 };
        assert!(membership.change(0, Member { owner, address: "127.0.0.1:7".into(), alive: true }));
        let bytes = encoding::encode(&membership).expect("encodes");
        assert_eq!(encoding::decode::<Membership>("members", &bytes).expect("reads"), membership);
    }

    #[test]
    fn a_beat_rises_within_an_incarnation_and_starts_anew_with_the_next() {
        assert!(beat_rises(None, 1, 0));
        assert!(beat_rises(Some((1, 5)), 1, 6) && beat_rises(Some((1, 5)), 2, 0));
        assert!(!beat_rises(Some((1, 5)), 1, 5) && !beat_rises(Some((2, 0)), 1, 9));
    }
}
