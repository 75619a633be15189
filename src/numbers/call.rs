//! One call to a provider: written by the channel, carried by the client, read by the channel.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;

use super::account::Account;
use super::block::Letter;
use crate::broken::{self, Fault};
use crate::channels::{self, ChannelError, Learns};
use crate::domain::message::ProviderMessageId;
use crate::domain::outbound::{ErrorClass, Failure, OutboundMessage, SendOutcome};
use crate::providers::http::{CallRequest, CallResult, HttpClient};

/// How long a courtesy may take: nobody waits for it.
const COURTESY_WITHIN: Duration = Duration::from_secs(3);

/// Sends a message and says what is known about it.
pub(super) async fn send(client: &HttpClient, account: &Account, message: &OutboundMessage) -> SendOutcome {
    match channels::encode(account.channel, message, &account.sender) {
        Ok(call) => ask(client, account, &call.path, Bytes::from(call.body), Learns::Addresses).await,
        Err(error) => unwritable(&error),
    }
}

/// Sends a message of a block and says what is known about it.
pub(super) async fn deliver(client: &HttpClient, account: &Account, letter: Letter) -> SendOutcome {
    match letter {
        Letter::Written { path, body } => ask(client, account, &path, body, Learns::Nothing).await,
        Letter::InFull(message) => Box::pin(send(client, account, &message)).await,
    }
}

async fn ask(client: &HttpClient, account: &Account, path: &str, body: Bytes, learns: Learns) -> SendOutcome {
    let started = tokio::time::Instant::now();
    if broken::happens(Fault::SendTwice) {
        Box::pin(carry(client, account, path, body.clone(), None)).await;
    }
    let result = carry(client, account, path, body, None).await;
    metrics::histogram!("tidegate_provider_call_seconds").record(started.elapsed().as_secs_f64());
    match result {
        CallResult::NotSent(reason) => SendOutcome::NotSent { reason: reason.to_string() },
        CallResult::Unknown(reason) => SendOutcome::Unknown { reason: reason.to_string() },
        CallResult::Answered(answer) => {
            match channels::read_answer(account.channel, answer.status, &answer.body, answer.retry_after, learns) {
                Ok(outcome) => outcome,
                Err(error) => SendOutcome::Unknown { reason: error.to_string() },
            }
        }
    }
}

/// Marks a customer's message as read, or shows that somebody types.
pub(super) async fn courtesy(client: &HttpClient, account: &Account, message: &ProviderMessageId, typing: bool) {
    if let Ok(call) = channels::mark_read(account.channel, message, &account.sender, typing) {
        let result = carry(client, account, &call.path, Bytes::from(call.body), Some(COURTESY_WITHIN)).await;
        tracing::debug!(answered = matches!(result, CallResult::Answered(_)), "told the provider what was read");
    }
}

async fn carry(
    client: &HttpClient,
    account: &Account,
    path: &str,
    body: Bytes,
    deadline: Option<Duration>,
) -> CallResult {
    let request = CallRequest {
        base_url: &account.base_url,
        method: Method::POST,
        path,
        bearer: account.bearer.as_ref(),
        headers: &[],
        body,
        deadline,
    };
    client.call(request).await
}

/// What the channel cannot write was never sent, and trying again changes nothing.
fn unwritable(error: &ChannelError) -> SendOutcome {
    let failure = Failure { code: 0, class: ErrorClass::Content, sentence: error.to_string() };
    SendOutcome::Rejected { failure, retry_after: None }
}
