//! Tests of chunks: the ledger's rules by hand, and random histories held against what truly left.

mod histories;

use super::*;
use crate::domain::broadcast::{BLOCK_MAX, Evidence};
use crate::domain::golden::{Live, check};
use crate::domain::message::MessageStatus;
use crate::domain::outbound::ErrorClass;
use crate::domain::status::DOUBT;

const ACCOUNT: AccountId = AccountId(4);
const MINUTE: i64 = 60_000;
const PROCESS: u128 = 1;

pub(super) fn frozen(recipients: u16) -> Frozen {
    Frozen {
        workspace: WorkspaceId(1),
        broadcast: BroadcastId(2),
        chunk: 3,
        account: AccountId(4),
        recipients,
        send_until: Some(Timestamp(48 * 60 * MINUTE)),
    }
}

fn chunk(recipients: u16) -> Live<Chunk> {
    let mut live = Live::new(1);
    live.ask(0, ChunkCommand::Freeze { frozen: frozen(recipients) }).unwrap();
    live
}

fn claim(live: &mut Live<Chunk>, now: i64, claim: u128, take: &[u16]) -> Vec<(u16, u16)> {
    let asked = BlockClaim { claim, owner: PROCESS, take: take.to_vec(), ..BlockClaim::default() };
    match live.ask(now, ChunkCommand::ClaimBlock(asked)).unwrap().answer {
        ChunkAnswer::Claimed { recipients } => recipients,
        ChunkAnswer::Noted => panic!("a claim is answered with its recipients"),
    }
}

/// The open claim that a recipient is in; 0 where it is in none.
fn claim_of(live: &Live<Chunk>, index: u16) -> u128 {
    live.state.claims.iter().find(|open| open.recipients.contains(&index)).map_or(0, |open| open.claim)
}

fn outcome(live: &mut Live<Chunk>, now: i64, index: u16, attempt: u16, outcome: AttemptOutcome) {
    let claim = claim_of(live, index);
    live.ask(
        now,
        ChunkCommand::RecordOutcomes { claim, outcomes: vec![(index, attempt, outcome)], provider_ids: vec![] },
    )
    .unwrap();
}

fn receipt(live: &mut Live<Chunk>, now: i64, index: u16, attempt: u16, status: MessageStatus) {
    let evidence = vec![Evidence { index, attempt, status, refused: None }];
    live.ask(now, ChunkCommand::RecordReceipts { account: ACCOUNT, evidence }).unwrap();
}

fn state(live: &Live<Chunk>, index: u16) -> RecipientState {
    live.state.recipient(index).unwrap().state
}

fn refusal(class: ErrorClass) -> Refused {
    Refused { code: 131_049, class }
}

#[test]
fn a_chunk_is_frozen_once() {
    let mut live = Live::<Chunk>::new(1);
    let early = live.ask(0, ChunkCommand::ClaimBlock(BlockClaim::default())).unwrap_err();
    assert_eq!(early, Refusal::NotFound { what: "chunk" });
    for wrong in [0, 1_001] {
        let refused = live.ask(0, ChunkCommand::Freeze { frozen: frozen(wrong) }).unwrap_err();
        assert_eq!(refused.code(), "invalid");
    }
    live.ask(0, ChunkCommand::Freeze { frozen: frozen(3) }).unwrap();
    assert!(live.ask(1, ChunkCommand::Freeze { frozen: frozen(3) }).unwrap().events.is_empty());
    let other = live.ask(1, ChunkCommand::Freeze { frozen: frozen(4) }).unwrap_err();
    assert_eq!(other, Refusal::AlreadyExists { what: "chunk" });
    assert_eq!(*live.state.tally(), Tally::pending(3));
}

#[test]
fn who_is_claimed_is_claimed_by_nobody_else() {
    let mut live = chunk(4);
    assert_eq!(claim(&mut live, 1, 7, &[0, 1, 1, 9]), [(0, 1), (1, 1)], "each once, and nobody who is not there");
    assert_eq!(claim(&mut live, 2, 7, &[0, 1, 2]), [(0, 1), (1, 1)], "the same claim is the same block");
    assert_eq!(claim(&mut live, 2, 8, &[0, 1, 2]), [(2, 1)]);
    assert_eq!(live.state.due_recipients(Timestamp(2), 10), (vec![3], None));
    let many = BlockClaim { take: vec![3; BLOCK_MAX + 1], ..BlockClaim::default() };
    assert_eq!(live.ask(3, ChunkCommand::ClaimBlock(many)).unwrap_err().code(), "too_many");
    live.assert_replays();
}

