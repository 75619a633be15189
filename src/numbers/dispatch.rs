//! The turns of a number: whoever may leave now is judged, claimed together, and called.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Numbers;
use super::account::{self, Account, Standing};
use super::actor::Done;
use super::blocks::Blocks;
use super::bucket::Bucket;
use super::queue::{Queue, Reply};
use crate::broken::{self, Fault};
use crate::domain::conversation::Conversation;
use crate::domain::effect::EffectId;
use crate::domain::ids::{AccountId, ConversationId};
use crate::domain::message::{MessageRef, ProviderMessageId};
use crate::domain::number::{Number, NumberCommand};
use crate::domain::outbound::SendOutcome;
use crate::domain::pace::PairPace;
use crate::domain::time::Timestamp;
use crate::providers::http::HttpClient;
use crate::shards::CommandError;

/// Customers whose pair rate is remembered on one number: those of the last 18 s at the highest rate, and more.
const PAIRS_MAX: usize = 50_000;
/// Replies that leave in one turn: they share one claim record.
const TURN_MAX: usize = 128;
/// How long claims whose outcome is known wait to be closed together.
const CLOSE_AFTER: Duration = Duration::from_millis(200);
/// How long to wait when the number, its shard or the store does not answer.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// The longest a reply waits before it asks again. Whoever refused it named a time, but a person may raise a limit
/// or lift a pause before then, and nobody tells the queue.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The sending half of a number. It lives on one arbiter.
pub(super) struct Dispatch {
    pub(super) account: AccountId,
    pub(super) numbers: Arc<Numbers>,
    pub(super) client: Rc<HttpClient>,
    pub(super) queue: RefCell<Queue<Done>>,
    pub(super) pairs: RefCell<PairPace>,
    /// Rises and falls with the replies that were taken from the queue and have no outcome.
    pub(super) under_way: Cell<usize>,
    /// Effects that are queued or under way: one that comes again waits for the first.
    known: RefCell<HashSet<EffectId>>,
    /// Claims whose outcome is in the log and that are not closed.
    closing: RefCell<Vec<EffectId>>,
    loaded: RefCell<Option<Rc<Account>>>,
    /// When a reply last left.
    pub(super) replied_at: Cell<Option<Timestamp>>,
    /// The broadcasts that leave by this number.
    pub(super) blocks: Blocks,
    /// Calls of broadcasts under way on this arbiter, of all its numbers.
    pub(super) arbiter_calls: Rc<Cell<usize>>,
    pub(super) woken: Notify,
}

impl Dispatch {
    pub(super) fn new(
        account: AccountId,
        numbers: Arc<Numbers>,
        client: Rc<HttpClient>,
        arbiter_calls: Rc<Cell<usize>>,
    ) -> Rc<Self> {
        let (queued_max, pair_rate) = (numbers.settings.replies_queued_max, numbers.settings.pair_rate);
        Rc::new(Self {
            account,
            numbers,
            client,
            queue: RefCell::new(Queue::new(queued_max)),
            pairs: RefCell::new(PairPace::new(PAIRS_MAX, pair_rate)),
            under_way: Cell::new(0),
            known: RefCell::default(),
            closing: RefCell::default(),
            loaded: RefCell::default(),
            replied_at: Cell::new(None),
            blocks: Blocks::new(),
            arbiter_calls,
            woken: Notify::new(),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.numbers.shards.node().surroundings.clock.now()
    }

    /// Takes a reply. One that is here already is told to come back: its first asker waits for the outcome.
    pub(super) fn enqueue(&self, reply: Reply, done: Done) {
        if !self.known.borrow_mut().insert(reply.effect) {
            let _ = done.send(Err(CommandError::unavailable()));
            return;
        }
        match self.queue.borrow_mut().push(reply, done) {
            Ok(()) => self.woken.notify_one(),
            Err(done) => {
                self.known.borrow_mut().remove(&reply.effect);
                let _ = done.send(Err(CommandError::overloaded()));
            }
        }
    }

    /// Turns, as long as the process lives.
    pub(super) async fn run(self: Rc<Self>) {
        let mut pause = self.numbers.settings.tick.min(PAUSE);
        while let Err(error) = self.recover().await {
            // A start opens its shards one after another, so that the first tries may find one closed.
            if pause == PAUSE {
                tracing::warn!(account = %self.account, %error, "failed to settle the claims of an earlier start");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE);
        }
        close_now_and_then(&self);
        loop {
            if self.numbers.is_draining() {
                return self.give_up();
            }
            let next = self.queue.borrow().next_at(self.now());
            match next {
                None => self.woken.notified().await,
                Some(at) if at > self.now() => {
                    tokio::select! {
                        () = self.numbers.shards.node().surroundings.clock.sleep_until(at) => {}
                        () = self.woken.notified() => {}
                    }
                }
                Some(_) if self.under_way.get() >= self.numbers.settings.calls_max => self.woken.notified().await,
                Some(_) => {
                    if !self.turn().await {
                        tokio::time::sleep(self.numbers.settings.tick).await;
                    }
                }
            }
        }
    }

    /// One turn. Answers false where nobody could leave for want of a token.
    async fn turn(self: &Rc<Self>) -> bool {
        let now = self.now();
        let (account, standing) = match self.present(now).await {
            Ok(present) => present,
            Err(error) => {
                tracing::debug!(account = %self.account, %error, "the number does not answer; waiting");
                tokio::time::sleep(PAUSE).await;
                return true;
            }
        };
        let bucket = self.numbers.bucket(self.account, standing.rate_now);
        let taken = self.take(&bucket, now);
        if taken.is_empty() {
            return false;
        }
        self.let_leave(&account, &standing, taken).await;
        true
    }

    /// Takes the next replies, a token each.
    fn take(&self, bucket: &Bucket, now: Timestamp) -> Vec<(Reply, Done)> {
        let mut queue = self.queue.borrow_mut();
        let room = self.numbers.settings.calls_max.saturating_sub(self.under_way.get()).min(TURN_MAX);
        let mut taken = Vec::new();
        // Set on order only: the next one leaves with the token of the one before.
        let mut spare = false;
        while taken.len() < room
            && queue.next_at(now).is_some_and(|at| at <= now)
            && (std::mem::take(&mut spare) || bucket.take())
        {
            spare = broken::happens(Fault::AboveRate);
            match queue.take(now) {
                Some(next) => taken.push(next),
                None => break,
            }
        }
        self.under_way.set(self.under_way.get() + taken.len());
        if !taken.is_empty() {
            self.replied_at.set(Some(now));
        }
        taken
    }

    /// The account and where it stands; read again when the number has changed.
    pub(super) async fn present(&self, now: Timestamp) -> Result<(Rc<Account>, Standing), CommandError> {
        let shards = &self.numbers.shards;
        let standing = account::standing(shards, self.account, now).await?;
        let loaded = self.loaded.borrow().clone().filter(|account| account.version == standing.version);
        let account = match loaded {
            Some(account) => account,
            None => {
                let account = account::load(shards, self.account, &self.numbers.settings.graph_url).await?;
                *self.loaded.borrow_mut() = Some(Rc::clone(&account));
                account
            }
        };
        Ok((account, standing))
    }

    /// A reply goes back to the queue: certainly nothing of it has left.
    pub(super) fn put_back(&self, reply: Reply, done: Done, until: Timestamp) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
        self.queue.borrow_mut().put_back(reply, done, until);
        self.woken.notify_one();
    }

    /// There is nothing to send (any more).
    pub(super) fn end(&self, reply: &Reply, done: Done) {
        self.finished(reply, done, self.now());
    }

    /// A reply that was claimed has its outcome in the log. The next of its conversation leaves from `next_from` on.
    pub(super) fn end_claimed(&self, reply: &Reply, done: Done, next_from: Timestamp) {
        self.closing.borrow_mut().push(reply.effect);
        self.finished(reply, done, next_from);
    }

    fn finished(&self, reply: &Reply, done: Done, next_from: Timestamp) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
        self.known.borrow_mut().remove(&reply.effect);
        self.queue.borrow_mut().release(reply.conversation, next_from, self.now());
        self.woken.notify_one();
        let _ = done.send(Ok(()));
    }

