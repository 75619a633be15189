//! Permits of a portfolio's messaging limit, shared by the workspaces that send through it.
//!
//! The limit scope counts; here whoever asks for many permits waits its turn. The next turn is the least served
//! workspace's, and where permits are scarce a turn is short, so that none takes all because it asked first. (Requests have
//! sizes of their own, and one that is cut in two must not lose its turn's rest: turns by what each has been served share
//! equally whatever they are, where rounds of equal quanta did not.)

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use tokio::sync::oneshot;

use crate::domain::broadcast::BLOCK_MAX;
use crate::domain::ids::{AddressId, LimitScopeId, WorkspaceId};
use crate::domain::limit::{LimitAnswer, LimitCommand, LimitScope};
use crate::domain::time::Timestamp;
use crate::shards::{CommandError, Shards};

/// Into how many turns an equal share of scarce permits is cut.
const PARTS: usize = 16;

/// Which of the recipients may be written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// In the order asked.
    pub granted: Vec<bool>,
    /// When the next may be, if one was not granted.
    pub come_back: Option<Timestamp>,
}

/// The permits of every portfolio, for whoever asks for many.
pub struct Limits {
    shards: Arc<Shards>,
    queues: DashMap<LimitScopeId, Arc<Queue>>,
}

struct Queue {
    scope: LimitScopeId,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    asked: BTreeMap<WorkspaceId, VecDeque<Request>>,
    /// How many permits each workspace has been served, by which the next is chosen.
    got: BTreeMap<WorkspaceId, u64>,
    /// Somebody serves the turns.
    served: bool,
}

struct Request {
    recipients: Vec<AddressId>,
    so_far: Granted,
    reply: oneshot::Sender<Result<Granted, CommandError>>,
}

impl Limits {
    /// The limits of these shards.
    #[must_use]
    pub fn new(shards: Arc<Shards>) -> Arc<Self> {
        Arc::new(Self { shards, queues: DashMap::new() })
    }

    /// Reserves permits for recipients, at most 200. Called on an arbiter.
    ///
    /// # Errors
    /// The scope did not answer; nothing is reserved, or what is counts for 24 hours.
    pub async fn reserve(
        self: &Arc<Self>,
        scope: LimitScopeId,
        workspace: WorkspaceId,
        recipients: Vec<AddressId>,
    ) -> Result<Granted, CommandError> {
        let (reply, answer) = oneshot::channel();
        let queue = Arc::clone(&self.queues.entry(scope).or_insert_with(|| Arc::new(Queue::new(scope))));
        let begins = queue.push(workspace, Request { recipients, so_far: Granted::default(), reply });
        if begins {
            let limits = Arc::clone(self);
            tokio::task::spawn_local(async move { limits.serve(&queue).await });
        }
        self.shards.answered(answer).await
    }

    /// These were definitely refused, or certainly not sent: their permits are free again.
    ///
    /// # Errors
    /// The scope did not answer: they count on.
    pub async fn give_back(&self, scope: LimitScopeId, recipients: Vec<AddressId>) -> Result<(), CommandError> {
        self.tell(scope, LimitCommand::GiveBack { recipients }).await
    }

    /// The provider took these at `at`: each counts for 24 hours from then.
    ///
    /// # Errors
    /// The scope did not answer: they count from their reservation.
    pub async fn accepted(
        &self,
        scope: LimitScopeId,
        recipients: Vec<AddressId>,
        at: Timestamp,
    ) -> Result<(), CommandError> {
        self.tell(scope, LimitCommand::Accepted { recipients, at }).await
    }

    async fn tell(&self, scope: LimitScopeId, command: LimitCommand) -> Result<(), CommandError> {
        self.shards.ask::<LimitScope>(scope.0, command).await.map(drop)
    }

    /// Serves turns until nobody waits.
    async fn serve(&self, queue: &Queue) {
        loop {
            // What is free is asked only where it must be shared.
            let sharers = queue.sharers();
            let portion = if sharers > 1 { self.portion_of(queue.scope, sharers).await } else { BLOCK_MAX as u32 };
            let Some((workspace, mut request, count)) = queue.next(portion) else { return };
            let rest = request.recipients.split_off(count.min(request.recipients.len()));
            let asked = std::mem::replace(&mut request.recipients, rest);
            let command = LimitCommand::Reserve { recipients: asked };
            match self.shards.ask::<LimitScope>(queue.scope.0, command).await {
                Ok(LimitAnswer::Reserved { granted, come_back }) => {
                    request.so_far.granted.extend(granted);
                    request.so_far.come_back = request.so_far.come_back.max(come_back);
                    if come_back.is_none() && !request.recipients.is_empty() {
                        queue.put_back(workspace, request);
                        continue;
                    }
                    let refused = std::iter::repeat_n(false, request.recipients.len());
                    request.so_far.granted.extend(refused);
                    let _ = request.reply.send(Ok(request.so_far));
                }
                Ok(LimitAnswer::Noted) => drop(request.reply.send(Err(CommandError::unavailable()))),
                // What an earlier turn of it got counts for 24 hours: never too few.
                Err(error) => drop(request.reply.send(Err(error))),
            }
        }
    }

