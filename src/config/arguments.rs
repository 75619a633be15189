//! The command line: which command, and which settings it lays over the other layers.

use std::path::PathBuf;

use crate::domain::ids::BroadcastId;

/// What the process was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the server.
    Serve,
    /// Run the sandbox alone.
    Sandbox,
    /// Tell whether the configuration is right.
    CheckConfig,
    /// Play the scenes of a day on the sandbox.
    Demo,
    /// Bring the schema of a database up to date.
    Migrate,
    /// Count a broadcast's ledger again; the server is stopped.
    VerifyBroadcast(BroadcastId),
    /// Show how to call it.
    Help,
    /// Show the version.
    Version,
}

/// The words that name a command; without one the server runs.
const COMMANDS: [(&str, Command); 4] = [
    ("sandbox", Command::Sandbox),
    ("check-config", Command::CheckConfig),
    ("demo", Command::Demo),
    ("migrate", Command::Migrate),
];

/// Flags that stand for a key.
const NAMED_FLAGS: [(&str, &str); 3] =
    [("--data", "store.path"), ("--listen", "server.listen"), ("--clock", "server.clock")];

/// A command line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The command.
    pub command: Command,
    /// The operator's file.
    pub config: Option<PathBuf>,
    /// `section.key` and value, in their order.
    pub settings: Vec<(String, String)>,
    /// What the command says, it says as JSON.
    pub json: bool,
}

/// Why a command line was not understood; the process ends with code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// No such flag or command.
    #[error("unknown argument `{0}`; `tidegate --help` lists what there is")]
    Unknown(String),
    /// A flag without its value.
    #[error("`{flag}` needs a value: `{flag} {value}`")]
    ValueMissing {
        /// The flag.
        flag: String,
        /// What kind of value it needs.
        value: &'static str,
    },
    /// `--set` with something else than a key and a value.
    #[error("`--set {0}` is not of the form `--set section.key=value`")]
    NotASetting(String),
    /// `verify broadcast` with something else than a broadcast's id.
    #[error("`{0}` is not a broadcast's id; it looks like brd_01KAXVQ6Z00000000000000001")]
    NotABroadcast(String),
    /// Two commands, or one flag twice.
    #[error("`{0}` comes second: one command and one configuration file can be given")]
    Repeated(String),
}

/// What `tidegate --help` shows.
pub const HELP: &str = "\
tidegate: an actor-based real-time messaging router

  tidegate [flags]               run the server; without --config with the sandbox workspace
  tidegate sandbox [flags]       run the sandbox, a Meta-shaped provider for trying and testing, alone
  tidegate check-config [flags]  tell every problem of the configuration, or what is in force

  tidegate demo [flags]          play a day on the sandbox in about a minute, and tell what happened
  tidegate migrate [flags]       make or change the tables of the database, for store.engine = \"cql\"
  tidegate verify broadcast ID   count a broadcast's ledger again, beside the sandbox's own; the server is stopped

  --config FILE       configuration file; every key is explained in config/default.toml
  --data FOLDER       the same as --set store.path=FOLDER
  --listen ADDRESS    the same as --set server.listen=ADDRESS, for example 127.0.0.1:8080
  --clock manual      business time that POST /v1/clock moves forward; sandbox accounts only
  --set KEY=VALUE     one key, for example --set numbers.rate_per_second=90; may be given often
  --json              what `demo` and `verify` say, as JSON
  --help, --version

Keys may also come from the environment: TIDEGATE__NUMBERS__RATE_PER_SECOND=90.
";

