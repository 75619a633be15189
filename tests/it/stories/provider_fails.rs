//! Whatever the provider does with a send, the customer gets it at most once, and the desk is told the truth.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::providers::sandbox::{Fault, FaultPlan, NextFault, Outcome, ReceiptFaults};

use crate::house::House;
use crate::house::replies::{next, said};
use crate::house::whatsapp::{delivery, receipt};

const ANA: &str = "15551240001";
const BEN: &str = "15551240002";
/// Longer than any limiter's pause, and shorter than what fails a message.
const A_WHILE: Duration = Duration::from_secs(60);

async fn house() -> House {
    let house = House::with(&[("providers.call_timeout", "1s"), ("providers.connect_timeout", "500ms")]).await;
    house.begins_to_send().await;
    house
}

fn attempts(shown: &Value) -> usize {
    shown["attempts"].as_array().map_or(0, Vec::len)
}

/// Too fast, it is told: the number slows, the message waits, and leaves once.
#[actix_web::test]
async fn a_number_that_is_throttled_slows_and_the_message_leaves_once() {
    let house = house().await;
    let conversation = house.hears(ANA, "wamid.t").await;
    for (number, (fault, code)) in
        [(Fault::TooManyRequests, 4), (Fault::Code(130_429), 130_429)].into_iter().enumerate()
    {
        house.order(vec![next(fault, 1)]);
        let reply = house.queue(&conversation, &said(&format!("t{number}"), "Until six.")).await;
        let gone = house.goes(&reply).await;
        assert_eq!(attempts(&gone), 1, "{gone}");
        let ledger = house.ledger();
        assert_eq!((ledger.accepted, ledger.doubled), (number as u64 + 2, 0), "{ledger:?}");
        assert_eq!(ledger.rejected.get(&code), Some(&1), "{ledger:?}");
        assert_eq!(house.events("number.slowed_down").await.len(), number + 1);
        house.advance(A_WHILE);
    }
    assert_eq!(house.account().await["state"]["may_send"], true);
    assert!(house.stop().await);
}

/// Too many to one customer: that customer waits six seconds, another does not.
#[actix_web::test]
async fn only_the_pair_that_was_too_fast_waits() {
    let house = house().await;
    let (ana, ben) = (house.hears(ANA, "wamid.a").await, house.hears(BEN, "wamid.b").await);
    house.order(vec![NextFault { fault: Fault::Code(131_056), times: 1, to: Some(ANA.to_owned()) }]);
    let first = house.queue(&ana, &said("a", "One moment.")).await;
    // A shard that a slow database made begin anew has an empty bucket: the clock moves, by far less than the pause.
    let blink = || house.advance(Duration::from_millis(1));
    crate::house::eventually("the provider refused it", || {
        blink();
        async { (house.seen().len() == 2).then_some(()) }
    })
    .await;
    let other = house.queue(&ben, &said("b", "At once.")).await;
    crate::house::eventually("the other one has it", || {
        blink();
        async { (house.shown(&other).await["status"] == "accepted").then_some(()) }
    })
    .await;
    assert_eq!(house.shown(&first).await["status"], "queued");
    house.goes(&first).await;
    let seen = house.seen();
    let to_ana: Vec<_> = seen.iter().filter(|line| line.recipient == ANA).collect();
    assert_eq!((to_ana[0].code, to_ana[1].outcome), (Some(131_056), Outcome::Accepted));
    assert!(to_ana[1].at - to_ana[0].at >= 6_000, "{} after {}", to_ana[1].at, to_ana[0].at);
    assert_eq!(to_ana.len(), 2);
    assert!(house.events("number.slowed_down").await.is_empty());
    assert!(house.stop().await);
}

/// An error of the provider's own is no verdict on the message: it is tried again under the same attempt.
#[actix_web::test]
async fn a_provider_in_trouble_is_tried_again() {
    let house = house().await;
    let conversation = house.hears(ANA, "wamid.5").await;
    for (number, fault) in [Fault::ServerError, Fault::Code(131_000), Fault::Code(131_016)].into_iter().enumerate() {
        house.order(vec![next(fault, 2)]);
        let reply = house.queue(&conversation, &said(&format!("s{number}"), "Until six.")).await;
        let gone = house.goes(&reply).await;
        assert_eq!(attempts(&gone), 1, "{fault:?}: {gone}");
        let ledger = house.ledger();
        assert_eq!((ledger.accepted, ledger.doubled), (number as u64 + 2, 0), "{ledger:?}");
        house.advance(A_WHILE);
    }
    assert_eq!(house.seen().len(), 1 + 3 * 3);
    assert!(house.stop().await);
}

