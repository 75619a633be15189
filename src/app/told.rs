//! What a shard commits, told to those who show it: the inbox, the workspaces at hand, the sockets.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::broadcasts::Broadcasts;
use crate::conversations::inbox::Inbox;
use crate::domain::conversation::Summary;
use crate::domain::workspace::WorkspaceFact;
use crate::push::{FeedEntry, HubHandle};
use crate::shards::{Committed, News, Subscriber};
use crate::workspaces::Workspaces;

use super::entries;
use super::lines::Lines;

/// The subscriber of one shard.
pub(super) struct Told {
    pub(super) inbox: Arc<Inbox>,
    pub(super) workspaces: Arc<Workspaces>,
    pub(super) broadcasts: Arc<Broadcasts>,
    pub(super) hub: HubHandle,
    pub(super) lines: Option<Lines>,
    /// Entries of the record that is being told.
    batch: RefCell<Vec<FeedEntry>>,
    opened: Cell<bool>,
    /// Whether any tail takes entries, asked once a record: where none does, nothing is written. One that begins later
    /// asks for a head, which covers this record.
    listened: Cell<Option<bool>>,
}

impl Told {
    pub(super) fn new(
        inbox: Arc<Inbox>,
        workspaces: Arc<Workspaces>,
        broadcasts: Arc<Broadcasts>,
        hub: HubHandle,
        lines: Option<Lines>,
    ) -> Rc<Self> {
        Rc::new(Self {
            inbox,
            workspaces,
            broadcasts,
            hub,
            lines,
            batch: RefCell::default(),
            opened: Cell::new(false),
            listened: Cell::new(None),
        })
    }
}

impl Subscriber for Told {
    fn listed(&self, shard: u16, conversations: Vec<Summary>) {
        for conversation in conversations {
            self.inbox.put(shard, conversation);
        }
    }

    fn caught_up(&self, _: u16, _: u64) {
        // What was committed while the shard was being opened again was told to nobody.
        if self.opened.replace(true) {
            self.hub.interrupted();
        }
    }

    fn missed(&self, news: &News<'_>) {
        match news {
            News::Workspace(committed) => {
                self.workspaces.learn(committed.workspace, committed.state);
                self.hub.refresh(committed.workspace, None);
            }
            News::Broadcast(committed) => self.broadcasts.heard(committed),
            News::Chunk(committed) => self.broadcasts.heard_chunk(committed),
            // Conversations are listed anew, and of the others nobody here keeps anything.
            News::Conversation(_) | News::Contact(_) | News::Number(_) | News::LimitScope(_) => {}
        }
    }

    fn committed(&self, news: &News<'_>) {
        let mut batch = self.batch.borrow_mut();
        let before = match news {
            News::Conversation(committed) => {
                self.broadcasts.heard_consent(committed.content);
                let summary = committed.state.summary(committed.at);
                summary.and_then(|summary| self.inbox.put(committed.shard, summary))
            }
            News::Workspace(committed) => {
                self.workspaces.learn(committed.workspace, committed.state);
                if committed.events.iter().any(|event| changes_access(&event.what)) {
                    self.hub.refresh(committed.workspace, None);
                }
                None
            }
            News::Contact(committed) => {
                self.broadcasts.heard_consent(committed.content);
                None
            }
            News::Broadcast(committed) => {
                self.broadcasts.heard(committed);
                None
            }
            News::Chunk(committed) => {
                self.broadcasts.heard_chunk(committed);
                None
            }
            News::Number(_) | News::LimitScope(_) => None,
        };
        let listened = self.listened.get().unwrap_or_else(|| self.hub.is_listening());
        self.listened.set(Some(listened));
        if listened {
            entries::write(news, before.as_deref(), &mut batch);
        }
        if let (Some(lines), News::Conversation(committed)) = (&self.lines, news) {
            tell_lines(lines, committed);
        }
    }

    fn record_ended(&self, _: u16, _: u64) {
        self.listened.set(None);
        let batch = std::mem::take(&mut *self.batch.borrow_mut());
        if !batch.is_empty() {
            self.hub.publish(&batch.into());
        }
    }
}

fn tell_lines(lines: &Lines, committed: &Committed<'_, crate::domain::conversation::Conversation>) {
    for event in committed.events {
        lines.tell(committed.at, committed.id, event, committed.content);
    }
}

const fn changes_access(fact: &WorkspaceFact) -> bool {
    matches!(fact, WorkspaceFact::MemberChanged(..) | WorkspaceFact::MemberRemoved(_) | WorkspaceFact::TokenRevoked(..))
}
