//! The course of a run: freeze, open the chunks, take turns, and watch until nothing is left to do.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::Broadcasts;
use super::progress::Pulse;
use super::run::{Run, Steered};
use super::tell;
use super::totals::Totals;
use crate::domain::broadcast::chunk::{Chunk, ChunkCommand, Ending, Frozen};
use crate::domain::broadcast::guard::{self, Standing};
use crate::domain::broadcast::job::{
    Broadcast, BroadcastCommand, Doubtful, FrozenAudience, HaltReason, SLOT_AUDIENCE, SLOT_MESSAGE, Status,
};
use crate::domain::broadcast::{CHUNK_MAX, CompiledMessage, RecipientState};
use crate::domain::entity::{Entity, EntityKind};
use crate::domain::ids::WorkspaceId;
use crate::domain::inbound::Quality;
use crate::domain::number::Number;
use crate::shards::CommandError;

/// Chunks that are opened, or ended, at once.
const AT_ONCE: usize = 16;
/// How often a run looks around.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// The pause after something did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the provider is left alone before it is tried again.
const PROVIDER_REST: Duration = Duration::from_secs(5);
/// Lines of a list that are read at once.
const LINES: usize = 1_000;

impl Broadcasts {
    /// Begins the runs of all broadcasts that are under way; called once, when shards and workspaces are loaded. It must
    /// be called on a thread that can spawn local tasks.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn load(self: &Arc<Self>) -> Result<(), CommandError> {
        self.open.store(true, std::sync::atomic::Ordering::Release);
        for workspace in self.workspaces.ids() {
            for shard in 0..self.shards.count() {
                self.load_from(workspace, shard).await?;
            }
        }
        Ok(())
    }

    async fn load_from(self: &Arc<Self>, workspace: WorkspaceId, shard: u16) -> Result<(), CommandError> {
        let mut before = None;
        loop {
            let lines = self.shards.broadcasts_of(workspace, shard, before, LINES).await?;
            if !lines.is_empty() {
                self.shards.node().expect_broadcasts();
            }
            let ids: Vec<u128> = lines.iter().map(|(_, id)| id.0).collect();
            let states = self.shards.peek::<Broadcast>(&ids).await?;
            for ((_, id), state) in lines.iter().zip(states) {
                if let Some(steered) = Steered::of(&state).filter(|steered| steered.live) {
                    self.begin(*id, workspace, steered);
                }
            }
            if lines.len() < LINES {
                return Ok(());
            }
            before = lines.last().copied();
        }
    }
}

/// What a run has seen so far.
#[derive(Default)]
struct Seen {
    /// Since when the provider does not answer.
    down_since: Option<tokio::time::Instant>,
    /// How it stood when somebody last resumed it.
    judged_from: Option<Standing>,
    /// Its chunks have ended.
    ended: bool,
    /// What was last told of its progress.
    pulse: Pulse,
}

