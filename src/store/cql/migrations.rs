//! The files of `cql/`: which there are, which were applied, and applying the rest.
//!
//! Forward only: a file that was applied never changes. Files are numbered; one with an engine in its name is for that
//! engine alone. Every statement may run twice, so a migrator that died leaves nothing that the next cannot finish.

use std::collections::BTreeMap;
use std::time::Duration;

use scylla::client::execution_profile::ExecutionProfileHandle;
use scylla::client::session::Session;
use sha2::{Digest as _, Sha256};

use super::connect::meta_keyspace;
use super::outcome::{Verdict, read_failed, write_failed};
use super::{CqlOptions, SchemaProblem};
use crate::domain::time::Timestamp;
use crate::store::StoreError;

/// Another migrator that has said nothing for so long is taken to be dead.
const OTHER_MIGRATOR: Duration = Duration::from_secs(120);
/// Pauses between two looks at what another migrator does.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// One file.
pub(super) struct Migration {
    /// Its number.
    id: i32,
    /// Its name.
    name: &'static str,
    /// Its statements, with `${data}`, `${meta}` and `${replication}` in them.
    text: &'static str,
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(Migration { id: number($name), name: $name, text: include_str!(concat!("../../../cql/", $name)) }),*]
    };
}

const FILES: [Migration; 7] = files![
    "0000_keyspaces.cassandra.cql",
    "0000_keyspaces.scylla.cql",
    "0001_migrations.cql",
    "0002_facts.cql",
    "0003_state.cql",
    "0004_ownership.cql",
    "0005_options.scylla.cql",
];

/// Files up to this number make the place where the others are written down.
const FOUNDATIONS: i32 = 1;

/// The number at the beginning of a file's name.
const fn number(name: &str) -> i32 {
    let bytes = name.as_bytes();
    let mut place = 0;
    let mut number = 0;
    while place < 4 {
        number = number * 10 + (bytes[place] - b'0') as i32;
        place += 1;
    }
    number
}

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Cassandra,
    Scylla,
}

impl Migration {
    fn is_for(&self, engine: Engine) -> bool {
        let of = |word: &str| self.name.ends_with(&format!(".{word}.cql"));
        match engine {
            Engine::Cassandra => !of("scylla"),
            Engine::Scylla => !of("cassandra"),
        }
    }

    fn checksum(&self) -> String {
        hex::encode(&Sha256::digest(self.text.as_bytes())[..16])
    }

    /// Its statements, for these keyspaces.
    fn statements(&self, options: &CqlOptions) -> Vec<String> {
        let replication =
            format!("{{'class': 'NetworkTopologyStrategy', 'replication_factor': {}}}", options.replication_factor);
        let lines = self.text.lines().filter(|line| !line.trim_start().starts_with("--"));
        let text = lines.collect::<Vec<_>>().join("\n");
        let text = text.replace("${data}", &options.keyspace).replace("${meta}", &meta_keyspace(options));
        let text = text.replace("${replication}", &replication);
        text.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
    }
}

/// Says what keeps a server from using this database as it is.
pub(super) async fn check(session: &Session, options: &CqlOptions) -> Result<(), SchemaProblem> {
    let engine = engine(session).await?;
    if !has_table(session, &meta_keyspace(options), "schema_migration").await? {
        return Err(SchemaProblem::Empty { keyspace: options.keyspace.clone() });
    }
    let applied = applied(session, options).await?;
    let mut pending = Vec::new();
    for file in FILES.iter().filter(|file| file.id > FOUNDATIONS && file.is_for(engine)) {
        match applied.get(&file.id) {
            Some((_, checksum, true)) if *checksum == file.checksum() => {}
            Some((_, _, true)) => return Err(SchemaProblem::Changed { file: file.name }),
            _ => pending.push(file.name),
        }
    }
    if !pending.is_empty() {
        return Err(SchemaProblem::Pending { files: pending });
    }
    match applied.iter().find(|(id, _)| FILES.iter().all(|file| file.id != **id)) {
        Some((_, (name, _, _))) => Err(SchemaProblem::Newer { file: name.clone() }),
        None => Ok(()),
    }
}

