//! The inbox as its views: all, mine, a team's, unassigned, where I join in, where I was mentioned.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::Serialize;

use super::inbox::{InboxCount, InboxQuery, Shelf, Whose, last_at};
use super::{Conversations, invalid};
use crate::domain::conversation::Summary;
use crate::domain::ids::{AccountId, ConversationId, TeamId};
use crate::domain::message::Channel;
use crate::domain::time::Timestamp;
use crate::shards::CommandError;
use crate::workspaces::Caller;

/// A view of the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListView {
    /// Everything the caller sees.
    All,
    /// What the caller owns.
    Mine,
    /// A team's; without one, those of every team of the caller.
    Team(Option<TeamId>),
    /// What has neither owner nor team.
    Unassigned,
    /// Where the caller joins in.
    Collaborations,
    /// Where the caller was mentioned.
    Mentions,
}

impl ListView {
    /// The view with this word; `team` goes with `team`.
    #[must_use]
    pub fn from_word(word: &str, team: Option<TeamId>) -> Option<Self> {
        match word {
            "all" => Some(Self::All),
            "mine" => Some(Self::Mine),
            "team" => Some(Self::Team(team)),
            "unassigned" => Some(Self::Unassigned),
            "collaborations" => Some(Self::Collaborations),
            "mentions" => Some(Self::Mentions),
            _ => None,
        }
    }
}

/// A line's place in a list: its last activity, then its id.
pub type ListPlace = (Timestamp, ConversationId);

/// Which lines of a view.
#[derive(Clone, Copy, Debug)]
pub struct ListQuery {
    /// The view.
    pub view: ListView,
    /// The state; none is every state.
    pub shelf: Option<Shelf>,
    /// Only this channel.
    pub channel: Option<Channel>,
    /// Only this account.
    pub account: Option<AccountId>,
    /// After this line of the page before.
    pub after: Option<ListPlace>,
    /// At most so many, 1 or more.
    pub limit: usize,
}

/// How much there is in each view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Everything the caller sees.
    pub all: InboxCount,
    /// What the caller owns.
    pub mine: InboxCount,
    /// What has neither owner nor team.
    pub unassigned: InboxCount,
    /// Where the caller joins in.
    pub collaborations: InboxCount,
    /// Where the caller was mentioned.
    pub mentions: InboxCount,
    /// The caller's teams.
    pub teams: Vec<TeamCount>,
}

/// How much there is of a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TeamCount {
    /// The team.
    pub team: TeamId,
    /// Its conversations.
    #[serde(flatten)]
    pub count: InboxCount,
}

impl Conversations {
    /// One page of a view, newest activity first, and where the next page goes on.
    ///
    /// # Errors
    /// The view is a member's, and the caller is a program.
    pub fn list(
        &self,
        caller: &Caller,
        query: ListQuery,
    ) -> Result<(Vec<Arc<Summary>>, Option<ListPlace>), CommandError> {
        let now = self.now();
        let mut found: Vec<Arc<Summary>> = Vec::new();
        for whose in whose(caller, query.view)? {
            let asked = InboxQuery {
                shelf: query.shelf,
                whose,
                channel: query.channel,
                account: query.account,
                after: query.after,
                // One more tells whether there is a next page.
                limit: query.limit + 1,
            };
            found.extend(self.inbox.list(caller.workspace, &caller.grants, asked, now));
        }
        found.sort_by_key(|line| (Reverse(last_at(line)), line.id));
        found.dedup_by_key(|line| line.id);
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let next = found.last().filter(|_| more).map(|line| (last_at(line), line.id));
        Ok((found, next))
    }

    /// Counts every view. It looks at everybody who holds conversations: not for a thread that must not wait.
    #[must_use]
    pub fn counts(&self, caller: &Caller, shelf: Option<Shelf>) -> Counts {
        let now = self.now();
        let count = |whose| self.inbox.count(caller.workspace, &caller.grants, (shelf, whose), now);
        let of_member = |whose: fn(crate::domain::ids::MemberId) -> Whose| {
            caller.member().map_or_else(InboxCount::default, |member| count(whose(member)))
        };
        let teams: Vec<TeamId> = match caller.member() {
            Some(_) => caller.grants.teams.clone(),
            None => self.workspaces.find(caller.workspace).map_or_else(Vec::new, |w| w.teams.iter().copied().collect()),
        };
        Counts {
            all: count(Whose::All),
            mine: of_member(Whose::Owner),
            unassigned: count(Whose::Unassigned),
            collaborations: of_member(Whose::Collaborator),
            mentions: of_member(Whose::Mentioned),
            teams: teams.into_iter().map(|team| TeamCount { team, count: count(Whose::Team(team)) }).collect(),
        }
    }
}

/// Whose conversations a view shows; several only for the teams of a member.
fn whose(caller: &Caller, view: ListView) -> Result<Vec<Whose>, CommandError> {
    let member = || caller.member().ok_or_else(|| invalid("view", "this view is a member's; a key has none"));
    Ok(match view {
        ListView::All => vec![Whose::All],
        ListView::Mine => vec![Whose::Owner(member()?)],
        ListView::Team(Some(team)) => vec![Whose::Team(team)],
        ListView::Team(None) => {
            member()?;
            caller.grants.teams.iter().map(|team| Whose::Team(*team)).collect()
        }
        ListView::Unassigned => vec![Whose::Unassigned],
        ListView::Collaborations => vec![Whose::Collaborator(member()?)],
        ListView::Mentions => vec![Whose::Mentioned(member()?)],
    })
}
