//! Random commands and random deaths: what a life shows is always what the log says.

use proptest::prelude::*;

use super::commands::{
    WORKSPACE, assign, close, connect, contact, create, heard, note, observe, of, pause, reserve, resume, team, tier,
};
use super::feed::feed_of;
use super::replay::check_states;
use super::rig::{Rig, options};
use crate::domain::contact::Contact;
use crate::domain::conversation::Conversation;
use crate::domain::limit::LimitScope;
use crate::domain::number::Number;
use crate::domain::workspace::Workspace;
use crate::shards::record::{EntryView, entries};
use crate::shards::{CommandError, Kind};
use crate::store::{Fault, Operation};

#[derive(Clone, Debug)]
enum Step {
    /// A command of a kind, to one of a few entities.
    Ask(u8, u8, u8),
    Settle,
    /// The process dies while commands are under way.
    Kill(Vec<(u8, u8, u8)>),
    Close,
    Advance(u32),
    Fault(Operation, Fault),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let command = || (0_u8..12, 0_u8..4, 0_u8..40);
    let operation = prop_oneof![
        3 => Just(Operation::Commit),
        2 => Just(Operation::Settle),
        1 => Just(Operation::Read),
        1 => Just(Operation::Replay),
    ];
    let fault = prop_oneof![Just(Fault::Fail), Just(Fault::UnknownApplied), Just(Fault::UnknownNotApplied)];
    let step = prop_oneof![
        30 => command().prop_map(|(kind, id, variant)| Step::Ask(kind, id, variant)),
        4 => Just(Step::Settle),
        3 => prop::collection::vec(command(), 0..6).prop_map(Step::Kill),
        1 => Just(Step::Close),
        2 => (1_u32..8_000).prop_map(Step::Advance),
        4 => (operation, fault).prop_map(|(operation, fault)| Step::Fault(operation, fault)),
    ];
    prop::collection::vec(step, 1..60)
}

/// Asks until the shard says something of it, or leaves it under way.
async fn ask<E: Kind>(rig: &Rig, id: u128, command: impl Fn() -> E::Command, wait: bool) {
    if !wait {
        drop(rig.shards.submit::<E>(id, command()));
        return;
    }
    for _ in 0..5_000 {
        match rig.ask::<E>(id, command()).await {
            Err(error) if error == CommandError::unavailable() => {
                assert_eq!(rig.failed(), None);
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            Ok(_) | Err(CommandError::Refused(_)) => return,
            // Also an answer that never comes.
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the shard did not come back; {:?}", rig.failed());
}

async fn command(rig: &Rig, kind: u8, id: u8, variant: u8, wait: bool) {
    let (person, number) = (u128::from(id), i64::from(variant));
    match kind {
        0 | 1 => ask::<Conversation>(rig, of(person), || heard(person, number), wait).await,
        2 => ask::<Conversation>(rig, of(person), || note(number), wait).await,
        3 => ask::<Conversation>(rig, of(person), || super::commands::reply(number), wait).await,
        4 if variant < 20 => ask::<Conversation>(rig, of(person), close, wait).await,
        4 => {
            let until = super::commands::after(9_000 + number);
            ask::<Conversation>(rig, of(person), || super::commands::snooze(until), wait).await;
        }
        5 => ask::<Contact>(rig, contact(person), || observe(person, number), wait).await,
        6 => ask::<Contact>(rig, contact(person), || assign(u128::from(variant)), wait).await,
        7 => ask::<Number>(rig, 20 + person, || connect(u32::from(variant) + 1), wait).await,
        8 if variant < 20 => ask::<Number>(rig, 20 + person, pause, wait).await,
        8 => ask::<Number>(rig, 20 + person, resume, wait).await,
        9 => ask::<LimitScope>(rig, 30 + person, || tier(u32::from(variant), number), wait).await,
        10 => ask::<LimitScope>(rig, 30 + person, || reserve([u128::from(variant)]), wait).await,
        _ if variant < 10 => ask::<Workspace>(rig, WORKSPACE.0, create, wait).await,
        _ => ask::<Workspace>(rig, WORKSPACE.0, || team(u128::from(variant)), wait).await,
    }
}

/// How many effects the log holds open.
fn open_in_log(rig: &Rig) -> usize {
    let mut open = 0;
    for record in (0..rig.shards.count()).flat_map(|shard| rig.store.journal(shard)) {
        for entry in entries(&record.payload).unwrap() {
            match entry {
                EntryView::Closed(ids) => open -= ids.len(),
                EntryView::Decided { effects, .. } => {
                    open += crate::shards::record::read::<Vec<crate::domain::effect::Effect>>(effects).unwrap().len();
                }
            }
        }
    }
    open
}

async fn check(rig: &Rig) {
    // A shard that is opening again is waited for.
    for scope in [90, 91] {
        ask::<LimitScope>(rig, scope, || tier(1, 0), true).await;
    }
    check_states(rig).await;
    // Answers reach the log between two looks.
    rig.until(async |rig| rig.open_effects().await == open_in_log(rig)).await;
    let journal_turns: usize = (0..rig.shards.count())
        .flat_map(|shard| rig.store.journal(shard))
        .map(|record| {
            let entries = entries(&record.payload).unwrap();
            let ours = |entry: &&EntryView<'_>| {
                matches!(entry, EntryView::Decided { of, events, .. }
                if of.workspace == WORKSPACE && events.len() > 1)
            };
            entries.iter().filter(ours).count()
        })
        .sum();
    assert_eq!(feed_of(rig, WORKSPACE, 7).await.len(), journal_turns);
}

async fn live(steps: Vec<Step>) {
    let mut rig = Rig::with(options(2)).await;
    for step in steps {
        match step {
            Step::Ask(kind, id, variant) => command(&rig, kind, id, variant, true).await,
            // A settling may meet its fault, or a shard that is opening again.
            Step::Settle => drop(rig.shards.settle_all().await),
            Step::Kill(under_way) => {
                for (kind, id, variant) in under_way {
                    command(&rig, kind, id, variant, false).await;
                    tokio::task::yield_now().await;
                }
                rig = rig.killed().await;
                check(&rig).await;
            }
            Step::Close => {
                rig.store.faults().clear();
                rig.shards.close(std::time::Duration::from_secs(20)).await;
                rig = rig.killed().await;
                check(&rig).await;
            }
            Step::Advance(seconds) => {
                rig.advance(u64::from(seconds));
                rig.breathe().await;
            }
            Step::Fault(operation, fault) => rig.store.faults().once(operation, fault),
        }
        assert_eq!(rig.failed(), None);
    }
    rig.store.faults().clear();
    check(&rig).await;
    check(&rig.killed().await).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_life_shows_what_the_log_says(steps in steps()) {
        actix::System::new().block_on(live(steps));
    }
}