#[test]
fn a_rule_keeps_some_from_leaving_and_some_for_a_while() {
    let mut live = chunk(3);
    let asked = BlockClaim {
        claim: 7,
        owner: PROCESS,
        take: vec![0, 1, 2],
        skip: vec![(0, SkipReason::OptedOut)],
        postpone: vec![(1, Timestamp(50))],
        threads: vec![],
    };
    let answer = live.ask(1, ChunkCommand::ClaimBlock(asked)).unwrap().answer;
    assert_eq!(answer, ChunkAnswer::Claimed { recipients: vec![(2, 1)] });
    assert_eq!(live.state.recipient(0).unwrap().skipped, Some(SkipReason::OptedOut));
    assert_eq!(live.state.due_recipients(Timestamp(49), 10), (vec![], Some(Timestamp(50))));
    assert_eq!(claim(&mut live, 50, 8, &[0, 1]), [(1, 1)], "who was skipped stays out");
    assert_eq!(live.state.tally().of(RecipientState::Attempting), 2);
    live.assert_replays();
}

#[test]
fn what_was_not_begun_waits_as_the_same_attempt_and_what_came_back_as_the_next() {
    let mut live = chunk(2);
    claim(&mut live, 1, 7, &[0, 1]);
    outcome(&mut live, 2, 0, 1, AttemptOutcome::Released);
    outcome(&mut live, 2, 1, 1, AttemptOutcome::CameBack { not_before: Timestamp(100) });
    assert_eq!((state(&live, 0), state(&live, 1)), (RecipientState::Pending, RecipientState::Pending));
    assert_eq!(claim(&mut live, 3, 8, &[0, 1]), [(0, 1)], "the other may not leave yet");
    assert_eq!(claim(&mut live, 100, 9, &[1]), [(1, 2)]);
    live.assert_replays();
}

#[test]
fn a_repeated_release_gives_back_nothing_that_was_claimed_since() {
    let mut live = chunk(1);
    claim(&mut live, 1, 7, &[0]);
    let released = ChunkCommand::RecordOutcomes {
        claim: 7,
        outcomes: vec![(0, 1, AttemptOutcome::Released)],
        provider_ids: vec![],
    };
    live.ask(2, released.clone()).unwrap();
    assert_eq!(claim(&mut live, 3, 8, &[0]), [(0, 1)], "the same attempt");
    assert!(live.ask(4, released).unwrap().events.is_empty());
    assert_eq!(state(&live, 0), RecipientState::Attempting);
}

#[test]
fn a_refusal_for_a_while_hides_no_evidence_about_another_attempt() {
    let mut live = chunk(1);
    claim(&mut live, 1, 7, &[0]);
    live.ask(2, ChunkCommand::DoubtClaims { owner: 2 }).unwrap();
    live.ask(2 + DOUBT.as_millis() as i64, ChunkCommand::Wake).unwrap();
    let now = 60 * MINUTE;
    live.ask(now, ChunkCommand::Resend { recipients: vec![0] }).unwrap();
    claim(&mut live, now, 8, &[0]);
    outcome(&mut live, now + 1, 0, 2, AttemptOutcome::CameBack { not_before: Timestamp(now + 2) });
    receipt(&mut live, now + 3, 0, 1, MessageStatus::Sent);
    assert_eq!(live.state.due_recipients(Timestamp(now + 4), 10).0, [0_u16; 0], "the first attempt has left");
    live.assert_replays();
}