impl Run {
    /// Drives the broadcast until nothing is left to do.
    pub(super) async fn drive(self: Arc<Self>) {
        while let Err(error) = self.prepare().await {
            if self.is_over() {
                return self.retire().await;
            }
            match error {
                CommandError::Refused(refusal) => {
                    tracing::warn!(broadcast = %self.id, code = refusal.code(), "a broadcast cannot begin");
                    self.halt(HaltReason::Template).await;
                    self.woken.notified().await;
                }
                error => {
                    tracing::warn!(broadcast = %self.id, %error, "a broadcast could not begin; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        let mut joined = false;
        let mut seen = Seen::default();
        loop {
            if self.broadcasts.shards.node().failed().borrow().is_some() {
                return;
            }
            let steered = self.steered();
            if let Some(how) = steered.ending.filter(|_| !seen.ended) {
                match self.end(how).await {
                    Ok(()) => seen.ended = true,
                    Err(error) => {
                        tracing::warn!(broadcast = %self.id, %error, "failed to end a broadcast's chunks; trying again");
                    }
                }
            }
            if !self.steered().live {
                self.tell_progress(&mut seen.pulse);
                return self.retire().await;
            }
            if !joined {
                let source = Arc::clone(&self);
                joined = self.broadcasts.numbers.join(self.account, source).await.is_ok();
            }
            self.watch(steered, &mut seen).await;
            self.tell_progress(&mut seen.pulse);
            tokio::select! {
                () = tokio::time::sleep(WATCH_EVERY) => {}
                () = self.woken.notified() => {}
            }
        }
    }

    fn tell_progress(&self, pulse: &mut Pulse) {
        let Some(listener) = self.broadcasts.listener.get() else { return };
        let Some(totals) = self.broadcasts.totals.get(&self.id).map(|totals| totals.sum()) else { return };
        if let Some(progress) = pulse.take(self, &totals) {
            listener(&progress);
        }
    }

    fn is_over(&self) -> bool {
        !self.steered().live
    }

    async fn retire(&self) {
        if let Err(error) = self.broadcasts.numbers.leave(self.account, self.id).await {
            tracing::debug!(broadcast = %self.id, %error, "the number is gone already");
        }
        self.broadcasts.runs.remove(&self.id);
        // What was committed while this run ended may have begun it anew.
        let state = self.broadcasts.shards.view::<Broadcast, _>(self.id.0, Steered::of).await;
        if let Ok(Some(steered)) = state
            && steered.live
        {
            self.broadcasts.begin(self.id, self.workspace, steered);
        }
    }

    /// Compiles the message, freezes the audience where that was not done, and opens the chunks.
    async fn prepare(self: &Arc<Self>) -> Result<(), CommandError> {
        let shards = &self.broadcasts.shards;
        let audience = shards.view::<Broadcast, _>(self.id.0, |state| state.audience().copied()).await?;
        let names = self.broadcasts.property_names(self.workspace).await?;
        let message = self.broadcasts.message(self.id).await?;
        let compiled = CompiledMessage::compile(message, |name| names.key(name).is_some())
            .map_err(|unclear| super::draft::unclear(&unclear))?;
        let audience = match audience {
            Some(audience) => audience,
            None => {
                let row = shards.private(EntityKind::Broadcast, self.id.0, SLOT_AUDIENCE).await?;
                let wanted = super::draft::read_audience(row.as_deref())?;
                let frozen = self.freeze(&wanted, &compiled, &names).await?;
                tell::until_taken(&self.broadcasts, self.id, || BroadcastCommand::RecordFrozen { audience: frozen })
                    .await;
                let kept = shards.view::<Broadcast, _>(self.id.0, |state| state.audience().copied()).await?;
                kept.ok_or_else(CommandError::unavailable)?
            }
        };
        self.open(&audience).await?;
        // From here on turns may be taken.
        let _ = self.message.set(compiled);
        Ok(())
    }

    /// Opens every chunk: it is what was frozen, claims of processes before this one are in doubt, its counts are known.
    async fn open(self: &Arc<Self>, audience: &FrozenAudience) -> Result<(), CommandError> {
        let totals = self.broadcasts.totals.entry(self.id).or_insert_with(|| Arc::new(Totals::default())).clone();
        let opened = stream::iter(0..audience.chunks).map(|chunk| self.open_chunk(chunk, audience, &totals));
        let mut opened = opened.buffer_unordered(AT_ONCE);
        while let Some(opened) = opened.next().await {
            opened?;
        }
        totals.set_whole();
        Ok(())
    }

    async fn open_chunk(
        self: &Arc<Self>,
        chunk: u32,
        audience: &FrozenAudience,
        totals: &Totals,
    ) -> Result<(), CommandError> {
        let (shards, id) = (&self.broadcasts.shards, self.broadcasts.chunk(self.id, chunk));
        let left = audience.recipients.saturating_sub(chunk * u32::from(CHUNK_MAX));
        let frozen = Frozen {
            workspace: self.workspace,
            broadcast: self.id,
            chunk,
            account: self.account,
            recipients: left.min(u32::from(CHUNK_MAX)) as u16,
            send_until: self.steered().plan.send_until,
        };
        let owner = self.broadcasts.owner;
        let known = shards
            .view::<Chunk, _>(id, move |chunk| chunk.frozen().is_some().then(|| chunk.has_claims_of_others(owner)));
        match known.await? {
            None => drop(shards.ask::<Chunk>(id, ChunkCommand::Freeze { frozen }).await?),
            Some(true) => drop(shards.ask::<Chunk>(id, ChunkCommand::DoubtClaims { owner }).await?),
            Some(false) => {}
        }
        let (version, tally) = shards.view::<Chunk, _>(id, |chunk| (chunk.version(), *chunk.tally())).await?;
        totals.take(chunk, version, tally);
        // It may have closed between the two, when nobody who listened knew that it had been open.
        let tally = totals.of(chunk);
        if tally.open() == 0 {
            tell::until_taken(&self.broadcasts, self.id, || BroadcastCommand::RecordChunk { chunk, open: false }).await;
        }
        if tally.of(RecipientState::Pending) > 0 {
            self.poke(chunk);
        }
        Ok(())
    }

    /// Nothing leaves any more: what waits in the chunks has its outcome.
    async fn end(&self, how: Ending) -> Result<(), CommandError> {
        let shards = &self.broadcasts.shards;
        let audience = shards.view::<Broadcast, _>(self.id.0, |state| state.audience().copied()).await?;
        let chunks = audience.map_or(0, |audience| audience.chunks);
        let ended = stream::iter(0..chunks).map(|chunk| {
            let chunk = self.broadcasts.chunk(self.id, chunk);
            async move {
                // Many looks, few commands: an ended chunk has nobody waiting.
                let waits = shards.view::<Chunk, _>(chunk, |chunk| !chunk.is_ended()).await?;
                if waits {
                    shards.ask::<Chunk>(chunk, ChunkCommand::End { how }).await?;
                }
                Ok::<(), CommandError>(())
            }
        });
        let mut ended = ended.buffer_unordered(AT_ONCE);
        while let Some(ended) = ended.next().await {
            ended?;
        }
        Ok(())
    }

    /// What a run looks at now and then.
    async fn watch(&self, steered: Steered, seen: &mut Seen) {
        let tally = self.broadcasts.totals.get(&self.id).map(|totals| totals.sum()).unwrap_or_default();
        let opted_out = self.opted_out.load(std::sync::atomic::Ordering::Relaxed);
        if steered.status == Status::Paused(HaltReason::ProviderDown) {
            let since = *seen.down_since.get_or_insert_with(tokio::time::Instant::now);
            if since.elapsed() >= PROVIDER_REST {
                seen.down_since = None;
                self.unreached.store(0, std::sync::atomic::Ordering::Relaxed);
                let lift = BroadcastCommand::Lift { reason: HaltReason::ProviderDown };
                let lifted = self.broadcasts.shards.ask::<Broadcast>(self.id.0, lift).await;
                tracing::debug!(broadcast = %self.id, lifted = lifted.is_ok(), "trying the provider again");
            }
        }
        if !steered.may_send {
            // Whoever resumes it has seen the harm done so far: only what comes after is judged.
            seen.judged_from = Some(Standing { tally, opted_out });
        } else {
            let now = Standing { tally, opted_out };
            if let Some(reason) = guard::judge(&now, &seen.judged_from.unwrap_or_default()) {
                self.halt(reason).await;
            }
            let quality = |number: &Number| number.quality.map(|(_, quality)| quality);
            let quality = self.broadcasts.shards.view::<Number, _>(self.account.0, quality).await;
            if matches!(quality, Ok(Some(Quality::Low))) {
                self.halt(HaltReason::Quality).await;
            }
            let waiting = steered.plan.doubtful == Doubtful::Resend && tally.of(RecipientState::Unconfirmed) > 0;
            if waiting && self.hears_receipts() {
                self.resend_unconfirmed().await;
            }
        }
    }

    /// Whether receipts of others came within the time that doubt lasts: evidence about these would have come too.
    fn hears_receipts(&self) -> bool {
        let doubt = self.broadcasts.shards.node().options.rules.doubt;
        self.heard_at().is_some_and(|at| at + doubt >= self.broadcasts.now())
    }

    /// The policy for the unconfirmed: they leave again.
    async fn resend_unconfirmed(&self) {
        let chunks = self.broadcasts.totals.get(&self.id).map(|totals| totals.with(RecipientState::Unconfirmed));
        for chunk in chunks.unwrap_or_default() {
            let id = self.broadcasts.chunk(self.id, chunk);
            let shards = &self.broadcasts.shards;
            let Ok(recipients) = shards.view::<Chunk, _>(id, |chunk| chunk.unconfirmed().collect::<Vec<_>>()).await
            else {
                continue;
            };
            if let Err(error) = shards.ask::<Chunk>(id, ChunkCommand::Resend { recipients }).await {
                tracing::debug!(broadcast = %self.id, %error, "failed to send unconfirmed ones again; trying later");
            }
        }
    }
}

impl Broadcasts {
    /// What a broadcast says, as it was written.
    pub(super) async fn message(
        &self,
        id: crate::domain::ids::BroadcastId,
    ) -> Result<crate::domain::message::MessageContent, CommandError> {
        let row = self.shards.private(EntityKind::Broadcast, id.0, SLOT_MESSAGE).await?;
        super::draft::read_message(row.as_deref()).map_err(CommandError::from)
    }
}
