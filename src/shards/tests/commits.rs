//! Nothing is seen before it is committed; what comes meanwhile goes into the next record.

use super::commands::{after, close, connect, heard, note, of, pause, reserve, snooze};
use super::rig::{Heard, Rig};
use crate::domain::conversation::Conversation;
use crate::domain::limit::LimitScope;
use crate::domain::number::Number;
use crate::shards::CommandError;
use crate::shards::record::{EntryView, entries};
use crate::store::{Fault, Operation};

fn told_answered(rig: &Rig) -> Vec<String> {
    let word = |heard: &Heard| match heard {
        Heard::Told(told) => Some(format!("told {}", told.version)),
        Heard::Answered(note) => Some((*note).to_owned()),
        Heard::Ran(id, _) => Some(format!("ran {}", id.position)),
        Heard::Ended(position) => Some(format!("ended {position}")),
        Heard::Listed(_) | Heard::CaughtUp(_) | Heard::Missed(..) => None,
    };
    rig.seen.all().iter().filter_map(word).collect()
}

#[actix::test]
async fn nothing_is_seen_before_the_commit_and_then_all_in_order() {
    let rig = Rig::new().await;
    rig.store.faults().once(Operation::Commit, Fault::Hang);
    let first = rig.submit_noting::<Conversation>(of(1), heard(1, 0), "first");
    rig.store.faults().wait_hanging(1).await;
    // The second is decided on what the first made: there would be nothing to close.
    rig.store.faults().once(Operation::Commit, Fault::Hang);
    let second = rig.submit_noting::<Conversation>(of(1), close(), "second");
    rig.breathe().await;
    assert!(told_answered(&rig).is_empty(), "{:?}", rig.seen.all());
    assert_eq!(rig.version::<Conversation>(of(1)).await, 0, "a reading sees what is committed");
    assert!(rig.shards.feed(super::commands::WORKSPACE, 0, 0, 10).await.unwrap().turns.is_empty());
    assert_eq!(rig.shards.feed_heads().await.unwrap(), [0]);

    rig.store.faults().release();
    first.await.unwrap().unwrap();
    let between = rig.version::<Conversation>(of(1)).await;
    assert!(between > 0);
    rig.store.faults().wait_hanging(1).await;
    assert_eq!(rig.version::<Conversation>(of(1)).await, between, "the second is not committed yet");
    rig.store.faults().release();
    second.await.unwrap().unwrap();
    assert_eq!(rig.version::<Conversation>(of(1)).await, between + 1);
    rig.until(async |rig| rig.seen.ran().len() == 1).await;
    let order = told_answered(&rig);
    let place = |word: &str| order.iter().position(|at| at == word).unwrap_or_else(|| panic!("no {word} in {order:?}"));
    assert!(place("told 0") < place("ended 1"));
    assert!(place("told 0") < place("first"));
    assert!(place("told 0") < place("ran 1"), "an effect runs after it was told");
    assert!(place("ended 1") < place(&format!("told {between}")));
    assert!(rig.seen.told().iter().all(|told| told.state_version == told.version + told.events.len() as u64));
}

#[actix::test]
async fn a_refusal_and_a_repetition_wait_for_what_they_rest_on() {
    let rig = Rig::new().await;
    rig.ask::<Conversation>(of(1), heard(1, 0)).await.unwrap();
    rig.store.faults().once(Operation::Commit, Fault::Hang);
    let _noted = rig.shards.submit::<Conversation>(of(1), note(1));
    rig.store.faults().wait_hanging(1).await;
    let past = rig.submit_noting::<Conversation>(of(1), snooze(after(-9)), "refused");
    let again = rig.submit_noting::<Conversation>(of(1), note(1), "repeated");
    // Another entity has nothing under way: its refusal rests on committed state alone.
    let other = rig.submit_noting::<Conversation>(of(2), close(), "other");
    assert!(matches!(other.await.unwrap(), Err(CommandError::Refused(_))));
    rig.breathe().await;
    assert!(!told_answered(&rig).iter().any(|word| word == "refused" || word == "repeated"));
    rig.store.faults().release();
    assert!(matches!(past.await.unwrap(), Err(CommandError::Refused(_))));
    again.await.unwrap().unwrap();
    assert_eq!(rig.store.journal(0).len(), 2, "a repetition writes nothing");
}

