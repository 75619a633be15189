//! The command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What `loadtest help` shows.
pub const HELP: &str = "\
loadtest: drives a Tidegate server of its own over HTTP and websocket, and holds it against bare servers

  loadtest run webhooks   throughput of signed webhooks, in percent of a bare handler's
  loadtest run latency    a durable webhook on one connection, over fdatasync and a bare handler
  loadtest run fanout     events to many sockets, in percent of a bare relay's
  loadtest run memory     bytes per idle conversation and per socket
  loadtest run stalled    growth for a reader that stopped, and how long until it is closed
  loadtest run receipts   receipts of a broadcast, 100 a delivery, in percent of a bare handler
  loadtest run sweep      broadcasts of many numbers, in percent of a raw client's sends; then with their receipts
  loadtest run pace       one number at its full rate: what is used of it, how soon a pause holds, how ten share it
  loadtest listen         an agent's socket of a server that runs: shows frames, sends the lines that are typed
  loadtest bare-handler   HMAC and JSON alone; for `run`
  loadtest bare-relay     one frame an event; for `run`
  loadtest bare-sink      answers sends as Meta does; for `run`
  cargo bench -p loadtest the embedded store, in percent of append and fdatasync

  --server FILE           the server's program; beside this one if not given
  --folder FOLDER         where runs keep their data until they end (target/loadtest)
  --set KEY=VALUE         a setting of the server; may be given often
  --json                  the report as JSON
  --rounds N              how often each side is measured, in turn
  --seconds N             the longest a round may take
  --connections N         connections of `webhooks` and `receipts`, and of the raw client of `sweep`
  --requests N            requests of a round of `webhooks` and `latency`, recipients of one of `sweep` and `receipts`
  --customers N           customers who write
  --sockets N             agents' sockets of `fanout` and `memory`, stalled ones of `stalled`
  --conversations N       conversations of `memory`
  --events N              events of `stalled`

  of `listen`:
  --addr ADDRESS:PORT     where the server listens (127.0.0.1:8080)
  --token TOKEN           the member's token; else AGENT1_TOKEN of the environment, else of the file
  --tokens FILE           where the seed left its tokens (data/tokens)
  --for SECONDS           ends by itself after so long; Ctrl-C ends it always
";

/// How many descriptors a process may have open: the bound of connections and sockets.
const OPEN_MAX: usize = 15_000;

/// What to run, and how much of it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server's program.
    pub server: PathBuf,
    /// Where runs keep their data.
    pub folder: PathBuf,
    /// Settings of the server.
    pub settings: Vec<String>,
    /// Whether the report is JSON.
    pub json: bool,
    /// How often each side is measured.
    pub rounds: Option<usize>,
    /// The longest a round may take.
    pub seconds: Option<u64>,
    /// Connections.
    pub connections: Option<usize>,
    /// Requests of a round.
    pub requests: Option<usize>,
    /// Customers who write.
    pub customers: Option<u64>,
    /// Agents' sockets.
    pub sockets: Option<usize>,
    /// Conversations.
    pub conversations: Option<u64>,
    /// Events.
    pub events: Option<u64>,
}

impl Options {
    fn new() -> Result<Self> {
        let own = std::env::current_exe().context("this program's own path")?;
        Ok(Self {
            server: own.with_file_name("tidegate"),
            folder: target_of(&own).join("loadtest"),
            settings: Vec::new(),
            json: false,
            rounds: None,
            seconds: None,
            connections: None,
            requests: None,
            customers: None,
            sockets: None,
            conversations: None,
            events: None,
        })
    }

    /// Reads the flags behind a scenario's name.
    ///
    /// # Errors
    /// The first that is not understood, or is out of its bounds.
    pub fn read(arguments: &[String]) -> Result<Self> {
        let mut options = Self::new()?;
        let mut rest = arguments.iter();
        while let Some(flag) = rest.next() {
            if flag == "--json" {
                options.json = true;
                continue;
            }
            let value = rest.next().with_context(|| format!("`{flag}` needs a value, or does not exist"))?;
            match flag.as_str() {
                "--server" => options.server = value.into(),
                "--folder" => options.folder = value.into(),
                "--set" => options.settings.push(value.clone()),
                "--rounds" => options.rounds = Some(number(flag, value, 1, 100)? as usize),
                "--seconds" => options.seconds = Some(number(flag, value, 1, 60)?),
                "--connections" => options.connections = Some(number(flag, value, 1, OPEN_MAX as u64)? as usize),
                "--requests" => options.requests = Some(number(flag, value, 1, 1_000_000)? as usize),
                "--customers" => options.customers = Some(number(flag, value, 1, 1_000_000)?),
                "--sockets" => options.sockets = Some(number(flag, value, 1, OPEN_MAX as u64)? as usize),
                "--conversations" => options.conversations = Some(number(flag, value, 1, 90_000)?),
                "--events" => options.events = Some(number(flag, value, 20, 10_000_000)?),
                _ => bail!("there is no `{flag}`; `loadtest help` lists what there is"),
            }
        }
        Ok(options)
    }
}

/// The folder that cargo builds into: on the same disk as the sources, and ignored by everybody.
fn target_of(own: &Path) -> &Path {
    own.ancestors().find(|path| path.ends_with("target")).unwrap_or(Path::new("target"))
}

fn number(flag: &str, text: &str, min: u64, max: u64) -> Result<u64> {
    let number = text.parse().with_context(|| format!("`{flag} {text}` is not a whole number"))?;
    if (min..=max).contains(&number) { Ok(number) } else { bail!("`{flag}` is {min} to {max}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options> {
        Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn runs_keep_their_data_where_cargo_builds() {
        for (own, expected) in [
            ("/a/target/release/loadtest", "/a/target"),
            ("/a/target/release/deps/store-1", "/a/target"),
            ("/usr/bin/loadtest", "target"),
        ] {
            assert_eq!(target_of(Path::new(own)), Path::new(expected));
        }
    }

    #[test]
    fn flags_are_read_and_bounded() {
        let options = read("--json --set a=1 --set b=2 --rounds 3 --sockets 1000").unwrap();
        assert!(options.json && options.settings == ["a=1", "b=2"]);
        assert_eq!((options.rounds, options.sockets, options.seconds), (Some(3), Some(1_000), None));
        for wrong in ["--rounds", "--rounds 0", "--sockets 20000", "--nothing 1", "--seconds soon"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
