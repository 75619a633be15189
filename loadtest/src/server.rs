//! The servers that are measured: Tidegate, and the bare ones it is held against.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::deliveries::Deliveries;
use crate::machine;
use crate::options::Options;
use crate::process::{Started, free_addr};
use crate::wire::Connection;

/// Settings of the first start, which seeds the sandbox workspace and stops again.
const SEEDING: [&str; 4] =
    ["server.listen=127.0.0.1:0", "sandbox.listen=127.0.0.1:0", "sandbox.customers_per_minute=0", "seed.contacts=0"];
/// Settings of the start that is measured. Without the sandbox no line is shown for each event.
const MEASURED: &str = "sandbox.enabled=false";

/// The variable that orders faults of a server that was built for that.
const BROKEN: &str = "TIDEGATE_BROKEN";

/// How long it may take to say that it is ready; whoever waits for that asks again.
const READY_ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long what was set aside may take, and how often it is looked for.
const SET_ASIDE_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A Tidegate server of the driver's own, with the sandbox workspace in its store.
pub struct Server {
    process: Started,
    launch: Launch,
    /// Where it listens.
    pub addr: SocketAddr,
    tokens: BTreeMap<String, String>,
    running: Rc<Cell<Running>>,
}

/// The process that a server is at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    /// Its id.
    pub pid: u32,
    /// When it was started.
    pub since: Instant,
}

impl Running {
    fn now(process: &Started) -> Self {
        Self { pid: process.pid(), since: Instant::now() }
    }
}

impl Server {
    /// Seeds the sandbox workspace in `folder`, then starts the server on it with these settings on top.
    ///
    /// # Errors
    /// The program is not there, or does not start.
    pub async fn start(options: &Options, folder: &Path, settings: &[&str]) -> Result<Self> {
        let data = folder.join("data");
        // Both starts have one store, whichever is asked for.
        let of_store = |setting: &&str| setting.starts_with("store.") || setting.starts_with("cql.");
        let store = options.settings.iter().map(String::as_str).filter(of_store);
        let asked = options.settings.iter().map(String::as_str);
        let listen = format!("server.listen={}", free_addr()?);
        let settings = [&*listen, MEASURED].into_iter().chain(settings.iter().copied()).chain(asked);
        let settings: Vec<String> = settings.map(str::to_owned).collect();
        let launch =
            Launch { program: options.server.clone(), data: data.clone(), folder: folder.to_owned(), settings };
        let mut seeding = Started::new("seeding", launch.command(SEEDING.into_iter().chain(store)), folder)?;
        seeding.address("tidegate ").await?;
        seeding.stop().await?;
        let tokens = std::fs::read_to_string(data.join("tokens")).context("the seed's tokens")?;
        let tokens = tokens
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut process = launch.start(None)?;
        let running = Rc::new(Cell::new(Running::now(&process)));
        let addr = process.address("tidegate ").await?;
        Ok(Self { process, launch, addr, tokens, running })
    }

    /// Ends it as a power cut would, or in order.
    ///
    /// # Errors
    /// Asked to stop, it did not in time.
    pub async fn end(&mut self, kill: bool) -> Result<()> {
        if kill {
            self.process.kill();
            return Ok(());
        }
        self.process.terminate().await
    }

