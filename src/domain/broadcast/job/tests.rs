//! Tests of broadcasts: which action fits which state, and random histories.

use proptest::prelude::*;

use super::*;
use crate::domain::golden::{Live, check};
use crate::domain::ids::MemberId;
use crate::domain::recall::{Asked, CommandKey};

const HOUR: i64 = 3_600_000;

fn plan() -> Plan {
    Plan {
        account: AccountId(4),
        channel: Channel::WhatsApp,
        marketing: true,
        doubtful: Doubtful::Hold,
        send_until: Some(Timestamp(10 * HOUR)),
        rate_per_second: None,
    }
}

fn asked() -> Asked {
    Asked::by(Author::Member(MemberId(9)))
}

fn keyed(key: u128) -> Asked {
    Asked { key: Some(CommandKey { key, body: 1 }), ..asked() }
}

fn create(asked: Asked) -> BroadcastCommand {
    let rows = vec![(SLOT_NAME, b"Spring".to_vec())];
    BroadcastCommand::Create { asked, workspace: WorkspaceId(1), plan: plan(), rows, retries: None }
}

fn edit() -> BroadcastCommand {
    BroadcastCommand::Edit { asked: asked(), plan: Plan { marketing: false, ..plan() }, rows: vec![] }
}

fn publish(at: Option<i64>) -> BroadcastCommand {
    BroadcastCommand::Publish { asked: asked(), at: at.map(Timestamp) }
}

fn frozen(chunks: u32) -> BroadcastCommand {
    BroadcastCommand::RecordFrozen {
        audience: FrozenAudience { recipients: chunks, chunks, ..FrozenAudience::default() },
    }
}

type Make = fn() -> BroadcastCommand;

/// A broadcast in each state.
fn in_every_state() -> Vec<(Status, Live<Broadcast>)> {
    let ways: [(Status, &[Make]); 7] = [
        (Status::Draft, &[]),
        (Status::Scheduled(Timestamp(HOUR)), &[|| publish(Some(HOUR))]),
        (Status::Sending, &[|| publish(None)]),
        (Status::Paused(HaltReason::User), &[|| publish(None), || BroadcastCommand::Pause { asked: asked() }]),
        (Status::Sent, &[|| publish(None), || frozen(0)]),
        (Status::Cancelled, &[|| publish(None), || BroadcastCommand::Cancel { asked: asked() }]),
        (Status::Deleted, &[|| BroadcastCommand::Delete { asked: asked() }]),
    ];
    ways.into_iter()
        .map(|(status, way)| {
            let mut live = Live::<Broadcast>::new(5);
            live.ask(1, create(asked())).unwrap();
            for step in way {
                live.ask(1, step()).unwrap();
            }
            assert_eq!(live.state.status(), Some(status));
            live.assert_replays();
            (status, live)
        })
        .collect()
}

#[test]
fn each_action_fits_some_states_and_is_refused_with_the_name_of_the_others() {
    type Action = (&'static str, Make, [Option<&'static str>; 6]);
    let (cancelled, deleted) = (Some("cancelled"), Some("deleted"));
    // By state: draft, scheduled, sending, paused, sent, cancelled; what it is afterwards, or none where it is refused.
    let table: [Action; 7] = [
        ("edit", edit, [Some("draft"), Some("scheduled"), None, None, None, None]),
        ("publish", || publish(None), [Some("sending"), Some("sending"), None, None, None, None]),
        (
            "pause",
            || BroadcastCommand::Pause { asked: asked() },
            [None, None, Some("paused"), Some("paused"), None, None],
        ),
        (
            "resume",
            || BroadcastCommand::Resume { asked: asked() },
            [None, None, Some("sending"), Some("sending"), None, None],
        ),
        (
            "cancel",
            || BroadcastCommand::Cancel { asked: asked() },
            [None, cancelled, cancelled, cancelled, None, cancelled],
        ),
        ("delete", || BroadcastCommand::Delete { asked: asked() }, [deleted, deleted, None, None, deleted, deleted]),
        (
            "change_rate",
            || BroadcastCommand::ChangeRate { asked: asked(), per_second: Some(7) },
            [Some("draft"), Some("scheduled"), Some("sending"), Some("paused"), None, None],
        ),
    ];
    for (name, action, outcomes) in table {
        for ((status, mut live), outcome) in in_every_state().into_iter().zip(outcomes) {
            match (live.ask(2, action()), outcome) {
                (Ok(decision), Some(word)) => {
                    let BroadcastAnswer::Saved { status, repeated: false, .. } = decision.answer else {
                        panic!("{name}: {:?}", decision.answer)
                    };
                    assert_eq!(status.word(), word, "{name}");
                    live.assert_replays();
                }
                (Err(refusal), None) => {
                    assert_eq!(refusal, Refusal::WrongState { state: status.word(), action: name });
                }
                (outcome, expected) => panic!("{name} in {status:?}: {outcome:?}, not {expected:?}"),
            }
        }
        let (_, mut deleted) = in_every_state().pop().unwrap();
        assert_eq!(deleted.ask(2, action()).unwrap_err(), Refusal::NotFound { what: "broadcast" });
    }
}

