//! From layers to sections: everything that is wrong is told at once.

use std::collections::BTreeMap;
use std::path::Path;

use super::cross;
use super::layers::{Layers, file_source};
use super::reader::Reader;
use super::setting::Raw;
use super::{
    Actors, ConfigProblem, Cql, EffectiveKey, Limits, Log, Numbers, Providers, Push, Sandbox, Seed, Server, Store,
    Windows,
};

/// Every key with its default and unit.
pub(super) const DEFAULT_TOML: &str = include_str!("../../config/default.toml");

/// What the keys of the default file are said to come from.
const DEFAULT_SOURCE: &str = "the default";

/// The whole configuration; `app` takes it apart and hands each section to whom it concerns.
#[derive(Clone)]
pub struct Config {
    /// The HTTP server and the bounds at the edge.
    pub server: Server,
    /// The store's engine and its buffers.
    pub store: Store,
    /// The database behind the store, where it is one.
    pub cql: Cql,
    /// How many actors stay in memory, and their mailboxes.
    pub actors: Actors,
    /// Pacing of the channel accounts.
    pub numbers: Numbers,
    /// Outgoing calls.
    pub providers: Providers,
    /// Agents' websockets.
    pub push: Push,
    /// Messaging limits.
    pub limits: Limits,
    /// Switches of the reply windows.
    pub windows: Windows,
    /// The provider for trying and testing.
    pub sandbox: Sandbox,
    /// The process's own log.
    pub log: Log,
    /// What the sandbox workspace starts with.
    pub seed: Seed,
    /// Every key as it is in force, with its source, secrets masked: to be logged once at start.
    pub effective: Vec<EffectiveKey>,
}

/// Lays the layers over one another and reads them.
///
/// With a file the sandbox is off unless some layer turns it on: a server that somebody configured must not start
/// with play accounts.
///
/// # Errors
///
/// Every problem there is, sorted by key; rules between several keys come last, and only when each key is right.
pub fn load(
    file: Option<(&Path, &str)>,
    env: &BTreeMap<String, String>,
    flags: &[(String, String)],
) -> Result<Config, Vec<ConfigProblem>> {
    let mut layers = Layers::default();
    layers.add_file(DEFAULT_SOURCE, DEFAULT_TOML);
    if let Some((path, text)) = file {
        let source = "the default with a configuration file";
        layers.set("sandbox.enabled".to_owned(), Raw::Toml(toml::Value::Boolean(false)), source);
        layers.add_file(&file_source(path), text);
    }
    layers.add_environment(env);
    layers.add_flags(flags);

    let mut reader = Reader::new(layers);
    let mut config = read(&mut reader);
    let (effective, mut problems) = reader.finish();
    if problems.is_empty() {
        problems = cross::check(&config);
    }
    config.effective = effective;
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

fn read(reader: &mut Reader) -> Config {
    Config {
        server: Server::read(reader.section("server")),
        store: Store::read(reader.section("store")),
        cql: Cql::read(reader.section("cql")),
        actors: Actors::read(reader.section("actors")),
        numbers: Numbers::read(reader.section("numbers")),
        providers: Providers::read(reader.section("providers")),
        push: Push::read(reader.section("push")),
        limits: Limits::read(reader.section("limits")),
        windows: Windows::read(reader.section("windows")),
        sandbox: Sandbox::read(reader.section("sandbox")),
        log: Log::read(reader.section("log")),
        seed: Seed::read(reader.section("seed")),
        effective: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
