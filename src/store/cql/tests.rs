//! What a real database is needed for: the contract suite's bench, and the things that only this engine does.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::CqlOptions;

#[expect(dead_code, unreachable_pub, reason = "the stories include it as well, and use the rest")]
#[path = "../../../tests/cassandra/server.rs"]
mod server;

/// The switch: with `cql` the suites run against a database as well.
const SWITCH: &str = "TIDEGATE_TEST_STORE";

/// Options for a keyspace of this name.
pub(super) fn options(keyspace: &str, nodes: Vec<String>) -> CqlOptions {
    CqlOptions {
        nodes,
        keyspace: keyspace.to_owned(),
        datacenter: None,
        replication_factor: 1,
        login: None,
        tls: false,
        authorities: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(10),
        commit_deadline: Duration::from_secs(20),
        requests_max: 256,
    }
}

/// The address of the database of this process, where one is asked for. Started once, it ends with the process.
fn database() -> Option<String> {
    static DATABASE: OnceLock<Option<server::Cassandra>> = OnceLock::new();
    if std::env::var(SWITCH).as_deref() != Ok("cql") {
        return None;
    }
    if let Ok(nodes) = std::env::var("TIDEGATE_TEST_CQL") {
        return Some(nodes);
    }
    let database = DATABASE.get_or_init(|| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/cassandra");
        Some(server::Cassandra::start(&root, server::CommitLog::Periodic).expect("a database starts"))
    });
    database.as_ref().map(server::Cassandra::contact_point)
}

/// Options for keyspaces that no other test uses, where the tests are asked to use a database.
pub(in crate::store) fn fresh() -> Option<CqlOptions> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Some(options(&format!("test_{}_{number}", std::process::id()), vec![database()?]))
}