#[test]
fn a_process_that_is_gone_leaves_doubt_that_evidence_or_time_ends() {
    let mut live = chunk(3);
    claim(&mut live, 1, 7, &[0, 1, 2]);
    outcome(&mut live, 2, 0, 1, AttemptOutcome::Accepted);
    assert!(live.state.has_claims_of_others(2));
    live.ask(1_000, ChunkCommand::DoubtClaims { owner: 2 }).unwrap();
    assert!(!live.state.has_claims_of_others(2));
    assert_eq!(live.state.tally().of(RecipientState::InDoubt), 2);
    assert_eq!(live.state.due(), Some(Timestamp(1_000) + DOUBT));
    receipt(&mut live, 2_000, 1, 1, MessageStatus::Sent);
    live.ask(999 + DOUBT.as_millis() as i64, ChunkCommand::Wake).unwrap();
    assert_eq!(state(&live, 2), RecipientState::InDoubt, "not a moment too early");
    live.ask(1_000 + DOUBT.as_millis() as i64, ChunkCommand::Wake).unwrap();
    assert_eq!((state(&live, 1), state(&live, 2)), (RecipientState::Sent, RecipientState::Unconfirmed));
    assert_eq!((live.state.tally().open(), live.state.due()), (0, None));
    assert_eq!(live.state.unconfirmed().collect::<Vec<_>>(), [2]);
    receipt(&mut live, 3_000_000, 2, 1, MessageStatus::Delivered);
    assert_eq!(state(&live, 2), RecipientState::Delivered, "late evidence corrects");
    live.assert_replays();
}

#[test]
fn an_operator_resends_or_drops_the_unconfirmed_and_evidence_stops_a_second_copy() {
    let mut live = chunk(3);
    claim(&mut live, 1, 7, &[0, 1, 2]);
    live.ask(2, ChunkCommand::DoubtClaims { owner: 2 }).unwrap();
    live.ask(2 + DOUBT.as_millis() as i64, ChunkCommand::Wake).unwrap();
    let now = 60 * MINUTE;
    live.ask(now, ChunkCommand::Drop { recipients: vec![0, 0, 9] }).unwrap();
    live.ask(now, ChunkCommand::Resend { recipients: vec![1, 2] }).unwrap();
    assert_eq!(live.state.unconfirmed().count(), 0);
    assert_eq!(live.state.due_recipients(Timestamp(now), 10).0, [1, 2]);
    receipt(&mut live, now + 1, 1, 1, MessageStatus::Accepted);
    assert_eq!(live.state.due_recipients(Timestamp(now + 1), 10).0, [2], "the first copy arrived after all");
    assert_eq!(claim(&mut live, now + 2, 8, &[1, 2]), [(2, 2)]);
    receipt(&mut live, now + 3, 2, 1, MessageStatus::Read);
    assert_eq!(
        state(&live, 2),
        RecipientState::Read,
        "the customer has the first copy, whatever becomes of the second"
    );
    live.assert_replays();
}

#[test]
fn the_platforms_cap_a_person_is_rested_once_and_not_past_the_end() {
    let capped = |attempt| Evidence {
        index: 0,
        attempt,
        status: MessageStatus::Failed,
        refused: Some(refusal(ErrorClass::Cap)),
    };
    let mut live = chunk(1);
    claim(&mut live, 1, 7, &[0]);
    outcome(&mut live, 2, 0, 1, AttemptOutcome::Accepted);
    for now in [3, 4] {
        live.ask(now, ChunkCommand::RecordReceipts { account: ACCOUNT, evidence: vec![capped(1)] }).unwrap();
    }
    let again = Timestamp(3) + CAP_REST;
    assert_eq!(live.state.recipient(0).unwrap().not_before, Some(again));
    receipt(&mut live, 5, 0, 1, MessageStatus::Sent);
    assert_eq!(state(&live, 0), RecipientState::Pending, "what was refused was not sent, in whatever order it is said");
    assert_eq!(claim(&mut live, again.millis(), 8, &[0]), [(0, 2)]);
    live.ask(again.millis() + 1, ChunkCommand::RecordReceipts { account: ACCOUNT, evidence: vec![capped(2)] }).unwrap();
    assert_eq!(state(&live, 0), RecipientState::Failed, "once");
    assert_eq!(live.state.recipient(0).unwrap().refused, Some(refusal(ErrorClass::Cap)));
    live.assert_replays();

    let mut late = chunk(1);
    let now = 25 * 60 * MINUTE;
    claim(&mut late, now, 7, &[0]);
    late.ask(now + 1, ChunkCommand::RecordReceipts { account: ACCOUNT, evidence: vec![capped(1)] }).unwrap();
    assert_eq!(state(&late, 0), RecipientState::Failed, "it would come back after the end of sending");
}

