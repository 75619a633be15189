//! Reading a broadcast: where it stands, what has become of its recipients, and the counts told again from the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::run::LimitedBy;
use super::totals::Totals;
use super::{Audience, Broadcasts, draft};
use crate::domain::author::Author;
use crate::domain::broadcast::chunk::{Chunk, RecipientView};
use crate::domain::broadcast::job::{
    Broadcast, FrozenAudience, HaltReason, Plan, SLOT_AUDIENCE, SLOT_MESSAGE, SLOT_NAME, Status,
};
use crate::domain::broadcast::{CHUNK_MAX, FrozenRecipient, RecipientState, Tally};
use crate::domain::entity::{Entity, EntityKind};
use crate::domain::ids::BroadcastId;
use crate::domain::message::MessageContent;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::workspace::Scope;
use crate::shards::{BroadcastLine, CommandError};
use crate::workspaces::Caller;

/// Chunks and shards that are read at once.
const READ_AT_ONCE: usize = 16;
/// How often, and after which pause, a recount looks whether what is shown of a chunk has followed its last commit. After
/// one that has not, the others are not waited for.
const FOLLOWED_WITHIN: u32 = 200;
const FOLLOWED_PAUSE: Duration = Duration::from_millis(5);
/// Chunks that one page looks at: whoever asks for a rare state gets short pages, not slow ones.
const LOOKED_AT_MAX: u32 = 64;
/// Broadcasts whose counts stay at hand while they do not run.
const TOTALS_AT_HAND: usize = 256;

/// A broadcast as somebody may see it.
#[derive(Clone, Debug)]
pub struct BroadcastView {
    /// Which.
    pub id: BroadcastId,
    /// Its version.
    pub version: u64,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: Status,
    /// Every reason for which it stands still.
    pub halts: Vec<HaltReason>,
    /// What it is to be.
    pub plan: Plan,
    /// Whom it is for.
    pub audience: Option<Audience>,
    /// What it says.
    pub content: Option<MessageContent>,
    /// What freezing made of the audience.
    pub frozen: Option<FrozenAudience>,
    /// How many have come to what.
    pub tally: Tally,
    /// Whose failed recipients it tries again.
    pub retries: Option<BroadcastId>,
    /// Who made it, and when.
    pub created: (Author, Timestamp),
    /// What limits it now.
    pub limited_by: LimitedBy,
}

/// One recipient's row of the ledger.
pub struct RecipientShown {
    /// Which chunk, from 0.
    pub chunk: u32,
    /// Which recipient of it.
    pub index: u16,
    /// Who; none where it was erased.
    pub who: Option<FrozenRecipient>,
    /// What it has come to.
    pub view: RecipientView,
}

/// A page of the ledger.
pub struct RecipientPage {
    /// The rows.
    pub items: Vec<RecipientShown>,
    /// Where the next page goes on; none at the end.
    pub next: Option<(u32, u16)>,
}

/// The counts of a broadcast and the same counted again from its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recount {
    /// As they are shown.
    pub shown: Tally,
    /// As the ledger's rows add up.
    pub counted: Tally,
    /// Chunks whose own counts differ from their rows.
    pub chunks_that_differ: u32,
}

impl Broadcasts {
    /// A broadcast.
    ///
    /// # Errors
    /// `NotFound` where the asker's workspace has none such; see [`CommandError`].
    pub async fn read(&self, caller: &Caller, id: BroadcastId) -> Result<BroadcastView, CommandError> {
        self.may_read(caller, id).await?;
        self.view(id).await
    }

