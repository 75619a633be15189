//! How much there is in the lists, kept as it changes. Mostly it is whose a conversation is that decides who sees it: what
//! is counted together is seen together, and a count looks at each holder and not at each conversation.

use std::collections::HashMap;

use super::{InboxCount, Shelf, Whose};
use crate::domain::access::{Action, Grants, Subject, may};
use crate::domain::conversation::Summary;
use crate::domain::ids::{AccountId, MemberId, TeamId};
use crate::domain::time::Timestamp;

/// Whose a conversation is, and where.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Holder {
    account: AccountId,
    owner: Option<MemberId>,
    team: Option<TeamId>,
}

impl Holder {
    /// Whose this conversation is.
    pub(super) fn of(line: &Summary) -> Self {
        Self { account: line.account, owner: line.assignment.owner, team: line.assignment.team }
    }

    /// Whether a list holds what is this holder's. What a member was asked to join or was mentioned in may be anybody's.
    pub(super) fn is_in(self, whose: Whose) -> bool {
        match whose {
            Whose::All => true,
            Whose::Owner(member) => self.owner == Some(member),
            Whose::Team(team) => self.team == Some(team),
            Whose::Unassigned => self.owner.is_none() && self.team.is_none(),
            Whose::Collaborator(_) | Whose::Mentioned(_) => false,
        }
    }

    /// Whether a reader sees what is this holder's without having been asked to.
    pub(super) fn is_seen(self, grants: &Grants, now: Timestamp) -> bool {
        let Self { account, owner, team } = self;
        may(grants, &Subject { account, owner, team, collaborators: &[], mentions: &[] }, Action::See, now)
    }
}

/// How much each holder has on each shelf. Who has nothing is not kept.
#[derive(Default)]
pub(super) struct Held(HashMap<(Shelf, Holder), InboxCount>);

impl Held {
    /// Counts a conversation.
    pub(super) fn add(&mut self, line: &Summary) {
        self.0.entry((Shelf::of(line.state), Holder::of(line))).or_default().add(line);
    }

    /// Counts a conversation no more: as it was when it was counted.
    pub(super) fn remove(&mut self, line: &Summary) {
        let key = (Shelf::of(line.state), Holder::of(line));
        let Some(count) = self.0.get_mut(&key) else { return };
        count.conversations = count.conversations.saturating_sub(1);
        count.unread = count.unread.saturating_sub(u64::from(line.unread));
        if count.conversations == 0 {
            self.0.remove(&key);
        }
    }

    /// How much a reader sees of a list without having been asked to.
    pub(super) fn count(&self, shelf: Shelf, whose: Whose, grants: &Grants, now: Timestamp) -> InboxCount {
        self.0
            .iter()
            .filter(|((on, holder), _)| *on == shelf && holder.is_in(whose) && holder.is_seen(grants, now))
            .fold(InboxCount::default(), |sum, (_, count)| sum.and(*count))
    }
}
