//! Reads typed values out of the layers, remembering every problem instead of stopping at the first.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::layers::{Given, Layers};
use super::problem::ConfigProblem;
use super::setting::Setting;
use crate::domain::secret::Secret;

/// One key as it is in force, fit to be shown: secrets are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveKey {
    /// `section.key`.
    pub key: String,
    /// The value as the file would have it.
    pub value: String,
    /// The default, a file, a variable or the command line.
    pub source: String,
}

/// What has been read so far.
pub(super) struct Reader {
    layers: Layers,
    asked: BTreeSet<String>,
    effective: Vec<EffectiveKey>,
    problems: Vec<ConfigProblem>,
}

/// Reads the keys of one section.
pub(super) struct SectionReader<'a> {
    reader: &'a mut Reader,
    section: &'static str,
}

impl Reader {
    /// Begins with what the layers say.
    pub(super) fn new(mut layers: Layers) -> Self {
        let problems = std::mem::take(&mut layers.problems);
        Self { layers, asked: BTreeSet::new(), effective: Vec::new(), problems }
    }

    /// The keys of a section.
    pub(super) fn section(&mut self, section: &'static str) -> SectionReader<'_> {
        SectionReader { reader: self, section }
    }

    /// What was read and what is wrong; keys that nobody asked for are unknown.
    pub(super) fn finish(mut self) -> (Vec<EffectiveKey>, Vec<ConfigProblem>) {
        for (key, given) in &self.layers.keys {
            if !self.asked.contains(key) {
                self.problems.push(ConfigProblem {
                    key: key.clone(),
                    problem: "is not a key that exists".to_owned(),
                    source: Some(given.source.clone()),
                });
            }
        }
        self.problems.sort_by(|left, right| left.key.cmp(&right.key));
        (self.effective, self.problems)
    }
}

impl SectionReader<'_> {
    /// A value of which every one is allowed.
    pub(super) fn value<T: Setting>(&mut self, key: &'static str) -> T {
        self.checked(key, |_| None)
    }

    /// A value between two bounds, both allowed.
    pub(super) fn within<T: Setting + PartialOrd>(&mut self, key: &'static str, bounds: RangeInclusive<T>) -> T {
        self.checked(key, |value| {
            let outside = !bounds.contains(value);
            outside.then(|| format!("must be {}..={}", bounds.start().show(), bounds.end().show()))
        })
    }

    /// The address of a server, `http` or `https`, without a slash at its end; empty if there is none.
    pub(super) fn url(&mut self, key: &'static str) -> Option<String> {
        self.checked(key, |url: &Option<String>| {
            let url = url.as_ref()?;
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
            let wrong = host.is_empty() || host.starts_with('/') || url.ends_with('/') || url.contains([' ', '@', '#']);
            wrong.then(|| "must be a URL such as `https://example.com`, without a slash at the end".to_owned())
        })
    }

    /// A value that `refuse` may refuse, saying what it must be.
    pub(super) fn checked<T: Setting>(&mut self, key: &'static str, refuse: impl FnOnce(&T) -> Option<String>) -> T {
        let Some((path, given)) = self.take(key) else {
            return T::placeholder();
        };
        let refused = match T::read(&given.raw) {
            Some(value) => match refuse(&value) {
                None => {
                    self.note(path, value.show(), given.source);
                    return value;
                }
                Some(must) => must,
            },
            None => format!("must be {}", T::EXPECTED),
        };
        let problem = format!("{refused}, got `{}`", given.raw.show());
        self.reader.problems.push(ConfigProblem { key: path, problem, source: Some(given.source) });
        T::placeholder()
    }

    /// A text that is never shown, neither in a report nor in a problem; at least 8 characters.
    pub(super) fn secret(&mut self, key: &'static str) -> Secret<String> {
        let Some((path, given)) = self.take(key) else {
            return Secret::new(String::new());
        };
        match given.raw.text() {
            Some(text) if text.chars().count() >= 8 => {
                self.note(path, "(secret)".to_owned(), given.source);
                Secret::new(text.to_owned())
            }
            _ => {
                let problem = "must be a text of at least 8 characters".to_owned();
                self.reader.problems.push(ConfigProblem { key: path, problem, source: Some(given.source) });
                Secret::new(String::new())
            }
        }
    }

    /// A secret that may be left out.
    pub(super) fn secret_or_none(&mut self, key: &'static str) -> Secret<String> {
        let path = format!("{}.{key}", self.section);
        let empty = self.reader.layers.keys.get(&path).is_some_and(|given| given.raw.text() == Some(""));
        if !empty {
            return self.secret(key);
        }
        if let Some((path, given)) = self.take(key) {
            self.note(path, String::new(), given.source);
        }
        Secret::new(String::new())
    }

    fn take(&mut self, key: &'static str) -> Option<(String, Given)> {
        let path = format!("{}.{key}", self.section);
        self.reader.asked.insert(path.clone());
        let given = self.reader.layers.keys.get(&path).cloned();
        if given.is_none() {
            let problem = "is missing from config/default.toml".to_owned();
            self.reader.problems.push(ConfigProblem { key: path.clone(), problem, source: None });
        }
        given.map(|given| (path, given))
    }

    fn note(&mut self, key: String, value: String, source: String) {
        self.reader.effective.push(EffectiveKey { key, value, source });
    }
}
