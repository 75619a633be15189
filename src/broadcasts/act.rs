//! What people do with a broadcast. Each action is idempotent by its key, and refused with the state's name where it does
//! not fit.

use super::{Audience, Broadcasts, Draft};
use crate::domain::broadcast::RecipientState;
use crate::domain::broadcast::chunk::{Chunk, ChunkCommand};
use crate::domain::broadcast::job::{Broadcast, BroadcastAnswer, BroadcastCommand, PrivateRows, SLOT_NAME, Status};
use crate::domain::entity::EntityKind;
use crate::domain::ids::BroadcastId;
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::workspace::Scope;
use crate::shards::CommandError;
use crate::workspaces::Caller;

/// A broadcast after an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The broadcast.
    pub id: BroadcastId,
    /// Where it stands now.
    pub status: Status,
    /// Its version now.
    pub version: u64,
    /// The same command came before.
    pub repeated: bool,
}

/// What becomes of unconfirmed recipients, by an operator's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// They leave again.
    Resend,
    /// Nobody need look at them any more.
    Drop,
}

impl Broadcasts {
    /// Makes a draft.
    ///
    /// # Errors
    /// What is wrong with it, by its field; see [`CommandError`].
    pub async fn create(
        &self,
        caller: &Caller,
        asked: Asked,
        id: BroadcastId,
        draft: &Draft,
    ) -> Result<Saved, CommandError> {
        needs_write(caller)?;
        let (plan, rows) = self.planned(caller.workspace, draft).await?;
        let workspace = caller.workspace;
        self.shards.takes_commands(id.0)?;
        self.ask(id, BroadcastCommand::Create { asked, workspace, plan, rows, retries: None }).await
    }

    /// Makes a draft into another one.
    ///
    /// # Errors
    /// As [`Self::create`]; it has started.
    pub async fn edit(
        &self,
        caller: &Caller,
        asked: Asked,
        id: BroadcastId,
        draft: &Draft,
    ) -> Result<Saved, CommandError> {
        self.may_change(caller, id).await?;
        let (plan, rows) = self.planned(caller.workspace, draft).await?;
        self.ask(id, BroadcastCommand::Edit { asked, plan, rows }).await
    }

