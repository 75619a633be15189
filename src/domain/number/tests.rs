//! Tests of numbers.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::author::Author;
use crate::domain::content::Content;
use crate::domain::effect::{Effect, EffectId};
use crate::domain::golden::{Live, check};
use crate::domain::ids::{ConversationId, MemberId, MessageId};
use crate::domain::inbound::{AccountEvent, LimitTier};
use crate::domain::message::MessageRef;
use crate::domain::outbound::ErrorClass;
use crate::domain::recall::{Asked, CommandKey};
use crate::domain::secret::Secret;

const ADMIN: Author = Author::Member(MemberId(1));

fn asked() -> Asked {
    Asked::by(ADMIN)
}

fn connection(token: Option<&str>, rate: Option<u32>) -> NumberCommand {
    let connection = Box::new(NewConnection {
        workspace: WorkspaceId(2),
        channel: Channel::WhatsApp,
        app: AppId(3),
        limit_scope: LimitScopeId(4),
        provider_id: "1065".to_owned(),
        business_id: Some("2077".to_owned()),
        base_url: Some("http://127.0.0.1:1".to_owned()),
        access_token: token.map(|token| Secret::new(token.to_owned())),
        display: Some("351210000000".to_owned()),
        rate_per_second: rate,
        shared_with_phone: false,
    });
    NumberCommand::Connect { asked: asked(), connection }
}

fn connected() -> Live<Number> {
    let mut live = Live::new(9);
    live.ask(0, connection(Some("first"), None)).unwrap();
    live
}

fn trouble(code: i64, class: ErrorClass, at: i64) -> NumberCommand {
    NumberCommand::NumberTrouble { code, class, at: Timestamp(at) }
}

fn said(event: AccountEvent, at: i64) -> NumberCommand {
    NumberCommand::ApplyAccountEvent { event, at: Timestamp(at) }
}

fn reason(live: &Live<Number>, now: i64) -> Option<&'static str> {
    match live.state.may_send(Timestamp(now)) {
        Err(Refusal::SendingPaused { reason, .. }) => Some(reason),
        _ => None,
    }
}

#[test]
fn a_dead_token_stops_it_until_there_is_a_new_one() {
    let mut live = connected();
    live.ask(5, trouble(190, ErrorClass::Auth, 5)).unwrap();
    assert_eq!(reason(&live, 6), Some("token"));
    let decision = live.ask(7, connection(Some("second"), None)).unwrap();
    assert_eq!(reason(&live, 8), None);
    assert!(decision.content.iter().any(|row| matches!(row, Content::Private { slot, value: Some(value), .. }
        if slot == SLOT_ACCESS_TOKEN && value == b"second")));
    live.ask(8, trouble(190, ErrorClass::Auth, 6)).unwrap();
    assert_eq!(reason(&live, 9), None, "what an older call met says nothing of the new token");
    live.assert_replays();
}

#[test]
fn secrets_and_digits_are_not_in_the_log() {
    for event in &connected().log {
        let stored = rmp_serde::to_vec(event).unwrap();
        for needle in [&b"first"[..], b"351210000000", b"127.0.0.1"] {
            assert!(!stored.windows(needle.len()).any(|part| part == needle));
        }
    }
}

#[test]
fn a_person_stops_and_resumes_it() {
    let mut live = connected();
    live.ask(1, NumberCommand::PauseSending { asked: asked() }).unwrap();
    assert_eq!(reason(&live, 1), Some("admin"));
    assert!(live.ask(2, NumberCommand::ClaimReplies { claims: vec![claim(1)] }).is_err());
    // Within the same millisecond, too.
    live.ask(1, NumberCommand::ResumeSending { asked: asked() }).unwrap();
    assert_eq!(reason(&live, 1), None);
    live.ask(3, trouble(131_042, ErrorClass::Account, 3)).unwrap();
    assert_eq!(reason(&live, 3), Some("restricted"));
    live.ask(4, said(AccountEvent::Reinstated, 4)).unwrap();
    assert_eq!(reason(&live, 4), None);
    live.assert_replays();
}

#[test]
fn a_restriction_ends_when_it_said_it_would() {
    let mut live = connected();
    let until = Some(Timestamp(1_000));
    live.ask(1, said(AccountEvent::Restricted { business_initiated: true, customer_initiated: false, until }, 1))
        .unwrap();
    assert_eq!(reason(&live, 2), None, "answers may leave");
    assert!(live.state.may_initiate(Timestamp(999)).is_err());
    assert!(live.state.may_initiate(Timestamp(1_000)).is_ok());
    assert_eq!(live.state.due(), until);
    live.ask(1_000, NumberCommand::Wake).unwrap();
    assert_eq!(live.state.due(), None);
    live.assert_replays();
}

