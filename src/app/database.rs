//! The store that was configured: opened, waited for, and its schema brought up to date.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Surroundings;
use crate::config::{Config, Engine};
use crate::http;
use crate::store::{AnyStore, CqlStore, EmbeddedStore, SchemaProblem};

use super::run::{DONE, TRY_AGAIN, WRONG, say};
use super::{StartError, settings};

/// Pauses between attempts to reach a database.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Opens the store. A database that does not answer is waited for, and said to be; one whose schema is not that of
/// this program is not.
///
/// # Errors
/// The folder is another process's, or the schema is not whole.
pub(super) async fn open_store(config: &Config, surroundings: &Surroundings) -> Result<AnyStore, StartError> {
    let clock = Arc::clone(&surroundings.clock);
    Ok(match config.store.engine {
        Engine::Memory => AnyStore::memory(clock),
        Engine::Embedded => {
            EmbeddedStore::open(&config.store.path.join("store"), settings::embedded(config), clock)?.into()
        }
        Engine::Cql => {
            let options = settings::cql(config);
            let mut pause = PAUSE;
            loop {
                match CqlStore::open(&options, Arc::clone(&clock)).await {
                    Ok(store) => break store.into(),
                    Err(SchemaProblem::Store(error)) => {
                        tracing::error!(again_in = ?pause, "{error}");
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                    }
                    Err(problem) => return Err(problem.into()),
                }
            }
        }
    })
}

/// The same, with a server that says so while the store is waited for.
pub(super) async fn wait_for_store(config: &Config, surroundings: &Surroundings) -> Result<AnyStore, StartError> {
    // On a port that the system chooses nobody could ask it.
    if config.store.engine != Engine::Cql || config.server.listen.port() == 0 {
        return open_store(config, surroundings).await;
    }
    let listen = config.server.listen;
    let waiting = http::waiting(listen).map_err(|error| StartError::Listen(listen, error))?;
    let handle = waiting.handle();
    let serving = actix_web::rt::spawn(waiting);
    let store = open_store(config, surroundings).await;
    handle.stop(false).await;
    // It was told to stop; how it ended is no matter.
    let _ = serving.await;
    store
}

/// Brings the schema up to date; the exit code.
pub(super) async fn migrate(config: &Config, surroundings: &Surroundings) -> u8 {
    if config.store.engine != Engine::Cql {
        return say(WRONG, "tidegate: only `store.engine = \"cql\"` has a schema to migrate\n");
    }
    let now = surroundings.clock.now();
    match CqlStore::migrate(&settings::cql(config), surroundings.ids.ulid(now), now).await {
        Ok(files) if files.is_empty() => say(DONE, "the schema is up to date\n"),
        Ok(files) => say(DONE, &files.iter().map(|file| format!("applied {file}\n")).collect::<String>()),
        Err(SchemaProblem::Store(error)) => say(TRY_AGAIN, &format!("tidegate: {error}\n")),
        Err(problem) => say(WRONG, &format!("tidegate: {problem}\n")),
    }
}
