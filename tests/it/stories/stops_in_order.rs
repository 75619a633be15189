//! A server that is told to stop finishes what it took, refuses what is new, and says with its code how it ended.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tidegate::app::Tokens;
use tidegate::clock::{Clock, Surroundings, WallClock};
use tidegate::domain::secret::Secret;
use tidegate::providers::sandbox::{
    Fault, FaultPlan, LedgerQuery, NextFault, Sandbox, SandboxHandle, SandboxOptions, WebhookOptions,
};

use crate::house::threads::{received, threads};
use crate::house::whatsapp::{delivery, signature, text};
use crate::house::{House, MORNING, eventually, http};
use crate::process::tenant::{SECRET, Tenant};
use crate::process::{Process, free_addr, operator_token};

const CUSTOMERS: usize = 12;
/// How long a process may take to end, in machine time.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

fn sandbox(folder: &Path) -> SandboxHandle {
    let webhook = WebhookOptions { app_secret: Secret::new(SECRET.to_owned()), ..WebhookOptions::default() };
    let options = SandboxOptions { folder: folder.to_owned(), webhook, ..SandboxOptions::default() };
    Sandbox::start(options, Surroundings::real()).expect("the sandbox starts")
}

fn customer(number: usize) -> String {
    format!("1555300{number:04}")
}

