//! The inbox index: every conversation of a workspace in the order of its last activity, by state and
//! by whose it is. Lists are read here; no conversation is woken for them.
//!
//! One part an arbiter, written by that arbiter alone. A list visits the parts one after another and
//! merges what they give, so a reader never holds two locks.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound::{self, Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::held::{Held, Holder};
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

impl InboxCount {
    fn add(&mut self, line: &Summary) {
        self.conversations += 1;
        self.unread += u64::from(line.unread);
    }

    const fn and(self, other: Self) -> Self {
        Self { conversations: self.conversations + other.conversations, unread: self.unread + other.unread }
    }
}

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
    held: Held,
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

    /// Counts what a reader may see of a list; `shelf` none is every state.
    #[must_use]
    pub fn count(
        &self,
        workspace: WorkspaceId,
        grants: &Grants,
        (shelf, whose): (Option<Shelf>, Whose),
        now: Timestamp,
    ) -> InboxCount {
        let mut count = InboxCount::default();
        for part in &self.parts {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(lines) = part.get(&workspace) else { continue };
            for shelf in Shelf::ALL.into_iter().filter(|on| shelf.is_none_or(|wanted| wanted == *on)) {
                count = count.and(lines.count(shelf, whose, grants, now));
            }
        }
        count
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
        self.held.add(line);
        let shelf = Shelf::of(line.state);
        for whose in all_whose(line) {
            self.lists.entry((shelf, whose)).or_default().insert(place(line));
        }
    }

    fn take_off(&mut self, line: &Summary) {
        self.held.remove(line);
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
        self.on(shelf, query.whose, after)
            .filter(move |line| query.channel.is_none_or(|channel| channel == line.channel))
            .filter(move |line| query.account.is_none_or(|account| account == line.account))
            .filter(move |line| may(grants, &line.subject(), Action::See, now))
            .take(query.limit)
            .cloned()
    }

    /// A list's lines from a place on, whoever may see them.
    fn on(&self, shelf: Shelf, whose: Whose, from: Bound<Place>) -> impl Iterator<Item = &Arc<Summary>> {
        let list = self.lists.get(&(shelf, whose)).into_iter();
        list.flat_map(move |list| list.range((from, Unbounded))).filter_map(|place| self.by_id.get(&place.1))
    }

    fn count(&self, shelf: Shelf, whose: Whose, grants: &Grants, now: Timestamp) -> InboxCount {
        let mut count = self.held.count(shelf, whose, grants, now);
        let mut counted = |line: &Arc<Summary>| {
            if may(grants, &line.subject(), Action::See, now) {
                count.add(line);
            }
        };
        if let Whose::Collaborator(_) | Whose::Mentioned(_) = whose {
            self.on(shelf, whose, Unbounded).for_each(counted);
            return count;
        }
        // Who was asked to a conversation of others sees it too.
        let joined = self.on(shelf, Whose::Collaborator(grants.member), Unbounded);
        let mentioned = self.on(shelf, Whose::Mentioned(grants.member), Unbounded);
        joined
            .chain(mentioned.filter(|line| !line.assignment.collaborators.contains(&grants.member)))
            .filter(|line| Holder::of(line).is_in(whose) && !Holder::of(line).is_seen(grants, now))
            .for_each(&mut counted);
        count
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

mod held;
#[cfg(test)]
mod tests;
