//! The fake provider: a WhatsApp Cloud API of its own process, which behaves as its plan says, posts receipts, replies
//! and events, and keeps a ledger of what each recipient truly got.

mod book;
mod chance;
mod control;
mod events;
mod pace;
pub mod plan;
mod post;
mod refusal;
mod schedule;
mod send;
mod sent;
mod serve;
mod state;
#[cfg(test)]
mod tests;
pub mod told;
mod verdict;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use self::plan::Plan;
use self::state::State;
use crate::machine;

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where it listens; port 0 for a free one.
    pub listen: SocketAddr,
    /// The plan, in TOML; a perfect provider's if there is none.
    pub plan: Option<PathBuf>,
    /// Where the ledger is written at the end, and when it is ordered.
    pub ledger: Option<PathBuf>,
    /// Whether it ends when its input does.
    pub is_child: bool,
}

impl Options {
    /// Reads the flags behind `provider`.
    ///
    /// # Errors
    /// The first that is not understood.
    pub fn read(arguments: &[String]) -> Result<Self> {
        let mut options = Self { listen: ([127, 0, 0, 1], 0).into(), plan: None, ledger: None, is_child: false };
        let mut rest = arguments.iter();
        while let Some(flag) = rest.next() {
            if flag == "--child" {
                options.is_child = true;
                continue;
            }
            let value = rest.next().with_context(|| format!("`{flag}` needs a value, or does not exist"))?;
            match flag.as_str() {
                "--listen" => {
                    options.listen =
                        value.parse().with_context(|| format!("`--listen {value}` is not ADDRESS:PORT"))?;
                }
                "--plan" => options.plan = Some(value.into()),
                "--ledger" => options.ledger = Some(value.into()),
                _ => bail!("there is no `{flag}`; `loadtest help` lists what there is"),
            }
        }
        Ok(options)
    }
}

/// Runs it until a signal or, as a child, until its input ends. Its first line tells where it listens.
///
/// # Errors
/// The plan cannot be read, it cannot listen, or the ledger cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let plan = match &options.plan {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            Plan::from_toml(&text).with_context(|| format!("in {}", path.display()))?
        }
        None => Plan::default(),
    };
    let listener = TcpListener::bind(options.listen).with_context(|| format!("listening at {}", options.listen))?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let state = Arc::new(State::new(addr, plan, options.ledger.clone())?);
    for _ in 0..machine::cores() {
        let (runtime, listener, state) = (runtime()?, listener.try_clone()?, Arc::clone(&state));
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        std::thread::spawn(move || runtime.block_on(serve::serve(listener, state)));
    }
    let (posting, posted) = (runtime()?, Arc::clone(&state));
    std::thread::spawn(move || posting.block_on(post::post_all(posted)));
    runtime()?.block_on(until_ended(options.is_child, addr))?;
    state.write_ledger().map(drop)
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Tells where it listens once signals are heard, and waits for the end.
async fn until_ended(is_child: bool, addr: SocketAddr) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let (gone, starter) = oneshot::channel::<()>();
    let mut kept = Some(gone);
    if is_child {
        // Without a child's starter it is kept to the end: a sender that is gone would be an end, too.
        let gone = kept.take();
        std::thread::spawn(move || {
            // A closed or broken pipe both mean that the starter is gone.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            drop(gone);
        });
    }
    let mut out = std::io::stdout();
    writeln!(out, "provider http://{addr}")?;
    out.flush()?;
    let ended = tokio::select! {
        _ = terminate.recv() => Ok(()),
        heard = tokio::signal::ctrl_c() => Ok(heard?),
        _ = starter => Ok(()),
    };
    drop(kept);
    ended
}
