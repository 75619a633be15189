//! Posts what is owed to the front door, signed, until it is taken.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, Mac};
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use sha2::Sha256;
use tokio::sync::Semaphore;

use super::State;
use super::ledger::{Line, PostedLine};
use super::owed::Item;
use super::webhook_body;
use crate::domain::secret::Secret;
use crate::providers::http::{BaseUrl, CallRequest, CallResult, HttpClient, HttpOptions};

/// Where webhooks go.
pub(super) struct FrontDoor {
    pub(super) url: BaseUrl,
    client: HttpClient,
}

impl FrontDoor {
    pub(super) fn new(url: BaseUrl, in_flight_max: usize) -> Self {
        let options = HttpOptions { connections_max: in_flight_max, ..HttpOptions::default() };
        Self { url, client: HttpClient::new(options) }
    }
}

/// Posts for as long as the sandbox runs.
pub(super) async fn post_all(state: Arc<State>) {
    let slots = Arc::new(Semaphore::new(state.options.webhook.in_flight_max.max(1)));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let clock = &*state.surroundings.clock;
        state.owed.due(clock).await;
        if state.options.webhook.linger_ms > 0 {
            tokio::time::sleep(Duration::from_millis(state.options.webhook.linger_ms)).await;
        }
        let items = state.owed.take_due(clock.now(), state.options.webhook.batch_max.max(1));
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            post(&state, &items).await;
            state.owed.taken(items.len());
            drop(slot);
        });
    }
}

async fn post(state: &State, items: &[Item]) {
    let Some(door) = &state.front_door else {
        return;
    };
    let body = match webhook_body::body(items, &state.options.numbers) {
        Ok(body) => Bytes::from(body),
        Err(error) => return tracing::error!(%error, "a webhook cannot be written"),
    };
    let options = &state.options.webhook;
    let Some(signature) = signature(&options.app_secret, &body) else {
        return tracing::error!("the app secret cannot sign");
    };
    let headers = [(HeaderName::from_static("x-hub-signature-256"), signature)];
    let mut wait_ms = options.backoff_ms.max(1);
    loop {
        let call = CallRequest {
            base_url: &door.url,
            method: Method::POST,
            path: "",
            bearer: None,
            headers: &headers,
            body: body.clone(),
            deadline: Some(Duration::from_millis(options.deadline_ms)),
        };
        match door.client.call(call).await {
            CallResult::Answered(answer) if answer.status == 200 => break,
            CallResult::Answered(answer) => tracing::debug!(status = answer.status, "the front door refused"),
            CallResult::NotSent(reason) => tracing::debug!(%reason, "the front door is not there"),
            CallResult::Unknown(reason) => tracing::debug!(%reason, "the front door did not answer"),
        }
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        wait_ms = wait_ms.saturating_mul(2).min(options.backoff_max_ms.max(1));
    }
    let at = state.surroundings.clock.now().millis();
    let items = items.iter().map(|item| (item.number, item.index)).collect();
    if let Err(error) = state.ledger.append(|n| Line::Posted(PostedLine { n, at, items })).await {
        // They are owed again after a restart; the front door knows them by their ids.
        tracing::warn!(%error, "a taken webhook is not in the ledger");
    }
}

/// `X-Hub-Signature-256` of `body`.
fn signature(secret: &Secret<String>, body: &[u8]) -> Option<HeaderValue> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(body);
    HeaderValue::try_from(format!("sha256={}", hex::encode(mac.finalize().into_bytes()))).ok()
}
