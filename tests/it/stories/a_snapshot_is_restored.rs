//! The database's keyspaces are lost, and come back from a snapshot that was taken while webhooks came in: everything that
//! was acknowledged before it began is in its thread once, and the server goes on from there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::the_database_goes::server;
use crate::house::MORNING;
use crate::house::database::Cassandra;
use crate::house::eventually_within;
use crate::house::threads::received;
use crate::house::whatsapp::{delivery, text};
use crate::process::tenant::Tenant;
use crate::process::{Process, free_addr, migrated, operator_token};

const TAG: &str = "nightly";
/// Messages of a delivery, each of another customer.
const MESSAGES: usize = 20;
const CUSTOMERS: usize = MESSAGES;
/// Deliveries before the snapshot begins.
const BEFORE: usize = 60;
/// How long everything may take to be in its thread, in machine time.
const QUIET_WITHIN: Duration = Duration::from_secs(120);

/// Pushes the delivery of a number, and tells whether it was acknowledged.
async fn push(tenant: &Tenant, addr: std::net::SocketAddr, number: usize) -> bool {
    let messages: Vec<_> = wamids(number)
        .enumerate()
        .map(|(index, wamid)| {
            // The last before the snapshot are of new customers: their states are in no row when it begins.
            let known = !(BEFORE - 2..BEFORE).contains(&number);
            let customer = if known { index } else { CUSTOMERS + number * MESSAGES + index };
            let customer = format!("1555123{customer:04}");
            text(&customer, &wamid, MORNING, "Hello")
        })
        .collect();
    tenant.push(addr, &delivery(&messages, &[])).await == Some(200)
}

fn wamids(number: usize) -> impl Iterator<Item = String> {
    (0..MESSAGES).map(move |index| format!("wamid.{number}.{index}"))
}

/// Does what blocks on a thread of its own.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    actix_web::rt::task::spawn_blocking(work).await.expect("it ends well")
}

/// Runs one of the operator's scripts.
fn script(name: &str, database: &Cassandra, arguments: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cql").join(name);
    let mut script = Command::new("sh");
    script.arg(path).args(arguments).arg(database.address().to_string());
    database.give_nodetool(&mut script).expect("there is a Java");
    let output = script.output().expect("sh runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let tail: Vec<&str> = said.lines().rev().take(8).collect();
    assert!(output.status.success(), "{name}: {tail:#?}");
}

/// Copies what a snapshot holds of a keyspace to where `restore.sh` reads it.
fn save(database: &Cassandra, keyspace: &str, into: &Path) {
    let tables = fs::read_dir(database.folder().join("data/data").join(keyspace)).expect("the keyspace has files");
    for table in tables.map(|table| table.expect("an entry").path()) {
        let name = table.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let (name, _) = name.split_once('-').expect("a table's folder has its id");
        let to = into.join(keyspace).join(name);
        let Ok(files) = fs::read_dir(table.join("snapshots").join(TAG)) else { continue };
        fs::create_dir_all(&to).expect("a folder");
        for file in files.map(|file| file.expect("an entry")).filter(|file| file.path().is_file()) {
            fs::copy(file.path(), to.join(file.file_name())).expect("it is copied");
        }
    }
}

#[actix_web::test]
async fn what_was_acknowledged_before_it_is_there_once() {
    let (data, addr) = (tempfile::tempdir().expect("a folder"), free_addr());
    // States become rows at any time while the snapshot is taken.
    let settings = ["store.settle_interval=20s"];
    let Some((mut process, database, keyspaces)) = server(data.path(), addr, &settings).await else { return };
    let tenant = Arc::new(Tenant::make(addr, &operator_token(data.path()), "http://127.0.0.1:9", 1).await);
    let mut before = BTreeSet::new();
    for number in 0..BEFORE {
        assert!(push(&tenant, addr, number).await, "it is taken");
        before.extend(wamids(number));
    }
    // The next ones come while the snapshot is taken.
    let goes_on = Arc::new(AtomicBool::new(true));
    let meanwhile = actix_web::rt::spawn({
        let (tenant, goes_on) = (Arc::clone(&tenant), Arc::clone(&goes_on));
        async move {
            let mut next = BEFORE;
            while goes_on.load(Ordering::Relaxed) {
                push(&tenant, addr, next).await;
                next += 1;
            }
            next
        }
    });
    let database = apart(move || {
        script("snapshot.sh", &database, &["own", TAG]);
        database
    })
    .await;
    goes_on.store(false, Ordering::Relaxed);
    let pushed = meanwhile.await.expect("it ends");
    process.kill();

    let saved = tempfile::tempdir().expect("a folder");
    let (database, keyspaces, folder) = apart(move || {
        for keyspace in ["own", "own_meta"] {
            save(&database, keyspace, saved.path());
        }
        keyspaces.dropped();
        migrated(&keyspaces.settings());
        let folder = saved.path().to_str().expect("a path").to_owned();
        script("restore.sh", &database, &["own", &folder]);
        (database, keyspaces, saved)
    })
    .await;
    drop(folder);
    let settings = keyspaces.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut process = Process::launch(data.path(), addr, &settings);
    process.ready().await;
    let found = received(addr, &tenant.admin).await;
    let lost: Vec<_> = before.iter().filter(|wamid| !found.contains_key(*wamid)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {:?}", lost.len(), before.len(), lost.first());
    assert!(found.values().all(|times| *times == 1), "some are there twice");

    // Providers come again with what they heard nothing of; it is no harm if they come with all of it.
    for number in 0..pushed {
        assert!(push(&tenant, addr, number).await, "it is taken");
    }
    let expected: BTreeMap<String, usize> = (0..pushed).flat_map(wamids).map(|wamid| (wamid, 1)).collect();
    let all = || async { (received(addr, &tenant.admin).await == expected).then_some(()) };
    eventually_within(QUIET_WITHIN, "every message is in its thread once", all).await;
    process.signal("TERM");
    assert_eq!(process.ended(Duration::from_secs(60)).await, 0);
    drop(database);
}
