//! What is there at the end: the server's conversations and broadcasts, and the provider's ledger.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::brand::text;
use crate::rest::Rest;

/// Connections that read threads.
const READERS: usize = 8;
/// Lines of a page of the ledger.
const LINES_MAX: usize = 20_000;
/// How long all of it may take.
const COLLECT_WITHIN: Duration = Duration::from_secs(300);

/// A message as its thread shows it at the end.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) at: String,
    pub(super) direction: String,
    pub(super) content: Value,
    pub(super) provider_id: Option<String>,
    pub(super) status: Option<String>,
}

/// A conversation at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    pub(super) id: String,
    pub(super) account: String,
    /// Newest first.
    pub(super) messages: Vec<Shown>,
}

/// A call that the provider had.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Call {
    pub(super) at_ms: u64,
    pub(super) number: String,
    pub(super) to: String,
    pub(super) token: Option<String>,
    #[serde(default)]
    pub(super) kind: String,
    pub(super) verdict: String,
    /// Of the refusal, or of the failure that a receipt tells.
    pub(super) code: Option<u32>,
    #[serde(default)]
    pub(super) receipts: Vec<Receipt>,
}

impl Call {
    /// Whether the recipient got it: it was taken, with an answer or without.
    pub(super) fn reached(&self) -> bool {
        matches!(&*self.verdict, "accepted" | "silent")
    }
}

/// What the provider told of it, and how often the server took that.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Receipt {
    pub(super) status: String,
    pub(super) taken: u32,
}

/// A customer's answer to what it got.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Answer {
    pub(super) wamid: String,
    /// The provider's id of the number that it is for, and the address that it is from.
    pub(super) number: String,
    pub(super) from: String,
    pub(super) text: String,
    pub(super) at_ms: u64,
    pub(super) taken: u32,
}

/// A recipient of a broadcast, as the server's ledger has it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Recipient {
    pub(super) recipient: String,
    /// None where it was erased.
    pub(super) address: Option<String>,
    pub(super) state: String,
    #[serde(default)]
    pub(super) replied: bool,
}

/// Reads every conversation with its thread.
pub(super) async fn threads(addr: SocketAddr, token: &str, since: &str) -> Result<Vec<Thread>> {
    let mut rest = Rest::open(addr, token).await?;
    let mut threads = Vec::new();
    pages(&mut rest, "/v1/inbox?limit=200", |line| {
        // The newest come first, and times are RFC 3339 in UTC: they sort as their letters do.
        if line["last_message_at"].as_str().is_some_and(|last| last < since) {
            return Ok(ControlFlow::Break(()));
        }
        let (id, account) = (text(&line, "id")?, text(&line, "account")?);
        threads.push(Thread { id, account, messages: Vec::new() });
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    let (all, next) = (Rc::new(RefCell::new(threads)), Rc::new(Cell::new(0)));
    let reading = (0..READERS).map(|_| {
        let (all, next, token) = (Rc::clone(&all), Rc::clone(&next), token.to_owned());
        tokio::task::spawn_local(async move {
            let mut rest = Rest::open(addr, &token).await?;
            loop {
                let place = next.replace(next.get() + 1);
                let Some(id) = all.borrow().get(place).map(|thread: &Thread| thread.id.clone()) else {
                    return anyhow::Ok(());
                };
                let mut messages = Vec::new();
                pages(&mut rest, &format!("/v1/conversations/{id}/messages?limit=200"), |shown| {
                    messages.push(serde_json::from_value(shown)?);
                    Ok(ControlFlow::Continue(()))
                })
                .await?;
                all.borrow_mut()[place].messages = messages;
            }
        })
    });
    let reading: Vec<_> = reading.collect();
    let read = async {
        for reader in reading {
            reader.await.context("a reader of threads panicked")??;
        }
        anyhow::Ok(())
    };
    timeout(COLLECT_WITHIN, read).await.context("reading every thread took too long")??;
    Ok(all.take())
}

/// Reads the server's ledger of a broadcast.
pub(super) async fn recipients(rest: &mut Rest, broadcast: &str) -> Result<Vec<Recipient>> {
    let mut recipients = Vec::new();
    pages(rest, &format!("/v1/broadcasts/{broadcast}/recipients?limit=200"), |line| {
        recipients.push(serde_json::from_value(line)?);
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    Ok(recipients)
}

/// Gives each item of all pages, until it is told to stop.
async fn pages(rest: &mut Rest, path: &str, mut take: impl FnMut(Value) -> Result<ControlFlow<()>>) -> Result<()> {
    let mut next = path.to_owned();
    loop {
        let mut page = rest.get(&next).await?;
        if let Value::Array(items) = page["items"].take() {
            for item in items {
                if take(item)?.is_break() {
                    return Ok(());
                }
            }
        }
        match page["next"].as_str() {
            Some(cursor) => next = format!("{path}&cursor={cursor}"),
            None => return Ok(()),
        }
    }
}

/// Reads the provider's ledger: every call it had.
pub(super) async fn calls(provider: &mut Rest) -> Result<Vec<Call>> {
    lines(provider, "/control/ledger").await
}

/// Reads what the provider's customers answered.
pub(super) async fn answers(provider: &mut Rest) -> Result<Vec<Answer>> {
    lines(provider, "/control/inbound").await
}

async fn lines<T: for<'a> Deserialize<'a>>(provider: &mut Rest, path: &str) -> Result<Vec<T>> {
    let mut all = Vec::new();
    loop {
        let page = format!("{path}?after={}&limit={LINES_MAX}", all.len());
        let text = provider.text(Method::GET, &page, bytes::Bytes::new()).await?;
        let before = all.len();
        for line in text.lines() {
            all.push(serde_json::from_str(line).with_context(|| format!("a line of {path}: {line}"))?);
        }
        if all.len() - before < LINES_MAX {
            return Ok(all);
        }
    }
}
