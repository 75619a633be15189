//! A process's shards on the test's own arbiter, and everything they tell.

use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle};
use tokio::sync::{oneshot, watch};

use crate::clock::{Clock, CountedIds, FrozenClock, Surroundings};
use crate::domain::conversation::Summary;
use crate::domain::effect::{Effect, EffectId};
use crate::domain::entity::{Entity, EntityKind};
use crate::domain::ids::{Keyring, WorkspaceId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::shards::{
    Carrying, CommandError, Committed, EffectRunner, Hooks, HooksFactory, Kind, News, Node, ShardOptions, Shards,
    Subscriber,
};
use crate::store::{Fence, MemoryStore, Owner, Position};

/// 2026-11-20T09:00:00Z.
pub(super) const T0: Timestamp = Timestamp::from_seconds(1_795_165_200);

/// What a shard said, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    Listed(usize),
    CaughtUp(Position),
    Told(Told),
    /// An entity's kind and id, and its versions before and after what was missed.
    Missed(EntityKind, u128, u64, u64),
    Ended(Position),
    Ran(EffectId, Effect),
    /// Written by a test when an answer came.
    Answered(&'static str),
}

/// One turn as the subscriber was told it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) shard: u16,
    pub(super) position: Position,
    pub(super) first_event: u16,
    pub(super) at: Timestamp,
    pub(super) kind: EntityKind,
    pub(super) id: u128,
    pub(super) workspace: WorkspaceId,
    pub(super) version: u64,
    /// The version of the state that was told with it.
    pub(super) state_version: u64,
    /// Each event in MessagePack.
    pub(super) events: Vec<Vec<u8>>,
}

/// What whoever carries effects says of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// Nothing yet.
    Hold,
    Ok,
    Refuse,
    Unavailable,
}

/// Everything one process told.
pub(super) struct Seen {
    heard: Mutex<Vec<Heard>>,
    pub(super) carried: watch::Sender<Carried>,
    pub(super) panic_over: Mutex<Option<u128>>,
}

impl Seen {
    pub(super) fn note(&self, heard: Heard) {
        self.heard.lock().unwrap().push(heard);
    }

    pub(super) fn all(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub(super) fn told(&self) -> Vec<Told> {
        let told = |heard| if let Heard::Told(told) = heard { Some(told) } else { None };
        self.all().into_iter().filter_map(told).collect()
    }

    pub(super) fn ran(&self) -> Vec<(EffectId, Effect)> {
        let ran = |heard| if let Heard::Ran(id, effect) = heard { Some((id, effect)) } else { None };
        self.all().into_iter().filter_map(ran).collect()
    }

    fn missed<E: Entity>(&self, news: &Committed<'_, E>) {
        self.note(Heard::Missed(E::KIND, news.id, news.version, news.state.version()));
    }

    fn turn<E: Entity>(&self, news: &Committed<'_, E>) {
        if *self.panic_over.lock().unwrap() == Some(news.id) {
            panic!("the subscriber panics on order");
        }
        self.note(Heard::Told(Told {
            shard: news.shard,
            position: news.position,
            first_event: news.first_event,
            at: news.at,
            kind: E::KIND,
            id: news.id,
            workspace: news.workspace,
            version: news.version,
            state_version: news.state.version(),
            events: news.events.iter().map(encoded).collect(),
        }));
    }
}

/// A value in MessagePack, as the log has it.
pub(super) fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).unwrap()
}

struct Recorder(Arc<Seen>);

impl Subscriber for Recorder {
    fn listed(&self, _: u16, conversations: Vec<Summary>) {
        self.0.note(Heard::Listed(conversations.len()));
    }

    fn caught_up(&self, _: u16, position: Position) {
        self.0.note(Heard::CaughtUp(position));
    }

    fn missed(&self, news: &News<'_>) {
        match news {
            News::Workspace(news) => self.0.missed(news),
            News::Contact(news) => self.0.missed(news),
            News::Conversation(news) => self.0.missed(news),
            News::Number(news) => self.0.missed(news),
            News::LimitScope(news) => self.0.missed(news),
            News::Broadcast(news) => self.0.missed(news),
            News::Chunk(news) => self.0.missed(news),
        }
    }

    fn committed(&self, news: &News<'_>) {
        match news {
            News::Workspace(news) => self.0.turn(news),
            News::Contact(news) => self.0.turn(news),
            News::Conversation(news) => self.0.turn(news),
            News::Number(news) => self.0.turn(news),
            News::LimitScope(news) => self.0.turn(news),
            News::Broadcast(news) => self.0.turn(news),
            News::Chunk(news) => self.0.turn(news),
        }
    }

    fn record_ended(&self, _: u16, position: Position) {
        self.0.note(Heard::Ended(position));
    }
}

impl EffectRunner for Recorder {
    fn run(&self, id: EffectId, effect: Effect) -> Carrying {
        self.0.note(Heard::Ran(id, effect));
        let mut carried = self.0.carried.subscribe();
        Box::pin(async move {
            let carried = *carried.wait_for(|carried| *carried != Carried::Hold).await.unwrap();
            match carried {
                Carried::Refuse => Err(CommandError::Refused(Refusal::VersionMismatch { version: 1 })),
                Carried::Unavailable => Err(CommandError::unavailable()),
                Carried::Hold | Carried::Ok => Ok(()),
            }
        })
    }
}