/// It was taken and nobody said so: in doubt, never sent again, and the receipt settles it.
#[actix_web::test]
async fn what_was_taken_without_an_answer_is_settled_by_its_receipt() {
    let house = house().await;
    let conversation = house.hears(ANA, "wamid.d").await;
    for (number, fault) in [Fault::Garbage, Fault::Hang, Fault::DropAfter].into_iter().enumerate() {
        house.order(vec![next(fault, 1)]);
        let reply = house.queue(&conversation, &said(&format!("d{number}"), "Until six.")).await;
        let doubtful = house.once_still(&reply, &["in_doubt", "accepted", "failed"]).await;
        assert_eq!(doubtful["status"], "in_doubt", "{fault:?}");
        let gone = house.goes(&reply).await;
        assert_eq!(attempts(&gone), 1, "{gone}");
        assert!(gone["provider_id"].as_str().is_some_and(|id| id.starts_with("wamid.")), "{gone}");
        let ledger = house.ledger();
        let taken = (ledger.accepted, ledger.accepted_unanswered, ledger.doubled);
        assert_eq!(taken, (number as u64 + 2, number as u64 + 1, 0), "{ledger:?}");
        house.advance(A_WHILE);
    }
    assert_eq!(house.seen().len(), 4, "nothing was sent twice");
    assert!(house.stop().await);
}

/// Nobody knows and nothing comes: after a quarter of an hour it is unconfirmed, and a person may try again.
#[actix_web::test]
async fn what_stays_in_doubt_becomes_unconfirmed_and_may_be_tried_again() {
    let house = house().await;
    let conversation = house.hears(ANA, "wamid.u").await;
    let agent = house.token("AGENT1_TOKEN").to_owned();
    for (number, fault) in [Fault::DropBefore, Fault::HangUnaccepted].into_iter().enumerate() {
        house.order(vec![next(fault, 1)]);
        let reply = house.queue(&conversation, &said(&format!("u{number}"), "Until six.")).await;
        house.once_still(&reply, &["in_doubt"]).await;
        let early = house.post(&format!("{reply}/retry"), &agent, &Value::Null).await;
        assert_eq!(early.problem(409), "wrong_state");
        house.advance(Duration::from_secs(14 * 60 + 55));
        assert_eq!(house.shown(&reply).await["status"], "in_doubt");
        house.advance(Duration::from_secs(6));
        house.once_still(&reply, &["unconfirmed"]).await;
        assert_eq!(house.ledger().accepted, number as u64 + 1, "nothing leaves again by itself");

        house.post(&format!("{reply}/retry"), &agent, &Value::Null).await.expect(202);
        let gone = house.goes(&reply).await;
        assert_eq!((attempts(&gone), &gone["attempts"][0]["status"]), (2, &json!("unconfirmed")), "{gone}");
        let ledger = house.ledger();
        let taken = (ledger.accepted, ledger.dropped, ledger.doubled);
        assert_eq!(taken, (number as u64 + 2, number as u64 + 1, 0), "{ledger:?}");
        house.advance(A_WHILE);
    }
    let tokens: std::collections::BTreeSet<_> = house.seen().into_iter().map(|line| line.token).collect();
    assert_eq!(tokens.len(), 5, "every attempt has a token of its own");
    assert!(house.stop().await);
}

/// Evidence that comes after the quarter of an hour still counts.
#[actix_web::test]
async fn late_evidence_corrects_unconfirmed() {
    let house = house().await;
    let conversation = house.hears(ANA, "wamid.l").await;
    let receipts = ReceiptFaults { lost: 1.0, ..ReceiptFaults::default() };
    let plan = FaultPlan { next: vec![next(Fault::DropAfter, 1)].into(), receipts, ..FaultPlan::default() };
    assert!(house.provider().order(plan));
    let reply = house.queue(&conversation, &said("l", "Until six.")).await;
    house.once_still(&reply, &["in_doubt"]).await;
    house.advance(Duration::from_secs(15 * 60 + 1));
    house.once_still(&reply, &["unconfirmed"]).await;
    let line = house.seen().pop().expect("it was taken");
    let now = tidegate::clock::Clock::now(&*house.clock);
    let late = receipt(line.wamid.as_deref().unwrap_or_default(), ANA, "delivered", now, line.token.as_deref());
    assert_eq!(house.push(&delivery(&[], &[late])).await.status, 200);
    let settled = house.once_still(&reply, &["delivered"]).await;
    assert_eq!(settled["provider_id"].as_str(), line.wamid.as_deref());
    let again = house.post(&format!("{reply}/retry"), house.token("AGENT1_TOKEN"), &Value::Null).await;
    assert_eq!(again.problem(409), "wrong_state");
    assert_eq!((house.ledger().accepted, house.ledger().doubled), (2, 0));
    assert!(house.stop().await);
}

/// Nobody listens: not a byte left, so the reply waits and leaves when the provider is back.
#[actix_web::test]
async fn a_provider_that_is_away_gets_the_reply_when_it_is_back() {
    let mut house = house().await;
    let conversation = house.hears(ANA, "wamid.c").await;
    let addr = house.provider_goes().await;
    let reply = house.queue(&conversation, &said("c", "Until six.")).await;
    for _ in 0..20 {
        house.advance(Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(house.shown(&reply).await["status"], "queued");
    house.provider_comes(addr);
    let gone = house.goes(&reply).await;
    assert_eq!(attempts(&gone), 1, "{gone}");
    let ledger = house.ledger();
    assert_eq!((ledger.accepted, ledger.doubled), (2, 0), "{ledger:?}");
    assert!(house.stop().await);
}