    /// The broadcasts of the asker's workspace before a place, latest first.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn list(
        &self,
        caller: &Caller,
        before: Option<BroadcastLine>,
        limit: usize,
    ) -> Result<(Vec<BroadcastView>, Option<BroadcastLine>), CommandError> {
        needs_read(caller)?;
        let shards = 0..self.shards.count();
        let pages = shards.map(|shard| self.shards.broadcasts_of(caller.workspace, shard, before, limit));
        let mut lines: Vec<BroadcastLine> = stream::iter(pages).buffered(READ_AT_ONCE).try_concat().await?;
        lines.sort_unstable_by(|one, other| other.cmp(one));
        let more = lines.len() > limit;
        lines.truncate(limit);
        let mut items = Vec::with_capacity(lines.len());
        for (_, id) in &lines {
            match self.view(*id).await {
                Ok(view) => items.push(view),
                // It was deleted meanwhile.
                Err(CommandError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((items, lines.last().copied().filter(|_| more)))
    }

    async fn view(&self, id: BroadcastId) -> Result<BroadcastView, CommandError> {
        let state = self.shards.view::<Broadcast, _>(id.0, Clone::clone).await?;
        let gone = || CommandError::from(Refusal::NotFound { what: "broadcast" });
        let (Some(status), Some(plan), Some(created)) = (state.status(), state.plan().copied(), state.created()) else {
            return Err(gone());
        };
        if status == Status::Deleted {
            return Err(gone());
        }
        let row = |slot| self.shards.private(EntityKind::Broadcast, id.0, slot);
        let name = row(SLOT_NAME).await?.map(|name| String::from_utf8_lossy(&name).into_owned()).unwrap_or_default();
        let audience = row(SLOT_AUDIENCE).await?;
        let content = row(SLOT_MESSAGE).await?;
        let limited_by = self.runs.get(&id).map_or(LimitedBy::Nothing, |run| run.limited_by());
        Ok(BroadcastView {
            id,
            version: state.version(),
            name,
            status,
            halts: state.halts().collect(),
            plan,
            audience: draft::read_audience(audience.as_deref()).ok(),
            content: draft::read_message(content.as_deref()).ok(),
            frozen: state.audience().copied(),
            tally: if state.audience().is_some() { self.totals_of(id).await? } else { Tally::default() },
            retries: state.retries(),
            created,
            limited_by,
        })
    }

    /// The counts of a broadcast: at hand while it runs, else read from its chunks.
    pub(super) async fn totals_of(&self, id: BroadcastId) -> Result<Tally, CommandError> {
        if let Some(totals) = self.totals.get(&id).filter(|totals| totals.is_whole()) {
            return Ok(totals.sum());
        }
        let audience = self.shards.view::<Broadcast, _>(id.0, |state| state.audience().copied()).await?;
        let Some(audience) = audience else { return Ok(Tally::default()) };
        if self.totals.len() > TOTALS_AT_HAND {
            self.totals.retain(|id, _| self.runs.contains_key(id));
        }
        // In place before it is filled, so that what is committed meanwhile is heard.
        let totals = Arc::clone(&self.totals.entry(id).or_insert_with(|| Arc::new(Totals::default())));
        let read = stream::iter(0..audience.chunks).map(|chunk| {
            let (id, totals) = (self.chunk(id, chunk), &totals);
            async move {
                for state in self.shards.peek::<Chunk>(&[id]).await? {
                    totals.take(chunk, state.version(), *state.tally());
                }
                Ok::<(), CommandError>(())
            }
        });
        let outcome: Result<Vec<()>, CommandError> = read.buffer_unordered(READ_AT_ONCE).try_collect().await;
        outcome?;
        totals.set_whole();
        Ok(totals.sum())
    }

    /// A page of the ledger after a place, optionally only those in a state. A page may be shorter, even empty, while there
    /// are more.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn recipients(
        &self,
        caller: &Caller,
        id: BroadcastId,
        only: Option<RecipientState>,
        after: Option<(u32, u16)>,
        limit: usize,
    ) -> Result<RecipientPage, CommandError> {
        self.may_read(caller, id).await?;
        let audience = self.shards.view::<Broadcast, _>(id.0, |state| state.audience().copied()).await?;
        let chunks = audience.map_or(0, |audience| audience.chunks);
        let mut page = RecipientPage { items: Vec::new(), next: None };
        let (mut chunk, mut from) = after.map_or((0, 0), |(chunk, index)| (chunk, index.saturating_add(1)));
        let end = chunk.saturating_add(LOOKED_AT_MAX);
        while chunk < chunks {
            if chunk == end {
                page.next = Some((chunk - 1, CHUNK_MAX));
                return Ok(page);
            }
            let views = self.chunk_views(id, chunk).await?;
            let wanted = |view: &RecipientView| only.is_none_or(|only| view.state == only);
            // Who they are is read only where somebody is to be shown.
            let mut who = Vec::new();
            if views.iter().skip(usize::from(from)).any(wanted) {
                who.extend(self.shards.recipients(self.chunk(id, chunk)).await?.into_iter().map(Some));
            }
            let rows = (0..CHUNK_MAX).zip(views).skip(usize::from(from));
            for (index, view) in rows.filter(|(_, view)| wanted(view)) {
                let who = who.get_mut(usize::from(index)).and_then(Option::take);
                page.items.push(RecipientShown { chunk, index, who, view });
                if page.items.len() == limit {
                    page.next = Some((chunk, index));
                    return Ok(page);
                }
            }
            (chunk, from) = (chunk + 1, 0);
        }
        Ok(page)
    }

    /// Counts a broadcast's ledger again, row by row.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn recount(&self, caller: &Caller, id: BroadcastId) -> Result<Recount, CommandError> {
        self.may_read(caller, id).await?;
        self.count_again(id).await
    }

    /// The same for whoever holds the data folder.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn count_again(&self, id: BroadcastId) -> Result<Recount, CommandError> {
        let audience = self.shards.view::<Broadcast, _>(id.0, |state| state.audience().copied()).await?;
        let mut recount = Recount { shown: Tally::default(), counted: Tally::default(), chunks_that_differ: 0 };
        self.totals_of(id).await?;
        let mut tries = FOLLOWED_WITHIN;
        for chunk in 0..audience.map_or(0, |audience| audience.chunks) {
            let (shown, own, counted) = self.count_chunk(id, chunk, tries).await?;
            tries = if shown == own { tries } else { 0 };
            recount.chunks_that_differ += u32::from(own != counted);
            recount.counted += counted;
            recount.shown += shown;
        }
        Ok(recount)
    }

    /// How many of a broadcast failed, by the provider's code.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn failures(&self, caller: &Caller, id: BroadcastId) -> Result<BTreeMap<i64, u32>, CommandError> {
        self.may_read(caller, id).await?;
        let audience = self.shards.view::<Broadcast, _>(id.0, |state| state.audience().copied()).await?;
        let mut failures = BTreeMap::new();
        for chunk in 0..audience.map_or(0, |audience| audience.chunks) {
            for refused in self.chunk_views(id, chunk).await?.iter().filter_map(|view| view.refused) {
                *failures.entry(refused.code).or_default() += 1;
            }
        }
        Ok(failures)
    }

    /// Every row of the ledger, chunk by chunk: the address and what it has come to.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn each_row(
        &self,
        id: BroadcastId,
        mut take: impl FnMut(Option<&FrozenRecipient>, &RecipientView),
    ) -> Result<(), CommandError> {
        let audience = self.shards.view::<Broadcast, _>(id.0, |state| state.audience().copied()).await?;
        for chunk in 0..audience.map_or(0, |audience| audience.chunks) {
            let who = self.shards.recipients(self.chunk(id, chunk)).await?;
            for (index, view) in self.chunk_views(id, chunk).await?.iter().enumerate() {
                take(who.get(index), view);
            }
        }
        Ok(())
    }

    async fn chunk_views(&self, id: BroadcastId, chunk: u32) -> Result<Vec<RecipientView>, CommandError> {
        let views = |chunk: &Chunk| (0..CHUNK_MAX).map_while(|index| chunk.recipient(index)).collect();
        self.shards.view::<Chunk, _>(self.chunk(id, chunk), views).await
    }

    /// A chunk's counts as they are shown, as it keeps them, and as its rows add up, all of one version: what is shown
    /// follows a commit by a moment, and a difference that lasts no longer is none.
    async fn count_chunk(
        &self,
        id: BroadcastId,
        chunk: u32,
        mut tries: u32,
    ) -> Result<(Tally, Tally, Tally), CommandError> {
        loop {
            let rows = |state: &Chunk| {
                let rows = (0..CHUNK_MAX).map_while(|index| state.recipient(index));
                (state.version(), *state.tally(), Tally::of_rows(rows.map(|view| (view.state, view.replied))))
            };
            let (version, own, counted) = self.shards.view::<Chunk, _>(self.chunk(id, chunk), rows).await?;
            // Counts that are not at hand are read from the chunks when they are shown.
            let shown = self.totals.get(&id).map_or((version, own), |totals| totals.at(chunk));
            if shown.0 == version || tries == 0 {
                return Ok((shown.1, own, counted));
            }
            tries -= 1;
            tokio::time::sleep(FOLLOWED_PAUSE).await;
        }
    }

    async fn may_read(&self, caller: &Caller, id: BroadcastId) -> Result<(), CommandError> {
        needs_read(caller)?;
        self.is_theirs(caller, id).await
    }
}

fn needs_read(caller: &Caller) -> Result<(), Refusal> {
    if caller.may(Scope::BroadcastsRead) { Ok(()) } else { Err(Refusal::Forbidden { what: "read broadcasts" }) }
}
