//! The database is not there when the server starts, stops answering, or dies in the middle of a broadcast: whoever
//! asks meanwhile hears when to come back, nothing that was acknowledged is lost, and all goes on by itself.
//!
//! `TIDEGATE_DATABASE_PAUSE` is how long the longer silence lasts, in seconds (20); with `TIDEGATE_RECIPIENTS` and
//! `TIDEGATE_NUMBERS`, see `killed_in_broadcasts`, broadcasts of 100,000 go through one of 60.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::killed_in_broadcasts::{SETTINGS, asked, through};
use crate::house::database::{Cassandra, Keyspaces};
use crate::house::threads::received;
use crate::house::whatsapp::{delivery, text};
use crate::house::{MORNING, eventually_within, http};
use crate::process::tenant::Tenant;
use crate::process::{Process, free_addr, migrated, operator_token};

/// How long a recovery may take, in machine time: a database starts within 10 s, a busy machine takes its time.
const RECOVERS_WITHIN: Duration = Duration::from_secs(120);

/// A server on a database of the test's own; none where stories run without one.
pub(super) async fn server(data: &Path, addr: SocketAddr, more: &[&str]) -> Option<(Process, Cassandra, Keyspaces)> {
    let (keyspaces, database) = Keyspaces::in_own_database()?;
    migrated(&keyspaces.settings());
    let settings = settings(&keyspaces);
    let settings: Vec<&str> = settings.iter().map(String::as_str).chain(SETTINGS).chain(more.iter().copied()).collect();
    let mut process = Process::launch(data, addr, &settings);
    process.ready().await;
    Some((process, database, keyspaces))
}

/// As an operator would have it who wants to know soon.
fn settings(keyspaces: &Keyspaces) -> Vec<String> {
    let mut settings = keyspaces.settings().to_vec();
    settings.push("cql.request_timeout=2s".to_owned());
    settings
}

/// What a probe is answered; 0 where nobody listens.
async fn status(addr: SocketAddr, path: &str) -> u16 {
    http::try_call(addr, "GET", path, &[], Vec::new()).await.map_or(0, |answer| answer.status)
}

#[actix_web::test]
async fn broadcasts_go_through_its_silence_and_its_death() {
    let (data, addr) = (tempfile::tempdir().expect("a folder"), free_addr());
    let Some((mut process, mut database, _)) = server(data.path(), addr, &[]).await else { return };
    let silence = Duration::from_secs(asked("TIDEGATE_DATABASE_PAUSE", 20) as u64);
    through(data.path(), addr, 3, async |number| match number {
        1 => {
            database.pause().expect("it stops");
            tokio::time::sleep(Duration::from_secs(3)).await;
            database.resume().expect("it goes on");
        }
        2 => {
            database.kill().expect("it dies");
            database.restart().expect("it starts");
        }
        _ => {
            database.pause().expect("it stops");
            tokio::time::sleep(silence).await;
            database.resume().expect("it goes on");
        }
    })
    .await;
    process.signal("TERM");
    assert_eq!(process.ended(Duration::from_secs(60)).await, 0, "it stops in order");
}

#[actix_web::test]
async fn nothing_acknowledged_is_lost_and_who_asks_meanwhile_comes_back() {
    let (data, addr) = (tempfile::tempdir().expect("a folder"), free_addr());
    let Some((mut process, mut database, _)) = server(data.path(), addr, &[]).await else { return };
    let tenant = Tenant::make(addr, &operator_token(data.path()), "http://127.0.0.1:9", 1).await;
    let push = async |wamid: &str| {
        let body = delivery(&[text("15551230001", wamid, MORNING, "Hello")], &[]);
        tenant.push(addr, &body).await.expect("it answers")
    };
    assert_eq!(push("wamid.before").await, 200);
    database.kill().expect("it dies");
    // Refused, so that the provider keeps it and comes again.
    assert_eq!(push("wamid.during").await, 503);
    let contact = json!({"identities": [{"channel": "whatsapp", "address": "15551230009"}]});
    let bearer = format!("Bearer {}", tenant.admin);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let refused = http::call(addr, "POST", "/v1/contacts", &headers, contact.to_string().into_bytes()).await;
    let problem = refused.expect(503);
    assert_eq!((&problem["code"], &problem["retryable"]), (&json!("unavailable"), &json!(true)));
    assert!(problem["retry_after"].as_u64().is_some_and(|seconds| seconds >= 1), "{problem}");
    let red = || async { (status(addr, "/readyz").await == 503).then_some(()) };
    eventually_within(RECOVERS_WITHIN, "it says that it is not ready", red).await;
    assert_eq!(status(addr, "/healthz").await, 200);
    database.restart().expect("it starts");
    process.ready().await;
    let taken = || async { (push("wamid.during").await == 200).then_some(()) };
    eventually_within(RECOVERS_WITHIN, "the provider comes again and is heard", taken).await;
    // Each shard opens again in its own time.
    let made = || async {
        let answer = http::call(addr, "POST", "/v1/contacts", &headers, contact.to_string().into_bytes()).await;
        (answer.status != 503).then_some(answer.status)
    };
    assert_eq!(eventually_within(RECOVERS_WITHIN, "the contact is made", made).await, 201);
    let expected = BTreeMap::from([("wamid.before".to_owned(), 1), ("wamid.during".to_owned(), 1)]);
    let both = || async { (received(addr, &tenant.admin).await == expected).then_some(()) };
    eventually_within(RECOVERS_WITHIN, "both messages are in the thread", both).await;
    process.signal("TERM");
    assert_eq!(process.ended(Duration::from_secs(60)).await, 0);
}

#[actix_web::test]
async fn a_server_that_starts_before_its_database_waits_for_it() {
    let (data, addr) = (tempfile::tempdir().expect("a folder"), free_addr());
    let Some((keyspaces, mut database)) = Keyspaces::in_own_database() else { return };
    let settings = settings(&keyspaces);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    // Without its tables it ends, for waiting does not make them.
    let mut early = Process::launch(data.path(), addr, &settings);
    assert_eq!(early.ended(RECOVERS_WITHIN).await, 2);
    migrated(&keyspaces.settings());
    database.kill().expect("it dies");
    let mut process = Process::launch(data.path(), addr, &settings);
    let alive = || async { (status(addr, "/healthz").await == 200).then_some(()) };
    eventually_within(RECOVERS_WITHIN, "it is alive", alive).await;
    assert_eq!(status(addr, "/readyz").await, 503);
    let refused = http::call(addr, "POST", "/webhooks/whatsapp/app_x", &[], Vec::new()).await;
    assert_eq!((refused.status, refused.problem(503)), (503, "unavailable".to_owned()));
    database.restart().expect("it starts");
    process.ready().await;
}
