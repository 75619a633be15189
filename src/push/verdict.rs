//! Which of the news a reader gets: what it may see and looks at.

use super::connection::{Phase, State};
use super::entry::{FeedEntry, Sight};
use super::signal::Signals;
use super::tail::Tail;
use crate::broken::{self, Fault};

/// What a reader gets of an entry, interest included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The event.
    Whole,
    /// A last `conversation.removed`.
    Removed,
    /// Only a count: it is outside the interest.
    Outside,
    /// Nothing.
    Nothing,
}

impl State {
    /// What this reader gets of an entry.
    pub(super) fn judge(&self, entry: &FeedEntry) -> Verdict {
        let Some(member) = &self.member else { return Verdict::Nothing };
        let sight = entry.seen_by(&*member.viewer);
        if sight == Sight::Nothing {
            return Verdict::Nothing;
        }
        let inside = match (&self.interest, entry.conversation()) {
            (Some(interest), Some(conversation)) => interest.includes(conversation),
            _ => true,
        };
        match sight {
            Sight::Whole if inside => Verdict::Whole,
            Sight::Removed if inside => Verdict::Removed,
            _ => Verdict::Outside,
        }
    }

    /// Moves over entries that this reader does not get; true if it now stands at one it gets,
    /// or has something else to be told.
    pub(super) fn skip_unseen(&mut self, tail: &Tail) -> bool {
        let Phase::Live { next, skip, .. } = &self.phase else { return false };
        let (mut at, skip) = (*next, skip.as_ref());
        let wanted = loop {
            let Some(entry) = tail.get(at) else { break at < tail.first_index() };
            let read = skip.is_some_and(|skip| skip.includes(entry.id()));
            // What is to leak is passed over by nobody.
            if !read && (self.judge(entry) != Verdict::Nothing || broken::is_ordered(Fault::LeakConversation)) {
                break true;
            }
            at += 1;
        };
        // Whoever owes an announcement at `news_from` must stop there.
        let wanted = wanted || self.replayed.is_some();
        if let Phase::Live { next, .. } = &mut self.phase {
            *next = at;
        }
        wanted
    }

    /// The same for signals.
    pub(super) fn skip_unseen_signals(&mut self, signals: &Signals) -> bool {
        let Some(member) = &self.member else { return false };
        while let Some((number, signal)) = signals.after(self.signal) {
            if signal.seen_by(&*member.viewer) {
                return true;
            }
            self.signal = number;
        }
        false
    }
}
