//! The command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::scenario::{self, SEED_MAX, Scenario};

/// What `loadtest help` shows.
pub const HELP: &str = "\
loadtest: drives a Tidegate server of its own over HTTP and websocket, judges what it does, and holds it against bare servers

  loadtest run webhooks   throughput of signed webhooks, in percent of a bare handler's
  loadtest run latency    a durable webhook on one connection, over fdatasync and a bare handler
  loadtest run fanout     events to many sockets, in percent of a bare relay's
  loadtest run memory     bytes per idle conversation and per socket
  loadtest run stalled    growth for a reader that stopped, and how long until it is closed
  loadtest run receipts   receipts of a broadcast, 100 a delivery, in percent of a bare handler
  loadtest run sweep      broadcasts of many numbers, in percent of a raw client's sends; then with their receipts
  loadtest run pace       one number at its full rate: what is used of it, how soon a pause holds, how ten share it
  loadtest run million    a million open conversations: inbox pages, the start after kill -9, cold conversations
  loadtest run replies    agents' replies while ten numbers send at full rate, over the same without
  loadtest run freeze     how long a broadcast to a million takes until its audience is frozen
  loadtest run ratios     all of these, one after another
  loadtest run SCENARIO   everybody's roles at once, judged by an oracle: smoke, inbound-burst, webhook-storm,
                          broadcast-sweep, black-friday, agent-monday, reconnect-herd, slow-readers, provider-brownout,
                          node-kill, restart-ready, soak, or the path of a .toml file; its report is put into a folder
  loadtest find-capacity SCENARIO
                          the same at one rate after another: the most at which its thresholds hold
  loadtest listen         an agent's socket of a server that runs: shows frames, sends the lines that are typed
  loadtest provider       a WhatsApp Cloud API that behaves as its plan says, and keeps a ledger of what came
  loadtest compare A B    two reports (JSON) of one scenario side by side; with --fail-above, exit 1 if B got worse
  loadtest page REPORT    the page of a report (JSON) again, beside it or in the file named behind it
  loadtest bare-handler   HMAC and JSON alone; for `run`
  loadtest bare-relay     one frame an event; for `run`
  loadtest bare-sink      answers sends as Meta does; for `run`
  cargo bench -p loadtest the embedded store, in percent of append and fdatasync

  of `run` and `find-capacity`:
  --server FILE           the server's program; beside this one if not given
  --folder FOLDER         where runs keep their data until they end (target/loadtest)
  --set KEY=VALUE         a setting of the server; may be given often
  --json                  of `run`: the report as JSON, and nothing else on standard output

  of a scenario:
  --short                 its short form, of a minute at most
  --rules-alone           of `run`: whether a rule was broken decides, not how fast it was
  --lasts SECONDS         of traffic, instead of its own: an hour of `soak`
  --seed N                draws other traffic, 0 to 2^63 - 1
  --out FOLDER            where reports are put (target/loadtest/reports)

  of a ratio:
  --rounds N              how often each side is measured, in turn
  --seconds N             the longest a round may take
  --connections N         connections of `webhooks` and `receipts`, and of the raw client of `sweep`
  --requests N            requests of a round of `webhooks` and `latency`, recipients of `sweep`, `receipts`, `freeze`
  --customers N           customers who write
  --sockets N             agents' sockets of `fanout` and `memory`, stalled ones of `stalled`
  --conversations N       conversations of `memory` and `million`
  --events N              events of `stalled`

  of `listen`:
  --addr ADDRESS:PORT     where the server listens (127.0.0.1:8080)
  --token TOKEN           the member's token; else AGENT1_TOKEN of the environment, else of the file
  --tokens FILE           where the seed left its tokens (data/tokens)
  --for SECONDS           ends by itself after so long; Ctrl-C ends it always

  of `provider`, which is ordered at /control/ while it runs:
  --listen ADDRESS:PORT   where it listens (127.0.0.1, a free port; its first line tells)
  --plan FILE             how it behaves, in TOML; perfectly if not given
  --ledger FILE           where the ledger is written at its end, one send a line
  --child                 ends when its input does

  of `compare`:
  --fail-above PERCENT    how much worse a latency, a rate or a figure with a threshold may be
  --anyway                also of different scenarios

  Exit codes: 0 it holds; 1 a rule was broken, a threshold or bound missed, a count wrong, or the run says nothing;
  2 it could not be run. A missed mark of a ratio, and a capacity that was found, are 0.
";

/// Flags of scenarios alone, and of ratios alone.
const OF_SCENARIOS: [&str; 5] = ["--short", "--rules-alone", "--lasts", "--seed", "--out"];
const OF_RATIOS: [&str; 8] =
    ["--rounds", "--seconds", "--connections", "--requests", "--customers", "--sockets", "--conversations", "--events"];
/// Flags of both.
const OF_BOTH: [&str; 4] = ["--server", "--folder", "--set", "--json"];

/// What flags are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `run` of a ratio, or a bench.
    Ratio,
    /// `run` of a scenario.
    Scenario,
    /// `find-capacity`.
    Capacity,
}

