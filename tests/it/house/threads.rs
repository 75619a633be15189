//! What REST tells of every thread.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use super::{eventually, http};

/// How often each message of a customer is in a thread, by the provider's id.
pub(crate) async fn received(addr: SocketAddr, token: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for (_, messages) in threads(addr, token).await {
        for message in messages.iter().filter(|message| message["direction"] == "in") {
            *found.entry(message["provider_id"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    found
}

/// Every conversation's line in the inbox, and its whole thread.
pub(crate) async fn threads(addr: SocketAddr, token: &str) -> Vec<(Value, Vec<Value>)> {
    let mut threads = Vec::new();
    for line in pages(addr, token, "/v1/inbox?view=all&limit=200").await {
        let id = line["id"].as_str().unwrap_or_default().to_owned();
        let messages = pages(addr, token, &format!("/v1/conversations/{id}/messages?limit=200")).await;
        threads.push((line, messages));
    }
    threads
}

/// Every item of a list, over all its pages.
async fn pages(addr: SocketAddr, token: &str, path: &str) -> Vec<Value> {
    let bearer = format!("Bearer {token}");
    let (mut items, mut next) = (Vec::new(), path.to_owned());
    loop {
        // A server that is full says when to come back, and a reader does.
        let (path_now, bearer) = (next.as_str(), bearer.as_str());
        let page = eventually("the server has room for a reader", || async move {
            let answer = http::call(addr, "GET", path_now, &[("authorization", bearer)], Vec::new()).await;
            (answer.status != 503).then_some(answer)
        })
        .await
        .expect(200);
        items.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => return items,
        }
    }
}