/// Applies what is pending; gives the names of the files it applied itself.
pub(super) async fn migrate(
    session: &Session,
    options: &CqlOptions,
    conditions: &ExecutionProfileHandle,
    (me, at): (u128, Timestamp),
) -> Result<Vec<&'static str>, SchemaProblem> {
    let engine = engine(session).await?;
    let mut done = Vec::new();
    for file in FILES.iter().filter(|file| file.is_for(engine)) {
        if file.id <= FOUNDATIONS {
            run(session, file, options).await?;
            continue;
        }
        match applied(session, options).await?.get(&file.id) {
            Some((_, checksum, true)) if *checksum == file.checksum() => continue,
            Some((_, _, true)) => return Err(SchemaProblem::Changed { file: file.name }),
            _ => {}
        }
        let turn = Turn { session, options, conditions, file, me: me.to_be_bytes(), at };
        if turn.take().await? {
            run(session, file, options).await?;
            turn.finish().await?;
            done.push(file.name);
        }
    }
    Ok(done)
}

async fn run(session: &Session, file: &Migration, options: &CqlOptions) -> Result<(), SchemaProblem> {
    for statement in file.statements(options) {
        session
            .query_unpaged(statement, ())
            .await
            .map_err(|error| SchemaProblem::Refused { file: file.name, why: error.to_string() })?;
    }
    Ok(())
}

/// The right to apply one file, of which there is one at a time.
struct Turn<'a> {
    session: &'a Session,
    options: &'a CqlOptions,
    conditions: &'a ExecutionProfileHandle,
    file: &'a Migration,
    me: [u8; 16],
    at: Timestamp,
}

impl Turn<'_> {
    /// Takes it, or waits until somebody else has applied the file: then it is false.
    async fn take(&self) -> Result<bool, StoreError> {
        let table = format!("{}.schema_migration", meta_keyspace(self.options));
        let first = format!("INSERT INTO {table} (id, name, checksum, migrator) VALUES (?, ?, ?, ?) IF NOT EXISTS");
        let values = (self.file.id, self.file.name, self.file.checksum(), &self.me[..]);
        if self.decide(&first, values).await? {
            return Ok(true);
        }
        loop {
            let began = tokio::time::Instant::now();
            while began.elapsed() < OTHER_MIGRATOR {
                match applied(self.session, self.options).await?.get(&self.file.id) {
                    Some((_, _, true)) => return Ok(false),
                    Some(_) if self.holder().await?.as_deref() == Some(&self.me[..]) => return Ok(true),
                    _ => tokio::time::sleep(LOOK_AGAIN).await,
                }
            }
            let Some(holder) = self.holder().await? else { continue };
            tracing::warn!(file = self.file.name, "the migrator that began this file is taken to be dead");
            let over = format!("UPDATE {table} SET migrator = ?, checksum = ? WHERE id = ? IF migrator = ?");
            if self.decide(&over, (&self.me[..], self.file.checksum(), self.file.id, holder)).await? {
                return Ok(true);
            }
        }
    }

    async fn finish(&self) -> Result<(), StoreError> {
        let table = format!("{}.schema_migration", meta_keyspace(self.options));
        let text = format!("UPDATE {table} SET applied_at = ? WHERE id = ? IF migrator = ?");
        self.decide(&text, (self.at.0, self.file.id, &self.me[..])).await.map(|_| ())
    }

    async fn holder(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let text = format!("SELECT migrator FROM {}.schema_migration WHERE id = ?", meta_keyspace(self.options));
        let answer = self.session.query_unpaged(text, (self.file.id,)).await.map_err(read_failed)?;
        let rows = answer.into_rows_result().map_err(read_failed)?;
        let row: Option<(Option<Vec<u8>>,)> = rows.maybe_first_row().map_err(read_failed)?;
        Ok(row.and_then(|(migrator,)| migrator))
    }

    async fn decide<V: scylla::serialize::row::SerializeRow>(&self, text: &str, values: V) -> Result<bool, StoreError> {
        let mut statement = self.session.prepare(text).await.map_err(read_failed)?;
        statement.set_execution_profile_handle(Some(self.conditions.clone()));
        let answer = self.session.execute_unpaged(&statement, values).await.map_err(|error| write_failed(&error))?;
        Ok(Verdict::read(answer)?.applied)
    }
}

