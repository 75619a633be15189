//! The end of a run: what is under way comes to its end, then everything is read that there is.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::collect;
use super::oracle::Evidence;
use super::tape::Tape;
use crate::deliveries::epoch_seconds;
use crate::document::rfc_3339;
use crate::rest::Rest;

/// How often it is looked whether all has come to its end.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long one question of that may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the provider may be asked to wait for what it owes.
const DRAIN_MIN: Duration = Duration::from_secs(1);
const DRAIN_MAX: Duration = Duration::from_secs(120);
/// How long the last answers may take to leave: the pair of a number and a customer has a pause of seconds.
const SENT_WITHIN: Duration = Duration::from_secs(20);
/// How long after that all who may see a message may take to be told: what a server set aside is taken later.
const TOLD_WITHIN: Duration = Duration::from_secs(20);
/// Conversations in which nothing was written for longer were there before the run. Those whose window is shut wrote 25
/// hours ago, and no run lasts longer than 12.
const WRITTEN_WITHIN_S: u64 = 40 * 3_600;
/// How long the last effects may take.
const SETTLES: Duration = Duration::from_millis(1_500);

/// Waits until nothing is under way, or the time is over: then it tells why.
///
/// # Errors
/// The provider does not answer.
pub(super) async fn drain(
    tape: &Tape,
    rest: &mut Rest,
    provider: &mut Rest,
    writing: &[JoinHandle<()>],
    end: Instant,
) -> Result<Option<String>> {
    let mut moves = None;
    while Instant::now() < end {
        moves = still_moves(tape, rest, writing).await;
        if moves.is_none() {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    if moves.is_some() {
        return Ok(moves);
    }
    // Answers first, then the receipts of the last of them, then what these change.
    let sent_by = Instant::now() + SENT_WITHIN;
    while !all_sent(tape) && Instant::now() < sent_by {
        sleep(LOOK_EVERY).await;
    }
    let left = end.saturating_duration_since(Instant::now()).clamp(DRAIN_MIN, DRAIN_MAX);
    let order = json!({"deadline_ms": left.as_millis() as u64});
    let counts = provider.post_lasting("/control/drain", &order, left).await?;
    let told_by = Instant::now() + TOLD_WITHIN;
    while !all_told(tape) && Instant::now() < told_by {
        sleep(LOOK_EVERY).await;
    }
    sleep(SETTLES).await;
    let owed = counts["owed"].as_u64().unwrap_or_default();
    Ok((owed > 0).then(|| format!("{owed} receipts and answers of the provider were still on their way")))
}

/// What is still under way, if anything is.
async fn still_moves(tape: &Tape, rest: &mut Rest, writing: &[JoinHandle<()>]) -> Option<String> {
    let untaken = tape.untaken.get();
    if untaken > 0 {
        return Some(format!("{untaken} deliveries were not taken"));
    }
    if !writing.iter().all(JoinHandle::is_finished) {
        return Some("orders about broadcasts were not carried out".to_owned());
    }
    let asked = |reply: &&super::tape::Reply| reply.refused.is_none() && reply.message.is_none();
    let unanswered = tape.replies.borrow().iter().filter(asked).count() as u64 + tape.thinking.get();
    if unanswered > 0 {
        return Some(format!("{unanswered} commands of agents were not answered"));
    }
    let published: Vec<String> =
        tape.sent.borrow().iter().filter(|sent| sent.published_ms.is_some()).map(|sent| sent.id.clone()).collect();
    for id in published {
        let asked = timeout(ANSWER_WITHIN, rest.get(&format!("/v1/broadcasts/{id}"))).await;
        let Ok(Ok(shown)) = asked else { return Some(format!("{id} could not be read")) };
        if !rests(&shown) {
            return Some(format!("{id} was {} {} and had recipients waiting", shown["status"], shown["reasons"]));
        }
    }
    None
}

/// Whether nobody waits for a broadcast any more, or only for the portfolio's limit, which takes a day.
fn rests(shown: &Value) -> bool {
    let waiting = ["pending", "attempting"].iter().filter_map(|word| shown["counts"][word].as_u64()).sum::<u64>();
    let reasons = shown["reasons"].as_array().into_iter().flatten();
    let limited =
        shown["limited_by"] == "messaging_limit" || reasons.into_iter().any(|reason| reason == "messaging_limit");
    !shown["frozen"].is_null() && shown["status"] != "scheduled" && (waiting == 0 || limited)
}

/// Whether every answer of an agent has left or failed: one to a customer who had several lately waits its turn.
fn all_sent(tape: &Tape) -> bool {
    tape.replies.borrow().iter().all(|reply| reply.message.is_none() || reply.accepted || reply.failed)
}

/// Whether every agent is in and was told of all it may see since it is owed everything.
fn all_told(tape: &Tape) -> bool {
    let items = tape.items.borrow();
    tape.heard.borrow().iter().all(|heard| {
        heard.inside_since != Duration::MAX
            && items.iter().enumerate().all(|(item, known)| {
                let sees = heard.number.is_none_or(|number| number == known.written.number);
                let owed = sees && known.taken.is_some() && known.begun > heard.since;
                !owed || heard.told.get(item).is_some_and(|told| *told != 0)
            })
    })
}

/// Reads everything that the oracle asks for.
pub(super) async fn collect(
    evidence: &mut Evidence,
    addr: SocketAddr,
    token: &str,
    rest: &mut Rest,
    provider: &mut Rest,
) -> Result<()> {
    let counts = rest.get("/v1/inbox/counts").await?;
    evidence.conversations = counts["all"]["conversations"].as_u64().unwrap_or_default();
    let since = rfc_3339(epoch_seconds().saturating_sub(WRITTEN_WITHIN_S));
    evidence.threads = collect::threads(addr, token, &since).await.context("reading the threads")?;
    evidence.calls = collect::calls(provider).await.context("reading the provider's ledger")?;
    evidence.answers = collect::answers(provider).await.context("reading what customers answered")?;
    for sent in &evidence.sent {
        let shown: Value = rest.get(&format!("/v1/broadcasts/{}", sent.id)).await?;
        let recipients = collect::recipients(rest, &sent.id).await?;
        evidence.recipients.push((shown, recipients));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_rests_when_nobody_waits_or_only_for_the_limit() {
        for (shown, expected) in [
            (json!({"status": "sent", "frozen": {}, "counts": {"pending": 0, "read": 5}}), true),
            (json!({"status": "sending", "frozen": {}, "counts": {"attempting": 1}}), false),
            (json!({"status": "paused", "reasons": ["provider_down"], "frozen": {}, "counts": {"pending": 3}}), false),
            (json!({"status": "paused", "reasons": ["messaging_limit"], "frozen": {}, "counts": {"pending": 3}}), true),
            (
                json!({"status": "sending", "limited_by": "messaging_limit", "frozen": {}, "counts": {"pending": 3}}),
                true,
            ),
            (json!({"status": "scheduled", "frozen": null, "counts": {}}), false),
        ] {
            assert_eq!(rests(&shown), expected, "{shown}");
        }
    }
}