    /// Starts it again on the same disk and at the same address; it listens when this returns.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        self.process = self.launch.start(Some(self.addr))?;
        self.running.set(Running::now(&self.process));
        self.process.address("tidegate ").await.map(drop)
    }

    /// Its last words, if it has ended though nobody asked it to.
    pub fn died(&mut self) -> Option<String> {
        self.process.has_ended().then(|| self.process.last_words())
    }

    /// Whether it says that it is ready, within 2 s.
    pub async fn is_ready(&self) -> bool {
        let asked = async { Connection::open(self.addr).await?.get("/readyz", "").await };
        matches!(timeout(READY_ANSWER_WITHIN, asked).await, Ok(Ok(_)))
    }

    /// Where its store is.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.launch.data
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its process, for whoever looks on while somebody else ends it and starts it again: what is read there is always
    /// the newest.
    #[must_use]
    pub fn running(&self) -> Rc<Cell<Running>> {
        Rc::clone(&self.running)
    }

    /// A seeded token or id: `ADMIN_TOKEN`, `APP`.
    ///
    /// # Errors
    /// It was not seeded.
    pub fn token(&self, name: &str) -> Result<&str> {
        self.tokens.get(name).map(String::as_str).with_context(|| format!("{name} was not seeded"))
    }

    /// The tokens of every seeded member, the admin's first.
    #[must_use]
    pub fn member_tokens(&self) -> Vec<String> {
        let agents = (1..).map_while(|number| self.tokens.get(&format!("AGENT{number}_TOKEN")));
        self.tokens.get("ADMIN_TOKEN").into_iter().chain(agents).cloned().collect()
    }

    /// A writer of deliveries to the seeded app.
    ///
    /// # Errors
    /// It was not seeded.
    pub fn deliveries(&self) -> Result<Deliveries> {
        Ok(Deliveries::new(format!("/webhooks/whatsapp/{}", self.token("APP")?)))
    }

    /// Conversations of the inbox, and the messages in them that nobody has read.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn inbox(&self) -> Result<Inbox> {
        let body = Connection::open(self.addr).await?.get("/v1/inbox/counts", self.token("ADMIN_TOKEN")?).await?;
        let counts: Value = serde_json::from_str(&body)?;
        let count = |name: &str| counts["all"][name].as_u64().with_context(|| format!("`all.{name}` in {body}"));
        Ok(Inbox { conversations: count("conversations")?, unread: count("unread")? })
    }

    /// The same, once so many messages are unread or it is certain that they do not come: what the server had set
    /// aside under load is taken a little later.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn inbox_with(&self, unread: u64) -> Result<Inbox> {
        let end = Instant::now() + SET_ASIDE_WITHIN;
        loop {
            let inbox = self.inbox().await?;
            if inbox.unread >= unread || Instant::now() >= end {
                return Ok(inbox);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// The sum of a metric over its labels; 0 where it was never touched.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn metric(&self, name: &str, label: &str) -> Result<u64> {
        Ok(metric_of(&Connection::open(self.addr).await?.get("/metrics", "").await?, name, label))
    }

    /// Bytes it holds in memory.
    ///
    /// # Errors
    /// It is gone.
    pub fn rss_bytes(&self) -> Result<u64> {
        machine::rss_bytes(self.pid())
    }
}

/// How the measured server is started, whenever it is.
struct Launch {
    program: PathBuf,
    data: PathBuf,
    folder: PathBuf,
    settings: Vec<String>,
}

impl Launch {
    fn command<'a>(&self, settings: impl Iterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data").arg(&self.data);
        for setting in settings {
            command.arg("--set").arg(setting);
        }
        // Settings of the shell's would be in the figures without being told.
        for name in std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("TIDEGATE")) {
            command.env_remove(name);
        }
        command
    }

    fn start(&self, again_at: Option<SocketAddr>) -> Result<Started> {
        let listen = again_at.map(|addr| format!("server.listen={addr}"));
        let mut command = self.command(self.settings.iter().map(String::as_str).chain(listen.as_deref()));
        // What breaks a server on order is meant for the one that is judged.
        if let Ok(faults) = std::env::var(BROKEN) {
            command.env(BROKEN, faults);
        }
        Started::new("tidegate", command, &self.folder)
    }
}

/// What the inbox holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inbox {
    /// Conversations.
    pub conversations: u64,
    /// Messages that nobody has read.
    pub unread: u64,
}

fn metric_of(text: &str, name: &str, label: &str) -> u64 {
    let values = text.lines().filter_map(|line| {
        let (series, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
        let same = series.is_empty() || series.starts_with('{');
        (same && series.contains(label)).then(|| value.parse::<f64>().ok())?
    });
    values.sum::<f64>() as u64
}

/// A bare server: a process of this same program.
pub struct Bare {
    process: Started,
    /// Where it takes HTTP.
    pub addr: SocketAddr,
}

impl Bare {
    /// Starts `loadtest <name>`.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(name: &'static str, folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(name);
        let mut process = Started::new(name, command, folder)?;
        let addr = process.address("listening ").await?;
        Ok(Self { process, addr })
    }

    /// A second address that it tells after the first.
    ///
    /// # Errors
    /// It tells none.
    pub async fn second_address(&mut self, words: &str) -> Result<SocketAddr> {
        self.process.address(words).await
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// A number that it tells at a path.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn number(&self, path: &str) -> Result<u64> {
        let body = Connection::open(self.addr).await?.get(path, "").await?;
        body.trim().parse().with_context(|| format!("a number in `{body}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_the_labels_asked_for() {
        let text = "# TYPE items counter\nitems{fate=\"taken\",c=\"a\"} 3\nitems{c=\"b\",fate=\"taken\"} 4\n\
                    items{fate=\"kept\"} 9\nitems_bucket{fate=\"taken\"} 50\nsockets 2\n";
        for (name, label, expected) in
            [("items", "fate=\"taken\"", 7), ("items", "", 16), ("sockets", "", 2), ("absent", "", 0)]
        {
            assert_eq!(metric_of(text, name, label), expected, "{name}");
        }
    }
}
