//! One websocket of the driver's: connects, identifies, reads.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::frames::{self, Cutter, Kind};

/// How long a handshake or an answer to `identify` may take.
const ENTER_WITHIN: Duration = Duration::from_secs(30);
/// The path of the agents' socket.
pub const AGENT_PATH: &str = "/v1/agent/socket";

/// A socket that has entered.
pub struct Socket {
    /// Its connection.
    pub stream: TcpStream,
    /// What it has not cut yet.
    pub cutter: Cutter,
    /// The server's greeting, where it came with the answer to the upgrade.
    pub hello: Option<String>,
}

impl Socket {
    /// Connects and upgrades. With `receive_bytes` the kernel holds no more than about so much for a reader that
    /// does not read.
    ///
    /// # Errors
    /// The server does not want it.
    pub async fn open(addr: SocketAddr, path: &str, receive_bytes: Option<u32>) -> Result<Self> {
        let protocol = if path == AGENT_PATH { "tidegate.v1.json" } else { "" };
        Self::open_as(addr, path, protocol, receive_bytes).await
    }

    /// The same with a subprotocol; none where it is empty.
    ///
    /// # Errors
    /// The server does not want it.
    pub async fn open_as(addr: SocketAddr, path: &str, protocol: &str, receive_bytes: Option<u32>) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        let mut stream = socket.connect(addr).await.with_context(|| format!("connecting to {addr}"))?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: bG9hZHRlc3QgbG9hZHRlcw==\r\n"
        );
        let protocol = match protocol {
            "" => String::new(),
            protocol => format!("sec-websocket-protocol: {protocol}\r\n"),
        };
        stream.write_all(format!("{request}{protocol}\r\n").as_bytes()).await?;
        let mut read = Vec::new();
        let end = loop {
            if timeout(ENTER_WITHIN, stream.read_buf(&mut read)).await?? == 0 {
                bail!("the server closed the connection instead of upgrading it");
            }
            if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
        };
        if !read.starts_with(b"HTTP/1.1 101") {
            bail!("no upgrade: {}", String::from_utf8_lossy(&read[..end]));
        }
        let mut cutter = Cutter::default();
        let mut early = Vec::new();
        // Frames that came with the head: `hello` at most, which carries nothing a driver needs.
        cutter.take(&read[end + 4..], |_, text| early.push(String::from_utf8_lossy(text).into_owned()))?;
        if early.len() > 1 {
            bail!("more than `hello` came before anything was asked");
        }
        Ok(Self { stream, cutter, hello: early.pop() })
    }

    /// Identifies and waits for `ready`. No event may come before it returns.
    ///
    /// # Errors
    /// The server does not admit it.
    pub async fn identify(&mut self, token: &str) -> Result<()> {
        let identify = json!({"type": "identify", "token": token}).to_string();
        self.stream.write_all(&frames::client_text(identify.as_bytes())).await?;
        loop {
            for text in timeout(ENTER_WITHIN, self.texts()).await.map_err(|_| anyhow!("no `ready` in time"))?? {
                let object: Value = serde_json::from_str(&text)?;
                let objects = object.as_array().cloned().unwrap_or_else(|| vec![object]);
                for object in objects {
                    match object["type"].as_str() {
                        Some("ready") => return Ok(()),
                        Some("hello" | "heartbeat") => {}
                        _ => bail!("before `ready` came {object}"),
                    }
                }
            }
        }
    }

    /// The texts of what comes next; pings are answered on the way.
    ///
    /// # Errors
    /// The connection ended.
    pub async fn texts(&mut self) -> Result<Vec<String>> {
        let mut read = Vec::with_capacity(16_384);
        let count = self.stream.read_buf(&mut read).await?;
        if count == 0 {
            bail!("the server closed the connection");
        }
        self.cut(&read).await
    }

    /// The texts that are whole with these bytes; pings are answered.
    ///
    /// # Errors
    /// The bytes are no frames, or the connection ended.
    pub async fn cut(&mut self, read: &[u8]) -> Result<Vec<String>> {
        let (mut texts, mut pongs) = (Vec::new(), Vec::new());
        self.cutter.take(read, |kind, payload| match kind {
            Kind::Text => texts.push(String::from_utf8_lossy(payload).into_owned()),
            Kind::Ping => pongs.extend(frames::client_pong(payload)),
            Kind::Binary | Kind::Close | Kind::Other => {}
        })?;
        self.stream.write_all(&pongs).await?;
        Ok(texts)
    }
}
