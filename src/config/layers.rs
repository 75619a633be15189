//! The layers, laid over one another: for each key the value of the last layer that names it, and where it came from.

use std::collections::BTreeMap;
use std::path::Path;

use super::problem::ConfigProblem;
use super::setting::Raw;

/// How the names of environment variables begin; two underscores part section and key.
pub(super) const VARIABLE_PREFIX: &str = "TIDEGATE__";

/// The value of one key and who gave it.
#[derive(Clone)]
pub(super) struct Given {
    /// The value.
    pub(super) raw: Raw,
    /// A file, a variable, the command line.
    pub(super) source: String,
}

/// `section.key` → value.
#[derive(Default)]
pub(super) struct Layers {
    /// What each key is, after the last layer.
    pub(super) keys: BTreeMap<String, Given>,
    /// What could not be read as a layer at all.
    pub(super) problems: Vec<ConfigProblem>,
}

impl Layers {
    /// Lays a file over what is there.
    pub(super) fn add_file(&mut self, source: &str, text: &str) {
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                // Only the place and the reason: the line itself may hold a secret.
                let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
                self.problems.push(ConfigProblem {
                    key: source.to_owned(),
                    problem: format!("cannot be read as TOML at line {line}: {}", error.message().trim()),
                    source: None,
                });
                return;
            }
        };
        for (section, value) in table {
            match value {
                toml::Value::Table(keys) => {
                    for (key, value) in keys {
                        self.set(format!("{section}.{key}"), Raw::Toml(value), source);
                    }
                }
                value => self.set(section, Raw::Toml(value), source),
            }
        }
    }

    /// Lays the environment over what is there; variables that do not begin with the prefix are not ours.
    pub(super) fn add_environment(&mut self, variables: &BTreeMap<String, String>) {
        for (name, value) in variables {
            if let Some(path) = name.strip_prefix(VARIABLE_PREFIX) {
                let key = path.to_lowercase().replacen("__", ".", 1);
                self.set(key, Raw::Text(value.clone()), name);
            }
        }
    }

    /// Lays the command line's settings over what is there, in their order.
    pub(super) fn add_flags(&mut self, flags: &[(String, String)]) {
        for (key, value) in flags {
            self.set(key.clone(), Raw::Text(value.clone()), "the command line");
        }
    }

    /// Sets one key.
    pub(super) fn set(&mut self, key: String, raw: Raw, source: &str) {
        self.keys.insert(key, Given { raw, source: source.to_owned() });
    }
}

/// How the operator's file is called in messages.
pub(super) fn file_source(path: &Path) -> String {
    format!("file `{}`", path.display())
}