    /// Makes a draft that says the same to the same people.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn duplicate(
        &self,
        caller: &Caller,
        asked: Asked,
        of: BroadcastId,
        id: BroadcastId,
    ) -> Result<Saved, CommandError> {
        self.copy(caller, asked, of, id, None).await
    }

    /// Makes a draft for those who failed, linked to the broadcast that they failed in.
    ///
    /// # Errors
    /// See [`CommandError`]; it has not started, or nobody failed.
    pub async fn retry_failed(
        &self,
        caller: &Caller,
        asked: Asked,
        of: BroadcastId,
        id: BroadcastId,
    ) -> Result<Saved, CommandError> {
        self.may_change(caller, of).await?;
        if self.totals_of(of).await?.of(RecipientState::Failed) == 0 {
            return Err(Refusal::WrongState { state: "without failed recipients", action: "retry" }.into());
        }
        self.copy(caller, asked, of, id, Some(of)).await
    }

    async fn copy(
        &self,
        caller: &Caller,
        asked: Asked,
        of: BroadcastId,
        id: BroadcastId,
        retries: Option<BroadcastId>,
    ) -> Result<Saved, CommandError> {
        self.may_change(caller, of).await?;
        let plan = self.shards.view::<Broadcast, _>(of.0, |state| state.plan().copied()).await?;
        let mut plan = plan.ok_or(Refusal::NotFound { what: "broadcast" })?;
        // What was said of the first one's end need not hold for the second.
        plan.send_until = plan.send_until.filter(|until| *until > self.now());
        let mut rows: PrivateRows = Vec::new();
        for slot in
            [crate::domain::broadcast::job::SLOT_MESSAGE, crate::domain::broadcast::job::SLOT_AUDIENCE, SLOT_NAME]
        {
            let row = self.shards.private(EntityKind::Broadcast, of.0, slot).await?;
            rows.extend(row.map(|row| (slot, row)));
        }
        if let Some(failed_of) = retries {
            let audience = Audience { failed_of: Some(failed_of), ..Audience::default() };
            let row = serde_json::to_vec(&audience).map_err(|_| CommandError::unavailable())?;
            rows.retain(|(slot, _)| *slot != crate::domain::broadcast::job::SLOT_AUDIENCE);
            rows.push((crate::domain::broadcast::job::SLOT_AUDIENCE, row));
        }
        let workspace = caller.workspace;
        self.shards.takes_commands(id.0)?;
        self.ask(id, BroadcastCommand::Create { asked, workspace, plan, rows, retries }).await
    }

    /// Lets it leave: now, or at a time.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn publish(
        &self,
        caller: &Caller,
        asked: Asked,
        id: BroadcastId,
        at: Option<Timestamp>,
    ) -> Result<Saved, CommandError> {
        self.act(caller, id, BroadcastCommand::Publish { asked, at }).await
    }

    /// Nothing leaves until somebody resumes it.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn pause(&self, caller: &Caller, asked: Asked, id: BroadcastId) -> Result<Saved, CommandError> {
        self.act(caller, id, BroadcastCommand::Pause { asked }).await
    }

    /// It goes on, whatever halted it.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn resume(&self, caller: &Caller, asked: Asked, id: BroadcastId) -> Result<Saved, CommandError> {
        self.act(caller, id, BroadcastCommand::Resume { asked }).await
    }

    /// Nothing leaves any more.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn cancel(&self, caller: &Caller, asked: Asked, id: BroadcastId) -> Result<Saved, CommandError> {
        self.act(caller, id, BroadcastCommand::Cancel { asked }).await
    }

    /// Takes it off the lists.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn delete(&self, caller: &Caller, asked: Asked, id: BroadcastId) -> Result<Saved, CommandError> {
        self.act(caller, id, BroadcastCommand::Delete { asked }).await
    }

    /// Changes its own rate, also while it runs; none is the number's.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn change_rate(
        &self,
        caller: &Caller,
        asked: Asked,
        id: BroadcastId,
        per_second: Option<u32>,
    ) -> Result<Saved, CommandError> {
        self.act(caller, id, BroadcastCommand::ChangeRate { asked, per_second }).await
    }

    /// Decides about unconfirmed recipients: those of a chunk, by their indexes.
    ///
    /// # Errors
    /// See [`CommandError`]; nothing leaves any more.
    pub async fn decide(
        &self,
        caller: &Caller,
        id: BroadcastId,
        recipients: &[(u32, u16)],
        what: Unconfirmed,
    ) -> Result<(), CommandError> {
        self.may_change(caller, id).await?;
        let mut by_chunk: std::collections::BTreeMap<u32, Vec<u16>> = std::collections::BTreeMap::new();
        for (chunk, index) in recipients {
            by_chunk.entry(*chunk).or_default().push(*index);
        }
        for (chunk, recipients) in by_chunk {
            let chunk_id = self.chunk(id, chunk);
            let command = match what {
                Unconfirmed::Drop => ChunkCommand::Drop { recipients },
                Unconfirmed::Resend => {
                    // The broadcast is open again before anybody may leave: a crash between the two closes it again.
                    let open = BroadcastCommand::RecordChunk { chunk, open: true };
                    self.shards.ask::<Broadcast>(id.0, open).await?;
                    ChunkCommand::Resend { recipients }
                }
            };
            self.shards.ask::<Chunk>(chunk_id, command).await?;
        }
        Ok(())
    }

    async fn act(&self, caller: &Caller, id: BroadcastId, command: BroadcastCommand) -> Result<Saved, CommandError> {
        self.may_change(caller, id).await?;
        self.ask(id, command).await
    }

    async fn ask(&self, id: BroadcastId, command: BroadcastCommand) -> Result<Saved, CommandError> {
        match self.shards.ask::<Broadcast>(id.0, command).await? {
            BroadcastAnswer::Saved { status, version, repeated } => Ok(Saved { id, status, version, repeated }),
            BroadcastAnswer::Noted => Err(CommandError::unavailable()),
        }
    }

    pub(super) async fn may_change(&self, caller: &Caller, id: BroadcastId) -> Result<(), CommandError> {
        needs_write(caller)?;
        self.is_theirs(caller, id).await
    }

    /// A broadcast of another workspace is not there.
    pub(super) async fn is_theirs(&self, caller: &Caller, id: BroadcastId) -> Result<(), CommandError> {
        let workspace = self.shards.view::<Broadcast, _>(id.0, crate::domain::entity::Entity::workspace).await?;
        if workspace == Some(caller.workspace) { Ok(()) } else { Err(Refusal::NotFound { what: "broadcast" }.into()) }
    }
}

fn needs_write(caller: &Caller) -> Result<(), Refusal> {
    if caller.may(Scope::BroadcastsWrite) { Ok(()) } else { Err(Refusal::Forbidden { what: "make or run broadcasts" }) }
}
