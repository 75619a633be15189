//! How a broadcast goes: its counts, how fast, how long it will take, and what limits it now. A signal, which rests on
//! nothing: whoever missed one reads the broadcast.

use tokio::time::Instant;

use super::run::{LimitedBy, Run};
use crate::domain::broadcast::{RecipientState, Tally};
use crate::domain::ids::{BroadcastId, WorkspaceId};

/// How a broadcast goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Which.
    pub broadcast: BroadcastId,
    /// Where it stands, in a word.
    pub status: &'static str,
    /// How many have come to what.
    pub tally: Tally,
    /// Messages a second that left lately.
    pub rate_per_second: f64,
    /// How long the rest takes at that rate; none where nothing leaves.
    pub seconds_left: Option<u64>,
    /// What limits it now.
    pub limited_by: LimitedBy,
}

/// What was seen last, by which the rate is told.
#[derive(Default)]
pub(super) struct Pulse {
    last: Option<(Instant, u32)>,
    told: Option<Progress>,
    rate: f64,
}

impl Pulse {
    /// How the run goes now; none where nothing has changed since it was last told.
    pub(super) fn take(&mut self, run: &Run, tally: &Tally) -> Option<Progress> {
        let waiting = tally.of(RecipientState::Pending) + tally.of(RecipientState::Attempting);
        let left = tally.recipients().saturating_sub(waiting);
        let now = Instant::now();
        if let Some((at, before)) = self.last {
            let seconds = now.duration_since(at).as_secs_f64().max(0.001);
            let rate = f64::from(left.saturating_sub(before)) / seconds;
            // What leaves in blocks is smoothed over a few looks.
            self.rate = if self.rate == 0.0 { rate } else { self.rate * 0.6 + rate * 0.4 };
        }
        self.last = Some((now, left));
        if self.rate < 0.05 {
            self.rate = 0.0;
        }
        let progress = Progress {
            workspace: run.workspace,
            broadcast: run.id,
            status: run.steered().status.word(),
            tally: *tally,
            rate_per_second: (self.rate * 10.0).round() / 10.0,
            seconds_left: (self.rate > 0.0 && waiting > 0).then(|| (f64::from(waiting) / self.rate).ceil() as u64),
            limited_by: run.limited_by(),
        };
        if self.told == Some(progress) {
            return None;
        }
        self.told = Some(progress);
        Some(progress)
    }
}
