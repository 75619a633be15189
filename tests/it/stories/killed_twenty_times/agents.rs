//! An agent who comes back after every fall, answers some customers, and remembers what was seen and acknowledged.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::house::socket::AgentSocket;

/// Every so many messages received, an agent answers one.
const ANSWERS_ONE_IN: usize = 29;

/// An agent who is done leaves after so long without news: longer than the provider's pause between two tries, and
/// than doubt lasts (`numbers.in_doubt_after`), for what the last kill left in doubt is told of when it ends.
const QUIET: Duration = Duration::from_secs(16);

/// What an agent remembers.
#[derive(Default)]
pub(crate) struct Memory {
    /// Ids of the events seen, each once whatever was replayed.
    pub(crate) seen: HashSet<String>,
    /// Where the feed stood when the agent first sat down.
    pub(crate) first_cursor: String,
    /// Events that came twice on one connection.
    pub(crate) doubled: usize,
    /// Replies that a rule refused, by its code.
    pub(crate) refused: BTreeMap<String, usize>,
    /// Replies by client id: the conversation, and the message once it was acknowledged.
    pub(crate) replies: BTreeMap<String, (String, Option<String>)>,
}

/// An agent at a socket.
pub(crate) struct Agent {
    done: Arc<AtomicBool>,
    sitting: JoinHandle<Memory>,
}

impl Agent {
    /// Sits down, and comes back after every fall.
    pub(crate) fn sit(number: usize, addr: SocketAddr, token: &str) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let (until, token) = (Arc::clone(&done), token.to_owned());
        let sitting = actix_web::rt::spawn(async move { work(number, addr, &token, &until).await });
        Self { done, sitting }
    }
}

/// Lets agents finish: every reply acknowledged, nothing new for a while.
pub(crate) async fn finish(agents: Vec<Agent>, within: Duration) -> Vec<Memory> {
    for agent in &agents {
        agent.done.store(true, Ordering::Release);
    }
    let mut memories = Vec::new();
    for agent in agents {
        let memory = tokio::time::timeout(within, agent.sitting).await.expect("the agent finishes in time");
        memories.push(memory.expect("the agent did not fail"));
    }
    memories
}

async fn work(number: usize, addr: SocketAddr, token: &str, done: &AtomicBool) -> Memory {
    let mut memory = Memory::default();
    let mut cursor = String::new();
    let mut received = 0_usize;
    loop {
        let Some(mut socket) = AgentSocket::try_connect(addr).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let hello = if cursor.is_empty() {
            json!({"type": "identify", "token": token})
        } else {
            json!({"type": "resume", "token": token, "cursor": cursor})
        };
        let mut here = HashSet::new();
        let mut entered = false;
        let mut news_at = Instant::now();
        if !socket.try_say(&hello).await {
            continue;
        }
        loop {
            let quiet = if done.load(Ordering::Acquire) { QUIET } else { Duration::from_secs(60) };
            let next = tokio::time::timeout_at(news_at + quiet, socket.try_next()).await;
            let object: Value = match next {
                // Nothing came for a while: everything that was decided has been shown.
                Err(_) if done.load(Ordering::Acquire) && memory.replies.values().all(|reply| reply.1.is_some()) => {
                    return memory;
                }
                Err(_) | Ok(None) => break,
                Ok(Some(object)) => object,
            };
            // A heart-beat is no news.
            if object["type"] != "heartbeat" {
                news_at = Instant::now();
            }
            if let Some(latest) = object["cursor"].as_str() {
                latest.clone_into(&mut cursor);
                if memory.first_cursor.is_empty() {
                    latest.clone_into(&mut memory.first_cursor);
                }
            }
            match object["type"].as_str().unwrap_or_default() {
                "ready" | "resumed" => {
                    entered = true;
                    // What was not acknowledged before the fall is said again, under the same id.
                    let open = memory.replies.iter().filter(|(_, reply)| reply.1.is_none());
                    for (client_id, (conversation, _)) in open {
                        socket.try_say(&send(conversation, client_id)).await;
                    }
                }
                "answer" => {
                    let client_id = object["ref"].as_str().unwrap_or_default();
                    if let Some(message) = object["ok"]["message"].as_str()
                        && let Some(reply) = memory.replies.get_mut(client_id)
                    {
                        reply.1 = Some(message.to_owned());
                    } else if object["problem"]["retryable"] == true {
                        if let Some((conversation, _)) = memory.replies.get(client_id) {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                            socket.try_say(&send(conversation, client_id)).await;
                        }
                    } else {
                        // A rule said no: it was never promised.
                        memory.replies.remove(client_id);
                        let code = object["problem"]["code"].as_str().unwrap_or_default().to_owned();
                        *memory.refused.entry(code).or_default() += 1;
                    }
                }
                _ => {}
            }
            let Some(id) = object["id"].as_str().filter(|_| object["seq"].is_u64()) else { continue };
            if !here.insert(id.to_owned()) {
                memory.doubled += 1;
            }
            if !memory.seen.insert(id.to_owned()) || object["type"] != "message.received" {
                continue;
            }
            received += 1;
            if received % ANSWERS_ONE_IN == number {
                let client_id = format!("reply-{number}-{received}");
                let conversation = object["conversation"].as_str().unwrap_or_default().to_owned();
                // What is replayed before the entrance is answered after it.
                if entered {
                    socket.try_say(&send(&conversation, &client_id)).await;
                }
                memory.replies.insert(client_id, (conversation, None));
            }
        }
    }
}

fn send(conversation: &str, client_id: &str) -> Value {
    json!({
        "type": "send", "ref": client_id, "conversation": conversation, "client_id": client_id,
        "content": {"type": "text", "body": format!("An answer ({client_id})")},
    })
}
