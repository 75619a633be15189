//! What must be true afterwards.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tidegate::providers::sandbox::{LedgerReader, Line};

use super::agents::Memory;
use super::customers::Traffic;
use crate::house::{eventually_within, http};
use crate::process::tenant::Tenant;

/// Readings under way at once.
const AT_ONCE: usize = 8;

/// Every message that was pushed is in its customer's thread, once.
pub(super) async fn every_message_is_in_its_thread_once(addr: SocketAddr, tenant: &Tenant, traffic: &Traffic) {
    let threads = threads(addr, tenant).await;
    let mut found: HashMap<String, usize> = HashMap::new();
    for (_, messages) in &threads {
        for message in messages.iter().filter(|message| message["direction"] == "in") {
            *found.entry(message["provider_id"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    for written in &traffic.0 {
        assert_eq!(found.get(&written.wamid), Some(&1), "{} of {}", written.wamid, written.customer);
    }
    assert_eq!(found.len(), traffic.0.len());
}

/// Every acknowledged reply left once by the provider's ledger, or is named in doubt; none left twice.
pub(super) async fn every_reply_left_once_or_is_in_doubt(
    addr: SocketAddr,
    tenant: &Tenant,
    agents: &[Memory],
    ledger: &LedgerReader,
    within: Duration,
) {
    let replies: Vec<(&String, &String)> = agents
        .iter()
        .flat_map(|memory| memory.replies.values())
        .filter_map(|(conversation, message)| Some((conversation, message.as_ref()?)))
        .collect();
    let refused: Vec<_> = agents.iter().map(|memory| &memory.refused).collect();
    assert!(replies.len() > 500, "only {} replies were taken, refused were {refused:?}", replies.len());
    let leaving = replies.iter().map(|(conversation, message)| async move {
        let path = format!("/v1/conversations/{conversation}/messages/{message}");
        let path = path.as_str();
        let status = eventually_within(within, "the reply has left", || async move {
            let answer = get(addr, tenant, path).await;
            let status = answer["status"].as_str().unwrap_or_default().to_owned();
            (status != "queued").then_some(status)
        })
        .await;
        (message.trim_start_matches("msg_"), status)
    });
    let statuses: Vec<(&str, String)> = stream::iter(leaving).buffer_unordered(AT_ONCE).collect().await;
    let counts = accepted(ledger);
    let mut in_doubt = 0;
    for (message, status) in &statuses {
        let left = counts.get(*message).copied().unwrap_or_default();
        match status.as_str() {
            "in_doubt" | "unconfirmed" => {
                in_doubt += 1;
                assert!(left <= 1, "{message} is in doubt and left {left} times");
            }
            "accepted" | "sent" | "delivered" | "read" => assert_eq!(left, 1, "{message} is {status}"),
            other => panic!("{message} is {other}"),
        }
    }
    let mut tokens: HashMap<String, usize> = HashMap::new();
    ledger
        .each(|line| {
            if let Line::Send(send) = line
                && send.outcome.is_accepted()
            {
                *tokens.entry(send.token.unwrap_or_default()).or_default() += 1;
            }
        })
        .expect("the ledger reads");
    assert!(tokens.values().all(|count| *count == 1), "some token left twice");
    // Kills strike within a call now and then, and not often: most replies have an outcome.
    assert!(in_doubt * 2 < replies.len(), "{in_doubt} of {} replies are in doubt", replies.len());
}

/// How often the provider accepted each message, whatever the attempt.
fn accepted(ledger: &LedgerReader) -> HashMap<String, usize> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    ledger
        .each(|line| {
            if let Line::Send(send) = line
                && send.outcome.is_accepted()
            {
                let token = send.token.unwrap_or_default();
                let message = token.split('.').nth(2).unwrap_or_default();
                *counts.entry(message.to_owned()).or_default() += 1;
            }
        })
        .expect("the ledger reads");
    counts
}

/// Each agent saw every event of the feed that an agent may see, and none twice on a connection.
pub(super) async fn every_event_was_seen_once(addr: SocketAddr, tenant: &Tenant, agents: &[Memory]) {
    for (memory, token) in agents.iter().zip(&tenant.agents) {
        assert_eq!(memory.doubled, 0, "events came twice on one connection");
        let mut feed = HashSet::new();
        // What happened before the agent first sat down is not the agent's to have seen.
        let mut path = format!("/v1/events?limit=200&cursor={}", memory.first_cursor);
        loop {
            let page = get_as(addr, token, &path).await;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            feed.extend(
                items
                    .iter()
                    .filter(|event| event["conversation"].is_string())
                    .filter_map(|event| event["id"].as_str().map(str::to_owned)),
            );
            match page["next"].as_str() {
                // A page may be empty though more follows; one that does not move on is the end.
                Some(next) if !path.ends_with(&format!("cursor={next}")) => {
                    path = format!("/v1/events?limit=200&cursor={next}");
                }
                _ => break,
            }
        }
        let missed: Vec<_> = feed.difference(&memory.seen).take(5).collect();
        assert!(missed.is_empty(), "the agent missed {missed:?} of {} events", feed.len());
        assert!(feed.len() > 10_000, "the feed has only {} events", feed.len());
    }
}

/// What webhooks alone decide of each customer: the thread in the provider's order, the window, consent, unread.
pub(super) async fn what_webhooks_decide(
    addr: SocketAddr,
    tenant: &Tenant,
    _traffic: &Traffic,
) -> BTreeMap<String, Value> {
    let judging = threads(addr, tenant).await.into_iter().map(|(line, messages)| async move {
        let id = line["id"].as_str().unwrap_or_default();
        let details = get(addr, tenant, &format!("/v1/conversations/{id}")).await;
        let customer = details["addresses"][0]["address"].as_str().unwrap_or_default().to_owned();
        let thread: Vec<Value> = messages
            .iter()
            .filter(|message| message["direction"] == "in")
            .map(|message| json!([message["provider_id"], message["at"], message["content"], message["context"]]))
            .collect();
        let mut ordered = thread;
        ordered.sort_by_key(|message| (message[1].to_string(), message[0].to_string()));
        let state = json!({
            "thread": ordered,
            "addresses": details["addresses"],
            "window_closes_at": line["window_closes_at"],
            "last_inbound_at": line["last_inbound_at"],
            "marketing_withdrawn": details["marketing_withdrawn"],
            "state": line["state"],
        });
        (customer, state)
    });
    stream::iter(judging).buffer_unordered(AT_ONCE).collect().await
}

/// Every conversation's line and its whole thread.
async fn threads(addr: SocketAddr, tenant: &Tenant) -> Vec<(Value, Vec<Value>)> {
    let mut lines = Vec::new();
    let mut path = "/v1/inbox?view=all&limit=200".to_owned();
    loop {
        let page = get(addr, tenant, &path).await;
        lines.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/inbox?view=all&limit=200&cursor={next}"),
            None => break,
        }
    }
    let reading = lines.into_iter().map(|line| async move {
        let id = line["id"].as_str().unwrap_or_default();
        let page = get(addr, tenant, &format!("/v1/conversations/{id}/messages?limit=200")).await;
        let messages = page["items"].as_array().cloned().unwrap_or_default();
        (line, messages)
    });
    stream::iter(reading).buffer_unordered(AT_ONCE).collect().await
}

async fn get(addr: SocketAddr, tenant: &Tenant, path: &str) -> Value {
    get_as(addr, &tenant.admin, path).await
}

async fn get_as(addr: SocketAddr, token: &str, path: &str) -> Value {
    http::call(addr, "GET", path, &[("authorization", &format!("Bearer {token}"))], Vec::new()).await.expect(200)
}
