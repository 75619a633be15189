//! Which arbiter carries which shard, and the way to an entity from anywhere in the process.
//!
//! Shards are dealt to the arbiters in turn. A question to a shard of the asker's own arbiter is a
//! call; to another it is one message across threads, the dearest step of the path.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::{Actor, ArbiterHandle, Context, Handler, Message};
use tokio::sync::oneshot;

use super::error::CommandError;
use super::kind::Kind;
use super::node::Node;
use super::owner::{Hooks, Owner};
use super::resident::Census;
use super::strain::Strain;
use crate::actors::{Mailbox, Waiting};
use crate::store::{Fence, StoreError};

/// When to come back while the store is far behind: it catches up in seconds or it does not.
const STRAINED_RETRY: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce(&Rc<Owner>) + Send>;

/// Makes the hooks of one arbiter, on that arbiter.
pub type HooksFactory = Arc<dyn Fn(&Arc<Shards>) -> Hooks + Send + Sync>;

/// What another thread wants of a shard.
#[derive(Message)]
#[rtype(result = "()")]
struct Crossing(Job);

/// Takes what crosses threads to a shard.
struct Door {
    owner: Rc<Owner>,
}

impl Actor for Door {
    type Context = Context<Self>;
}

impl Handler<Crossing> for Door {
    type Result = ();

    fn handle(&mut self, crossing: Crossing, _: &mut Self::Context) {
        // A panic over one question must not close the door to all others: its asker hears of it, for the reply
        // goes with it.
        let crossed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (crossing.0)(&self.owner)));
        if crossed.is_err() {
            tracing::error!(shard = self.owner.number(), "a question panicked on its way into the shard");
        }
    }
}

thread_local! {
    /// The shards of this arbiter, by process part and number: several servers may share a test's process.
    static HERE: RefCell<Vec<(u64, u16, Rc<Owner>)>> = const { RefCell::new(Vec::new()) };
}

static NEXT_PART: AtomicU64 = AtomicU64::new(1);

/// Every shard of this process.
pub struct Shards {
    part: u64,
    node: Arc<Node>,
    doors: Vec<OnceLock<Mailbox<Door>>>,
    waiting: Vec<Waiting>,
}

impl Shards {
    /// The shards of a process; none is open yet.
    #[must_use]
    pub fn new(node: Node) -> Arc<Self> {
        let shards = node.options.shards;
        let waiting = (0..shards).map(|_| Waiting::at_most(node.options.shard_mailbox_max)).collect();
        Arc::new(Self {
            part: NEXT_PART.fetch_add(1, Ordering::Relaxed),
            node: Arc::new(node),
            doors: (0..shards).map(|_| OnceLock::new()).collect(),
            waiting,
        })
    }

