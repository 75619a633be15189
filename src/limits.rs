//! Permits of a portfolio's messaging limit, shared by the workspaces that send through it.
//!
//! The limit scope counts; here whoever asks for many permits waits its turn. The next turn is the least served
//! workspace's, and goes as far as an even share of what is free: what is left of the others' shares is theirs though they
//! do not ask at the moment, because each has a block to send before it asks for the next. Nobody is kept waiting for more
//! than two blocks of another's, nor for who has not asked for ten seconds. (Requests have sizes of their own, and one that is cut in two must not lose its turn's
//! rest: turns by what each has been served share equally whatever they are, where rounds of equal quanta did not.)

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::oneshot;

use crate::domain::broadcast::BLOCK_MAX;
use crate::domain::ids::{AddressId, LimitScopeId, WorkspaceId};
use crate::domain::limit::{LimitAnswer, LimitCommand, LimitScope};
use crate::domain::time::Timestamp;
use crate::shards::{CommandError, Shards};

/// How long a workspace that asks no more keeps its share. A number at 80/s, the least that is usual, sends a block of 200
/// in 2.5 s and asks for the next.
const SHARES_FOR: Duration = Duration::from_secs(10);
/// How far behind one may be and still catch up: a broadcast has two blocks claimed at most. Who is further behind sends
/// more slowly than others, and has no due of what they leave.
const BEHIND_MAX: u64 = 2 * BLOCK_MAX as u64;
/// When one who had its share, while others have theirs to come, asks again.
const ASKS_AGAIN: Duration = Duration::from_secs(1);

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
    /// Those who ask, or did a moment ago.
    shares: BTreeMap<WorkspaceId, Share>,
    /// Somebody serves the turns.
    served: bool,
}

/// A workspace that has a share in what is free.
#[derive(Clone, Copy)]
struct Share {
    /// How many permits it has been served; the least served comes next.
    got: u64,
    /// When it asked last.
    asked_at: Timestamp,
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
        let begins = queue.push(workspace, Request { recipients, so_far: Granted::default(), reply }, self.now());
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
            let free = if queue.sharers() > 1 { self.free_of(queue.scope).await } else { None };
            let Some((workspace, mut request, count)) = queue.next(free) else { return };
            if count == 0 {
                request.answer(Some(self.now() + ASKS_AGAIN));
                continue;
            }
            let rest = request.recipients.split_off(count.min(request.recipients.len()));
            let asked = std::mem::replace(&mut request.recipients, rest);
            let command = LimitCommand::Reserve { recipients: asked };
            match self.shards.ask::<LimitScope>(queue.scope.0, command).await {
                Ok(LimitAnswer::Reserved { granted, come_back }) => {
                    request.so_far.granted.extend(granted);
                    if come_back.is_none() && !request.recipients.is_empty() {
                        queue.put_back(workspace, request);
                    } else {
                        request.answer(come_back);
                    }
                }
                Ok(LimitAnswer::Noted) => drop(request.reply.send(Err(CommandError::unavailable()))),
                // What an earlier turn of it got counts for 24 hours: never too few.
                Err(error) => drop(request.reply.send(Err(error))),
            }
        }
    }

    /// How many permits are free; none where the scope does not say.
    async fn free_of(&self, scope: LimitScopeId) -> Option<u64> {
        let rules = self.shards.node().options.rules;
        let now = self.now();
        let free = self.shards.view::<LimitScope, _>(scope.0, move |scope| scope.free(&rules, now)).await;
        free.ok().flatten().map(|free| free as u64)
    }

    fn now(&self) -> Timestamp {
        self.shards.node().surroundings.clock.now()
    }
}

impl Request {
    /// Answers it: those of its recipients who had no turn yet are not granted.
    fn answer(mut self, come_back: Option<Timestamp>) {
        self.so_far.come_back = self.so_far.come_back.max(come_back);
        self.so_far.granted.extend(std::iter::repeat_n(false, self.recipients.len()));
        // Who asked may have gone.
        let _ = self.reply.send(Ok(self.so_far));
    }
}

