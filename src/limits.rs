//! Permits of a portfolio's messaging limit, shared by the workspaces that send through it.
//!
//! The limit scope counts; here whoever asks for many permits waits its turn. Turns go by deficit round robin over
//! workspaces, and where permits are scarce a turn takes no more than an equal part of what is free, so that none
//! takes all because it asked first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use tokio::sync::oneshot;

use crate::domain::broadcast::{BLOCK_MAX, Turns};
use crate::domain::ids::{AddressId, LimitScopeId, WorkspaceId};
use crate::domain::limit::{LimitAnswer, LimitCommand, LimitScope};
use crate::domain::time::Timestamp;
use crate::shards::{CommandError, Shards};

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

struct Waiting {
    turns: Turns<WorkspaceId>,
    asked: HashMap<WorkspaceId, VecDeque<Request>>,
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
            let portion = if sharers > 1 { self.equal_part(queue.scope, sharers).await } else { BLOCK_MAX as u32 };
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

    async fn equal_part(&self, scope: LimitScopeId, sharers: usize) -> u32 {
        let rules = self.shards.node().options.rules;
        let now = self.shards.node().surroundings.clock.now();
        let free = self.shards.view::<LimitScope, _>(scope.0, move |scope| scope.free(&rules, now)).await;
        match free {
            Ok(Some(free)) => (free / sharers).clamp(1, BLOCK_MAX) as u32,
            Ok(None) | Err(_) => BLOCK_MAX as u32,
        }
    }
}

impl Queue {
    fn new(scope: LimitScopeId) -> Self {
        let waiting = Waiting { turns: Turns::new(BLOCK_MAX as u32), asked: HashMap::new(), served: false };
        Self { scope, waiting: Mutex::new(waiting) }
    }

    /// Queues a request. Answers whether nobody serves yet.
    fn push(&self, workspace: WorkspaceId, request: Request) -> bool {
        let mut waiting = self.locked();
        waiting.turns.join(workspace);
        waiting.asked.entry(workspace).or_default().push_back(request);
        !std::mem::replace(&mut waiting.served, true)
    }

    fn put_back(&self, workspace: WorkspaceId, request: Request) {
        self.locked().asked.entry(workspace).or_default().push_front(request);
    }

    /// How many workspaces wait.
    fn sharers(&self) -> usize {
        self.locked().asked.values().filter(|requests| !requests.is_empty()).count()
    }

    /// The next request and how many of its recipients are served now; none where nobody waits.
    fn next(&self, portion: u32) -> Option<(WorkspaceId, Request, usize)> {
        let mut waiting = self.locked();
        let Waiting { turns, asked, served } = &mut *waiting;
        let wants = |workspace| {
            asked.get(&workspace).and_then(VecDeque::front).map_or(0, |request| request.recipients.len() as u32)
        };
        let granted = turns.grant(portion, wants);
        let next = granted.and_then(|(workspace, count)| {
            let request = asked.get_mut(&workspace)?.pop_front()?;
            Some((workspace, request, count as usize))
        });
        if next.is_none() {
            *served = false;
        }
        next
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