#[actix::test]
async fn what_rests_on_a_commit_that_fails_is_not_said() {
    let rig = Rig::new().await;
    rig.ask::<Number>(9, connect(20)).await.unwrap();
    rig.store.faults().once(Operation::Commit, Fault::Hang);
    let paused = rig.shards.submit::<Number>(9, pause());
    rig.store.faults().wait_hanging(1).await;
    let again = rig.shards.submit::<Number>(9, pause());
    let refused = rig.shards.submit::<Conversation>(of(1), close());
    // Somebody else takes the shard while the append is on its way.
    rig.store.faults().once(Operation::Acquire, Fault::Pass);
    let _other = rig.killed().await;
    rig.store.faults().release();
    for answer in [paused, again] {
        assert!(matches!(answer.await.unwrap(), Err(CommandError::Unavailable { .. })));
    }
    assert!(matches!(refused.await.unwrap(), Err(CommandError::Refused(_))));
    assert!(rig.failed().is_some_and(|why| why.contains("another owner")));
    assert!(matches!(rig.ask::<Number>(9, pause()).await, Err(CommandError::Unavailable { .. })));
}

#[actix::test]
async fn what_comes_while_a_commit_hangs_forms_one_record() {
    let rig = Rig::new().await;
    rig.store.faults().once(Operation::Commit, Fault::Hang);
    let first = rig.shards.submit::<Conversation>(of(0), heard(0, 0));
    rig.store.faults().wait_hanging(1).await;
    let more: Vec<_> = (1..=60).map(|person| rig.shards.submit::<Conversation>(of(person), heard(person, 1))).collect();
    rig.breathe().await;
    rig.store.faults().release();
    first.await.unwrap().unwrap();
    for answer in more {
        answer.await.unwrap().unwrap();
    }
    // Answered effects may have come later in a record of their own.
    let journal = rig.store.journal(0);
    let decided = |entry: &EntryView<'_>| matches!(entry, EntryView::Decided { .. });
    let turns: Vec<usize> = journal
        .iter()
        .map(|record| entries(&record.payload).unwrap().iter().filter(|entry| decided(entry)).count())
        .filter(|turns| *turns > 0)
        .collect();
    assert_eq!(turns, [1, 60]);
    let firsts: Vec<u16> =
        rig.seen.told().iter().filter(|told| told.position == 2).map(|told| told.first_event).collect();
    assert!(firsts.is_sorted() && firsts[0] == 0, "events are numbered through a record: {firsts:?}");
}

#[actix::test]
async fn a_record_has_a_size_at_which_the_next_one_begins() {
    let rig = Rig::new().await;
    rig.store.faults().once(Operation::Commit, Fault::Hang);
    let first = rig.shards.submit::<LimitScope>(1, reserve([0]));
    rig.store.faults().wait_hanging(1).await;
    let block = |scope: u128| (0..100).map(move |number| (number << 64) | (scope << 40) | (number * 7_919));
    let more: Vec<_> = (2..402).map(|scope| rig.shards.submit::<LimitScope>(scope, reserve(block(scope)))).collect();
    rig.breathe().await;
    rig.store.faults().release();
    first.await.unwrap().unwrap();
    for answer in more {
        answer.await.unwrap().unwrap();
    }
    let sizes: Vec<usize> = rig.store.journal(0).iter().map(|record| record.payload.len()).collect();
    assert!(sizes.len() > 2, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size < 98 * 1_024), "{sizes:?}");
    assert_eq!(rig.seen.told().len(), 401);
}
