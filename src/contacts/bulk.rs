//! Many upserts in one stream: so many at once, answered in the order of their lines, in bounded memory.
//!
//! Lines that share an address are carried out one after the other, so the last line of a person counts.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use tokio::sync::watch;

use super::{Contacts, Saved};
use crate::domain::contact::ContactDraft;
use crate::domain::ids::AddressId;
use crate::domain::recall::Asked;
use crate::shards::CommandError;
use crate::workspaces::Caller;

/// Upserts that are under way at once.
pub const BULK_AT_ONCE: usize = 16;
/// How often a line is tried while its shard is busy or away.
const TRIES_MAX: u32 = 5;
/// Groups of addresses that are kept in order: more than enough that strangers seldom wait for each other.
const STRIPES: usize = 1_024;

/// One line: whom to save, or why it could not be read.
pub struct BulkLine<E> {
    /// Its number, from 1.
    pub number: u32,
    /// What it asks for.
    pub draft: Result<ContactDraft, E>,
}

/// What became of a line.
pub struct BulkAnswer<E> {
    /// Its number.
    pub number: u32,
    /// What became of it.
    pub outcome: Result<Saved, E>,
}

/// Saves every line. Ends when `lines` does; a line is taken when there is room for it.
pub fn upsert_all<S, E>(contacts: Arc<Contacts>, caller: Caller, lines: S) -> impl Stream<Item = BulkAnswer<E>>
where
    S: Stream<Item = BulkLine<E>>,
    E: From<CommandError>,
{
    let caller = Rc::new(caller);
    let mut turns = Turns::new();
    let started = lines.map(move |line| {
        let (contacts, caller) = (Arc::clone(&contacts), Rc::clone(&caller));
        let turn = match &line.draft {
            Ok(draft) => turns.next(&contacts.addresses_of(caller.workspace, &draft.identities)),
            Err(_) => turns.next(&[]),
        };
        async move {
            let outcome = match line.draft {
                Ok(draft) => {
                    turn.come().await;
                    patiently(&contacts, &caller, draft).await.map_err(E::from)
                }
                Err(error) => Err(error),
            };
            BulkAnswer { number: line.number, outcome }
        }
    });
    started.buffered(BULK_AT_ONCE)
}

/// An upsert may be sent again, so a busy shard is waited for.
async fn patiently(contacts: &Contacts, caller: &Caller, draft: ContactDraft) -> Result<Saved, CommandError> {
    let asked = Asked::by(caller.author);
    for _ in 1..TRIES_MAX {
        match contacts.upsert(caller, asked, draft.clone()).await {
            Err(CommandError::Overloaded { retry_after } | CommandError::Unavailable { retry_after }) => {
                tokio::time::sleep(retry_after).await;
            }
            outcome => return outcome,
        }
    }
    contacts.upsert(caller, asked, draft).await
}

/// Who goes after whom: the end of the latest line of each group of addresses.
struct Turns {
    latest: Vec<Option<watch::Receiver<()>>>,
}

/// A line's turn: it comes when the lines before it have ended, and ends when it is dropped.
struct Turn {
    before: Vec<watch::Receiver<()>>,
    _end: watch::Sender<()>,
}

impl Turns {
    fn new() -> Self {
        Self { latest: vec![None; STRIPES] }
    }

    fn next(&mut self, addresses: &[AddressId]) -> Turn {
        let (end, ended) = watch::channel(());
        let mut before = Vec::new();
        for address in addresses {
            let latest = &mut self.latest[(address.0 % STRIPES as u128) as usize];
            // Two of its own addresses in one group: a line does not wait for itself.
            if !latest.as_ref().is_some_and(|latest| latest.same_channel(&ended)) {
                before.extend(latest.replace(ended.clone()));
            }
        }
        Turn { before, _end: end }
    }
}

impl Turn {
    async fn come(&self) {
        for line in &self.before {
            // Nothing is ever sent: the wait ends when the line does.
            let _ = line.clone().changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn come(turn: &Turn) -> bool {
        turn.come().now_or_never().is_some()
    }

    #[test]
    fn lines_of_one_person_wait_for_each_other_and_strangers_do_not() {
        let mut turns = Turns::new();
        let first = turns.next(&[AddressId(1), AddressId(2)]);
        let stranger = turns.next(&[AddressId(3)]);
        let second = turns.next(&[AddressId(2)]);
        let third = turns.next(&[AddressId(1), AddressId(3)]);
        assert!(come(&first) && come(&stranger) && !come(&second) && !come(&third));
        drop(first);
        assert!(come(&second) && !come(&third));
        drop(stranger);
        assert!(come(&third));
    }

    #[test]
    fn a_line_does_not_wait_for_itself() {
        let mut turns = Turns::new();
        let twice = turns.next(&[AddressId(1), AddressId(1 + STRIPES as u128)]);
        assert!(come(&twice));
    }
}
