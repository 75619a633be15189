//! The kinds of entities there are, by their stored number: the one match over all of them.

use std::rc::Rc;

use super::cell::{read_snapshot, write_snapshot};
use super::error::CommandError;
use super::kind::Kind;
use super::news::Committed;
use super::owner::{Owner, entity_key};
use super::record;
use crate::actors::Waiting;
use crate::domain::broadcast::chunk::Chunk;
use crate::domain::broadcast::job::Broadcast;
use crate::domain::contact::Contact;
use crate::domain::conversation::Conversation;
use crate::domain::entity::EntityKind;
use crate::domain::ids::WorkspaceId;
use crate::domain::limit::LimitScope;
use crate::domain::number::Number;
use crate::domain::workspace::Workspace;
use crate::store::{Position, StoreError};

/// A future on one arbiter.
type Local<T> = std::pin::Pin<Box<dyn Future<Output = T>>>;

/// Wakes an entity. Answers whether it took the wake-up.
pub(super) fn wake(owner: &Rc<Owner>, kind: EntityKind, id: u128) -> Local<bool> {
    match kind {
        EntityKind::Workspace => wake_one::<Workspace>(owner, id),
        EntityKind::Contact => wake_one::<Contact>(owner, id),
        EntityKind::Conversation => wake_one::<Conversation>(owner, id),
        EntityKind::Number => wake_one::<Number>(owner, id),
        EntityKind::LimitScope => wake_one::<LimitScope>(owner, id),
        EntityKind::Broadcast => wake_one::<Broadcast>(owner, id),
        EntityKind::Chunk => wake_one::<Chunk>(owner, id),
    }
}

/// What only the log holds of an entity.
pub(super) struct Logged {
    pub(super) id: u128,
    /// The events of each record, encoded, in order.
    pub(super) events: Vec<(Position, Vec<u8>)>,
    /// Whether somebody may have heard of the entity before, and of these not.
    pub(super) missed: bool,
}

/// Brings an entity's rows up to events that only the log holds.
pub(super) async fn replay(owner: &Rc<Owner>, kind: EntityKind, logged: Logged) -> Result<(), StoreError> {
    match kind {
        EntityKind::Workspace => replay_one::<Workspace>(owner, logged).await,
        EntityKind::Contact => replay_one::<Contact>(owner, logged).await,
        EntityKind::Conversation => replay_one::<Conversation>(owner, logged).await,
        EntityKind::Number => replay_one::<Number>(owner, logged).await,
        EntityKind::LimitScope => replay_one::<LimitScope>(owner, logged).await,
        EntityKind::Broadcast => replay_one::<Broadcast>(owner, logged).await,
        EntityKind::Chunk => replay_one::<Chunk>(owner, logged).await,
    }
}

fn wake_one<E: Kind>(owner: &Rc<Owner>, id: u128) -> Local<bool> {
    let Some(command) = E::wake() else { return Box::pin(async { true }) };
    let (reply, answer) = tokio::sync::oneshot::channel();
    // One wake-up an entity at a time: its own permit is bound enough.
    match Waiting::at_most(1).permit() {
        Some(permit) => owner.deliver::<E>(id, command, reply, permit),
        None => drop(reply),
    }
    Box::pin(async move { matches!(answer.await, Ok(Ok(_) | Err(CommandError::Refused(_)))) })
}

async fn replay_one<E: Kind>(owner: &Rc<Owner>, logged: Logged) -> Result<(), StoreError> {
    let Logged { id, events, missed } = logged;
    let unreadable = |error: record::UnreadableRecord| StoreError::Corrupt { table: "journal", why: error.to_string() };
    let (stored, mut state) = match owner.stored_snapshot(&entity_key(E::KIND, id)).await? {
        Some(bytes) => read_snapshot::<E>(&bytes).map_err(unreadable)?,
        None => (0, E::default()),
    };
    let (due_before, version) = (state.due(), state.version());
    let mut position = stored;
    let mut applied = Vec::new();
    for (at, bytes) in events {
        if at <= stored {
            continue;
        }
        let decided = record::read::<Vec<E::Event>>(&bytes).map_err(unreadable)?;
        decided.iter().for_each(|event| state.apply(event));
        if missed {
            applied.extend(decided);
        }
        position = at;
    }
    let snapshot = write_snapshot(position, &state).map_err(unreadable)?;
    owner.keep_replayed((E::KIND, id), snapshot, state.summary_row(id, owner.number(), owner.now()));
    owner.rearm(E::KIND, id, due_before, state.due());
    owner.keep_alarm(E::KIND, id, state.due());
    if missed {
        owner.tell_missed(&E::news(&Committed {
            shard: owner.number(),
            position,
            first_event: 0,
            at: owner.now(),
            id,
            workspace: state.workspace().unwrap_or(WorkspaceId(0)),
            version,
            state: &state,
            events: &applied,
            content: &[],
        }));
    }
    Ok(())
}
