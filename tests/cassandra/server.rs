//! A real Apache Cassandra for tests: one node, alone, on a loopback address of its own.
//!
//! It is a plain Java process. It ends with the test that started it, however that one ends: see `guard.sh`.
//! The functions block, some for seconds; an asynchronous test calls them from a blocking thread.

#[path = "jars.rs"]
mod jars;
#[path = "settings.rs"]
mod settings;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{fs, thread};

use self::settings::{CQL_PORT, JMX_PORT, STORAGE_PORT};

const GUARD: &str = include_str!("guard.sh");
/// A boot takes 3 s; the rest is for a machine that does much else.
const READY_WITHIN: Duration = Duration::from_secs(90);
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long one step of the conversation that asks whether it is ready may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// No server listens here. Who holds it has the whole address, also while the database is down.
const CLAIM_PORT: u16 = 9041;

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitLog {
    /// Before it is in the commit log: for speed, in tests that do not kill the database. After a kill it comes back
    /// without its keyspaces.
    Periodic,
    /// After it was handed to the system: for tests that kill the database. A kill loses nothing.
    Batch,
}

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Everybody.
    Open,
    /// Whoever comes by TLS and logs in as `cassandra` with the password `cassandra`.
    Guarded,
}

/// A database of one node. It is killed and its folder removed when this is dropped or the process ends.
#[derive(Debug)]
pub struct Cassandra {
    folder: PathBuf,
    jars: PathBuf,
    address: Ipv4Addr,
    commit_log: CommitLog,
    door: Door,
    running: Option<Running>,
    _claim: TcpListener,
}

/// The database's process and the shell that guards it.
#[derive(Debug)]
struct Running {
    guard: Child,
    /// The guard kills the database when this closes.
    leash: ChildStdin,
    id: u32,
}

impl Cassandra {
    /// Starts a new, empty database and waits until it answers. `folder_root` keeps the jars for all, and the
    /// database's own folder for as long as it lives; the first start ever fetches the jars with Maven.
    pub fn start(folder_root: &Path, commit_log: CommitLog) -> Result<Self, String> {
        Self::start_with(folder_root, commit_log, Door::Open)
    }