    /// What the shards share.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// How many shards there are.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.doors.len() as u16
    }

    /// The shard of an entity. Ids are keyed hashes or end in chance, so their last bits deal evenly.
    #[must_use]
    pub fn shard_of(&self, id: u128) -> u16 {
        (id as u64 % self.doors.len() as u64) as u16
    }

    /// Opens every shard, dealt over these arbiters.
    ///
    /// # Errors
    /// The store failed, or somebody else owns a shard.
    pub async fn open(self: &Arc<Self>, arbiters: &[ArbiterHandle], hooks: &HooksFactory) -> Result<(), Fence> {
        let mut opened = Vec::with_capacity(self.doors.len());
        for number in 0..self.count() {
            let Some(arbiter) = arbiters.get(usize::from(number) % arbiters.len().max(1)) else {
                return Err(Fence::Store(StoreError::NotApplied("there is no arbiter to carry a shard".into())));
            };
            let (done, wait) = oneshot::channel();
            let (shards, hooks) = (Arc::clone(self), Arc::clone(hooks));
            let placed = arbiter.spawn_fn(move || {
                actix::spawn(async move {
                    let owner = Owner::new(number, Arc::clone(&shards.node), hooks(&shards));
                    HERE.with_borrow_mut(|here| here.push((shards.part, number, Rc::clone(&owner))));
                    let _ =
                        shards.doors[usize::from(number)].set(Mailbox::new(Door { owner: Rc::clone(&owner) }.start()));
                    let _ = done.send(owner.open().await);
                });
            });
            if !placed {
                return Err(Fence::Store(StoreError::NotApplied("an arbiter has ended".into())));
            }
            opened.push(wait);
        }
        for wait in opened {
            wait.await.unwrap_or_else(|_| {
                Err(Fence::Store(StoreError::NotApplied("an arbiter ended while a shard opened".into())))
            })?;
        }
        Ok(())
    }

    /// Asks an entity to carry out a command; answered after the commit.
    ///
    /// # Errors
    /// See [`CommandError`]. After `Unavailable` the same command may be sent again.
    pub async fn ask<E: Kind>(&self, id: u128, command: E::Command) -> Result<E::Answer, CommandError> {
        self.answered(self.submit::<E>(id, command)).await
    }

    /// Whether somebody who can come back may ask an entity for something: not while the store is far behind, so that
    /// what providers push is taken longer.
    ///
    /// # Errors
    /// [`CommandError::Unavailable`], with the time to come back.
    pub fn takes_commands(&self, id: u128) -> Result<(), CommandError> {
        if self.node.strains().get(self.shard_of(id)) >= Strain::Commands {
            metrics::counter!("tidegate_strained_refused_total").increment(1);
            return Err(CommandError::Unavailable { retry_after: STRAINED_RETRY });
        }
        Ok(())
    }

    /// Hands a command over at once; the answer comes later. The command is taken even if nobody waits.
    pub fn submit<E: Kind>(&self, id: u128, command: E::Command) -> oneshot::Receiver<Result<E::Answer, CommandError>> {
        let (reply, answer) = oneshot::channel();
        let shard = self.shard_of(id);
        if !self.is_placed(shard) {
            let _ = reply.send(Err(CommandError::unavailable()));
            return answer;
        }
        match self.waiting[usize::from(shard)].permit() {
            Some(permit) => self.on(shard, move |owner| owner.deliver::<E>(id, command, reply, permit)),
            None => {
                let _ = reply.send(Err(CommandError::overloaded()));
            }
        }
        answer
    }

    /// Waits for an answer, at most as long as an asker waits.
    ///
    /// # Errors
    /// What the answer says, or that none came.
    pub async fn answered<A>(&self, answer: oneshot::Receiver<Result<A, CommandError>>) -> Result<A, CommandError> {
        match tokio::time::timeout(self.node.options.answer_deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CommandError::Panicked),
            Err(_) => Err(CommandError::Unavailable { retry_after: Duration::from_secs(2) }),
        }
    }

    /// Reads an entity's committed state.
    ///
    /// # Errors
    /// The entity could not be reached.
    pub async fn view<E: Kind, R: Send + 'static>(
        &self,
        id: u128,
        read: impl FnOnce(&E) -> R + Send + 'static,
    ) -> Result<R, CommandError> {
        let (reply, answer) = oneshot::channel();
        let shard = self.shard_of(id);
        if !self.is_placed(shard) {
            return Err(CommandError::unavailable());
        }
        let Some(permit) = self.waiting[usize::from(shard)].permit() else {
            return Err(CommandError::overloaded());
        };
        self.on(shard, move |owner| {
            let seen = Box::new(move |state: Result<&E, CommandError>| {
                let _ = reply.send(state.map(read));
            });
            owner.view::<E>(id, seen, permit);
        });
        self.answered(answer).await
    }

    /// Whether an arbiter carries the shard.
    fn is_placed(&self, shard: u16) -> bool {
        self.doors[usize::from(shard)].get().is_some_and(Mailbox::connected)
    }

    /// Runs something on a shard's arbiter: at once if it is this one.
    pub(super) fn on(&self, shard: u16, job: impl FnOnce(&Rc<Owner>) + Send + 'static) {
        let local = HERE.with_borrow(|here| {
            here.iter()
                .find(|(part, number, _)| *part == self.part && *number == shard)
                .map(|(_, _, owner)| Rc::clone(owner))
        });
        match (local, self.doors[usize::from(shard)].get()) {
            (Some(owner), _) => job(&owner),
            (None, Some(door)) => door.send_counted(Crossing(Box::new(job))),
            // A shard that is not placed yet drops the job, and with it the reply: nobody waits in vain.
            (None, None) => {}
        }
    }

    /// Runs something on the arbiter that carries an entity's shard.
    ///
    /// # Errors
    /// The shard is not placed, or its arbiter has ended.
    pub async fn on_arbiter_of<R: Send + 'static>(
        &self,
        id: u128,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, CommandError> {
        let (reply, answer) = oneshot::channel();
        self.on(self.shard_of(id), move |_| {
            let _ = reply.send(job());
        });
        answer.await.map_err(|_| CommandError::unavailable())
    }

    /// Runs something asynchronous on a shard's arbiter and hands its outcome back.
    pub(super) async fn on_async<R, F>(
        &self,
        shard: u16,
        job: impl FnOnce(Rc<Owner>) -> F + Send + 'static,
    ) -> Result<R, CommandError>
    where
        R: Send + 'static,
        F: Future<Output = R> + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.on(shard, move |owner| {
            let running = job(Rc::clone(owner));
            actix::spawn(async move {
                let _ = reply.send(running.await);
            });
        });
        answer.await.map_err(|_| CommandError::unavailable())
    }

    /// Takes nothing new and finishes what was taken, at most until `deadline`; then settles and ends
    /// every shard. Answers whether everything was finished.
    pub async fn close(&self, deadline: Duration) -> bool {
        let mut all_quiet = true;
        let end = tokio::time::Instant::now() + deadline;
        for shard in 0..self.count() {
            self.on(shard, |owner| owner.drain());
        }
        for shard in 0..self.count() {
            let closed = self.on_async(shard, move |owner| async move {
                while !owner.is_quiet() && tokio::time::Instant::now() < end {
                    owner.flush_answered();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let quiet = owner.is_quiet();
                owner.close().await.is_ok() && quiet
            });
            all_quiet &= matches!(tokio::time::timeout_at(end + Duration::from_secs(5), closed).await, Ok(Ok(true)));
        }
        all_quiet
    }

    /// Forgets this arbiter's shards: for the end of a test's thread.
    pub fn forget_here(&self) {
        HERE.with_borrow_mut(|here| here.retain(|(part, _, _)| *part != self.part));
    }

    /// Writes every state row that waits.
    ///
    /// # Errors
    /// The store failed.
    pub async fn settle_all(&self) -> Result<(), CommandError> {
        for shard in 0..self.count() {
            self.on_async(shard, |owner| async move { owner.settle().await })
                .await?
                .map_err(|_| CommandError::unavailable())?;
        }
        Ok(())
    }

    /// What there is in memory, all shards together.
    pub async fn census(&self) -> Census {
        let mut sum = Census::default();
        for shard in 0..self.count() {
            if let Ok(part) = self.on_async(shard, |owner| async move { owner.census() }).await {
                sum.resident += part.resident;
                sum.awake += part.awake;
                sum.open_effects += part.open_effects;
            }
        }
        sum
    }
}
