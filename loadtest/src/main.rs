//! The `loadtest` command.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use loadtest::document::Verdict;
use loadtest::options::{Command, HELP, Options};
use loadtest::report::{Report, marks_of};
use loadtest::{bare, capacity, compare, listen, provider, ratios, shelf};
use tokio::signal::unix::{SignalKind, signal};

/// The same as Tidegate's, so that the bare servers are held to no lower bar.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match carry_out(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        // A rule was broken, a threshold or a bound missed, or a count wrong. A missed mark is no failure.
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
        [command, flags @ ..] if command == "provider" => {
            provider::run(&provider::Options::read(flags)?).map(|()| true)
        }
        [command, scenario, flags @ ..] if command == "run" => {
            let command = if is_ratio(scenario) { Command::Ratio } else { Command::Scenario };
            let options = Options::read_for(command, named(scenario, flags)?)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(run(scenario, &options))
        }
        [command, scenario, flags @ ..] if command == "find-capacity" => {
            let options = Options::read_for(Command::Capacity, named(scenario, flags)?)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(find_capacity(scenario, &options))
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
        [command, flags @ ..] if command == "compare" => {
            let (text, kept) = compare::run(&compare::Options::read(flags)?)?;
            say(&text).map(|()| kept)
        }
        [command, files @ ..] if command == "page" => {
            let page = compare::page(files)?;
            say(&format!("wrote {}", page.display())).map(|()| true)
        }
        [] => say(HELP).map(|()| true),
        [command] if ["help", "--help", "-h"].contains(&command.as_str()) => say(HELP).map(|()| true),
        _ => bail!("not understood; `loadtest help` lists what there is"),
    }
}

/// Whether a name is that of a ratio, or of all of them.
fn is_ratio(name: &str) -> bool {
    name == "ratios" || ratios::NAMES.contains(&name)
}

/// The flags behind a name, if it is one.
fn named<'a>(name: &str, flags: &'a [String]) -> Result<&'a [String]> {
    if name.starts_with('-') {
        bail!("a name comes before `{name}`: `loadtest run smoke --short`, for example");
    }
    Ok(flags)
}

/// Runs a scenario until its end or a signal; either way its processes end with it.
async fn run(scenario: &str, options: &Options) -> Result<bool> {
    if scenario == "ratios" {
        return unless_interrupted(all_ratios(options)).await;
    }
    if !is_ratio(scenario) {
        let mut scenario = options.scenario(scenario)?;
        if options.rules_alone {
            scenario.thresholds.clear();
        }
        let document = unless_interrupted(loadtest::run::run(&scenario, options)).await?;
        let folder = shelf::put(&document, &options.out)?;
        say(&if options.json { document.json()? } else { document.text() })?;
        // Whoever reads JSON from standard output reads nothing else there.
        writeln!(std::io::stderr(), "the report is in {}", folder.display())?;
        return Ok(document.verdict == Verdict::Passed || options.rules_alone && document.verdict == Verdict::Invalid);
    }
    let report = unless_interrupted(ratios::run(scenario, options)).await?;
    say(&if options.json { report.json().context("a figure that is no number")? } else { report.text() })?;
    Ok(report.is_sound())
}

/// Measures every ratio, one after another, and tells their marks together at the end.
async fn all_ratios(options: &Options) -> Result<bool> {
    let mut reports = Vec::new();
    for name in ratios::NAMES {
        let report = ratios::run(name, options).await.with_context(|| format!("measuring {name}"))?;
        if !options.json {
            say(&report.text())?;
        }
        reports.push(report);
    }
    if options.json {
        let all = reports.iter().map(Report::json).collect::<Result<Vec<_>, _>>()?;
        say(&format!("[{}]", all.join(",\n")))?;
    } else {
        say(&format!("\n{}", marks_of(&reports)))?;
    }
    Ok(reports.iter().all(Report::is_sound))
}

/// Searches for the most a server carries; false if it was wrong at any rate.
async fn find_capacity(scenario: &str, options: &Options) -> Result<bool> {
    if is_ratio(scenario) {
        bail!("`{scenario}` is a ratio; a capacity is searched for with a scenario, such as inbound-burst");
    }
    let scenario = options.scenario(scenario)?;
    let found = unless_interrupted(capacity::find(&scenario, options, say)).await?;
    say(&found.text)?;
    Ok(!found.is_wrong)
}

async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminate.recv() => bail!("interrupted"),
    }
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
