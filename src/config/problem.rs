//! One thing that is wrong with a configuration, said so that it can be put right.

use std::fmt;

/// A key, what is wrong with it, and where the value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// `section.key`, or what else the problem is about (a file).
    pub key: String,
    /// What is wrong, with the value that was given unless it is a secret.
    pub problem: String,
    /// The file, environment variable or command line that gave it; none for rules between several keys.
    pub source: Option<String>,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)?;
        match &self.source {
            Some(source) => write!(f, " (from {source})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigProblem {}
