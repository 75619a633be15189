//! Effects stay open in the log until their answer is in it.

use super::commands::{ACCOUNT, WORKSPACE, after, heard, of, tier};
use super::planter::{Planted, Planter};
use super::rig::{Carried, Rig};
use crate::domain::broadcast::BroadcastPlace;
use crate::domain::conversation::Conversation;
use crate::domain::effect::{Assignment, Effect, EffectId};
use crate::domain::ids::{AddressId, BroadcastId, ContactId, ConversationId, LimitScopeId, MessageId};
use crate::domain::inbound::LimitTier;
use crate::domain::limit::LimitScope;
use crate::domain::message::{Channel, MessageRef};
use crate::domain::outbound::ErrorClass;
use crate::shards::record::{EntryView, entries};
use crate::store::{Fault, Operation};

pub(super) fn trouble() -> Effect {
    Effect::NumberTrouble { account: ACCOUNT, code: 130_429, at: after(1), class: ErrorClass::RateNumber }
}

const PLACE: BroadcastPlace = BroadcastPlace { broadcast: BroadcastId(3), chunk: 1, index: 2, attempt: 1, claim: 9 };

/// One of each kind. The match makes sure that a new kind is not forgotten.
fn one_of_each() -> Vec<Effect> {
    let (conversation, contact) = (ConversationId(5), ContactId(6));
    let message = MessageRef { at: after(1), id: MessageId(7) };
    let (at, topic) = (after(2), "marketing".to_owned());
    let all = vec![
        Effect::Deliver { account: ACCOUNT, conversation, message, attempt: 1, queued_at: at },
        Effect::MarkRead { account: ACCOUNT, conversation, message },
        Effect::ObserveContact {
            workspace: WORKSPACE,
            contact,
            conversation,
            account: ACCOUNT,
            addresses: vec![AddressId(8)],
            at,
        },
        Effect::LinkConversation {
            to: conversation,
            from: ConversationId(9),
            first_inbound: Some(at),
            workspace: WORKSPACE,
            account: ACCOUNT,
            at,
        },
        Effect::AbsorbConversation { to: conversation, from: ConversationId(9), payload: vec![1, 2] },
        Effect::LinkContact { to: contact, from: ContactId(9), created_at: at, at },
        Effect::AbsorbContact { to: contact, from: ContactId(9), payload: vec![3] },
        Effect::CopyAssignment { conversation, contact, assignment: Assignment::default() },
        Effect::RecordConsent {
            workspace: WORKSPACE,
            contact,
            channel: Channel::WhatsApp,
            address: AddressId(8),
            topic,
            withdrawn: true,
            at,
        },
        trouble(),
        Effect::SetLimitTier { scope: LimitScopeId(4), tier: LimitTier::Unlimited, at },
        Effect::AttributeReply { conversation, message, places: vec![PLACE], stopped: true },
    ];
    for effect in &all {
        match effect {
            Effect::Deliver { .. }
            | Effect::MarkRead { .. }
            | Effect::ObserveContact { .. }
            | Effect::LinkConversation { .. }
            | Effect::AbsorbConversation { .. }
            | Effect::LinkContact { .. }
            | Effect::AbsorbContact { .. }
            | Effect::CopyAssignment { .. }
            | Effect::RecordConsent { .. }
            | Effect::NumberTrouble { .. }
            | Effect::SetLimitTier { .. }
            | Effect::AttributeReply { .. } => {}
        }
    }
    all
}

/// How often the log closes each effect.
fn closings(rig: &Rig, id: EffectId) -> usize {
    let closed = |payload: &[u8]| {
        let entries = entries(payload).unwrap();
        let ids =
            entries.into_iter().filter_map(|entry| if let EntryView::Closed(ids) = entry { Some(ids) } else { None });
        ids.flatten().filter(|closed| *closed == id).count()
    };
    rig.store.journal(0).iter().map(|record| closed(&record.payload)).sum()
}

/// Lets answered effects reach the log.
async fn until_closed(rig: &Rig) {
    rig.until(async |rig| {
        rig.advance(60);
        rig.open_effects().await == 0
    })
    .await;
}