    /// How much a turn takes where several wait.
    async fn portion_of(&self, scope: LimitScopeId, sharers: usize) -> u32 {
        let rules = self.shards.node().options.rules;
        let now = self.shards.node().surroundings.clock.now();
        let free = self.shards.view::<LimitScope, _>(scope.0, move |scope| scope.free(&rules, now)).await;
        match free {
            Ok(Some(free)) => portion(free, sharers),
            Ok(None) | Err(_) => BLOCK_MAX as u32,
        }
    }
}

/// How much one turn takes of what is free: a small part of an equal share, so that who comes first has no more at the
/// end. Plenty is shared in whole blocks.
fn portion(free: usize, sharers: usize) -> u32 {
    (free / (sharers.max(1) * PARTS)).clamp(1, BLOCK_MAX) as u32
}

impl Waiting {
    /// The workspaces that wait, and what each has been served.
    fn sharers(&self) -> impl Iterator<Item = (u64, WorkspaceId)> + '_ {
        let waits = self.asked.iter().filter(|(_, requests)| !requests.is_empty());
        waits.map(|(workspace, _)| (self.got.get(workspace).copied().unwrap_or_default(), *workspace))
    }

    /// What the least served of those who wait has been served.
    fn least(&self) -> u64 {
        self.sharers().map(|(got, _)| got).min().unwrap_or_default()
    }

    /// The first request of the least served.
    fn next(&mut self) -> Option<(WorkspaceId, Request)> {
        let (_, workspace) = self.sharers().min()?;
        let request = self.asked.get_mut(&workspace)?.pop_front()?;
        Some((workspace, request))
    }
}

impl Queue {
    fn new(scope: LimitScopeId) -> Self {
        Self { scope, waiting: Mutex::default() }
    }

    /// Queues a request. Answers whether nobody serves yet.
    fn push(&self, workspace: WorkspaceId, request: Request) -> bool {
        let mut waiting = self.locked();
        // Who is new, or was away, has saved up nothing but what it may lack for having been away a moment.
        let least = waiting.least();
        let got = waiting.got.entry(workspace).or_insert(least);
        *got = (*got).max(least.saturating_sub(BLOCK_MAX as u64));
        waiting.asked.entry(workspace).or_default().push_back(request);
        !std::mem::replace(&mut waiting.served, true)
    }

    fn put_back(&self, workspace: WorkspaceId, request: Request) {
        self.locked().asked.entry(workspace).or_default().push_front(request);
    }

    /// How many workspaces wait.
    fn sharers(&self) -> usize {
        self.locked().sharers().count()
    }

    /// The next request and how many of its recipients are served now; none where nobody waits.
    fn next(&self, portion: u32) -> Option<(WorkspaceId, Request, usize)> {
        let mut waiting = self.locked();
        let next = waiting.next();
        let Some((workspace, request)) = next else {
            waiting.served = false;
            return None;
        };
        let count = request.recipients.len().min(portion as usize);
        *waiting.got.entry(workspace).or_default() += count as u64;
        Some((workspace, request, count))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(count: u32) -> Request {
        let (reply, _) = oneshot::channel();
        let recipients = (0..u128::from(count)).map(AddressId).collect();
        Request { recipients, so_far: Granted::default(), reply }
    }

    /// Serves turns as [`Limits::serve`] does, from so many free permits; what each workspace got.
    fn share(queue: &Queue, sharers: u128, mut free: u32) -> BTreeMap<WorkspaceId, u32> {
        let mut got = BTreeMap::new();
        while free > 0 {
            let portion = portion(free as usize, queue.sharers());
            let Some((workspace, mut request, count)) = queue.next(portion) else { break };
            let taken = (count as u32).min(free);
            free -= taken;
            *got.entry(workspace).or_default() += taken;
            request.recipients.drain(..count);
            if request.recipients.is_empty() {
                // Who got theirs has the next block ready.
                queue.push(workspace, super::tests::request(BLOCK_MAX as u32));
            } else {
                queue.put_back(workspace, request);
            }
        }
        assert!(got.len() as u128 <= sharers);
        got
    }

    proptest! {
        /// Three workspaces on one portfolio: each within 5 % of its due, whatever blocks they ask for.
        #[test]
        fn workspaces_share_what_is_free(
            sharers in 2_u128..5,
            free in 250_u32..100_000,
            first in prop::collection::vec(64_u32..=BLOCK_MAX as u32, 5),
        ) {
            let queue = Queue::new(LimitScopeId(1));
            for (workspace, count) in (0..sharers).zip(first) {
                queue.push(WorkspaceId(workspace), request(count));
            }
            let got = share(&queue, sharers, free);
            let due = f64::from(free) / sharers as f64;
            for (workspace, taken) in got {
                prop_assert!((f64::from(taken) / due - 1.0).abs() < 0.05, "{workspace}: {taken} of {due}");
            }
        }
    }

    #[test]
    fn whoever_waits_alone_is_served_whole() {
        let queue = Queue::new(LimitScopeId(1));
        assert!(queue.push(WorkspaceId(1), request(150)));
        assert!(!queue.push(WorkspaceId(1), request(30)), "somebody serves already");
        let next = |portion| queue.next(portion).map(|(_, request, count)| (request.recipients.len(), count));
        assert_eq!(next(200), Some((150, 150)));
        assert_eq!(next(200), Some((30, 30)));
        assert_eq!(next(200), None);
        assert!(queue.push(WorkspaceId(1), request(1)), "nobody serves any more");
    }
}