impl Command {
    /// Refuses a flag that it does not take.
    fn takes(self, flag: &str) -> Result<()> {
        if !OF_BOTH.iter().chain(&OF_SCENARIOS).chain(&OF_RATIOS).any(|known| *known == flag) {
            bail!("there is no `{flag}`; `loadtest help` lists what there is");
        }
        match self {
            Self::Ratio if OF_SCENARIOS.contains(&flag) => {
                bail!("`{flag}` is for scenarios, and a ratio has none of it; leave it out")
            }
            Self::Scenario | Self::Capacity if OF_RATIOS.contains(&flag) => {
                bail!("`{flag}` is for ratios; how much of everything a scenario has stands in its file")
            }
            Self::Capacity if flag == "--rules-alone" => {
                bail!("`--rules-alone` is not for `find-capacity`: thresholds are what it searches with; leave it out")
            }
            Self::Capacity if flag == "--json" => {
                bail!("`find-capacity` tells in words; the reports of its runs, in the folder of `--out`, are JSON")
            }
            _ => Ok(()),
        }
    }
}

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
    /// Whether a scenario has its short form.
    pub short: bool,
    /// Whether only a scenario's rules decide.
    pub rules_alone: bool,
    /// How long a scenario's traffic lasts in seconds, where it is not its own.
    pub lasts_s: Option<u64>,
    /// The seed of a scenario, where it is not its own.
    pub seed: Option<u64>,
    /// Where a scenario's report is put.
    pub out: PathBuf,
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
            short: false,
            rules_alone: false,
            lasts_s: None,
            seed: None,
            out: target_of(&own).join("loadtest/reports"),
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

    /// A scenario in the form, for as long and with the seed that were asked for.
    ///
    /// # Errors
    /// See [`scenario::find`]; or what it does at a time is later than it lasts.
    pub fn scenario(&self, name: &str) -> Result<Scenario> {
        let mut scenario = scenario::find(name, self.short)?;
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        if let Some(seconds) = self.lasts_s {
            scenario.seconds = seconds as f64;
            scenario::check(&scenario).with_context(|| format!("`--lasts {seconds}`"))?;
        }
        Ok(scenario)
    }

    /// Reads the flags of a ratio or a bench.
    ///
    /// # Errors
    /// As [`Options::read_for`].
    pub fn read(arguments: &[String]) -> Result<Self> {
        Self::read_for(Command::Ratio, arguments)
    }

    /// Reads the flags behind a name.
    ///
    /// # Errors
    /// The first that is not understood, is not for this command, or is out of its bounds.
    pub fn read_for(command: Command, arguments: &[String]) -> Result<Self> {
        let mut options = Self::new()?;
        let mut rest = arguments.iter();
        while let Some(flag) = rest.next() {
            command.takes(flag)?;
            let switch = match flag.as_str() {
                "--json" => Some(&mut options.json),
                "--short" => Some(&mut options.short),
                "--rules-alone" => Some(&mut options.rules_alone),
                _ => None,
            };
            if let Some(switch) = switch {
                *switch = true;
                continue;
            }
            let value = rest.next().with_context(|| format!("`{flag}` needs a value"))?;
            match flag.as_str() {
                "--server" => options.server = value.into(),
                "--folder" => options.folder = value.into(),
                "--out" => options.out = value.into(),
                "--lasts" => options.lasts_s = Some(number(flag, value, 1, u64::from(u32::MAX))?),
                "--seed" => options.seed = Some(number(flag, value, 0, SEED_MAX)?),
                "--set" => options.settings.push(value.clone()),
                "--rounds" => options.rounds = Some(number(flag, value, 1, 100)? as usize),
                "--seconds" => options.seconds = Some(number(flag, value, 1, 60)?),
                "--connections" => options.connections = Some(number(flag, value, 1, OPEN_MAX as u64)? as usize),
                "--requests" => options.requests = Some(number(flag, value, 1, 1_000_000)? as usize),
                "--customers" => options.customers = Some(number(flag, value, 1, 1_000_000)?),
                "--sockets" => options.sockets = Some(number(flag, value, 1, OPEN_MAX as u64)? as usize),
                "--conversations" => options.conversations = Some(number(flag, value, 1, 1_000_000)?),
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
        for wrong in ["--rounds", "--rounds 0", "--sockets 20000", "--nothing 1", "--nothing", "--seconds soon"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_scenario_lasts_as_long_as_is_asked_if_all_of_it_fits() {
        let asked = |seconds: u64| {
            let line = ["--lasts".to_owned(), seconds.to_string()];
            Options::read_for(Command::Scenario, &line).and_then(|options| options.scenario("soak"))
        };
        assert!((asked(3_600).unwrap().seconds - 3_600.0).abs() < f64::EPSILON);
        for (seconds, why) in [(120, "at_s"), (100_000, "`seconds` is 1 to 43200")] {
            let error = format!("{:#}", asked(seconds).unwrap_err());
            assert!(error.starts_with(&format!("`--lasts {seconds}`: ")) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn each_command_takes_its_own_flags() {
        let read = |command, line: &str| {
            Options::read_for(command, &line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        };
        let most = (1_u64 << 63) - 1;
        let options = read(Command::Scenario, &format!("--short --rules-alone --json --seed {most} --out a")).unwrap();
        assert_eq!((options.short, options.rules_alone, options.seed), (true, true, Some(most)));
        assert!(read(Command::Capacity, "--short --set a=1 --seed 3").unwrap().short);
        for (command, line, why) in [
            (Command::Ratio, "--short", "`--short` is for scenarios"),
            (Command::Ratio, "--seed 3", "`--seed` is for scenarios"),
            (Command::Scenario, "--lasts 0", "`--lasts` is 1 to "),
            (Command::Scenario, "--rounds 3", "`--rounds` is for ratios"),
            (Command::Capacity, "--sockets 3", "`--sockets` is for ratios"),
            (Command::Capacity, "--rules-alone", "thresholds are what it searches with"),
            (Command::Capacity, "--json", "tells in words"),
            (Command::Scenario, "--sed 3", "there is no `--sed`"),
            (Command::Scenario, "--seed", "needs a value"),
            (Command::Scenario, "--seed 9223372036854775808", "9223372036854775807"),
        ] {
            let error = format!("{:#}", read(command, line).unwrap_err());
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