#[test]
fn a_complaint_halves_the_rate_and_time_restores_it() {
    let mut live = connected();
    assert_eq!(live.state.rate_now(&Rules::default(), Timestamp(0)), 80);
    for at in [0, 10, 999] {
        live.ask(at, trouble(130_429, ErrorClass::RateNumber, at)).unwrap();
    }
    assert_eq!(live.state.rate_now(&Rules::default(), Timestamp(999)), 40, "one burst of complaints counts once");
    live.ask(1_000, trouble(130_429, ErrorClass::RateNumber, 1_000)).unwrap();
    assert_eq!(live.state.rate_now(&Rules::default(), Timestamp(1_000)), 20);
    assert_eq!(live.state.rate_now(&Rules::default(), Timestamp(1_000) + CLIMB_EVERY), 24);
    let whole = live.state.due().unwrap();
    assert_eq!(whole, Timestamp(1_000) + CLIMB_EVERY * 15);
    assert_eq!(live.state.rate_now(&Rules::default(), whole), 80);
    live.ask(whole.0, NumberCommand::Wake).unwrap();
    assert_eq!((live.state.due(), live.state.slow), (None, None));
    for second in 0..20 {
        live.ask(second * 1_000, trouble(130_429, ErrorClass::RateNumber, 1_000_000 + second * 1_000)).unwrap();
    }
    assert_eq!(live.state.rate_now(&Rules::default(), Timestamp(1_019_000)), 4, "never below a twentieth");
    live.assert_replays();
}

#[test]
fn what_concerns_one_message_leaves_the_number_alone() {
    let mut live = connected();
    for class in
        [ErrorClass::Window, ErrorClass::RatePair, ErrorClass::Content, ErrorClass::Template, ErrorClass::Retry]
    {
        assert!(live.ask(1, trouble(1, class, 1)).unwrap().events.is_empty());
    }
}

#[test]
fn the_lower_of_two_rates_stands() {
    let mut live = connected();
    live.ask(1, said(AccountEvent::ThroughputChanged { per_second: 1_000 }, 5)).unwrap();
    assert_eq!(live.state.rate_cap(&Rules::default()), 1_000);
    live.ask(2, said(AccountEvent::ThroughputChanged { per_second: 80 }, 4)).unwrap();
    assert_eq!(live.state.rate_cap(&Rules::default()), 1_000, "an older word");
    live.ask(3, connection(None, Some(50))).unwrap();
    assert_eq!(live.state.rate_cap(&Rules::default()), 50);
    assert!(live.ask(4, connection(None, Some(0))).is_err());
}

#[test]
fn a_changed_limit_is_told_to_the_portfolio() {
    let tier = LimitTier::Limited(10_000);
    let decision = connected().ask(1, said(AccountEvent::LimitChanged { tier }, 1)).unwrap();
    assert_eq!(decision.effects, [Effect::SetLimitTier { scope: LimitScopeId(4), tier, at: Timestamp(1) }]);
}

fn claim(number: u64) -> ReplyClaim {
    ReplyClaim {
        conversation: ConversationId(u128::from(number)),
        message: MessageRef { at: Timestamp(1), id: MessageId(u128::from(number)) },
        attempt: 1,
        effect: EffectId { shard: 1, position: number, index: 0 },
    }
}

#[test]
fn a_reply_is_claimed_once_and_open_until_its_outcome_is_known() {
    let mut live = connected();
    let ask = |live: &mut Live<Number>, numbers: &[u64]| {
        let claims = numbers.iter().copied().map(claim).collect();
        live.ask(5, NumberCommand::ClaimReplies { claims }).unwrap().answer
    };
    let version = live.state.version;
    assert_eq!(ask(&mut live, &[1, 2, 1]), NumberAnswer::Claimed { fresh: vec![true, true, false] });
    assert_eq!(ask(&mut live, &[2, 3]), NumberAnswer::Claimed { fresh: vec![false, true] });
    assert_eq!(live.state.open_claims().len(), 3);
    live.ask(6, NumberCommand::CloseClaims { effects: vec![claim(1).effect, claim(9).effect] }).unwrap();
    let open: Vec<u64> = live.state.open_claims().iter().map(|(claim, _)| claim.effect.position).collect();
    assert_eq!((open, live.state.version), (vec![2, 3], version));
    let many = (10..10 + CLAIMS_MAX as u64).map(claim).collect();
    assert!(matches!(live.ask(7, NumberCommand::ClaimReplies { claims: many }), Err(Refusal::TooMany { .. })));
    live.assert_replays();
}