#[actix::test]
async fn each_kind_runs_again_after_a_crash_until_it_is_closed_once() {
    for settled in [false, true] {
        for effect in one_of_each() {
            let rig = Rig::new().await;
            rig.seen.carried.send_replace(Carried::Hold);
            rig.ask::<Planter>(7, Planted::Effects(vec![effect.clone()])).await.unwrap();
            if settled {
                rig.shards.settle_all().await.unwrap();
            }
            assert_eq!(rig.open_effects().await, 1);
            let id = EffectId { shard: 0, position: 1, index: 0 };

            // Killed between commit and effect, twice.
            let second = rig.killed().await;
            second.until(async |rig| rig.seen.ran().len() == 1).await;
            let third = second.killed().await;
            third.until(async |rig| rig.seen.ran().len() == 1).await;
            assert_eq!(third.seen.ran(), [(id, effect.clone())], "{effect:?}");
            assert_eq!(closings(&third, id), 0);
            third.seen.carried.send_replace(Carried::Ok);
            until_closed(&third).await;
            assert_eq!(closings(&third, id), 1, "{effect:?}");

            let fourth = third.killed().await;
            fourth.breathe().await;
            assert_eq!((fourth.open_effects().await, fourth.seen.ran().len()), (0, 0), "{effect:?} settled {settled}");
        }
    }
}

#[actix::test]
async fn a_refusal_closes_an_effect_and_absence_lets_it_come_again() {
    let rig = Rig::new().await;
    rig.seen.carried.send_replace(Carried::Unavailable);
    rig.ask::<Planter>(7, Planted::Effects(vec![trouble(), trouble()])).await.unwrap();
    rig.until(async |rig| rig.seen.ran().len() >= 4).await;
    assert_eq!(rig.open_effects().await, 2);
    rig.seen.carried.send_replace(Carried::Refuse);
    until_closed(&rig).await;
    for index in 0..2 {
        assert_eq!(closings(&rig, EffectId { shard: 0, position: 1, index }), 1);
    }
}

#[actix::test]
async fn an_answer_that_did_not_reach_the_log_lets_the_effect_run_again() {
    let rig = Rig::new().await;
    rig.ask::<Conversation>(of(1), heard(1, 0)).await.unwrap();
    rig.until(async |rig| rig.seen.ran().len() == 1).await;
    rig.breathe().await;
    let next = rig.next_life();
    next.seen.carried.send_replace(Carried::Hold);
    next.open(&[actix::Arbiter::current()]).await.unwrap();
    next.until(async |rig| rig.seen.ran().len() == 1).await;
    assert_eq!(rig.seen.ran(), next.seen.ran());
}

#[actix::test]
async fn a_settling_whose_outcome_nobody_knows_does_not_bring_an_effect_back() {
    for fault in [Fault::UnknownApplied, Fault::UnknownNotApplied, Fault::Fail] {
        let rig = Rig::new().await;
        rig.seen.carried.send_replace(Carried::Hold);
        rig.ask::<Planter>(7, Planted::Effects(vec![trouble()])).await.unwrap();
        rig.store.faults().once(Operation::Settle, fault.clone());
        assert!(rig.shards.settle_all().await.is_err());
        rig.seen.carried.send_replace(Carried::Ok);
        until_closed(&rig).await;
        rig.ask::<LimitScope>(8, tier(10, 0)).await.unwrap();
        rig.shards.settle_all().await.unwrap();
        let next = rig.killed().await;
        next.breathe().await;
        assert_eq!((next.open_effects().await, next.seen.ran().len()), (0, 0), "{fault:?}");
    }
}

#[actix::test]
async fn open_effects_behind_thousands_of_closed_ones_are_found() {
    // The rows of the closed ones are stored; that they are closed is in the log alone.
    let rig = Rig::new().await;
    rig.seen.carried.send_replace(Carried::Hold);
    rig.ask::<Planter>(7, Planted::Effects(vec![trouble(); 2_100])).await.unwrap();
    rig.until(async |rig| rig.seen.ran().len() == 2_100).await;
    rig.shards.settle_all().await.unwrap();
    rig.seen.carried.send_replace(Carried::Ok);
    until_closed(&rig).await;
    rig.seen.carried.send_replace(Carried::Hold);
    rig.ask::<Planter>(7, Planted::Effects(vec![trouble()])).await.unwrap();
    let next = rig.killed().await;
    next.until(async |rig| !rig.seen.ran().is_empty()).await;
    assert_eq!(next.open_effects().await, 1);
}
