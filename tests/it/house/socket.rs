//! An agent's websocket, as a client sees it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::contract;

/// How long an object may take to come, in machine time.
const PATIENCE: Duration = Duration::from_secs(20);

/// A socket and the objects that came on it.
pub(crate) struct AgentSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    waiting: VecDeque<Value>,
    /// The latest whole cursor.
    pub(crate) cursor: String,
    commands: u32,
}

impl AgentSocket {
    /// Connects and reads `hello`.
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self::try_connect(addr).await.expect("the socket opens")
    }

    /// The same with a server that may be gone.
    pub(crate) async fn try_connect(addr: SocketAddr) -> Option<Self> {
        let mut request = format!("ws://{addr}/v1/agent/socket").into_client_request().expect("an address");
        let protocol = "tidegate.v1.json".parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (stream, _) = connect_async(request).await.ok()?;
        let mut socket = Self { stream, waiting: VecDeque::new(), cursor: String::new(), commands: 0 };
        let hello = socket.try_next().await?;
        assert_eq!(hello["type"], "hello");
        Some(socket)
    }

    /// Says one object; false if nobody is there.
    pub(crate) async fn try_say(&mut self, object: &Value) -> bool {
        self.stream.send(Message::text(object.to_string())).await.is_ok()
    }

    /// The next object; none once the socket has ended.
    pub(crate) async fn try_next(&mut self) -> Option<Value> {
        loop {
            if let Some(object) = self.waiting.pop_front() {
                return Some(object);
            }
            match self.stream.next().await?.ok()? {
                Message::Text(text) => match serde_json::from_str(&text).expect("JSON") {
                    Value::Array(objects) => self.waiting.extend(objects),
                    object => self.waiting.push_back(object),
                },
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// Connects and identifies.
    pub(crate) async fn identified(addr: SocketAddr, token: &str) -> Self {
        let mut socket = Self::connect(addr).await;
        socket.say(&json!({"type": "identify", "token": token})).await;
        let ready = socket.until("ready").await;
        socket.cursor = ready["cursor"].as_str().expect("a cursor").to_owned();
        socket
    }

    /// Connects and resumes; the events replayed come first.
    pub(crate) async fn resumed(addr: SocketAddr, token: &str, cursor: &str) -> (Self, Vec<Value>) {
        let mut socket = Self::connect(addr).await;
        socket.say(&json!({"type": "resume", "token": token, "cursor": cursor})).await;
        let mut replayed = Vec::new();
        loop {
            let object = socket.next().await;
            if object["type"] == "resumed" {
                socket.cursor = object["cursor"].as_str().expect("a cursor").to_owned();
                return (socket, replayed);
            }
            replayed.push(object);
        }
    }

    /// Says one object.
    pub(crate) async fn say(&mut self, object: &Value) {
        self.stream.send(Message::text(object.to_string())).await.expect("the socket takes it");
    }

    /// Carries out a command and gives its answer: `ok` or `problem`.
    pub(crate) async fn command(&mut self, mut object: Value) -> Value {
        self.commands += 1;
        let reference = format!("c{}", self.commands);
        object["ref"] = json!(reference);
        self.say(&object).await;
        let mut passed = VecDeque::new();
        let answer = loop {
            let object = self.next().await;
            if object["type"] == "answer" && object["ref"] == reference.as_str() {
                break object;
            }
            passed.push_back(object);
        };
        passed.append(&mut self.waiting);
        self.waiting = passed;
        contract::check_command(object["type"].as_str().unwrap_or_default(), &answer);
        answer
    }

    /// The next object.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            if let Some(object) = self.waiting.pop_front() {
                contract::check_event(&object);
                if let Some(cursor) = object["cursor"].as_str() {
                    self.cursor = cursor.to_owned();
                }
                return object;
            }
            let message = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("an object came in time");
            match message.expect("the socket is open").expect("a message") {
                Message::Text(text) => match serde_json::from_str(&text).expect("JSON") {
                    Value::Array(objects) => self.waiting.extend(objects),
                    object => self.waiting.push_back(object),
                },
                Message::Close(reason) => panic!("the socket closed: {reason:?}"),
                _ => {}
            }
        }
    }

    /// The next object of a type; others that come before it are let go.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let object = self.next().await;
            if object["type"] == kind {
                return object;
            }
        }
    }
}
