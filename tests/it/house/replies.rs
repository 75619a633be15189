//! Replies on their way to a provider that fails on order, and the ledger that says what it took.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::providers::sandbox::{Fault, FaultPlan, LedgerQuery, LedgerSummary, Line, NextFault, SendLine};

use super::whatsapp::{delivery, text};
use super::{House, eventually};

/// How far business time moves at each look.
const STEP: Duration = Duration::from_millis(100);

/// A text to send.
pub(crate) fn said(client_id: &str, body: &str) -> Value {
    json!({"client_id": client_id, "content": {"type": "text", "body": body}})
}

/// The seeded template with as many parameters as it wants.
pub(crate) fn order_update(client_id: &str) -> Value {
    json!({"client_id": client_id, "content": {
        "type": "template", "name": "order_update", "language": "en_US",
        "fills": [{"slot": {"type": "body"}, "parameters": [
            {"type": "text", "text": "Ada"}, {"type": "text", "text": "1042"},
        ]}],
    }})
}

/// A fault that strikes the next sends.
pub(crate) fn next(fault: Fault, times: u32) -> NextFault {
    NextFault { fault, times, to: None }
}

impl House {
    /// What goes wrong from now on.
    pub(crate) fn order(&self, next: Vec<NextFault>) {
        let plan = FaultPlan { next: next.into(), ..FaultPlan::default() };
        assert!(self.provider().order(plan));
    }

    /// The sandbox.
    pub(crate) fn provider(&self) -> &tidegate::providers::sandbox::SandboxHandle {
        self.sandbox.as_ref().expect("the sandbox runs")
    }

    /// What the provider says it took.
    pub(crate) fn ledger(&self) -> LedgerSummary {
        self.provider().ledger().summary(&LedgerQuery::default()).expect("the ledger reads")
    }

    /// Every send that the provider saw, in order.
    pub(crate) fn seen(&self) -> Vec<SendLine> {
        let mut seen = Vec::new();
        let take = |line| {
            if let Line::Send(line) = line {
                seen.push(line);
            }
        };
        self.provider().ledger().each(take).expect("the ledger reads");
        seen
    }

    /// A customer writes now, which takes a token of the number, and a second passes; the conversation they are in.
    pub(crate) async fn hears(&self, customer: &str, wamid: &str) -> String {
        let now = tidegate::clock::Clock::now(&*self.clock);
        assert_eq!(self.push(&delivery(&[text(customer, wamid, now, "Hello")], &[])).await.status, 200);
        self.advance(Duration::from_secs(1));
        self.conversation_of(wamid).await
    }

    /// The conversation that an inbound message is in.
    pub(crate) async fn conversation_of(&self, wamid: &str) -> String {
        let admin = self.token("ADMIN_TOKEN");
        eventually("the message is found", || async {
            let found = self.get(&format!("/v1/webhooks/{wamid}"), admin).await;
            (found.status == 200).then(|| found.json()["conversation"].as_str().unwrap_or_default().to_owned())
        })
        .await
    }

    /// A first reply goes out and is read: from then on the number's bucket fills by itself, and its next
    /// replies leave while business time stands still.
    pub(crate) async fn begins_to_send(&self) {
        let conversation = self.hears("15550009999", "wamid.first").await;
        let first = self.queue(&conversation, &said("first", "Good morning.")).await;
        self.goes(&first).await;
        self.advance(Duration::from_secs(1));
    }

    /// Queues a message; the path where its status stands.
    pub(crate) async fn queue(&self, conversation: &str, body: &Value) -> String {
        let messages = format!("/v1/conversations/{conversation}/messages");
        let sent = self.post(&messages, self.token("AGENT1_TOKEN"), body).await.expect(202);
        format!("{messages}/{}", sent["message"].as_str().unwrap_or_default())
    }

    /// A message as it is shown now.
    pub(crate) async fn shown(&self, path: &str) -> Value {
        self.get(path, self.token("ADMIN_TOKEN")).await.expect(200)
    }

    /// The message once its status is one of `statuses`; business time moves on meanwhile.
    pub(crate) async fn once(&self, path: &str, statuses: &[&str]) -> Value {
        eventually(&format!("{path} is one of {statuses:?}"), || {
            self.advance(STEP);
            self.if_is(path, statuses)
        })
        .await
    }

    /// The message once the provider's receipts say that it went: a few of the sandbox's customers never get theirs.
    pub(crate) async fn goes(&self, path: &str) -> Value {
        let shown = self.once(path, &["sent", "delivered", "read", "failed"]).await;
        assert_ne!(shown["status"], "failed", "{shown}");
        shown
    }

    /// The message once its status is one of `statuses`, while business time stands still.
    pub(crate) async fn once_still(&self, path: &str, statuses: &[&str]) -> Value {
        eventually(&format!("{path} is one of {statuses:?}"), || self.if_is(path, statuses)).await
    }

    async fn if_is(&self, path: &str, statuses: &[&str]) -> Option<Value> {
        let shown = self.shown(path).await;
        statuses.contains(&shown["status"].as_str()?).then_some(shown)
    }

    /// The seeded number as it is shown now.
    pub(crate) async fn account(&self) -> Value {
        let path = format!("/v1/accounts/{}", self.seeded.account);
        self.get(&path, self.token("ADMIN_TOKEN")).await.expect(200)
    }

    /// What may be sent in a conversation now, and why not.
    pub(crate) async fn explained(&self, conversation: &str) -> Value {
        let path = format!("/v1/conversations/{conversation}/explain/send");
        self.get(&path, self.token("ADMIN_TOKEN")).await.expect(200)
    }

    /// The events of a kind, from the beginning.
    pub(crate) async fn events(&self, kind: &str) -> Vec<Value> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/events?limit=200{cursor}");
            let page = self.get(&path, self.token("ADMIN_TOKEN")).await.expect(200);
            let items = page["items"].as_array().cloned().unwrap_or_default();
            let done = items.is_empty();
            found.extend(items.into_iter().filter(|event| event["type"] == kind));
            match page["next"].as_str().filter(|_| !done) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    }
}
