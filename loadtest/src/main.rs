//! The `loadtest` command.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use loadtest::options::{HELP, Options};
use loadtest::{bare, listen, scenarios};
use tokio::signal::unix::{SignalKind, signal};

/// The same as Tidegate's, so that the bare servers are held to no lower bar.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match carry_out(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        // A count was wrong: the figures mean nothing. A missed mark is no failure.
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nobody is left to tell that the terminal is gone.
            let _ = writeln!(std::io::stderr(), "loadtest: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn carry_out(arguments: &[String]) -> Result<bool> {
    match arguments {
        [command] if command == "bare-handler" => bare::handler::run().map(|()| true),
        [command] if command == "bare-relay" => bare::relay::run().map(|()| true),
        [command] if command == "bare-sink" => bare::sink::run().map(|()| true),
        [command, scenario, flags @ ..] if command == "run" => {
            let options = Options::read(flags)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(run(scenario, &options))
        }
        [command, flags @ ..] if command == "listen" => {
            let options = listen::Options::read(flags)?;
            let token = options.token(std::env::var("AGENT1_TOKEN").ok())?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let ended = runtime.block_on(hear(&options, &token));
            // A line that is being read from the terminal would hold the runtime.
            runtime.shutdown_background();
            ended.map(|()| true)
        }
        [] => say(HELP).map(|()| true),
        [command] if ["help", "--help", "-h"].contains(&command.as_str()) => say(HELP).map(|()| true),
        _ => bail!("not understood; `loadtest help` lists what there is"),
    }
}

/// Runs a scenario until its end or a signal; either way its processes end with it.
async fn run(scenario: &str, options: &Options) -> Result<bool> {
    let mut terminate = signal(SignalKind::terminate())?;
    let report = tokio::select! {
        report = scenarios::run(scenario, options) => report?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminate.recv() => bail!("interrupted"),
    };
    say(&if options.json { report.json().context("a figure that is no number")? } else { report.text() })?;
    Ok(report.is_sound())
}

/// Listens until its end or a signal; being interrupted is how it is meant to end.
async fn hear(options: &listen::Options, token: &str) -> Result<()> {
    tokio::select! {
        ended = listen::run(options, token, tokio::io::stdin(), say) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}
