//! Processes that the driver starts, ended when their guard goes.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a process may take until it says where it listens; a debug build on a busy machine is slow.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How long it may take to stop in order.
const STOP_WITHIN: Duration = Duration::from_secs(20);
/// How often its end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process of the driver's own.
pub struct Started {
    child: Child,
    lines: mpsc::Receiver<String>,
    log: PathBuf,
    name: &'static str,
}

impl Started {
    /// Starts it; what it says on its error side goes to `<folder>/<name>.log`.
    ///
    /// # Errors
    /// There is no such program, or no such folder.
    pub fn new(name: &'static str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        // A server that is started again goes on in the same log.
        let errors = File::options()
            .append(true)
            .create(true)
            .open(&log)
            .with_context(|| format!("creating {}", log.display()))?;
        // A bare server ends when its input does, however this process ends.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        let (told, lines) = mpsc::channel(64);
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    // Nobody waits for later lines, but the pipe must not fill.
                    let _ = told.try_send(line);
                }
            });
        }
        Ok(Self { child, lines, log, name })
    }

    /// Its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address in the first line that begins with these words, behind an optional `http://`.
    ///
    /// # Errors
    /// It ended, or did not say it in time.
    pub async fn address(&mut self, words: &str) -> Result<SocketAddr> {
        let end = Instant::now() + START_WITHIN;
        loop {
            match timeout_at(end, self.lines.recv()).await {
                Ok(Some(line)) => {
                    if let Some(rest) = line.strip_prefix(words) {
                        return address_of(rest).with_context(|| format!("an address in `{line}`"));
                    }
                }
                Ok(None) => bail!("{} ended at once; it said:\n{}", self.name, self.last_words()),
                Err(_) => bail!("{} did not start within {START_WITHIN:?}:\n{}", self.name, self.last_words()),
            }
        }
    }

    /// Asks it to stop and waits for it; what does not stop in time is killed.
    ///
    /// # Errors
    /// It was killed.
    pub async fn stop(mut self) -> Result<()> {
        self.terminate().await
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// As [`Started::stop`], for whoever starts another in its place.
    ///
    /// # Errors
    /// It did not stop in time; it is killed when its guard goes.
    pub async fn terminate(&mut self) -> Result<()> {
        let asked = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status()?;
        let end = Instant::now() + STOP_WITHIN;
        while asked.success() && Instant::now() < end {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        bail!("{} did not stop within {STOP_WITHIN:?} and was killed", self.name)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// The end of what it said on its error side.
    #[must_use]
    pub fn last_words(&self) -> String {
        let mut text = String::new();
        if let Ok(mut log) = File::open(&self.log) {
            // An unreadable log has nothing to say.
            let _ = log.read_to_string(&mut text);
        }
        let from = text.char_indices().rev().nth(2_000).map_or(0, |(at, _)| at);
        text.split_off(from)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.kill();
    }
}

fn address_of(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    text.strip_prefix("http://").unwrap_or(text).parse().ok()
}

/// A free address on loopback for a server that may be ended and started on it again. Its port is below those that the
/// kernel gives to outgoing connections: one of these could have it while the server is away.
///
/// # Errors
/// None is free.
pub fn free_addr() -> Result<SocketAddr> {
    const PORTS: std::ops::Range<u16> = 10_240..32_000;
    // Several drivers on one machine begin at places of their own.
    let first = std::process::id().wrapping_mul(97);
    for place in PORTS {
        let port = PORTS.start + ((first + u32::from(place)) % u32::from(PORTS.end - PORTS.start)) as u16;
        if let Ok(addr) = std::net::TcpListener::bind(("127.0.0.1", port)).and_then(|listener| listener.local_addr()) {
            return Ok(addr);
        }
    }
    bail!("no port from {} to {} is free", PORTS.start, PORTS.end)
}

/// A folder that is removed with everything in it.
pub struct Folder(PathBuf);

impl Folder {
    /// A fresh folder under `root`, on whose disk the store is measured.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(root: &Path) -> Result<Self> {
        let path = root.join(format!("run-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left for its owner to see.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_address_can_be_listened_on() {
        let addr = free_addr().unwrap();
        assert!((10_240..32_000).contains(&addr.port()));
        drop(std::net::TcpListener::bind(addr).unwrap());
    }

    #[test]
    fn addresses_are_read_with_or_without_a_scheme() {
        let expected = Some("127.0.0.1:80".parse().unwrap());
        assert_eq!(address_of("  http://127.0.0.1:80"), expected);
        assert_eq!(address_of("127.0.0.1:80\n"), expected);
        assert_eq!(address_of("somewhere"), None);
    }

    #[tokio::test]
    async fn a_guard_ends_its_process_and_a_short_life_is_told() {
        let folder = Folder::new(&std::env::temp_dir().join("loadtest-process")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo listening 127.0.0.1:9; exec sleep 600"]);
        let mut started = Started::new("sleeper", command, folder.path()).unwrap();
        assert_eq!(started.address("listening").await.unwrap().port(), 9);
        let proc = PathBuf::from(format!("/proc/{}", started.pid()));
        assert!(proc.exists());
        drop(started);
        assert!(!proc.exists());

        let mut command = Command::new("sh");
        command.args(["-c", "echo no luck >&2"]);
        let error = Started::new("short", command, folder.path()).unwrap().address("listening").await.unwrap_err();
        assert!(error.to_string().contains("no luck"), "{error}");
    }
}
