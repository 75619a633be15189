//! The receipts of sends: three each, of one number and one kind up to 100 a post, over few kept connections.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Target;
use crate::deliveries::{epoch_seconds, keyed, signature};
use crate::wire::{self, Connection};

/// Receipts of a post.
pub(crate) const BATCH_MAX: usize = 100;
/// Connections that post.
const POSTERS: usize = 8;
/// How long a batch waits to be full: between one and two of these.
const WAITS: Duration = Duration::from_millis(25);
/// How long after a refusal a post comes again, on a new connection, and how often.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
const AGAIN_MAX: u32 = 400;
/// What becomes of a message, in its order.
pub(crate) const KINDS: [&str; 3] = ["sent", "delivered", "read"];

/// A message that was taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Send {
    pub(crate) number: Box<str>,
    pub(crate) to: Box<str>,
    pub(crate) token: Box<str>,
    /// The id that the answer gave it.
    pub(crate) id: Box<str>,
}

/// What the server took.
#[derive(Default)]
pub(super) struct Posted {
    pub(super) receipts: AtomicU64,
    pub(super) posts: AtomicU64,
    pub(super) refused: AtomicU64,
    /// The status of the last refusal; 0 where the connection broke.
    pub(super) last_refusal: AtomicU64,
}

/// A message's id: its round's number and its own.
pub(super) fn wamid((round, number): (u64, u64)) -> String {
    format!("wamid.{:08x}{round:04x}{number:016x}", std::process::id())
}

/// Posts receipts on a thread of its own until the sender is gone.
pub(super) fn start(target: Target, posted: Arc<Posted>) -> Result<mpsc::UnboundedSender<Send>> {
    let (sender, sends) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || runtime.block_on(post_all(Arc::new(target), posted, sends)));
    Ok(sender)
}

async fn post_all(target: Arc<Target>, posted: Arc<Posted>, sends: mpsc::UnboundedReceiver<Send>) {
    let (ready, batches) = mpsc::unbounded_channel();
    let batches = Arc::new(Mutex::new(batches));
    let posters: Vec<_> = (0..POSTERS)
        .map(|_| tokio::spawn(post_batches(Arc::clone(&target), Arc::clone(&posted), Arc::clone(&batches))))
        .collect();
    gather(sends, &ready).await;
    drop(ready);
    for poster in posters {
        // One that failed leaves receipts missing, which the counts tell.
        let _ = poster.await;
    }
}

/// Makes batches of the sends of each number.
async fn gather(mut sends: mpsc::UnboundedReceiver<Send>, ready: &mpsc::UnboundedSender<Vec<Send>>) {
    // Each number's batch, and whether it has waited a turn.
    let mut waiting: HashMap<Box<str>, (Vec<Send>, bool)> = HashMap::new();
    let mut turns = interval(WAITS);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Who takes them is gone only at the end.
    let leave = |batch: Vec<Send>| drop(ready.send(batch));
    loop {
        tokio::select! {
            send = sends.recv() => {
                let Some(send) = send else { break };
                let (batch, waited) = waiting.entry(send.number.clone()).or_default();
                batch.push(send);
                if batch.len() >= BATCH_MAX {
                    leave(take(batch));
                    *waited = false;
                }
            }
            _ = turns.tick() => {
                for (batch, waited) in waiting.values_mut().filter(|(batch, _)| !batch.is_empty()) {
                    if std::mem::replace(waited, true) {
                        leave(take(batch));
                        *waited = false;
                    }
                }
            }
        }
    }
    waiting.into_values().map(|(batch, _)| batch).filter(|batch| !batch.is_empty()).for_each(leave);
}