/// Reads the arguments that follow the program's name. Flags are written `--flag value` or `--flag=value`.
///
/// # Errors
///
/// The first argument that is not understood.
pub fn parse(arguments: &[String]) -> Result<Invocation, ArgumentError> {
    let mut command = None;
    let mut config = None;
    let mut settings = Vec::new();
    let mut json = false;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
            _ => (argument.as_str(), None),
        };
        let mut value = |kind: &'static str| {
            let missing = || ArgumentError::ValueMissing { flag: flag.to_owned(), value: kind };
            inline.clone().or_else(|| rest.next().cloned()).ok_or_else(missing)
        };
        if let Some((_, key)) = NAMED_FLAGS.iter().find(|(name, _)| *name == flag) {
            settings.push(((*key).to_owned(), value("VALUE")?));
            continue;
        }
        match flag {
            "--config" => {
                if config.replace(PathBuf::from(value("FILE")?)).is_some() {
                    return Err(ArgumentError::Repeated(flag.to_owned()));
                }
            }
            "--set" => settings.push(setting(&value("KEY=VALUE")?)?),
            "--json" if inline.is_none() => json = true,
            "verify" if command.is_none() => command = Some(verified(&mut rest)?),
            "--help" | "-h" if inline.is_none() => return Ok(alone(Command::Help)),
            "--version" | "-V" if inline.is_none() => return Ok(alone(Command::Version)),
            word => match COMMANDS.iter().find(|(name, _)| *name == word) {
                Some((_, named)) if command.is_none() => command = Some(*named),
                Some(_) => return Err(ArgumentError::Repeated(word.to_owned())),
                None => return Err(ArgumentError::Unknown(argument.clone())),
            },
        }
    }
    Ok(Invocation { command: command.unwrap_or(Command::Serve), config, settings, json })
}

fn alone(command: Command) -> Invocation {
    Invocation { command, config: None, settings: Vec::new(), json: false }
}

/// What stands behind `verify`: `broadcast` and its id.
fn verified<'a>(rest: &mut impl Iterator<Item = &'a String>) -> Result<Command, ArgumentError> {
    let missing = |value| ArgumentError::ValueMissing { flag: "verify".to_owned(), value };
    match rest.next() {
        Some(word) if word == "broadcast" => {}
        _ => return Err(missing("broadcast ID")),
    }
    let id = rest.next().ok_or_else(|| missing("broadcast ID"))?;
    id.parse().map(Command::VerifyBroadcast).map_err(|_| ArgumentError::NotABroadcast(id.clone()))
}

fn setting(text: &str) -> Result<(String, String), ArgumentError> {
    match text.split_once('=') {
        Some((key, value)) if key.contains('.') => Ok((key.to_owned(), value.to_owned())),
        _ => Err(ArgumentError::NotASetting(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation, ArgumentError> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_line_becomes_a_command_and_settings_in_order() {
        let line = "check-config --config f.toml --data=d --listen 0.0.0.0:1 --clock manual --set a.b=c=d --set a.b=";
        let settings = [
            ("store.path", "d"),
            ("server.listen", "0.0.0.0:1"),
            ("server.clock", "manual"),
            ("a.b", "c=d"),
            ("a.b", ""),
        ];
        let expected = Invocation {
            command: Command::CheckConfig,
            config: Some(PathBuf::from("f.toml")),
            settings: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
            json: false,
        };
        assert_eq!(parsed(line), Ok(expected));
    }

    #[test]
    fn each_command_is_found() {
        let table = [
            ("", Command::Serve),
            ("sandbox", Command::Sandbox),
            ("check-config", Command::CheckConfig),
            ("sandbox --help", Command::Help),
            ("-h", Command::Help),
            ("--version", Command::Version),
            ("demo --json", Command::Demo),
            ("migrate --config f.toml", Command::Migrate),
            ("verify broadcast brd_00000000000000000000000007 --data d", Command::VerifyBroadcast(BroadcastId(7))),
        ];
        for (line, command) in table {
            assert_eq!(parsed(line).map(|invocation| invocation.command), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let table = [
            ("--verbose", "unknown argument `--verbose`"),
            ("--verbose=1", "unknown argument `--verbose=1`"),
            ("play", "unknown argument `play`"),
            ("verify", "`verify` needs a value: `verify broadcast ID`"),
            ("verify broadcast", "`verify` needs a value"),
            ("verify broadcast 7", "`7` is not a broadcast's id"),
            ("--config", "`--config` needs a value: `--config FILE`"),
            ("--set rate=3", "`--set rate=3` is not of the form"),
            ("--set a.b", "`--set a.b` is not of the form"),
            ("sandbox check-config", "`check-config` comes second"),
            ("--config a --config b", "`--config` comes second"),
        ];
        for (line, beginning) in table {
            let message = parsed(line).map_or_else(|error| error.to_string(), |_| "understood".to_owned());
            assert!(message.starts_with(beginning), "{line}: {message}");
        }
    }
}