#[test]
fn a_repeated_command_is_done_once() {
    let mut live = connected();
    let pause =
        || NumberCommand::PauseSending { asked: Asked { key: Some(CommandKey { key: 1, body: 1 }), ..asked() } };
    live.ask(1, pause()).unwrap();
    live.ask(2, NumberCommand::ResumeSending { asked: asked() }).unwrap();
    let again = live.ask(3, pause()).unwrap();
    assert!(matches!(again.answer, NumberAnswer::Saved { repeated: true, .. }));
    assert_eq!(reason(&live, 3), None);
}

proptest! {
    /// What the platform says ends in the same standing, in any order and however often.
    #[test]
    fn account_events_in_any_order_end_in_the_same_standing(
        said_at in prop::collection::vec((0..7_usize, 1..6_i64), 1..10),
        shuffle in prop::collection::vec(any::<u16>(), 20),
    ) {
        let event = |kind: usize, at: i64| match kind {
            0 => AccountEvent::Disabled { reason: String::new() },
            1 => AccountEvent::Reinstated,
            2 => AccountEvent::Restricted { business_initiated: true, customer_initiated: true, until: None },
            3 => AccountEvent::ThroughputChanged { per_second: 80 },
            4 => AccountEvent::ThroughputChanged { per_second: 1_000 },
            5 => AccountEvent::QualityChanged { quality: Quality::Low },
            _ => AccountEvent::Restricted {
                business_initiated: true,
                customer_initiated: false,
                until: Some(Timestamp(at + 1_000)),
            },
        };
        let mut other = said_at.clone();
        for (index, draw) in shuffle.into_iter().enumerate() {
            let (from, to) = (index % other.len(), usize::from(draw) % other.len());
            other.swap(from, to);
        }
        other.push(other[0]);
        let end = |items: &[(usize, i64)]| {
            let mut live = connected();
            for (kind, at) in items {
                live.ask(100, said(event(*kind, *at), *at)).unwrap();
            }
            live.assert_replays();
            let Number { provider_rate, quality, restriction, pauses, .. } = live.state;
            (provider_rate, quality, restriction, pauses)
        };
        prop_assert_eq!(end(&said_at), end(&other));
    }

    #[test]
    fn a_slow_number_only_climbs_between_complaints(at in 0..100_000_i64, later in 0..1_000_000_u64) {
        let slow = SlowDown::at_complaint(None, Timestamp(at)).unwrap();
        let then = Timestamp(at) + Duration::from_millis(later);
        prop_assert!(slow.permille_now(then) >= slow.permille);
        prop_assert_eq!(slow.permille_now(then) == 1_000, then >= slow.recovers_at());
    }
}

#[test]
fn stored_bytes_stay() {
    let (at, author) = (Timestamp(1_795_165_200_000), ADMIN);
    let connection = Box::new(Connection {
        workspace: WorkspaceId(2),
        channel: Channel::WhatsApp,
        app: AppId(3),
        limit_scope: LimitScopeId(4),
        provider_id: "1065".to_owned(),
        business_id: None,
        display: Some(5),
        rate_per_second: Some(80),
        shared_with_phone: true,
    });
    let restriction = Restriction { business_initiated: true, customer_initiated: false, until: Some(at) };
    check(
        include_str!("../../../tests/golden/number_events.txt"),
        &[
            NumberEvent::Connected { connection, at, author },
            NumberEvent::Disconnected { at, author },
            NumberEvent::RateChanged { per_second: 80, at },
            NumberEvent::QualityChanged { quality: Quality::Low, at },
            NumberEvent::RestrictionChanged { restriction: Some(restriction), at },
            NumberEvent::Paused { reason: PauseReason::Token, code: 190, at, author: Author::System },
            NumberEvent::Resumed { reason: PauseReason::Admin, at, author },
            NumberEvent::SlowedDown { permille: 500, code: 130_429, at },
            NumberEvent::Recovered { at },
            NumberEvent::RepliesClaimed { claims: vec![claim(7)], at },
            NumberEvent::ClaimsClosed { effects: vec![claim(7).effect] },
            NumberEvent::KeyUsed { key: CommandKey { key: 12, body: 13 }, at },
        ],
    );
}
