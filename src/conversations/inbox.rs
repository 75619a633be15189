//! The inbox index: every conversation of a workspace in the order of its last activity, by state and
//! by whose it is. Lists are read here; no conversation is woken for them.
//!
//! One part an arbiter, written by that arbiter alone. A list visits the parts one after another and
//! merges what they give, so a reader never holds two locks.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::access::{Action, Grants, may};
use crate::domain::conversation::{State, Summary};
use crate::domain::ids::{AccountId, ConversationId, MemberId, TeamId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::time::Timestamp;

/// Which conversations a list shows, by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shelf {
    /// There is something to do.
    Open,
    /// Quiet until a time.
    Snoozed,
    /// There is nothing to do.
    Closed,
}

impl Shelf {
    /// Every shelf.
    pub const ALL: [Self; 3] = [Self::Open, Self::Snoozed, Self::Closed];

    /// The shelf of a state.
    #[must_use]
    pub const fn of(state: State) -> Self {
        match state {
            State::Open => Self::Open,
            State::Snoozed { .. } => Self::Snoozed,
            State::Closed => Self::Closed,
        }
    }

    /// The shelf with this word: `open`, `snoozed`, `closed`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "open" => Some(Self::Open),
            "snoozed" => Some(Self::Snoozed),
            "closed" => Some(Self::Closed),
            _ => None,
        }
    }
}

/// Whose conversations a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// Everybody's that the reader may see.
    All,
    /// Those a member owns.
    Owner(MemberId),
    /// Those of a team.
    Team(TeamId),
    /// Those without owner and team.
    Unassigned,
    /// Those a member collaborates on.
    Collaborator(MemberId),
    /// Those a member was mentioned in.
    Mentioned(MemberId),
}

/// A list that somebody wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxQuery {
    /// The state; none is every state.
    pub shelf: Option<Shelf>,
    /// Whose.
    pub whose: Whose,
    /// Only this channel.
    pub channel: Option<Channel>,
    /// Only this account.
    pub account: Option<AccountId>,
    /// After this line of the page before.
    pub after: Option<(Timestamp, ConversationId)>,
    /// At most so many lines.
    pub limit: usize,
}

/// How many conversations there are, and how many messages nobody of the handling side has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct InboxCount {
    /// Conversations.
    pub conversations: usize,
    /// Unread messages.
    pub unread: u64,
}

/// Lines that a count looks at, at most.
const COUNTED_MAX: usize = 100_000;

/// A place in a list: newest activity first, then by id.
type Place = (Reverse<Timestamp>, ConversationId);

/// When a conversation was last active: its newest message, else its beginning.
#[must_use]
pub fn last_at(line: &Summary) -> Timestamp {
    line.last_message.map_or(line.created_at, |message| message.at)
}

#[derive(Default)]
struct Lines {
    by_id: HashMap<ConversationId, Arc<Summary>>,
    /// Each list's places. A list that nothing is in is not kept.
    lists: HashMap<(Shelf, Whose), BTreeSet<Place>>,
}

type Part = HashMap<WorkspaceId, Lines>;

/// The inbox of every workspace.
pub struct Inbox {
    parts: Vec<Mutex<Part>>,
}

impl Inbox {
    /// An empty index with a part for each arbiter.
    #[must_use]
    pub fn new(parts: usize) -> Self {
        Self { parts: (0..parts.max(1)).map(|_| Mutex::default()).collect() }
    }

    /// Puts a conversation in its places, or takes it off them once it redirects. What was there before comes back.
    pub fn put(&self, shard: u16, summary: Summary) -> Option<Arc<Summary>> {
        let mut part = self.part(shard);
        let lines = part.entry(summary.workspace).or_default();
        let before = lines.by_id.remove(&summary.id);
        if let Some(before) = &before {
            lines.take_off(before);
        }
        if summary.moved_to.is_none() {
            lines.put_on(&summary);
            lines.by_id.insert(summary.id, Arc::new(summary));
        }
        before
    }

