//! The server as a process of its own, which a story may kill. The provider lives in the test's process, so
//! that it is a witness that survives.

pub(crate) mod tenant;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tidegate::app::Tokens;

use crate::house::http;

/// How long a start may take, in machine time.
const START_WITHIN: Duration = Duration::from_secs(60);

/// A server's process; it is killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) addr: SocketAddr,
}

/// A port that nothing listens on.
pub(crate) fn free_addr() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

impl Process {
    /// Starts a plain server on a data folder and waits until it is ready.
    pub(crate) async fn start(data: &Path, addr: SocketAddr, settings: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.arg("--data").arg(data).arg("--listen").arg(addr.to_string());
        for setting in ["sandbox.enabled=false", "server.workers=2", "log.level=warn"].iter().chain(settings) {
            command.arg("--set").arg(setting);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().expect("the server starts");
        let mut process = Self { child, addr };
        process.ready().await;
        process
    }

    async fn ready(&mut self) {
        let end = tokio::time::Instant::now() + START_WITHIN;
        loop {
            if tokio::net::TcpStream::connect(self.addr).await.is_ok()
                && http::call(self.addr, "GET", "/readyz", &[], Vec::new()).await.status == 200
            {
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

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        // A process that has ended cannot be killed, and that is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end and gives its code.
    pub(crate) async fn ended(&mut self, within: Duration) -> Option<i32> {
        let end = tokio::time::Instant::now() + within;
        while tokio::time::Instant::now() < end {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
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

/// The operator's token of a data folder.
pub(crate) fn operator_token(data: &Path) -> String {
    let tokens = Tokens::read(data).expect("the tokens");
    tokens.get("OPERATOR_TOKEN").expect("the server made one").to_owned()
}
