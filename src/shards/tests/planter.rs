//! A kind that does what a test asks: it plants effects, panics, or looks something up. It is stored as a
//! limit scope is, so replay needs to know nothing of it.

use serde::{Deserialize, Serialize};

use crate::domain::effect::Effect;
use crate::domain::entity::{Context, Decision, Entity, EntityKind, Found, Lookup};
use crate::domain::ids::{ConversationId, MessageId, WorkspaceId};
use crate::domain::limit::{LimitCommand, LimitEvent, LimitScope};
use crate::domain::message::MessageRef;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::shards::kind::SummaryRow;
use crate::shards::{Committed, Kind, News};

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Planter(LimitScope);

pub(super) enum Planted {
    Effects(Vec<Effect>),
    Panic,
    /// Decide a limit's command, having looked something up first if asked to.
    Limit {
        command: LimitCommand,
        look: bool,
    },
}

impl Entity for Planter {
    const KIND: EntityKind = EntityKind::LimitScope;
    type Command = Planted;
    type Event = LimitEvent;
    type Answer = ();

    fn decide(&self, command: Planted, context: &Context<'_>) -> Result<Decision<Self>, Refusal> {
        match command {
            Planted::Effects(effects) => Ok(Decision { effects, ..Decision::nothing(()) }),
            Planted::Panic => panic!("it panics on order"),
            Planted::Limit { command, .. } => {
                let Decision { events, effects, content, .. } = self.0.decide(command, context)?;
                Ok(Decision { events, effects, content, answer: () })
            }
        }
    }

    fn apply(&mut self, event: &LimitEvent) {
        self.0.apply(event);
    }

    fn lookup(&self, command: &Planted) -> Option<Lookup> {
        let at = MessageRef { at: Timestamp(0), id: MessageId(1) };
        matches!(command, Planted::Limit { look: true, .. })
            .then_some(Lookup::Message { conversation: ConversationId(1), at })
    }

    fn found(command: Planted, _: Found) -> Planted {
        command
    }

    fn version(&self) -> u64 {
        self.0.version()
    }

    fn workspace(&self) -> Option<WorkspaceId> {
        self.0.workspace()
    }
}

impl Kind for Planter {
    fn summary_row(&self, _: u128, _: u16, _: Timestamp) -> Option<SummaryRow> {
        None
    }

    fn news<'a>(committed: &'a Committed<'a, Self>) -> News<'a> {
        let Committed { shard, position, first_event, at, id, workspace, version, state, events, content } = *committed;
        let state = &state.0;
        // News borrows; a test can do without the few bytes.
        News::LimitScope(Box::leak(Box::new(Committed {
            shard,
            position,
            first_event,
            at,
            id,
            workspace,
            version,
            state,
            events,
            content,
        })))
    }
}
