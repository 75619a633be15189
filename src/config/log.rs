//! `[log]`: the process's own log.

use tracing_subscriber::filter::Targets;

use super::reader::SectionReader;
use super::setting::choices;

/// How lines of the log look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

choices!(LogFormat { Text = "text", Json = "json" });

/// The process's own log.
#[derive(Clone, Debug)]
pub struct Log {
    /// What is written: a level, or directives such as `info,tidegate::push=debug`.
    pub level: String,
    /// How it looks.
    pub format: LogFormat,
}

impl Log {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        Self {
            level: keys.checked("level", |level: &String| {
                let wrong = level.is_empty() || level.parse::<Targets>().is_err();
                wrong.then(|| "must be a level or directives such as `info,tidegate::push=debug`".to_owned())
            }),
            format: keys.value("format"),
        }
    }
}