/// Up to where each is served, if all who were served less are served so much that nothing is left. What cannot be divided
/// goes to whoever comes first.
fn level(mut got: Vec<u64>, free: u64) -> u64 {
    got.sort_unstable();
    let (mut sum, mut level) = (free, 0);
    for (below, least) in (1..).zip(got) {
        if below > 1 && level <= least {
            break;
        }
        sum += least;
        level = sum.div_ceil(below);
    }
    level
}

impl Waiting {
    /// The workspaces that wait, and what each has been served.
    fn waiting(&self) -> impl Iterator<Item = (u64, WorkspaceId)> + '_ {
        let waits = self.asked.iter().filter(|(_, requests)| !requests.is_empty());
        waits.map(|(workspace, _)| (self.shares.get(workspace).map_or(0, |share| share.got), *workspace))
    }

    /// Takes their shares from those who have not asked for a while.
    fn forget(&mut self, now: Timestamp) {
        let asked = &self.asked;
        let waits = |workspace: &WorkspaceId| asked.get(workspace).is_some_and(|requests| !requests.is_empty());
        self.shares.retain(|workspace, share| now <= share.asked_at + SHARES_FOR || waits(workspace));
        self.asked.retain(|_, requests| !requests.is_empty());
    }

    /// How many may be served to one now. Of what is free each has an even share, counted with what it has been served;
    /// where nothing is, the scope knows when something will be.
    fn allowed(&self, got: u64, free: Option<u64>) -> usize {
        match free {
            Some(free) if free > 0 && self.shares.len() > 1 => {
                let behind = got.saturating_sub(BEHIND_MAX);
                let level = level(self.shares.values().map(|share| share.got.max(behind)).collect(), free);
                usize::try_from(level.saturating_sub(got)).unwrap_or(BLOCK_MAX).min(BLOCK_MAX)
            }
            _ => BLOCK_MAX,
        }
    }
}

impl Queue {
    fn new(scope: LimitScopeId) -> Self {
        Self { scope, waiting: Mutex::default() }
    }

    /// Queues a request. Answers whether nobody serves yet.
    fn push(&self, workspace: WorkspaceId, request: Request, now: Timestamp) -> bool {
        let mut waiting = self.locked();
        waiting.forget(now);
        let others = waiting.shares.iter().filter(|(other, _)| **other != workspace);
        // Who is new, or was away, has saved up nothing but what it may lack for having come a moment later.
        let least = others.map(|(_, share)| share.got).min().unwrap_or_default();
        let before = waiting.shares.get(&workspace).map_or(0, |share| share.got);
        let got = before.max(least.saturating_sub(BEHIND_MAX));
        waiting.shares.insert(workspace, Share { got, asked_at: now });
        waiting.asked.entry(workspace).or_default().push_back(request);
        !std::mem::replace(&mut waiting.served, true)
    }

    fn put_back(&self, workspace: WorkspaceId, request: Request) {
        self.locked().asked.entry(workspace).or_default().push_front(request);
    }

    /// How many workspaces have a share.
    fn sharers(&self) -> usize {
        self.locked().shares.len()
    }

    /// The next request, of the least served who waits, and how many of its recipients are served now: none while what is
    /// free is others' due. None where nobody waits.
    fn next(&self, free: Option<u64>) -> Option<(WorkspaceId, Request, usize)> {
        let mut waiting = self.locked();
        let Some((got, workspace)) = waiting.waiting().min() else {
            waiting.served = false;
            return None;
        };
        let request = waiting.asked.get_mut(&workspace)?.pop_front()?;
        let count = request.recipients.len().min(waiting.allowed(got, free));
        if let Some(share) = waiting.shares.get_mut(&workspace) {
            share.got += count as u64;
        }
        Some((workspace, request, count))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
