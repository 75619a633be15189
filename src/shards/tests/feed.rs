//! The feed says what was told, dense and in order, before it is settled, after it, and after a restart.

use super::commands::{WORKSPACE, connect, contact, create, heard, note, observe, of, pause, team, tier};
use super::rig::{Rig, Told, encoded, options};
use crate::domain::broadcast::job::Broadcast;
use crate::domain::contact::Contact;
use crate::domain::conversation::Conversation;
use crate::domain::entity::EntityKind;
use crate::domain::ids::WorkspaceId;
use crate::domain::limit::{LimitCommand, LimitScope};
use crate::domain::number::Number;
use crate::domain::workspace::Workspace;
use crate::shards::{FeedTurn, Kind};

fn told_again(shard: u16, workspace: WorkspaceId, turn: &FeedTurn) -> Told {
    fn events<E: Kind>(turn: &FeedTurn) -> Vec<Vec<u8>> {
        turn.events::<E>().unwrap().iter().map(encoded).collect()
    }
    let events = match turn.kind {
        EntityKind::Workspace => events::<Workspace>(turn),
        EntityKind::Contact => events::<Contact>(turn),
        EntityKind::Conversation => events::<Conversation>(turn),
        EntityKind::Number => events::<Number>(turn),
        EntityKind::LimitScope => events::<LimitScope>(turn),
        EntityKind::Broadcast => events::<Broadcast>(turn),
        EntityKind::Chunk => panic!("a chunk is in no feed"),
    };
    Told {
        shard,
        position: turn.position,
        first_event: turn.first_event,
        at: turn.at,
        kind: turn.kind,
        id: turn.id,
        workspace,
        version: turn.version,
        state_version: turn.version + events.len() as u64,
        events,
    }
}

/// The whole feed of a workspace, read in pages.
pub(super) async fn feed_of(rig: &Rig, workspace: WorkspaceId, limit: usize) -> Vec<Told> {
    let mut all = Vec::new();
    for shard in 0..rig.shards.count() {
        let mut after = 0;
        loop {
            let page = rig.shards.feed(workspace, shard, after, limit).await.unwrap();
            assert!(page.turns.iter().all(|turn| turn.position > after && turn.position <= page.upto));
            all.extend(page.turns.iter().map(|turn| told_again(shard, workspace, turn)));
            after = page.upto;
            if !page.more {
                break;
            }
        }
        assert_eq!(after, rig.shards.feed_heads().await.unwrap()[usize::from(shard)]);
    }
    all
}

fn told_of(rig: &Rig, workspace: WorkspaceId) -> Vec<Told> {
    let mut told: Vec<Told> =
        rig.seen.told().into_iter().filter(|told| told.workspace == workspace && !told.events.is_empty()).collect();
    told.sort_by_key(|told| (told.shard, told.position, told.first_event));
    told
}

async fn busy_day(rig: &Rig) {
    rig.ask::<Workspace>(WORKSPACE.0, create()).await.unwrap();
    rig.ask::<Workspace>(77, create()).await.unwrap();
    rig.ask::<Number>(2, connect(20)).await.unwrap();
    rig.ask::<LimitScope>(4, LimitCommand::Open { workspace: WORKSPACE }).await.unwrap();
    let mut answers = Vec::new();
    for person in 1..=20 {
        answers.push(rig.shards.submit::<Conversation>(of(person), heard(person, 0)));
        drop(rig.shards.submit::<Contact>(contact(person), observe(person, 0)));
        drop(rig.shards.submit::<Workspace>(77, team(100 + person)));
        answers.push(rig.shards.submit::<Conversation>(of(person), note(1)));
    }
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    rig.ask::<LimitScope>(4, tier(10, 1)).await.unwrap();
    rig.ask::<Number>(2, pause()).await.unwrap();
    rig.breathe().await;
}

#[actix::test]
async fn pages_equal_what_was_told() {
    let rig = Rig::with(options(2)).await;
    busy_day(&rig).await;
    let (ours, theirs) = (told_of(&rig, WORKSPACE), told_of(&rig, WorkspaceId(77)));
    assert!(ours.len() > 60 && theirs.len() == 21);
    let check = async |rig: &Rig| {
        for limit in [1, 3, 1_000] {
            assert_eq!(feed_of(rig, WORKSPACE, limit).await, ours);
            assert_eq!(feed_of(rig, WorkspaceId(77), limit).await, theirs);
        }
    };
    check(&rig).await;
    let unsettled = rig.killed().await;
    check(&unsettled).await;
    unsettled.shards.settle_all().await.unwrap();
    check(&unsettled).await;
    check(&unsettled.killed().await).await;
}

#[actix::test]
async fn ids_are_dense_within_a_record_and_versions_within_an_entity() {
    let rig = Rig::new().await;
    busy_day(&rig).await;
    let told = rig.seen.told();
    let mut next = (0, 0);
    let mut versions = std::collections::BTreeMap::new();
    for told in told.iter().filter(|told| !told.events.is_empty()) {
        if told.position != next.0 {
            assert!(told.position > next.0, "records are told in order");
            next = (told.position, 0);
        }
        assert_eq!(told.first_event, next.1);
        next.1 += told.events.len() as u16;
        let version = versions.entry((told.kind, told.id)).or_insert(0);
        assert_eq!(told.version, *version);
        *version = told.state_version;
    }
    let positions: Vec<u64> = rig.store.journal(0).iter().map(|record| record.position).collect();
    assert_eq!(positions, (1..=positions.len() as u64).collect::<Vec<_>>());
}
