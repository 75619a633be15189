//! The process: from its arguments to its exit code.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::broken;
use crate::clock::{Clock, RandomIds, Surroundings, WallClock};
use crate::config::arguments::{self, Command, Invocation};
use crate::config::{ClockMode, Config, check, load_for};
use crate::providers::sandbox::SandboxHandle;
use crate::telemetry;

use super::database::{migrate, wait_for_store};
use super::descriptors;
use super::sandbox::start_sandbox;
use super::seed::{Seeded, seed};
use super::{Parts, Running, StartError, Tokens, start};

/// Everything went as it should.
pub(super) const DONE: u8 = 0;
/// The arguments or the configuration are wrong, or what was counted does not agree.
pub(super) const WRONG: u8 = 2;
/// Something failed that a new start may mend: a supervisor should start the process again.
pub(super) const TRY_AGAIN: u8 = 75;
/// It was told twice to stop, or did not finish in time.
const CUT_SHORT: u8 = 70;

/// Runs the command that the arguments (without the program's name) ask for, and gives the exit code. Called once,
/// outside any runtime.
#[must_use]
pub fn run(arguments: &[String], env: &BTreeMap<String, String>) -> u8 {
    let invocation = match arguments::parse(arguments) {
        Ok(invocation) => invocation,
        Err(error) => return say(WRONG, &format!("{error}\n")),
    };
    let mut invocation = invocation;
    if invocation.command == Command::Demo {
        // What the scenes need; whoever says otherwise is heard.
        let scenes = super::demo::SETTINGS.map(|(key, value)| (key.to_owned(), value.to_owned()));
        invocation.settings.splice(0..0, scenes);
    }
    match invocation.command {
        Command::Help => say(DONE, arguments::HELP),
        Command::Version => say(DONE, concat!("tidegate ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::CheckConfig => {
            let (report, code) = check(arguments, env);
            say(code, &report)
        }
        Command::VerifyBroadcast(id) => match load_for(&invocation, env) {
            Ok(config) => actix_web::rt::System::new().block_on(super::verify::verify(&config, id, invocation.json)),
            Err(problems) => say_problems(&problems),
        },
        Command::Serve | Command::Sandbox | Command::Demo | Command::Migrate => match load_for(&invocation, env) {
            Ok(config) => {
                let faults = env.get(broken::VARIABLE).map(String::as_str);
                actix_web::rt::System::new().block_on(carry_out(&invocation, config, faults))
            }
            Err(problems) => say_problems(&problems),
        },
    }
}

fn say_problems(problems: &[impl std::fmt::Display]) -> u8 {
    let report: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    say(WRONG, &report)
}

async fn carry_out(invocation: &Invocation, config: Config, faults: Option<&str>) -> u8 {
    telemetry::start_log(&config.log);
    descriptors::raise(&config);
    if let Some(Err(error)) = faults.map(broken::order) {
        return say(WRONG, &format!("tidegate: {}: {error}\n", broken::VARIABLE));
    }
    let clock = Arc::new(WallClock::new());
    let surroundings = Surroundings { clock: Arc::clone(&clock) as Arc<dyn Clock>, ids: Arc::new(RandomIds) };
    let ran = match invocation.command {
        Command::Sandbox => sandbox_alone(&config, surroundings).await,
        Command::Migrate => Ok(migrate(&config, &surroundings).await),
        Command::Demo => super::demo::play(config, surroundings, clock, invocation.json).await,
        _ => serve(config, surroundings, clock).await,
    };
    match ran {
        Ok(code) => code,
        // A new start does not mend it.
        Err(error @ StartError::Schema(_)) => say(WRONG, &format!("tidegate: {error}\n")),
        Err(error) => say(TRY_AGAIN, &format!("tidegate: {error}\n")),
    }
}

async fn sandbox_alone(config: &Config, surroundings: Surroundings) -> Result<u8, StartError> {
    let mut sandbox = start_sandbox(config, surroundings, None)?;
    let _ = say(DONE, &format!("sandbox provider  {}\n", sandbox.base_url()));
    let mut signals = Signals::new()?;
    tokio::select! {
        () = signals.next() => {}
        () = sandbox.ended() => return Ok(TRY_AGAIN),
    }
    sandbox.stop().await;
    Ok(DONE)
}

async fn serve(config: Config, surroundings: Surroundings, clock: Arc<WallClock>) -> Result<u8, StartError> {
    let mut tokens =
        Tokens::read(&config.store.path).map_err(|error| StartError::Files("the data folder cannot be read", error))?;
    let operator_token =
        tokens.operator(&*surroundings.ids).map_err(|error| StartError::Files("the tokens cannot be kept", error))?;
    let mut signals = Signals::new()?;
    let store = tokio::select! {
        store = wait_for_store(&config, &surroundings) => store?,
        () = signals.next() => return Ok(DONE),
    };
    let store_failed = store.failed();
    let metrics = telemetry::start_metrics().map_err(|error| StartError::Metrics(error.to_string()))?;
    let parts = Parts {
        config: config.clone(),
        surroundings: surroundings.clone(),
        store,
        operator_token,
        manual_clock: (config.server.clock == ClockMode::Manual).then_some(clock),
        metrics,
        tell: config.sandbox.enabled,
    };
    let mut running = start(parts).await?;
    let sandbox = if config.sandbox.enabled {
        Some(open_sandbox(&config, surroundings, &running, &mut tokens).await?)
    } else {
        None
    };
    let _ = say(DONE, &welcome(&running, sandbox.as_ref(), &tokens));
    if let Some(lines) = running.take_lines() {
        tokio::spawn(show(lines));
    }
    let mut node_failed = running.failed();
    let mut store_failed = store_failed;
    let why = tokio::select! {
        () = signals.next() => None,
        why = first_word(&mut node_failed) => Some(why),
        why = first_word(&mut store_failed) => Some(why),
    };
    if let Some(why) = why {
        // Memory or lease is not to be trusted: nothing more is written, and the next start replays.
        running.expect_the_end();
        return Ok(say(TRY_AGAIN, &format!("tidegate: {why}; start it again and it replays what was committed\n")));
    }
    let deadline = config.server.shutdown_deadline;
    let stopping = async {
        let finished = running.stop(deadline).await;
        // Only then: it answers the calls that the stop waits for.
        if let Some(sandbox) = sandbox {
            sandbox.stop().await;
        }
        finished
    };
    let finished = tokio::select! {
        finished = stopping => finished,
        () = signals.next() => return Ok(say(CUT_SHORT, "tidegate: told twice to stop; what was under way replays\n")),
        () = tokio::time::sleep(deadline + std::time::Duration::from_secs(10)) => false,
    };
    Ok(if finished { DONE } else { say(CUT_SHORT, "tidegate: not everything was finished in time; it replays\n") })
}

pub(super) async fn open_sandbox(
    config: &Config,
    surroundings: crate::clock::Surroundings,
    running: &Running,
    tokens: &mut Tokens,
) -> Result<SandboxHandle, StartError> {
    let shards = &running.edge.shards;
    let path = Seeded::ids(&shards.node().keys).webhook_path();
    let sandbox = start_sandbox(config, surroundings, Some(format!("http://{}{path}", running.addr)))?;
    seed(shards, config, &sandbox.base_url(), tokens).await?;
    Ok(sandbox)
}

fn welcome(running: &Running, sandbox: Option<&SandboxHandle>, tokens: &Tokens) -> String {
    let mut text = format!("tidegate          http://{}\n", running.addr);
    text.push_str(&format!("agents' socket    ws://{}/v1/agent/socket\n", running.addr));
    if let Some(sandbox) = sandbox {
        text.push_str(&format!("sandbox provider  {}\n", sandbox.base_url()));
        for name in ["WORKSPACE", "ACCOUNT", "ADMIN_TOKEN", "AGENT1_TOKEN", "AGENT2_TOKEN"] {
            if let Some(value) = tokens.get(name) {
                text.push_str(&format!("{name:<17} {value}\n"));
            }
        }
    }
    text
}

async fn show(mut lines: tokio::sync::mpsc::Receiver<String>) {
    while let Some(line) = lines.recv().await {
        let _ = say(DONE, &format!("{line}\n"));
    }
}

/// The first reason for which a process cannot go on.
async fn first_word(failed: &mut tokio::sync::watch::Receiver<Option<String>>) -> String {
    match failed.wait_for(Option::is_some).await {
        Ok(why) => why.clone().unwrap_or_default(),
        // Whoever could have failed is gone: so nothing fails any more.
        Err(_) => std::future::pending().await,
    }
}

/// The signals that ask for a stop.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, StartError> {
        let failed = |error| StartError::Files("signals cannot be heard", error);
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Writes to the terminal: errors to its error side.
pub(super) fn say(code: u8, text: &str) -> u8 {
    // Nobody is left to tell that the terminal is gone.
    let _ = if code == DONE {
        std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush())
    } else {
        std::io::stderr().write_all(text.as_bytes())
    };
    code
}
