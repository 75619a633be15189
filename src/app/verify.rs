//! `tidegate verify broadcast`: a stopped server's ledger counted again, and held against the sandbox's own.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use serde_json::{Value, json};

use crate::broadcasts::{Broadcasts, Recount};
use crate::clock::{FrozenClock, RandomIds, Surroundings};
use crate::config::{Config, Engine};
use crate::domain::broadcast::{RecipientState, Tally};
use crate::domain::conversation::Summary;
use crate::domain::effect::{Effect, EffectId};
use crate::domain::ids::{BroadcastId, Keyring};
use crate::domain::time::Timestamp;
use crate::numbers::Numbers;
use crate::providers::sandbox::{LedgerReader, Line};
use crate::shards::{Carrying, CommandError, EffectRunner, Hooks, HooksFactory, News, Node, Shards, Subscriber};
use crate::store::embedded::EmbeddedStore;
use crate::store::{AnyStore, Owner, Store, StoreIdentity};
use crate::workspaces::Workspaces;

use super::run::{DONE, WRONG, say};
use super::{sandbox, settings};

/// How long closing may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// Nobody hears and nothing is carried out: what is open in the log stays open.
struct Nobody;

impl Subscriber for Nobody {
    fn listed(&self, _: u16, _: Vec<Summary>) {}
    fn caught_up(&self, _: u16, _: u64) {}
    fn missed(&self, _: &News<'_>) {}
    fn committed(&self, _: &News<'_>) {}
    fn record_ended(&self, _: u16, _: u64) {}
}

impl EffectRunner for Nobody {
    fn run(&self, _: EffectId, _: Effect) -> Carrying {
        Box::pin(std::future::pending())
    }
}

/// What was counted.
struct Counted {
    recount: Recount,
    /// What the sandbox's ledger says, where there is one: recipients who have it, have it twice or more, have it and are
    /// not said to, and are said to and have it not.
    beside: Option<Beside>,
}

/// What a provider's ledger says beside ours.
#[derive(Clone, Copy, Default)]
pub(super) struct Beside {
    /// Recipients who have it.
    pub(super) have_it: u64,
    /// Of them, those who have it twice or more.
    pub(super) twice: u64,
    /// They have it, and ours does not say so.
    pub(super) unsaid: u64,
    /// Ours says that they have it, and they do not.
    pub(super) missing: u64,
}

/// Counts a broadcast's ledger again. The exit code: 0 where everything agrees, 2 where not, or the server still runs.
pub(super) async fn verify(config: &Config, id: BroadcastId, as_json: bool) -> u8 {
    if config.store.engine != Engine::Embedded {
        let ask = "ask the running server: GET";
        let why = format!("tidegate: this store has no data folder; {ask} /v1/broadcasts/{id}/verify\n");
        return say(WRONG, &why);
    }
    // Time stands before everything that could fall due: nothing is decided while it is only read.
    let clock = Arc::new(FrozenClock::new(Timestamp(0)));
    let surroundings = Surroundings { clock, ids: Arc::new(RandomIds) };
    let folder = config.store.path.join("store");
    let store = EmbeddedStore::open(&folder, settings::embedded(config), Arc::clone(&surroundings.clock));
    let store: AnyStore = match store {
        Ok(store) => store.into(),
        Err(error) => {
            let why = "the data folder cannot be opened; stop the server first, or ask it: GET";
            return say(WRONG, &format!("tidegate: {why} /v1/broadcasts/{id}/verify ({error})\n"));
        }
    };
    let counted = count(config, &store, surroundings, id).await;
    let _ = store.close().await;
    match counted {
        Ok(Some(counted)) => told(id, &counted, as_json),
        Ok(None) => say(WRONG, &format!("tidegate: there is no broadcast {id} in this data folder\n")),
        Err(why) => say(WRONG, &format!("tidegate: the ledger cannot be read: {why}\n")),
    }
}

async fn count(
    config: &Config,
    store: &AnyStore,
    surroundings: Surroundings,
    id: BroadcastId,
) -> Result<Option<Counted>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let identity = store.identity(StoreIdentity { shards: config.store.shards, key: [0; 16] }).await;
    let identity = identity.map_err(|error| text(&error))?;
    let keys = Keyring::new(identity.key);
    let owner = Owner { node: keys.hash(b"node", &[b"alone"]), incarnation: 0 };
    let options = settings::shard_options(config, identity.shards);
    let shards = Shards::new(Node::new(store.clone(), surroundings, keys, options, owner));
    let hooks: HooksFactory =
        Arc::new(|_: &Arc<Shards>| Hooks { subscriber: Rc::new(Nobody), effects: Rc::new(Nobody) });
    let arbiter = Arbiter::new();
    shards.open(&[arbiter.handle()], &hooks).await.map_err(|error| text(&error))?;
    let workspaces = Workspaces::new(Arc::clone(&shards));
    let numbers = Numbers::new(Arc::clone(&shards), Arc::clone(&workspaces), settings::numbers(config));
    let broadcasts = Broadcasts::new(Arc::clone(&shards), workspaces, numbers);
    let counted = look(config, &broadcasts, id).await;
    shards.close(CLOSE_WITHIN).await;
    arbiter.stop();
    counted.map_err(|error| text(&error))
}

async fn look(config: &Config, broadcasts: &Arc<Broadcasts>, id: BroadcastId) -> Result<Option<Counted>, CommandError> {
    let recount = broadcasts.count_again(id).await?;
    if recount.counted == Tally::default() {
        return Ok(None);
    }
    Ok(Some(Counted { recount, beside: beside(config, broadcasts, id).await? }))
}

/// What the sandbox's ledger says beside a broadcast's; none where there is no such ledger, or it cannot be read.
pub(super) async fn beside(
    config: &Config,
    broadcasts: &Arc<Broadcasts>,
    id: BroadcastId,
) -> Result<Option<Beside>, CommandError> {
    let folder = sandbox::ledger_folder(config);
    if !folder.exists() {
        return Ok(None);
    }
    let mut have: BTreeMap<String, u64> = BTreeMap::new();
    let prefix = format!("b1.{}.", id.ulid_text());
    let read = LedgerReader::new(&folder).each(|line| {
        if let Line::Send(line) = line
            && line.outcome.is_accepted()
            && line.token.as_deref().is_some_and(|token| token.starts_with(&prefix))
        {
            *have.entry(line.recipient).or_default() += 1;
        }
    });
    if let Err(error) = read {
        tracing::warn!(%error, "the sandbox's ledger cannot be read");
        return Ok(None);
    }
    let mut beside = Beside {
        have_it: have.len() as u64,
        twice: have.values().filter(|times| **times > 1).count() as u64,
        ..Beside::default()
    };
    broadcasts
        .each_row(id, |who, view| {
            let has_it = who.is_some_and(|who| have.contains_key(&who.to.text));
            // Who was attempted may have it: doubt is not over, or a receipt said later that it failed after all.
            let said = view.state >= RecipientState::Accepted && view.state != RecipientState::Failed;
            let may = view.state >= RecipientState::Attempting;
            beside.unsaid += u64::from(has_it && !may);
            beside.missing += u64::from(said && !has_it);
        })
        .await?;
    Ok(Some(beside))
}

fn told(id: BroadcastId, counted: &Counted, as_json: bool) -> u8 {
    let Counted { recount, beside } = counted;
    let agrees = recount.shown == recount.counted
        && recount.chunks_that_differ == 0
        && beside.is_none_or(|beside| beside.unsaid + beside.missing == 0);
    let counts = |tally: &Tally| {
        let states = RecipientState::ALL.into_iter().map(|state| (state.word().to_owned(), json!(tally.of(state))));
        Value::Object(states.chain([("replied".to_owned(), json!(tally.replied))]).collect())
    };
    let text = if as_json {
        let beside = beside.map(|beside| {
            json!({ "have_it": beside.have_it, "twice": beside.twice, "unsaid": beside.unsaid, "missing": beside.missing })
        });
        format!(
            "{}\n",
            json!({ "broadcast": id, "agrees": agrees, "shown": counts(&recount.shown), "counted": counts(&recount.counted),
                    "chunks_that_differ": recount.chunks_that_differ, "provider": beside })
        )
    } else {
        let mut text = format!("{:<30}{:>8}{:>12}\n", id.to_string(), "shown", "counted");
        for state in RecipientState::ALL {
            text.push_str(&format!(
                "{:<30}{:>8}{:>12}\n",
                state.word(),
                recount.shown.of(state),
                recount.counted.of(state)
            ));
        }
        text.push_str(&format!("{:<30}{:>8}{:>12}\n", "replied", recount.shown.replied, recount.counted.replied));
        if let Some(beside) = beside {
            text.push_str(&format!(
                "by the provider's ledger {} have it, {} of them twice or more; {} have it unsaid, {} are said to and do not\n",
                beside.have_it, beside.twice, beside.unsaid, beside.missing
            ));
        }
        text.push_str(if agrees { "everything agrees\n" } else { "the counts DIFFER\n" });
        text
    };
    let _ = say(DONE, &text);
    if agrees { DONE } else { WRONG }
}