#[test]
fn a_repeated_command_is_answered_as_before_and_changes_nothing() {
    let mut live = Live::<Broadcast>::new(5);
    let first = live.ask(1, create(keyed(1))).unwrap();
    assert!(matches!(first.answer, BroadcastAnswer::Saved { status: Status::Draft, repeated: false, .. }));
    assert_eq!(first.content.len(), 1, "its name is a row");
    let again = live.ask(2, create(keyed(1))).unwrap();
    assert!(matches!(again.answer, BroadcastAnswer::Saved { repeated: true, .. }) && again.events.is_empty());
    assert!(again.content.is_empty());
    assert_eq!(live.ask(3, create(keyed(2))).unwrap_err(), Refusal::AlreadyExists { what: "broadcast" });
    let published = BroadcastCommand::Publish { asked: keyed(3), at: None };
    live.ask(4, published).unwrap();
    let again = live.ask(5, BroadcastCommand::Publish { asked: keyed(3), at: None }).unwrap();
    assert!(again.events.is_empty(), "it starts once, however often it is asked");
    let other = Asked { key: Some(CommandKey { key: 3, body: 2 }), ..asked() };
    let reused = live.ask(6, BroadcastCommand::Publish { asked: other, at: None }).unwrap_err();
    assert_eq!(reused, Refusal::ClientIdReused);
    let stale = Asked { if_version: Some(1), ..asked() };
    assert_eq!(live.ask(7, BroadcastCommand::Pause { asked: stale }).unwrap_err().code(), "version_mismatch");
}

#[test]
fn it_starts_when_its_time_comes_and_ends_when_its_time_is_over() {
    let mut live = Live::<Broadcast>::new(5);
    live.ask(0, create(asked())).unwrap();
    live.ask(1, publish(Some(HOUR))).unwrap();
    assert_eq!(live.state.due(), Some(Timestamp(HOUR)));
    live.ask(HOUR - 1, BroadcastCommand::Wake).unwrap();
    assert!(!live.state.may_send());
    live.ask(HOUR, BroadcastCommand::Wake).unwrap();
    assert!(live.state.may_send());
    assert_eq!(live.state.due(), Some(Timestamp(10 * HOUR)));
    live.ask(2 * HOUR, frozen(2)).unwrap();
    live.ask(3 * HOUR, BroadcastCommand::Pause { asked: asked() }).unwrap();
    live.ask(10 * HOUR, BroadcastCommand::Wake).unwrap();
    assert_eq!((live.state.ending(), live.state.due()), (Some(Ending::Expired), None));
    for chunk in [0, 1] {
        live.ask(10 * HOUR, BroadcastCommand::RecordChunk { chunk, open: false }).unwrap();
    }
    assert_eq!(live.state.status(), Some(Status::Sent), "everybody has an outcome, also while it is paused");
    live.assert_replays();
}

#[test]
fn what_was_down_lifts_by_itself_and_what_else_halts_waits_for_a_person() {
    let (_, mut live) = in_every_state().swap_remove(2);
    for reason in [HaltReason::ProviderDown, HaltReason::Quality] {
        live.ask(2, BroadcastCommand::Halt { reason }).unwrap();
        assert!(live.ask(3, BroadcastCommand::Halt { reason }).unwrap().events.is_empty());
    }
    assert_eq!(live.state.status(), Some(Status::Paused(HaltReason::Quality)), "the gravest is shown");
    for reason in [HaltReason::ProviderDown, HaltReason::Quality] {
        live.ask(4, BroadcastCommand::Lift { reason }).unwrap();
    }
    assert_eq!(live.state.halts().collect::<Vec<_>>(), [HaltReason::Quality]);
    live.ask(5, BroadcastCommand::Resume { asked: asked() }).unwrap();
    assert!(live.state.may_send());
}

#[test]
fn a_chunk_that_opens_again_opens_the_broadcast_and_a_cancelled_one_stays_so() {
    let (_, mut live) = in_every_state().swap_remove(2);
    let told = |chunk, open| BroadcastCommand::RecordChunk { chunk, open };
    live.ask(2, frozen(1)).unwrap();
    live.ask(2, frozen(5)).unwrap();
    assert_eq!(live.state.audience().unwrap().chunks, 1, "frozen is frozen");
    live.ask(3, told(0, false)).unwrap();
    assert_eq!(live.state.status(), Some(Status::Sent));
    live.ask(4, told(7, true)).unwrap();
    assert_eq!(live.state.status(), Some(Status::Sent), "it has no such chunk");
    live.ask(5, told(0, true)).unwrap();
    assert_eq!(live.state.status(), Some(Status::Sending));
    live.ask(6, BroadcastCommand::Cancel { asked: asked() }).unwrap();
    live.ask(7, told(0, false)).unwrap();
    assert_eq!((live.state.status(), live.state.ending()), (Some(Status::Cancelled), Some(Ending::Cancelled)));
    live.assert_replays();
}