    /// Closes claims whose outcome is in the log.
    pub(super) async fn close_claims(&self, effects: Vec<EffectId>) -> Result<(), CommandError> {
        if effects.is_empty() {
            return Ok(());
        }
        self.numbers.shards.ask::<Number>(self.account.0, NumberCommand::CloseClaims { effects }).await.map(drop)
    }

    /// Claims that have no outcome were made by a process that died: nobody knows what became of them.
    async fn recover(&self) -> Result<(), CommandError> {
        let claims = account::open_claims(&self.numbers.shards, self.account).await?;
        let mut settled = Vec::with_capacity(claims.len());
        for (claim, _) in claims {
            let reason = "the process ended while the call was under way".to_owned();
            let outcome = SendOutcome::Unknown { reason };
            self.record((claim.conversation, claim.message, claim.attempt), outcome, self.now()).await?;
            settled.push(claim.effect);
        }
        self.close_claims(settled).await
    }

    /// Tells the provider something that is no message; a failure is nobody's loss.
    pub(super) async fn courtesy(&self, conversation: ConversationId, message: MessageRef, typing: bool) {
        if let Ok((account, standing)) = self.present(self.now()).await
            && standing.may_send.is_ok()
            && let Ok(Some(provider_id)) = self.provider_id(conversation, message).await
        {
            super::call::courtesy(&self.client, &account, &provider_id, typing).await;
        }
    }

    /// The provider's id of a customer's message: it is in the conversation's thread, or in one that came into it.
    async fn provider_id(
        &self,
        conversation: ConversationId,
        message: MessageRef,
    ) -> Result<Option<ProviderMessageId>, CommandError> {
        let shards = &self.numbers.shards;
        let absorbed = shards.view::<Conversation, _>(conversation.0, |state| state.absorbed().to_vec()).await?;
        for thread in std::iter::once(conversation).chain(absorbed) {
            if let Some(stored) = shards.message(thread, message).await? {
                return Ok(stored.provider_id);
            }
        }
        Ok(None)
    }

    fn give_up(&self) {
        for (_, done) in self.queue.borrow_mut().drain() {
            // Its effect stays open in the log: the next start sends it.
            let _ = done.send(Err(CommandError::unavailable()));
        }
    }
}

/// Closes claims now and then, many in one record.
fn close_now_and_then(dispatch: &Rc<Dispatch>) {
    let dispatch = Rc::clone(dispatch);
    tokio::task::spawn_local(async move {
        loop {
            tokio::time::sleep(CLOSE_AFTER).await;
            let effects = std::mem::take(&mut *dispatch.closing.borrow_mut());
            if let Err(error) = dispatch.close_claims(effects.clone()).await {
                tracing::debug!(account = %dispatch.account, %error, "failed to close claims; trying again");
                dispatch.closing.borrow_mut().extend(effects);
            }
        }
    });
}
