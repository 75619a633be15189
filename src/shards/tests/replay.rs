//! Rows and the log together give the live state, wherever a process dies.

use std::collections::BTreeMap;

use super::commands::{
    WORKSPACE, assign, close, connect, contact, create, heard, note, observe, of, pause, reserve, team, tier,
};
use super::rig::{Rig, encoded};
use crate::domain::broadcast::chunk::Chunk;
use crate::domain::broadcast::job::Broadcast;
use crate::domain::contact::Contact;
use crate::domain::conversation::Conversation;
use crate::domain::entity::{Entity, EntityKind};
use crate::domain::limit::LimitScope;
use crate::domain::number::Number;
use crate::domain::workspace::Workspace;
use crate::shards::record::{EntryView, entries, read};
use crate::store::{Fault, Operation, Owner, Store};

/// Every entity of the log, as applying all its events makes it.
pub(super) fn all_folded(rig: &Rig) -> BTreeMap<(EntityKind, u128), Vec<u8>> {
    fn fold<E: Entity>(events: &[Vec<u8>]) -> Vec<u8> {
        let mut state = E::default();
        for event in events.iter().flat_map(|bytes| read::<Vec<E::Event>>(bytes).unwrap()) {
            state.apply(&event);
        }
        encoded(&state)
    }
    let mut log: BTreeMap<(EntityKind, u128), Vec<Vec<u8>>> = BTreeMap::new();
    for record in (0..rig.shards.count()).flat_map(|shard| rig.store.journal(shard)) {
        for entry in entries(&record.payload).unwrap() {
            if let EntryView::Decided { of, events, .. } = entry {
                log.entry((EntityKind::from_u8(of.kind).unwrap(), of.id)).or_default().push(events.to_vec());
            }
        }
    }
    let folded = |(key, events): ((EntityKind, u128), Vec<Vec<u8>>)| {
        let state = match key.0 {
            EntityKind::Workspace => fold::<Workspace>(&events),
            EntityKind::Contact => fold::<Contact>(&events),
            EntityKind::Conversation => fold::<Conversation>(&events),
            EntityKind::Number => fold::<Number>(&events),
            EntityKind::LimitScope => fold::<LimitScope>(&events),
            EntityKind::Broadcast => fold::<Broadcast>(&events),
            EntityKind::Chunk => fold::<Chunk>(&events),
        };
        (key, state)
    };
    log.into_iter().map(folded).collect()
}

/// The one entity of this id.
pub(super) fn folded(rig: &Rig, id: u128) -> Vec<u8> {
    all_folded(rig).into_iter().find(|((_, of), _)| *of == id).unwrap().1
}

/// What a life shows of every entity of the log equals the log.
pub(super) async fn check_states(rig: &Rig) {
    for ((kind, id), expected) in all_folded(rig) {
        let shown = match kind {
            EntityKind::Workspace => rig.state::<Workspace>(id).await,
            EntityKind::Contact => rig.state::<Contact>(id).await,
            EntityKind::Conversation => rig.state::<Conversation>(id).await,
            EntityKind::Number => rig.state::<Number>(id).await,
            EntityKind::LimitScope => rig.state::<LimitScope>(id).await,
            EntityKind::Broadcast => rig.state::<Broadcast>(id).await,
            EntityKind::Chunk => rig.state::<Chunk>(id).await,
        };
        assert_eq!(shown, expected, "{kind:?} {id}");
    }
}

async fn morning(rig: &Rig) {
    rig.ask::<Workspace>(WORKSPACE.0, create()).await.unwrap();
    rig.ask::<Workspace>(WORKSPACE.0, team(5)).await.unwrap();
    rig.ask::<Contact>(contact(1), observe(1, 0)).await.unwrap();
    rig.ask::<Conversation>(of(1), heard(1, 0)).await.unwrap();
    rig.ask::<Number>(2, connect(20)).await.unwrap();
    rig.ask::<LimitScope>(4, tier(10, 0)).await.unwrap();
}

async fn evening(rig: &Rig) {
    rig.ask::<Workspace>(WORKSPACE.0, team(6)).await.unwrap();
    rig.ask::<Contact>(contact(1), assign(5)).await.unwrap();
    rig.ask::<Conversation>(of(1), note(1)).await.unwrap();
    rig.ask::<Conversation>(of(1), close()).await.unwrap();
    rig.ask::<Number>(2, pause()).await.unwrap();
    rig.ask::<LimitScope>(4, reserve([1, 2, 3])).await.unwrap();
}

