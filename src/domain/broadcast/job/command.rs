//! What may be asked of a broadcast, and what the asker hears.

use super::event::FrozenAudience;
use super::{HaltReason, Plan, Status};
use crate::domain::ids::{BroadcastId, WorkspaceId};
use crate::domain::recall::Asked;
use crate::domain::time::Timestamp;

/// What people wrote: each with the slot of its private row. A slot that is not named stays as it is.
pub type PrivateRows = Vec<(&'static str, Vec<u8>)>;

/// What may be asked of a broadcast. An action that does not fit its state is refused with the state's name; the same
/// command again, by its key, is answered as before.
pub enum BroadcastCommand {
    /// It begins, as a draft.
    Create {
        /// Who asks.
        asked: Asked,
        /// The tenant.
        workspace: WorkspaceId,
        /// What it is to be.
        plan: Plan,
        /// Its name, audience and message.
        rows: PrivateRows,
        /// Whose failed recipients it tries again.
        retries: Option<BroadcastId>,
    },
    /// It is to be something else. A draft, or one whose time has not come.
    Edit {
        /// Who asks.
        asked: Asked,
        /// What it is to be now.
        plan: Plan,
        /// What else people wrote.
        rows: PrivateRows,
    },
    /// It leaves: now, or at a time.
    Publish {
        /// Who asks.
        asked: Asked,
        /// When; none, or a time that has passed, is now.
        at: Option<Timestamp>,
    },
    /// Nothing leaves until somebody resumes it.
    Pause {
        /// Who asks.
        asked: Asked,
    },
    /// It goes on, whatever halted it; what lasts will halt it again.
    Resume {
        /// Who asks.
        asked: Asked,
    },
    /// Nothing leaves any more.
    Cancel {
        /// Who asks.
        asked: Asked,
    },
    /// It is taken off the lists. One that sends or is paused must be cancelled first.
    Delete {
        /// Who asks.
        asked: Asked,
    },
    /// Its own rate is now this; none is the number's. Also while it runs.
    ChangeRate {
        /// Who asks.
        asked: Asked,
        /// In messages a second, 1 to 1,000.
        per_second: Option<u32>,
    },
    /// Something stands in its way: a fact.
    Halt {
        /// What.
        reason: HaltReason,
    },
    /// What was down is up again: a fact.
    Lift {
        /// What; only what lifts by itself.
        reason: HaltReason,
    },
    /// Its audience was frozen: a fact.
    RecordFrozen {
        /// As what.
        audience: FrozenAudience,
    },
    /// A chunk says whether recipients of it have no outcome: a fact.
    RecordChunk {
        /// Which, from 0.
        chunk: u32,
        /// Whether some have none.
        open: bool,
    },
    /// A time has come.
    Wake,
}

/// What an asker hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BroadcastAnswer {
    /// It is taken.
    Saved {
        /// Where it stands now.
        status: Status,
        /// Its version now.
        version: u64,
        /// It had been taken before.
        repeated: bool,
    },
    /// A fact is taken, or was already.
    Noted,
}