async fn post_batches(
    target: Arc<Target>,
    posted: Arc<Posted>,
    batches: Arc<Mutex<mpsc::UnboundedReceiver<Vec<Send>>>>,
) -> Result<()> {
    // Opened with the first post: a server hangs up on whoever connects and says nothing.
    let mut connection = None;
    loop {
        let next = batches.lock().await.recv().await;
        let Some(batch) = next else { return Ok(()) };
        for kind in KINDS {
            let request = request(&target.path, &batch, kind);
            let mut tries = 0;
            loop {
                let open = match &mut connection {
                    Some(open) => open,
                    none => none.insert(Connection::open(target.addr).await?),
                };
                let status = match open.call(&request).await {
                    Ok(200) => break,
                    Ok(status) => u64::from(status),
                    Err(_) => 0,
                };
                posted.last_refusal.store(status, Ordering::Relaxed);
                posted.refused.fetch_add(1, Ordering::Relaxed);
                tries += 1;
                if tries > AGAIN_MAX {
                    bail!("a post was refused {tries} times");
                }
                // Whoever refuses may close the connection, too.
                connection = None;
                sleep(AGAIN_AFTER).await;
            }
            posted.posts.fetch_add(1, Ordering::Relaxed);
            posted.receipts.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
    }
}

/// A signed post of one kind of receipt of sends of one number.
pub(crate) fn request(path: &str, batch: &[Send], kind: &str) -> Vec<u8> {
    let number = batch.first().map_or("", |send| &send.number);
    let seconds = epoch_seconds();
    let pricing = match kind {
        "read" => "",
        _ => r#","pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"utility"}"#,
    };
    let mut statuses = String::with_capacity(batch.len() * 320);
    for send in batch {
        let comma = if statuses.is_empty() { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(
            statuses,
            r#"{comma}{{"id":"{}","status":"{kind}","timestamp":"{seconds}","recipient_id":"{}","biz_opaque_callback_data":"{}"{pricing}}}"#,
            send.id, send.to, send.token
        );
    }
    let body = format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"209900112233445","changes":[{{"field":"messages","value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"{number}","phone_number_id":"{number}"}},"statuses":[{statuses}]}}}}]}}]}}"#
    );
    let header = format!("x-hub-signature-256: {}\r\n", signature(&keyed(), body.as_bytes()));
    wire::post(path, &header, body.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn send(number: &str, id: u64) -> Send {
        Send {
            number: number.into(),
            to: "1556".into(),
            token: format!("b1.A.0.{id}.1").into(),
            id: wamid((1, id)).into(),
        }
    }

    #[test]
    fn a_post_is_signed_json_with_a_status_each() {
        let bytes = request("/webhooks/whatsapp/app", &[send("2065", 1), send("2065", 2)], "delivered");
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&signature(&keyed(), body.as_bytes())), "{head}");
        let body: Value = serde_json::from_str(body).unwrap();
        let value = &body["entry"][0]["changes"][0]["value"];
        assert_eq!(value["metadata"]["phone_number_id"], "2065");
        let statuses = value["statuses"].as_array().unwrap();
        assert_eq!((statuses.len(), &statuses[1]["status"]), (2, &Value::from("delivered")));
        assert_eq!(statuses[1]["biz_opaque_callback_data"], "b1.A.0.2.1");
        assert_ne!(statuses[0]["id"], statuses[1]["id"]);
    }

    #[test]
    fn a_batch_is_of_one_number_and_leaves_full_or_after_a_while() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (sender, sends) = mpsc::unbounded_channel();
            let (ready, mut batches) = mpsc::unbounded_channel();
            let gathering = tokio::spawn(async move { gather(sends, &ready).await });
            for id in 0..150 {
                sender.send(send("1", id)).ok().unwrap();
            }
            sender.send(send("2", 0)).ok().unwrap();
            let mut lengths = Vec::new();
            for _ in 0..3 {
                let batch: Vec<Send> = batches.recv().await.unwrap();
                assert!(batch.iter().all(|send| send.number == batch[0].number));
                lengths.push(batch.len());
            }
            assert_eq!(lengths[0], BATCH_MAX);
            lengths.sort_unstable();
            assert_eq!(lengths, [1, 50, BATCH_MAX]);
            sender.send(send("3", 0)).ok().unwrap();
            drop(sender);
            assert_eq!(batches.recv().await.unwrap().len(), 1);
            gathering.await.unwrap();
            assert!(batches.recv().await.is_none());
        });
    }
}