#[test]
fn after_the_end_nothing_leaves_and_nothing_waits() {
    for (how, ended) in [(Ending::Cancelled, RecipientState::Cancelled), (Ending::Expired, RecipientState::Skipped)] {
        let mut live = chunk(4);
        claim(&mut live, 1, 7, &[0, 1, 2]);
        live.ask(2, ChunkCommand::End { how }).unwrap();
        assert!(live.ask(3, ChunkCommand::End { how }).unwrap().events.is_empty());
        outcome(&mut live, 4, 0, 1, AttemptOutcome::Released);
        outcome(&mut live, 4, 1, 1, AttemptOutcome::CameBack { not_before: Timestamp(5) });
        outcome(&mut live, 4, 2, 1, AttemptOutcome::Accepted);
        assert_eq!([0, 1, 3].map(|index| state(&live, index)), [ended; 3]);
        assert_eq!((state(&live, 2), live.state.tally().open()), (RecipientState::Accepted, 0));
        let refused = live.ask(5, ChunkCommand::Resend { recipients: vec![0] }).unwrap_err();
        assert_eq!(refused, Refusal::WrongState { state: how.word(), action: "resend" });
        live.assert_replays();
    }
}

#[test]
fn a_reply_counts_once() {
    let mut live = chunk(2);
    for recipients in [vec![1, 1], vec![1, 5]] {
        live.ask(1, ChunkCommand::RecordReplies { recipients }).unwrap();
    }
    assert_eq!((live.state.tally().replied, live.log.len()), (1, 2));
    assert!(live.state.recipient(1).unwrap().replied);
}

#[test]
fn who_is_refused_at_once_for_the_platforms_cap_comes_back_once() {
    let mut live = chunk(1);
    let refused = Refused { code: 131_049, class: ErrorClass::Cap };
    let mut now = 1;
    for (attempt, state) in [(1, RecipientState::Pending), (2, RecipientState::Failed)] {
        assert_eq!(claim(&mut live, now, u128::from(attempt), &[0]), [(0, attempt)]);
        let outcomes = vec![(0, attempt, AttemptOutcome::Failed(refused))];
        let command = ChunkCommand::RecordOutcomes { claim: u128::from(attempt), outcomes, provider_ids: vec![] };
        live.ask(now, command).unwrap();
        let view = live.state.recipient(0).unwrap();
        assert_eq!(view.state, state);
        now = view.not_before.map_or(now, Timestamp::millis);
    }
    assert_eq!(now, 1 + 24 * 60 * MINUTE, "not before 24 hours");
}

#[test]
fn stored_bytes_stay() {
    let at = Timestamp(1_795_165_200_000);
    let refused = Refused { code: 131_026, class: ErrorClass::Unreachable };
    let evidence = vec![
        Evidence { index: 1, attempt: 1, status: MessageStatus::Read, refused: None },
        Evidence { index: 2, attempt: 1, status: MessageStatus::Failed, refused: Some(refused) },
    ];
    let outcomes = [
        AttemptOutcome::Accepted,
        AttemptOutcome::Failed(refused),
        AttemptOutcome::CameBack { not_before: at },
        AttemptOutcome::Doubted,
        AttemptOutcome::Released,
    ];
    let capped = AttemptOutcome::Capped { not_before: at };
    let outcomes = (0..).zip(outcomes).map(|(index, outcome)| (index, 1, outcome)).collect();
    check(
        include_str!("../../../../tests/golden/chunk_events.txt"),
        &[
            ChunkEvent::Frozen { frozen: frozen(1_000) },
            ChunkEvent::Frozen { frozen: Frozen { send_until: None, ..frozen(1) } },
            ChunkEvent::Skipped { recipients: vec![(4, SkipReason::OptedOut), (5, SkipReason::Expired)], at },
            ChunkEvent::Postponed { recipients: vec![(6, at)] },
            ChunkEvent::BlockClaimed { claim: 7, owner: 8, recipients: vec![0, 999], at },
            ChunkEvent::OutcomesRecorded { outcomes, at, doubt_until: at },
            ChunkEvent::ClaimsDoubted { claims: vec![7], at, doubt_until: at },
            ChunkEvent::EvidenceTaken { evidence, back: vec![(3, 1, at)], at },
            ChunkEvent::DoubtEnded { recipients: vec![1], at },
            ChunkEvent::Resent { recipients: vec![1], at },
            ChunkEvent::Dropped { recipients: vec![1], at },
            ChunkEvent::Replied { recipients: vec![1], at },
            ChunkEvent::Ended { how: Ending::Cancelled, at },
            ChunkEvent::Ended { how: Ending::Expired, at },
            ChunkEvent::OutcomesRecorded { outcomes: vec![(7, 1, capped)], at, doubt_until: at },
        ],
    );
}