/// Name, checksum, and whether it is finished, by number.
async fn applied(session: &Session, options: &CqlOptions) -> Result<BTreeMap<i32, (String, String, bool)>, StoreError> {
    type Columns = (i32, Option<String>, Option<String>, Option<i64>);
    let text = format!("SELECT id, name, checksum, applied_at FROM {}.schema_migration", meta_keyspace(options));
    let answer = session.query_unpaged(text, ()).await.map_err(read_failed)?;
    let rows = answer.into_rows_result().map_err(read_failed)?;
    let rows = rows.rows::<Columns>().map_err(read_failed)?;
    rows.map(|row| {
        let (id, name, checksum, at) = row.map_err(read_failed)?;
        Ok((id, (name.unwrap_or_default(), checksum.unwrap_or_default(), at.is_some())))
    })
    .collect()
}

async fn engine(session: &Session) -> Result<Engine, StoreError> {
    Ok(if has_table(session, "system", "scylla_local").await? { Engine::Scylla } else { Engine::Cassandra })
}

async fn has_table(session: &Session, keyspace: &str, table: &str) -> Result<bool, StoreError> {
    let text = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?";
    let answer = session.query_unpaged(text, (keyspace, table)).await.map_err(read_failed)?;
    Ok(answer.into_rows_result().map_err(read_failed)?.rows_num() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Table;
    use crate::store::cql::layout::{Layout, tables};

    #[test]
    fn every_file_of_the_folder_is_compiled_in_and_numbered() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cql");
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .expect("reads")
            .map(|entry| entry.expect("reads").file_name().into_string().expect("is text"))
            .filter(|name| name.ends_with(".cql"))
            .collect();
        names.sort();
        assert_eq!(names, FILES.iter().map(|file| file.name).collect::<Vec<_>>());
        assert!(FILES.iter().is_sorted_by_key(|file| file.id));
        for engine in [Engine::Cassandra, Engine::Scylla] {
            let ids: Vec<_> = FILES.iter().filter(|file| file.is_for(engine)).map(|file| file.id).collect();
            assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "a number twice for {engine:?}: {ids:?}");
        }
    }

    #[test]
    fn no_placeholder_is_left_and_each_statement_may_run_twice() {
        let options = CqlOptions::of_node("127.0.0.1:9042", "example");
        for file in &FILES {
            for statement in file.statements(&options) {
                assert!(!statement.contains("${"), "{statement}");
                let safe = statement.contains("IF NOT EXISTS") || statement.starts_with("ALTER TABLE");
                assert!(safe && (statement.contains("example.") || statement.contains(" example")), "{statement}");
            }
        }
    }

    #[test]
    fn every_table_of_rows_is_made_with_its_layout() {
        let options = CqlOptions::of_node("127.0.0.1:9042", "example");
        let all: Vec<String> = FILES.iter().flat_map(|file| file.statements(&options)).collect();
        for table in tables() {
            let begins = format!("CREATE TABLE IF NOT EXISTS example.{} (", table.word());
            let made: Vec<_> = all.iter().filter(|statement| statement.starts_with(&begins)).collect();
            assert_eq!(made.len(), 1, "{table:?}");
            let key = match Layout::of(table) {
                Layout::Whole => "PRIMARY KEY ((pk), ck)",
                Layout::Point => "PRIMARY KEY ((pk, ck))",
                Layout::Sliced { .. } => "PRIMARY KEY ((pk, slice), ck)",
            };
            assert!(made[0].contains(key), "{table:?} is to have {key}");
        }
        assert!(!all.iter().any(|statement| statement.contains(&format!("example.{} ", Table::Meta.word()))));
    }
}
