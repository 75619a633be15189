//! The server as a process of its own, which a story may kill. The provider lives in the test's process, so
//! that it is a witness that survives.

pub(crate) mod tenant;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tidegate::app::Tokens;

use crate::house::database::Keyspaces;
use crate::house::http;

/// The program.
const TIDEGATE: &str = env!("CARGO_BIN_EXE_tidegate");
/// How long a start may take, in machine time.
const START_WITHIN: Duration = Duration::from_secs(60);

/// A server's process; it is killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) addr: SocketAddr,
}

/// An address for a server that is started on it again and again. Its port is below those that the kernel gives to
/// outgoing connections: one of these could have it while the server is away.
pub(crate) fn free_addr() -> SocketAddr {
    /// Ports that are tried in turn, those of each process from a place of its own.
    const PORTS: std::ops::Range<u32> = 10_240..32_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(97);
    for _ in PORTS {
        let place = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS.len() as u32;
        let port = u16::try_from(PORTS.start + place).expect("a port is 16 bits");
        if let Ok(addr) = TcpListener::bind(("127.0.0.1", port)).and_then(|listener| listener.local_addr()) {
            return addr;
        }
    }
    panic!("no port is free");
}

impl Process {
    /// Starts a plain server on a data folder and waits until it is ready.
    pub(crate) async fn start(data: &Path, addr: SocketAddr, settings: &[&str]) -> Self {
        let mut command = Command::new(TIDEGATE);
        command.stdout(Stdio::null());
        Self::begin(command, data, addr, settings).await
    }

    /// The same; what it says is kept in `stdout` and `stderr` of a folder.
    pub(crate) async fn watched(data: &Path, addr: SocketAddr, settings: &[&str], said: &Path) -> Self {
        Self::begin(heard(Command::new(TIDEGATE), said), data, addr, settings).await
    }

    /// The same, after a shell has set its limits.
    pub(crate) async fn limited(limits: &str, data: &Path, addr: SocketAddr, settings: &[&str], said: &Path) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{limits} exec \"$0\" \"$@\"")).arg(TIDEGATE);
        Self::begin(heard(shell, said), data, addr, settings).await
    }

    async fn begin(command: Command, data: &Path, addr: SocketAddr, settings: &[&str]) -> Self {
        let keyspaces = Keyspaces::of_folder(data);
        let of_store: Vec<String> = keyspaces.as_ref().map(Keyspaces::settings).into_iter().flatten().collect();
        if keyspaces.is_some() {
            migrated(&of_store);
        }
        let all: Vec<&str> = of_store.iter().map(String::as_str).chain(settings.iter().copied()).collect();
        let mut process = Self::launched(command, data, addr, &all);
        process.ready().await;
        process
    }

    /// Starts a server without waiting for anything.
    pub(crate) fn launch(data: &Path, addr: SocketAddr, settings: &[&str]) -> Self {
        let mut command = Command::new(TIDEGATE);
        command.stdout(Stdio::null());
        Self::launched(command, data, addr, settings)
    }

    fn launched(mut command: Command, data: &Path, addr: SocketAddr, settings: &[&str]) -> Self {
        command.arg("--data").arg(data).arg("--listen").arg(addr.to_string());
        for setting in ["sandbox.enabled=false", "server.workers=2", "log.level=warn"].iter().chain(settings) {
            command.arg("--set").arg(setting);
        }
        let child = command.spawn().expect("the server starts");
        Self { child, addr }
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) {
        let end = tokio::time::Instant::now() + START_WITHIN;
        loop {
            // Whoever waits for its store listens in another's place, and may leave in the middle of an answer.
            let answer = http::try_call(self.addr, "GET", "/readyz", &[], Vec::new()).await;
            if answer.is_some_and(|answer| answer.status == 200) {
                return;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the server ended as it started: {status}");
            }
            assert!(tokio::time::Instant::now() < end, "the server did not become ready");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal: `TERM`, `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(sent.expect("kill runs").success(), "the signal was not sent");
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        // A process that has ended cannot be killed, and that is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end and gives its code; a signal that ended it is a failure.
    pub(crate) async fn ended(&mut self, within: Duration) -> i32 {
        let end = tokio::time::Instant::now() + within;
        while tokio::time::Instant::now() < end {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code().unwrap_or_else(|| panic!("the server ended with {status}"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the server did not end in {within:?}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Makes the tables of a store in the database, if they are not there.
pub(crate) fn migrated(settings: &[String]) {
    let flags = settings.iter().flat_map(|setting| ["--set", setting.as_str()]);
    let (code, _, words) = ran(&["migrate"].into_iter().chain(flags).collect::<Vec<_>>());
    assert_eq!(code, Some(0), "{words}");
}

fn heard(mut command: Command, said: &Path) -> Command {
    let file = |name| std::fs::File::create(said.join(name)).expect("a file");
    command.stdout(file("stdout")).stderr(file("stderr"));
    command
}

/// Runs the command to its end: its code, and what it said to its output and to its error side.
pub(crate) fn ran(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(TIDEGATE).args(arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The operator's token of a data folder.
pub(crate) fn operator_token(data: &Path) -> String {
    let tokens = Tokens::read(data).expect("the tokens");
    tokens.get("OPERATOR_TOKEN").expect("the server made one").to_owned()
}