async fn checkpoint(rig: &Rig) -> (u64, u64) {
    let lease = rig.store.acquire(0, Owner { node: 8, incarnation: 8 }, None).await.unwrap();
    (lease.checkpoint, lease.position)
}

#[actix::test]
async fn replay_gives_the_live_state_of_all_five_kinds() {
    let rig = Rig::new().await;
    morning(&rig).await;
    evening(&rig).await;
    assert_eq!(all_folded(&rig).len(), 5);
    check_states(&rig).await;
    let unsettled = rig.killed().await;
    check_states(&unsettled).await;
    unsettled.shards.settle_all().await.unwrap();
    let settled = unsettled.killed().await;
    check_states(&settled).await;
    let (checkpoint, position) = checkpoint(&settled).await;
    assert!(checkpoint > 0 && checkpoint == position, "{checkpoint} of {position}");
}

#[actix::test]
async fn rows_and_the_log_after_them_give_the_live_state() {
    let rig = Rig::new().await;
    morning(&rig).await;
    rig.shards.settle_all().await.unwrap();
    evening(&rig).await;
    let states = all_folded(&rig);
    let next = rig.killed().await;
    check_states(&next).await;
    assert_eq!(all_folded(&next), states);
    let (checkpoint, position) = checkpoint(&next).await;
    assert!(checkpoint < position);
}

#[actix::test]
async fn a_settling_that_fails_changes_nothing() {
    for fault in [Fault::Fail, Fault::UnknownApplied, Fault::UnknownNotApplied] {
        let rig = Rig::new().await;
        morning(&rig).await;
        rig.store.faults().once(Operation::Settle, fault.clone());
        assert!(rig.shards.settle_all().await.is_err());
        evening(&rig).await;
        check_states(&rig).await;
        check_states(&rig.killed().await).await;
        let again = rig.killed().await;
        again.shards.settle_all().await.unwrap();
        check_states(&again.killed().await).await;
    }
}

#[actix::test]
async fn what_is_decided_while_rows_are_settled_is_in_the_log() {
    let rig = Rig::new().await;
    morning(&rig).await;
    rig.store.faults().once(Operation::Settle, Fault::Hang);
    let shards = std::sync::Arc::clone(&rig.shards);
    let settling = actix::spawn(async move { shards.settle_all().await });
    rig.store.faults().wait_hanging(1).await;
    evening(&rig).await;
    check_states(&rig).await;
    rig.store.faults().release();
    settling.await.unwrap().unwrap();
    check_states(&rig).await;
    let next = rig.killed().await;
    check_states(&next).await;
    let (checkpoint, position) = checkpoint(&next).await;
    assert!(checkpoint < position, "the checkpoint stands where the settling began");
}

#[actix::test]
async fn a_settling_coalesces_an_entitys_rows() {
    let rig = Rig::new().await;
    for number in 0..50 {
        rig.ask::<LimitScope>(4, tier(10 + number, i64::from(number))).await.unwrap();
    }
    let row = crate::shards::owner::entity_key(EntityKind::LimitScope, 4);
    assert!(rig.store.get(&row).await.unwrap().is_none(), "a commit writes no state row");
    rig.shards.settle_all().await.unwrap();
    assert!(rig.store.get(&row).await.unwrap().is_some());
    let (checkpoint, position) = checkpoint(&rig).await;
    assert_eq!((checkpoint, position), (50, 50));
}

#[actix::test]
async fn enough_bytes_are_settled_without_waiting_for_the_time() {
    let options = crate::shards::ShardOptions { settle_bytes: 2_000, ..super::rig::options(1) };
    let rig = Rig::with(options).await;
    rig.ask::<Workspace>(WORKSPACE.0, create()).await.unwrap();
    for number in 5..60 {
        rig.ask::<Workspace>(WORKSPACE.0, team(number)).await.unwrap();
    }
    let row = crate::shards::owner::entity_key(EntityKind::Workspace, WORKSPACE.0);
    rig.until(async |rig| rig.store.get(&row).await.unwrap().is_some()).await;
}

#[actix::test]
async fn lists_are_told_at_each_start() {
    let rig = Rig::new().await;
    for person in 0..5 {
        rig.ask::<Conversation>(of(person), heard(person, 0)).await.unwrap();
    }
    for life in [rig.killed().await, rig.killed().await] {
        let listed: usize = life
            .seen
            .all()
            .iter()
            .map(|heard| if let super::rig::Heard::Listed(lines) = heard { *lines } else { 0 })
            .sum();
        assert_eq!(listed, 5);
    }
}