#[test]
fn what_could_not_be_kept_is_refused() {
    let mut live = Live::<Broadcast>::new(5);
    for wrong in [Plan { rate_per_second: Some(0), ..plan() }, Plan { rate_per_second: Some(RATE_MAX + 1), ..plan() }] {
        let command = BroadcastCommand::Create {
            asked: asked(),
            workspace: WorkspaceId(1),
            plan: wrong,
            rows: vec![],
            retries: None,
        };
        assert_eq!(live.ask(1, command).unwrap_err().code(), "invalid");
    }
    live.ask(1, create(asked())).unwrap();
    assert_eq!(live.ask(2, publish(Some(10 * HOUR))).unwrap_err().code(), "invalid", "it would end before it starts");
    assert_eq!(live.ask(11 * HOUR, publish(None)).unwrap_err().code(), "invalid");
    let missing = Live::<Broadcast>::new(6).ask(1, publish(None)).unwrap_err();
    assert_eq!(missing, Refusal::NotFound { what: "broadcast" });
}

fn command() -> impl Strategy<Value = Make> {
    let commands: Vec<Make> = vec![
        edit,
        || publish(None),
        || publish(Some(5 * HOUR)),
        || BroadcastCommand::Pause { asked: asked() },
        || BroadcastCommand::Resume { asked: asked() },
        || BroadcastCommand::Cancel { asked: asked() },
        || BroadcastCommand::Delete { asked: asked() },
        || BroadcastCommand::Halt { reason: HaltReason::Template },
        || BroadcastCommand::Lift { reason: HaltReason::StoreDown },
        || frozen(2),
        || BroadcastCommand::RecordChunk { chunk: 0, open: false },
        || BroadcastCommand::RecordChunk { chunk: 1, open: false },
        || BroadcastCommand::RecordChunk { chunk: 1, open: true },
        || BroadcastCommand::Wake,
    ];
    prop::sample::select(commands)
}

proptest! {
    #[test]
    fn nothing_leaves_before_the_start_or_after_the_end(
        steps in prop::collection::vec((command(), 0..HOUR), 1..40),
    ) {
        let mut live = Live::<Broadcast>::new(5);
        live.ask(0, create(asked())).unwrap();
        let (mut now, mut started, mut over) = (0, false, false);
        for (command, pause) in steps {
            now += pause;
            // A refusal is as good as any answer here.
            let _ = live.ask(now, command());
            let status = live.state.status().unwrap();
            started |= live.log.iter().any(|event| matches!(event, BroadcastEvent::Started { .. }));
            over |= matches!(status, Status::Cancelled | Status::Deleted);
            prop_assert!(!live.state.may_send() || (started && !over), "{status:?}");
            prop_assert!(!over || live.state.ending() == Some(Ending::Cancelled));
            if status == Status::Sent {
                prop_assert!(live.state.audience().is_some());
            }
        }
        let starts = live.log.iter().filter(|event| matches!(event, BroadcastEvent::Started { .. })).count();
        prop_assert!(starts <= 1, "a start is a start once");
        live.assert_replays();
    }
}

#[test]
fn stored_bytes_stay() {
    let (at, author) = (Timestamp(1_795_165_200_000), Author::Member(MemberId(9)));
    let audience = FrozenAudience { recipients: 5, chunks: 1, duplicates: 2, without_consent: 3, unreachable: 4 };
    let odd = Plan { doubtful: Doubtful::Resend, send_until: None, rate_per_second: Some(80), ..plan() };
    check(
        include_str!("../../../../tests/golden/broadcast_events.txt"),
        &[
            BroadcastEvent::Created { workspace: WorkspaceId(1), plan: plan(), retries: None, at, author },
            BroadcastEvent::Created { workspace: WorkspaceId(1), plan: odd, retries: Some(BroadcastId(3)), at, author },
            BroadcastEvent::Edited { plan: odd, at, author },
            BroadcastEvent::Scheduled { starts_at: at, at, author },
            BroadcastEvent::Started { at, author: Author::System },
            BroadcastEvent::Halted { reason: HaltReason::MessagingLimit, at, author },
            BroadcastEvent::Lifted { reason: HaltReason::StoreDown, at, author },
            BroadcastEvent::RateChanged { per_second: None, at, author },
            BroadcastEvent::AudienceFrozen { audience, at },
            BroadcastEvent::ChunkTold { chunk: 9, open: false },
            BroadcastEvent::Completed { at },
            BroadcastEvent::Reopened { at },
            BroadcastEvent::Expired { at },
            BroadcastEvent::Cancelled { at, author },
            BroadcastEvent::Deleted { at, author },
            BroadcastEvent::KeyUsed { key: CommandKey { key: 1, body: 2 }, at },
        ],
    );
}