async fn accepted(sandbox: &SandboxHandle, at_least: u64) {
    eventually("the provider was called", || async {
        let ledger = sandbox.ledger().summary(&LedgerQuery::default()).expect("the ledger reads");
        (ledger.accepted >= at_least).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn what_was_taken_is_finished_and_the_next_start_finds_it() {
    let (data, witness) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let addr = free_addr();
    let mut process = Process::start(data.path(), addr, &[]).await;
    let sandbox = sandbox(witness.path());
    let tenant = Arc::new(Tenant::make(addr, &operator_token(data.path()), &sandbox.base_url(), 1).await);
    let now = WallClock::new().now();
    for number in 0..CUSTOMERS {
        let first = delivery(&[text(&customer(number), &format!("wamid.first.{number}"), now, "Hello")], &[]);
        assert_eq!(tenant.push(addr, &first).await, Some(200));
    }
    // Calls take a while, so that the stop finds them under way.
    assert!(sandbox.order(FaultPlan { latency_ms: 1_500, ..FaultPlan::default() }));
    let mut replies = Vec::new();
    for (line, _) in threads(addr, &tenant.admin).await {
        let conversation = line["id"].as_str().expect("an id").to_owned();
        let message = tenant.reply(addr, &conversation, "reply").await;
        replies.push((conversation, message));
    }
    assert_eq!(replies.len(), CUSTOMERS);
    let taken = Arc::new(Mutex::new(BTreeSet::new()));
    let lines: Vec<_> = (0..4)
        .map(|line| {
            let (tenant, taken) = (Arc::clone(&tenant), Arc::clone(&taken));
            actix_web::rt::spawn(async move {
                for number in 0.. {
                    let wamid = format!("wamid.{line}.{number}");
                    let pushed = delivery(&[text(&customer(number % CUSTOMERS), &wamid, now, "And?")], &[]);
                    match tenant.push(addr, &pushed).await {
                        Some(200) => taken.lock().expect("a lock").insert(wamid),
                        Some(503) | None => return,
                        Some(other) => panic!("a webhook was answered {other}"),
                    };
                }
            })
        })
        .collect();
    accepted(&sandbox, 1).await;
    eventually("webhooks are under way", || async { (taken.lock().expect("a lock").len() > 20).then_some(()) }).await;
    process.signal("TERM");
    let refused = eventually("the routes are closed", || async {
        let bearer = format!("Bearer {}", tenant.admin);
        let answer = http::try_call(addr, "GET", "/v1/inbox", &[("authorization", &bearer)], Vec::new()).await;
        answer.filter(|answer| answer.status == 503)
    })
    .await;
    assert_eq!(refused.problem(503), "unavailable");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(process.ended(ENDS_WITHIN).await, 0);
    for line in lines {
        line.await.expect("the pushing ends");
    }

    let mut again = Process::start(data.path(), addr, &[]).await;
    let found = received(addr, &tenant.admin).await;
    let taken = taken.lock().expect("a lock").clone();
    for wamid in &taken {
        assert_eq!(found.get(wamid), Some(&1), "{wamid} of {}", taken.len());
    }
    assert!(found.values().all(|times| *times == 1), "{found:?}");
    // A call that was under way has its outcome; a reply that had not begun leaves now.
    assert!(sandbox.order(FaultPlan::default()));
    for (conversation, message) in &replies {
        let status = eventually("the reply has left", || async {
            let status = tenant.status(addr, conversation, message).await;
            (status != "queued").then_some(status)
        })
        .await;
        assert_ne!(status, "in_doubt", "{message}");
    }
    let ledger = sandbox.ledger().summary(&LedgerQuery::default()).expect("the ledger reads");
    assert_eq!((ledger.accepted as usize, ledger.doubled), (CUSTOMERS, 0), "{ledger:?}");
    again.kill();
}

/// The sandbox inside the process answers what is under way before it ends.
#[actix_web::test]
async fn the_sandbox_inside_outlives_the_calls_to_it() {
    let data = tempfile::tempdir().expect("a folder");
    let (addr, listen) = (free_addr(), format!("sandbox.listen={}", free_addr()));
    let settings = ["sandbox.enabled=true", &listen, "sandbox.latency=1s", "sandbox.customers_per_minute=0"];
    let settings = [&settings[..], &["seed.contacts=1"]].concat();
    let mut process = Process::start(data.path(), addr, &settings).await;
    let tokens = eventually("the seed is taken", || async {
        Tokens::read(data.path()).ok().filter(|tokens| tokens.get("AGENT1_TOKEN").is_some())
    })
    .await;
    let bearer = format!("Bearer {}", tokens.get("ADMIN_TOKEN").expect("made"));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let apps = http::call(addr, "GET", "/v1/apps", &headers, Vec::new()).await.expect(200);
    let body = delivery(&[text(&customer(0), "wamid.first", WallClock::new().now(), "Hello")], &[]).to_string();
    let signature = signature("sandbox-app-secret", body.as_bytes());
    let path = apps["items"][0]["webhook_path"].as_str().expect("a path").to_owned();
    let pushed = http::call(addr, "POST", &path, &[("x-hub-signature-256", &signature)], body.into_bytes()).await;
    assert_eq!(pushed.status, 200);
    let admin = tokens.get("ADMIN_TOKEN").expect("made");
    let conversation = threads(addr, admin).await[0].0["id"].as_str().expect("an id").to_owned();
    let said = json!({"client_id": "reply", "content": {"type": "text", "body": "An answer"}}).to_string();
    let messages = format!("/v1/conversations/{conversation}/messages");
    let queued = http::call(addr, "POST", &messages, &headers, said.into_bytes()).await.expect(202);
    eventually("the call is under way", || async {
        let metrics = http::call(addr, "GET", "/metrics", &[], Vec::new()).await;
        String::from_utf8_lossy(&metrics.body).contains("tidegate_provider_calls_under_way 1").then_some(())
    })
    .await;
    process.signal("TERM");
    assert_eq!(process.ended(ENDS_WITHIN).await, 0);
    let mut again = Process::start(data.path(), addr, &settings).await;
    let path = format!("{messages}/{}", queued["message"].as_str().expect("a message"));
    let shown = http::call(addr, "GET", &path, &headers, Vec::new()).await.expect(200);
    let status = shown["status"].as_str().unwrap_or_default();
    assert!(["accepted", "sent", "delivered", "read"].contains(&status), "{shown}");
    again.kill();
}

#[actix_web::test]
async fn told_twice_it_ends_at_once_and_names_what_was_under_way() {
    let (data, witness) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (addr, said) = (free_addr(), tempfile::tempdir().expect("a folder"));
    let mut process = Process::watched(data.path(), addr, &[], said.path()).await;
    let sandbox = sandbox(witness.path());
    let tenant = Tenant::make(addr, &operator_token(data.path()), &sandbox.base_url(), 1).await;
    let first = delivery(&[text(&customer(0), "wamid.first", WallClock::new().now(), "Hello")], &[]);
    assert_eq!(tenant.push(addr, &first).await, Some(200));
    let hang = NextFault { fault: Fault::Hang, times: 1, to: None };
    assert!(sandbox.order(FaultPlan { next: [hang].into(), ..FaultPlan::default() }));
    let conversation = threads(addr, &tenant.admin).await[0].0["id"].as_str().expect("an id").to_owned();
    let message = tenant.reply(addr, &conversation, "reply").await;
    eventually("the call is under way", || async {
        let mut calls = 0;
        sandbox.ledger().each(|_| calls += 1).expect("the ledger reads");
        (calls > 0).then_some(())
    })
    .await;
    process.signal("TERM");
    eventually("it is stopping", || async {
        let answer = http::try_call(addr, "GET", "/readyz", &[], Vec::new()).await;
        answer.filter(|answer| answer.status == 503).map(drop)
    })
    .await;
    process.signal("TERM");
    assert_eq!(process.ended(Duration::from_secs(5)).await, 70);
    let words = std::fs::read_to_string(said.path().join("stderr")).expect("it said something");
    assert!(words.contains("told twice to stop"), "{words}");

    let mut again = Process::start(data.path(), addr, &[]).await;
    eventually("the call without an outcome is in doubt", || async {
        (tenant.status(addr, &conversation, &message).await == "in_doubt").then_some(())
    })
    .await;
    again.kill();
}

/// A stop with a deadline that a call exceeds says that not everything was finished; the next start names it.
#[actix_web::test]
async fn a_stop_that_takes_too_long_is_cut_short() {
    let mut house = House::new().await;
    let agent = house.token("AGENT1_TOKEN").to_owned();
    let pushed = delivery(&[text("15551230001", "wamid.q", MORNING, "Are you open?")], &[]);
    assert_eq!(house.push(&pushed).await.status, 200);
    let hang = NextFault { fault: Fault::Hang, times: 1, to: None };
    let sandbox = house.sandbox.as_ref().expect("it runs");
    assert!(sandbox.order(FaultPlan { next: [hang].into(), ..FaultPlan::default() }));
    let conversation = threads(house.addr(), &agent).await[0].0["id"].as_str().expect("an id").to_owned();
    let said = json!({"client_id": "reply", "content": {"type": "text", "body": "Until six."}});
    house.post(&format!("/v1/conversations/{conversation}/messages"), &agent, &said).await.expect(202);
    eventually("the call is under way", || {
        house.advance(Duration::from_millis(500));
        let edge = Arc::clone(&house.running().edge);
        async move { (edge.numbers.calls_under_way() > 0).then_some(()) }
    })
    .await;
    let running = house.running.take().expect("the server runs");
    assert!(!running.stop(Duration::from_millis(300)).await, "the call was still under way");
}
