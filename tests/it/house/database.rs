//! The database that stories run on where `TIDEGATE_TEST_STORE` is `cql`: one Cassandra a test process, keyspaces of
//! its own for each house and each data folder.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use scylla::client::session_builder::SessionBuilder;
use tidegate::store::CqlOptions;

#[expect(dead_code, unreachable_pub, reason = "the library's own tests include it as well")]
#[path = "../../cassandra/server.rs"]
mod server;

pub(crate) use self::server::Cassandra;
use self::server::{CommitLog, Door};

/// Keyspaces in the database. Those of a house are dropped with it; those of a folder last as long as the database.
#[derive(Debug)]
pub(crate) struct Keyspaces {
    of_house: bool,
    /// `host:port`.
    node: String,
    /// The keyspace of rows.
    pub(crate) name: String,
}

/// Whether stories run on the database.
pub(crate) fn is_chosen() -> bool {
    std::env::var("TIDEGATE_TEST_STORE").as_deref() == Ok("cql")
}

/// The address of the database of this process; it ends with the process.
fn node() -> String {
    static DATABASE: OnceLock<Cassandra> = OnceLock::new();
    let start = || Cassandra::start(&root(), CommitLog::Periodic).unwrap_or_else(|why| panic!("no database: {why}"));
    DATABASE.get_or_init(start).contact_point()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/cassandra")
}

impl Keyspaces {
    /// Names that nobody uses yet, where stories run on the database.
    pub(crate) fn chosen() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        is_chosen().then(|| Self {
            of_house: true,
            node: node(),
            name: format!("story_{}_{number}", std::process::id()),
        })
    }

    /// The names that belong to a data folder, whoever asks and however often.
    pub(crate) fn of_folder(folder: &Path) -> Option<Self> {
        let letters = folder.display().to_string().to_lowercase();
        let letters: String = letters.chars().filter(char::is_ascii_alphanumeric).collect();
        let tail = &letters[letters.len().saturating_sub(24)..];
        is_chosen().then(|| Self { of_house: false, node: node(), name: format!("f_{}_{tail}", std::process::id()) })
    }

    /// The same in a database of the test's own, which it may stop and kill; none where stories run without one.
    pub(crate) fn in_own_database() -> Option<(Self, Cassandra)> {
        if !is_chosen() {
            return None;
        }
        let database = Cassandra::start(&root(), CommitLog::Batch).unwrap_or_else(|why| panic!("no database: {why}"));
        Some((Self { of_house: false, node: database.contact_point(), name: "own".to_owned() }, database))
    }

    /// The same in a database that asks for a login and speaks TLS alone.
    pub(crate) fn in_guarded_database() -> Option<(Self, Cassandra)> {
        if !is_chosen() {
            return None;
        }
        let database = Cassandra::start_with(&root(), CommitLog::Periodic, Door::Guarded);
        let database = database.unwrap_or_else(|why| panic!("no database: {why}"));
        Some((Self { of_house: false, node: database.contact_point(), name: "own".to_owned() }, database))
    }

    /// How the engine is told of them.
    pub(crate) fn options(&self) -> CqlOptions {
        CqlOptions::of_node(&self.node, &self.name)
    }

    /// How a process is told of them.
    pub(crate) fn settings(&self) -> [String; 5] {
        [
            "store.engine=cql".to_owned(),
            format!("cql.nodes={}", self.node),
            format!("cql.keyspace={}", self.name),
            "cql.replication_factor=1".to_owned(),
            "cql.request_timeout=10s".to_owned(),
        ]
    }

    /// Takes them away. It blocks.
    pub(crate) fn dropped(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let session = SessionBuilder::new().known_node(&self.node).build().await.expect("the database answers");
            for keyspace in [self.name.clone(), format!("{}_meta", self.name)] {
                session.query_unpaged(format!("DROP KEYSPACE IF EXISTS {keyspace}"), ()).await.expect("it is dropped");
            }
        });
    }
}

impl Drop for Keyspaces {
    fn drop(&mut self) {
        // A story that failed has said so; its rows go with the database.
        if self.of_house && !std::thread::panicking() {
            std::thread::scope(|scope| drop(scope.spawn(|| self.dropped())));
        }
    }
}