    /// The same; one that is guarded listens when this answers, and knows its user a moment later.
    pub fn start_with(folder_root: &Path, commit_log: CommitLog, door: Door) -> Result<Self, String> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        // The database runs in its own folder, where a relative path would lead elsewhere.
        let root = fs::create_dir_all(folder_root)
            .and_then(|()| folder_root.canonicalize())
            .map_err(|error| format!("the folder {}: {error}", folder_root.display()))?;
        let jars = jars::ready(&root)?;
        let (address, claim) = free_address(process::id().wrapping_mul(97).wrapping_add(number))?;
        let folder = root.join(format!("node-{}-{number}", process::id()));
        let mut new = Self { folder, jars, address, commit_log, door, running: None, _claim: claim };
        // Another process had this process's number once and left its data.
        new.remove_folder();
        settings::write(&new.folder, address, commit_log, door).map_err(|error| format!("the settings: {error}"))?;
        new.launch()?;
        Ok(new)
    }

    /// What this machine lacks to run it with this `folder_root`, in a sentence; `None` if nothing. That the jars
    /// can be fetched is not tried.
    pub fn missing(folder_root: &Path) -> Option<String> {
        if !cfg!(target_os = "linux") {
            return Some("Cassandra needs a loopback address of its own, which only Linux gives.".to_owned());
        }
        if let Err(why) = jars::java() {
            return Some(format!("{why}."));
        }
        if !jars::folder(folder_root).is_dir() && !jars::maven() {
            let root = folder_root.display();
            return Some(format!("Cassandra's jars are not in {root}, and Maven (mvn) to fetch them does not run."));
        }
        None
    }

    /// Where a driver connects: `127.x.y.1:9042`.
    pub fn contact_point(&self) -> String {
        SocketAddr::from((self.address, CQL_PORT)).to_string()
    }

    /// Its folder: `conf`, `data`, `system.log`, `stdout.log`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The certificate of one that is guarded, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join(settings::CERTIFICATE)
    }

    /// Where an operator's tools connect.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Tells a script how to run the operator's tool.
    pub fn give_nodetool(&self, script: &mut Command) -> Result<(), String> {
        script.env("CLASSPATH", self.jars.join("*")).env("NODETOOL", settings::nodetool(&jars::java()?));
        Ok(())
    }

    /// Kills it at once and waits until it is dead. One that is dead already stays so.
    pub fn kill(&mut self) -> Result<(), String> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        if let Ok(None) = running.guard.try_wait() {
            signal("KILL", running.id)?;
        }
        // The guard ends once it has seen the end of the database.
        running.guard.wait().map_err(|error| format!("waiting for the end of Cassandra: {error}"))?;
        Ok(())
    }

    /// Starts it again, with its data and at its address, and waits until it answers. One that runs is killed first.
    pub fn restart(&mut self) -> Result<(), String> {
        self.kill()?;
        self.launch()
    }

    /// Halts it: it keeps its connections and answers nothing, until [`Self::resume`].
    pub fn pause(&self) -> Result<(), String> {
        self.send("STOP")
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&self) -> Result<(), String> {
        self.send("CONT")
    }

    /// Ends it and removes its folder, as dropping it does.
    pub fn stop(self) {
        drop(self);
    }

    fn send(&self, name: &str) -> Result<(), String> {
        let running = self.running.as_ref().ok_or("Cassandra does not run")?;
        signal(name, running.id)
    }

    fn launch(&mut self) -> Result<(), String> {
        let java = jars::java()?;
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard.sh"]).arg(&self.folder).arg(java);
        command.args(settings::arguments(&self.folder, self.address, &self.jars, self.commit_log));
        // A group of its own: what interrupts the test at a terminal must not end the guard.
        command.current_dir(&self.folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut guard = command.spawn().map_err(|error| format!("sh does not run: {error}"))?;
        let (Some(leash), Some(output)) = (guard.stdin.take(), guard.stdout.take()) else {
            return Err("the guard has no pipes".to_owned());
        };
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        let id = line.trim().parse().map_err(|_| format!("the guard did not name its process: {read:?} {line:?}"))?;
        let running = self.running.insert(Running { guard, leash, id });
        wait_until_ready(running, SocketAddr::from((self.address, CQL_PORT)), self.door)
            .map_err(|why| format!("{why}\n{}", said(&self.folder)))
    }

    fn remove_folder(&self) {
        // What cannot be removed stays below the build's folder: no reason to fail a test.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Cassandra {
    fn drop(&mut self) {
        if let Some(Running { mut guard, leash, .. }) = self.running.take() {
            drop(leash);
            // It has no other parent, so waiting fails only if it has been waited for.
            let _ = guard.wait();
        }
        self.remove_folder();
    }
}

/// The shell's own `kill`, for not every system has the program.
fn signal(name: &str, id: u32) -> Result<(), String> {
    let sent = Command::new("sh").args(["-c", r#"kill -s "$0" "$1""#, name]).arg(id.to_string()).status();
    match sent {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("SIG{name} could not be sent to Cassandra: {other:?}")),
    }
}

/// A loopback address whose ports are free, and the claim on it. The search begins at a place of the caller's own,
/// so that test processes side by side seldom meet, and the claim decides when they do.
fn free_address(begin: u32) -> Result<(Ipv4Addr, TcpListener), String> {
    let mut last = String::new();
    for number in (0..200).map(|step| begin.wrapping_add(step) % (250 * 250)) {
        let [_, _, x, y] = ((number / 250 + 1) << 8 | (number % 250)).to_be_bytes();
        let address = Ipv4Addr::new(127, x, y, 1);
        let bind = |port| TcpListener::bind((address, port));
        // A foreign server on a port would answer in the place of ours.
        match bind(CLAIM_PORT)
            .and_then(|claim| bind(CQL_PORT).and(bind(STORAGE_PORT)).and(bind(JMX_PORT)).map(|_| claim))
        {
            Ok(claim) => return Ok((address, claim)),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(format!(
        "no loopback address has the ports {CLAIM_PORT}, {CQL_PORT}, {STORAGE_PORT} and {JMX_PORT} free; {last}"
    ))
}

#[expect(clippy::disallowed_methods, reason = "the wait for a process of the machine, outside of any arbiter")]
fn wait_until_ready(running: &mut Running, address: SocketAddr, door: Door) -> Result<(), String> {
    let begin = std::time::Instant::now();
    loop {
        if let Ok(Some(status)) = running.guard.try_wait() {
            return Err(format!("Cassandra ended as it started: {status}"));
        }
        let answered = match door {
            Door::Open => ask(address),
            // Its port is the last that it opens.
            Door::Guarded => TcpStream::connect_timeout(&address, ANSWER_WITHIN).map(drop),
        };
        match answered {
            Ok(()) => return Ok(()),
            Err(error) if begin.elapsed() > READY_WITHIN => {
                return Err(format!("Cassandra did not answer within {READY_WITHIN:?}: {error}"));
            }
            Err(_) => thread::sleep(ASK_EVERY),
        }
    }
}

/// Asks for its version as a client would: an open port does not mean that it serves.
fn ask(address: SocketAddr) -> io::Result<()> {
    const STARTUP: (u8, u8) = (1, 2);
    const QUERY: (u8, u8) = (7, 8);
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    exchange(&mut stream, STARTUP, b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0")?;
    let query = b"SELECT release_version FROM system.local";
    let length = (query.len() as u32).to_be_bytes();
    // After the text: consistency ONE, and no flags.
    exchange(&mut stream, QUERY, &[length.as_slice(), query, &[0, 1, 0]].concat())
}

/// Sends a frame of CQL's protocol, version 4, and reads the answer, which must have a certain code.
fn exchange(stream: &mut TcpStream, (code, answer): (u8, u8), body: &[u8]) -> io::Result<()> {
    let length = (body.len() as u32).to_be_bytes();
    stream.write_all(&[&[4, 0, 0, 0, code], length.as_slice(), body].concat())?;
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let [_, _, _, _, got, length @ ..] = head;
    io::copy(&mut stream.take(u32::from_be_bytes(length).into()), &mut io::sink())?;
    if got == answer { Ok(()) } else { Err(io::Error::other(format!("the answer is {got}, not {answer}"))) }
}

/// The end of what it said, for a start that failed.
fn said(folder: &Path) -> String {
    let text = fs::read(folder.join("stdout.log")).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&text), 30)
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