    /// What lists show of a conversation; none for one that redirects or never began.
    #[must_use]
    pub fn find(&self, shard: u16, workspace: WorkspaceId, id: ConversationId) -> Option<Arc<Summary>> {
        self.part(shard).get(&workspace)?.by_id.get(&id).cloned()
    }

    /// One page of a list, newest activity first.
    #[must_use]
    pub fn list(
        &self,
        workspace: WorkspaceId,
        grants: &Grants,
        query: InboxQuery,
        now: Timestamp,
    ) -> Vec<Arc<Summary>> {
        let mut found: Vec<Arc<Summary>> = Vec::new();
        for part in &self.parts {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(lines) = part.get(&workspace) else { continue };
            for shelf in Shelf::ALL.into_iter().filter(|shelf| query.shelf.is_none_or(|wanted| wanted == *shelf)) {
                found.extend(lines.of(shelf, grants, query, now));
            }
        }
        found.sort_by_key(|line| (Reverse(last_at(line)), line.id));
        found.truncate(query.limit);
        found
    }

    /// Counts what a reader may see of a list; of more than 100,000 conversations the rest is left out.
    #[must_use]
    pub fn count(&self, workspace: WorkspaceId, grants: &Grants, query: InboxQuery, now: Timestamp) -> InboxCount {
        let all = InboxQuery { limit: COUNTED_MAX, after: None, ..query };
        let lines = self.list(workspace, grants, all, now);
        InboxCount { conversations: lines.len(), unread: lines.iter().map(|line| u64::from(line.unread)).sum() }
    }

    /// How many conversations the index holds.
    #[must_use]
    pub fn len(&self) -> usize {
        let held = |part: &Mutex<Part>| {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            part.values().map(|lines| lines.by_id.len()).sum::<usize>()
        };
        self.parts.iter().map(held).sum()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shards are dealt to the arbiters in turn, and so are their parts.
    fn part(&self, shard: u16) -> MutexGuard<'_, Part> {
        self.parts[usize::from(shard) % self.parts.len()].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn put_on(&mut self, line: &Summary) {
        let shelf = Shelf::of(line.state);
        for whose in all_whose(line) {
            self.lists.entry((shelf, whose)).or_default().insert(place(line));
        }
    }

    fn take_off(&mut self, line: &Summary) {
        let shelf = Shelf::of(line.state);
        for whose in all_whose(line) {
            let Some(list) = self.lists.get_mut(&(shelf, whose)) else { continue };
            list.remove(&place(line));
            if list.is_empty() {
                self.lists.remove(&(shelf, whose));
            }
        }
    }

    fn of<'a>(
        &'a self,
        shelf: Shelf,
        grants: &'a Grants,
        query: InboxQuery,
        now: Timestamp,
    ) -> impl Iterator<Item = Arc<Summary>> + 'a {
        let after = query.after.map_or(Unbounded, |(at, id)| Excluded((Reverse(at), id)));
        self.lists
            .get(&(shelf, query.whose))
            .into_iter()
            .flat_map(move |list| list.range((after, Unbounded)))
            .filter_map(|place| self.by_id.get(&place.1))
            .filter(move |line| query.channel.is_none_or(|channel| channel == line.channel))
            .filter(move |line| query.account.is_none_or(|account| account == line.account))
            .filter(move |line| may(grants, &line.subject(), Action::See, now))
            .take(query.limit)
            .cloned()
    }
}

fn place(line: &Summary) -> Place {
    (Reverse(last_at(line)), line.id)
}

/// Everybody whose list the conversation is in.
fn all_whose(line: &Summary) -> impl Iterator<Item = Whose> {
    let of = &line.assignment;
    let unassigned = of.owner.is_none() && of.team.is_none();
    std::iter::once(Whose::All)
        .chain(of.owner.map(Whose::Owner))
        .chain(of.team.map(Whose::Team))
        .chain(unassigned.then_some(Whose::Unassigned))
        .chain(of.collaborators.iter().map(|member| Whose::Collaborator(*member)))
        .chain(line.mentions.iter().map(|(member, _)| Whose::Mentioned(*member)))
}

#[cfg(test)]
mod tests;