/// Bounds under which nothing happens by machine time alone.
pub(super) fn options(shards: u16) -> ShardOptions {
    ShardOptions {
        shards,
        settle_interval: Duration::from_secs(3_600),
        answer_deadline: Duration::from_secs(30),
        ..ShardOptions::default()
    }
}

/// One life of a process.
pub(super) struct Rig {
    pub(super) shards: Arc<Shards>,
    pub(super) store: MemoryStore,
    pub(super) clock: Arc<FrozenClock>,
    pub(super) seen: Arc<Seen>,
    options: ShardOptions,
    lives: u64,
}

impl Rig {
    /// One shard over an empty store, on this arbiter.
    pub(super) async fn new() -> Self {
        Self::with(options(1)).await
    }

    pub(super) async fn with(options: ShardOptions) -> Self {
        let clock = Arc::new(FrozenClock::new(T0));
        let store = MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let rig = Self::closed(store, clock, options, 1, Carried::Ok);
        rig.open(&[Arbiter::current()]).await.unwrap();
        rig
    }

    /// Shards that nobody opened yet.
    pub(super) fn closed(
        store: MemoryStore,
        clock: Arc<FrozenClock>,
        options: ShardOptions,
        lives: u64,
        carried: Carried,
    ) -> Self {
        let surroundings =
            Surroundings { clock: Arc::clone(&clock) as Arc<dyn Clock>, ids: Arc::new(CountedIds::from(lives)) };
        let incarnation = Owner { node: 1, incarnation: lives };
        let node = Node::new(store.clone().into(), surroundings, keys(), options.clone(), incarnation);
        let seen = Arc::new(Seen {
            heard: Mutex::default(),
            carried: watch::Sender::new(carried),
            panic_over: Mutex::default(),
        });
        Self { shards: Shards::new(node), store, clock, seen, options, lives }
    }

    pub(super) async fn open(&self, arbiters: &[ArbiterHandle]) -> Result<(), Fence> {
        let seen = Arc::clone(&self.seen);
        let hooks: HooksFactory = Arc::new(move |_| {
            let recorder = Rc::new(Recorder(Arc::clone(&seen)));
            Hooks { subscriber: Rc::clone(&recorder) as Rc<dyn Subscriber>, effects: recorder }
        });
        self.shards.open(arbiters, &hooks).await
    }

    /// The process dies as it stands, and the next one starts. The dead one is fenced.
    pub(super) async fn killed(&self) -> Self {
        let next = self.next_life();
        next.open(&[Arbiter::current()]).await.unwrap();
        next
    }

    /// The next process, not yet open; faults may be ordered first.
    pub(super) fn next_life(&self) -> Self {
        let (store, carried) = (self.store.reopened(), *self.seen.carried.borrow());
        Self::closed(store, Arc::clone(&self.clock), self.options.clone(), self.lives + 1, carried)
    }

    pub(super) async fn ask<E: Kind>(&self, id: u128, command: E::Command) -> Result<E::Answer, CommandError> {
        self.shards.ask::<E>(id, command).await
    }

    /// Asks until the shard is there.
    pub(super) async fn ask_until<E: Kind>(&self, id: u128, command: impl Fn() -> E::Command) -> E::Answer {
        for _ in 0..5_000 {
            match self.ask::<E>(id, command()).await {
                Ok(answer) => return answer,
                Err(CommandError::Unavailable { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the shard did not come back");
    }

    /// Hands a command over; its answer is noted among what was heard.
    pub(super) fn submit_noting<E: Kind>(&self, id: u128, command: E::Command, note: &'static str) -> Pending<E> {
        let answer = self.shards.submit::<E>(id, command);
        let seen = Arc::clone(&self.seen);
        let (reply, noted) = oneshot::channel();
        actix::spawn(async move {
            let answer = answer.await;
            seen.note(Heard::Answered(note));
            let _ = reply.send(answer.unwrap_or(Err(CommandError::Panicked)));
        });
        noted
    }

    pub(super) async fn version<E: Kind>(&self, id: u128) -> u64 {
        self.shards.view::<E, _>(id, Entity::version).await.unwrap()
    }

    pub(super) async fn state<E: Kind>(&self, id: u128) -> Vec<u8> {
        self.shards.view::<E, _>(id, encoded).await.unwrap()
    }

    pub(super) fn failed(&self) -> Option<String> {
        self.shards.node().failed().borrow().clone()
    }

    /// Business time goes on, and with it what waits for it.
    pub(super) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(super) async fn open_effects(&self) -> usize {
        self.shards.census().await.open_effects
    }

    /// Lets whatever can go on do so.
    pub(super) async fn breathe(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until something is so.
    pub(super) async fn until(&self, mut so: impl AsyncFnMut(&Self) -> bool) {
        for _ in 0..10_000 {
            if so(self).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("it did not come to be; heard: {:?}", self.seen.all());
    }
}

/// An answer that has not come yet.
pub(super) type Pending<E> = oneshot::Receiver<Result<<E as Entity>::Answer, CommandError>>;

pub(super) fn keys() -> Keyring {
    Keyring::new([9; 16])
}
