//! What broadcasts and chunks committed, heard on their shards' arbiters.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Broadcasts;
use super::run::{Run, Steered};
use super::tell;
use crate::domain::broadcast::RecipientState;
use crate::domain::broadcast::chunk::{Chunk, ChunkEvent};
use crate::domain::broadcast::job::Broadcast;
use crate::domain::content::Content;
use crate::domain::ids::BroadcastId;
use crate::shards::Committed;

impl Broadcasts {
    /// A broadcast committed something: its run follows, or begins.
    pub fn heard(self: &Arc<Self>, committed: &Committed<'_, Broadcast>) {
        let id = BroadcastId(committed.id);
        let Some(steered) = Steered::of(committed.state) else { return };
        if let Some(run) = self.runs.get(&id) {
            return run.steer(steered);
        }
        self.shards.node().expect_broadcasts();
        // Those that were under way begin together, once everything is open.
        if steered.live && self.open.load(Ordering::Acquire) {
            self.begin(id, committed.workspace, steered);
        }
    }

    /// A chunk committed something: the counts follow, and the broadcast hears when the chunk opens or closes.
    pub fn heard_chunk(self: &Arc<Self>, committed: &Committed<'_, Chunk>) {
        let Some(frozen) = committed.state.frozen() else { return };
        self.tell_threads(committed.content);
        let (id, chunk, tally) = (frozen.broadcast, frozen.chunk, *committed.state.tally());
        let version = crate::domain::entity::Entity::version(committed.state);
        let Some(totals) = self.totals.get(&id).map(|totals| Arc::clone(&totals)) else { return };
        let before = totals.take(chunk, version, tally);
        if (before.open() > 0) != (tally.open() > 0) {
            tell::chunk_changed(self, id, chunk, tally.open() > 0);
        }
        let Some(run) = self.runs.get(&id) else { return };
        if tally.of(RecipientState::Pending) > 0 {
            run.poke(chunk);
        }
        if committed.events.iter().any(|event| matches!(event, ChunkEvent::EvidenceTaken { .. })) {
            run.hear_receipt(committed.at);
        }
    }

    /// Threads in memory hear that a message of a broadcast is on its way to them.
    fn tell_threads(&self, content: &[Content]) {
        let mut claimed = Vec::new();
        let mut claimed_at = None;
        for row in content {
            if let Content::ThreadReference { conversation, at, place } = row {
                claimed.push((*conversation, *place));
                claimed_at = Some(*at);
            }
        }
        if let Some(at) = claimed_at {
            self.shards.hint_broadcasts(at, &claimed);
        }
    }

    /// A conversation's or contact's content says who withdrew consent: claimed messages heed it too.
    pub fn heard_consent(&self, content: &[Content]) {
        for row in content {
            if let Content::ConsentGate { channel, address, topic, withdrawn, .. } = row
                && topic == crate::domain::consent::MARKETING
            {
                self.numbers.hear_consent(*channel, *address, *withdrawn);
            }
        }
    }

    /// Begins a run on the arbiter of the broadcast's number.
    pub(super) fn begin(
        self: &Arc<Self>,
        id: BroadcastId,
        workspace: crate::domain::ids::WorkspaceId,
        steered: Steered,
    ) {
        let run = Run::new(Arc::clone(self), id, workspace, steered);
        let taken = self.runs.entry(id).or_insert_with(|| Arc::clone(&run));
        let first = Arc::ptr_eq(&taken, &run);
        drop(taken);
        if !first {
            return;
        }
        let shards = Arc::clone(&self.shards);
        tokio::task::spawn_local(async move {
            let account = run.account;
            let begun = shards
                .on_arbiter_of(account.0, move || {
                    tokio::task::spawn_local(run.drive());
                })
                .await;
            if begun.is_err() {
                tracing::error!(broadcast = %id, "a broadcast found no arbiter to run on");
            }
        });
    }
}
