//! A server on a port of its own, fake floors below it, and a client that speaks frames.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::super::ports::FeedUnavailable;
use super::super::*;
use crate::clock::FrozenClock;
use crate::domain::ids::{ConversationId, MemberId, WorkspaceId};
use crate::domain::time::Timestamp;

pub(super) const WORKSPACE: WorkspaceId = WorkspaceId(1);
pub(super) const ANN: MemberId = MemberId(1);
pub(super) const BOB: MemberId = MemberId(2);

/// Sees what has no owner, and what it owns.
pub(super) struct Own(pub(super) MemberId);
impl Viewer for Own {
    fn sees(&self, audience: &Audience) -> bool {
        audience.owner.is_none_or(|owner| owner == self.0)
    }
}

struct Everything;
impl Viewer for Everything {
    fn sees(&self, _: &Audience) -> bool {
        true
    }
}

/// Everything the server rests on, in the hands of the test.
#[derive(Default)]
pub(super) struct Floors {
    pub(super) tokens: Mutex<HashMap<String, MemberId>>,
    /// Members who see everything, whoever owns it.
    pub(super) wide: Mutex<Vec<MemberId>>,
    pub(super) dismissed: Mutex<Vec<MemberId>>,
    pub(super) stored: Mutex<Vec<FeedEntry>>,
    /// Entries up to here are gone.
    pub(super) lost_up_to: AtomicU64,
    pub(super) reads: AtomicUsize,
    pub(super) commands: Mutex<Vec<(Identity, &'static str, Value)>>,
    /// Commands wait for this when `stuck` is set.
    pub(super) release: Notify,
    pub(super) stuck: AtomicBool,
}

struct Plugged(Arc<Floors>);

impl Plugged {
    fn grant(&self, member: MemberId) -> Result<Grant, Denial> {
        if self.0.dismissed.lock().unwrap().contains(&member) {
            return Err(Denial::Refused("dismissed"));
        }
        let viewer: Rc<dyn Viewer> =
            if self.0.wide.lock().unwrap().contains(&member) { Rc::new(Everything) } else { Rc::new(Own(member)) };
        Ok(Grant { workspace: WORKSPACE, member, viewer })
    }
}

impl Gatekeeper for Plugged {
    fn admit(&self, token: Token) -> LocalBoxFuture<'static, Result<Grant, Denial>> {
        let member = self.0.tokens.lock().unwrap().get(&token.0).copied();
        let grant = member.ok_or(Denial::Refused("token_unknown")).and_then(|member| self.grant(member));
        async move { grant }.boxed_local()
    }

    fn renew(&self, identity: Identity) -> LocalBoxFuture<'static, Result<Grant, Denial>> {
        let grant = self.grant(identity.member);
        async move { grant }.boxed_local()
    }
}

impl CommandPort for Plugged {
    fn run(
        &self,
        identity: Identity,
        name: &'static str,
        body: Value,
    ) -> LocalBoxFuture<'static, Result<Value, Problem>> {
        let floors = Arc::clone(&self.0);
        async move {
            if floors.stuck.load(Ordering::SeqCst) {
                floors.release.notified().await;
            }
            let refused = body["refuse"] == json!(true);
            floors.commands.lock().unwrap().push((identity, name, body));
            if refused {
                return Err(Problem::new("window_closed", 409, "The reply window closed.", false));
            }
            Ok(json!({ "done": name }))
        }
        .boxed_local()
    }
}

impl FeedReader for Plugged {
    fn head(&self, _: WorkspaceId) -> LocalBoxFuture<'static, Result<Cursor, FeedUnavailable>> {
        let head: Cursor = self.0.stored.lock().unwrap().iter().map(FeedEntry::id).collect();
        async move { Ok(head) }.boxed_local()
    }

    fn read(
        &self,
        _: WorkspaceId,
        after: Cursor,
        limit: usize,
    ) -> LocalBoxFuture<'static, Result<Page, FeedUnavailable>> {
        self.0.reads.fetch_add(1, Ordering::SeqCst);
        let lost = self.0.lost_up_to.load(Ordering::SeqCst);
        let gap = lost > 0 && !after.includes(EventId { shard: 0, position: lost, index: 0 });
        let stored = self.0.stored.lock().unwrap();
        let rest = stored.iter().filter(|entry| entry.id().position > lost && !after.includes(entry.id()));
        let entries: Vec<FeedEntry> = rest.take(limit).cloned().collect();
        let mut next = after;
        entries.iter().for_each(|entry| next.advance(entry.id()));
        async move { Ok(Page { entries, next, gap }) }.boxed_local()
    }
}

/// An event of shard 0 at `position`, about what `owner` owns.
pub(super) fn event(position: u64, owner: Option<MemberId>) -> FeedEntry {
    moved(position, owner, None)
}

/// The same, about what `before` owned until then.
pub(super) fn moved(position: u64, owner: Option<MemberId>, before: Option<MemberId>) -> FeedEntry {
    event_at(0, position, owner, before)
}

pub(super) fn event_at(shard: u16, position: u64, owner: Option<MemberId>, before: Option<MemberId>) -> FeedEntry {
    let audience = |owner| Arc::new(Audience { owner, ..Audience::default() });
    let parts = EventParts {
        id: EventId { shard, position, index: 0 },
        kind: "message.received",
        at: Timestamp::from_seconds(1_795_165_200),
        workspace: WORKSPACE,
        conversation: Some(ConversationId(u128::from(position % 10))),
        version: position,
        audience: audience(owner),
        previous_audience: before.map(|before| audience(Some(before))),
    };
    FeedEntry::new(parts, &json!({ "text": "Grüße", "number": position })).unwrap()
}

/// A server with its hub.
pub(super) struct House {
    pub(super) floors: Arc<Floors>,
    pub(super) handle: HubHandle,
    pub(super) address: std::net::SocketAddr,
    server: actix_web::dev::ServerHandle,
}

impl House {
    /// A server with one worker and these settings.
    pub(super) fn build(settings: Settings) -> Self {
        let floors = Arc::new(Floors::default());
        floors.tokens.lock().unwrap().extend([("ann".to_owned(), ANN), ("bob".to_owned(), BOB)]);
        let handle = HubHandle::new();
        let clock = Arc::new(FrozenClock::new(Timestamp::from_seconds(1_795_165_200)));
        let app = {
            let (floors, handle) = (Arc::clone(&floors), handle.clone());
            move || {
                let plugged = || Plugged(Arc::clone(&floors));
                let (gatekeeper, commands, feed) = (Rc::new(plugged()), Rc::new(plugged()), Rc::new(plugged()));
                let hub = Hub::start(&handle, Ports { gatekeeper, commands, feed }, settings.clone(), clock.clone());
                App::new().app_data(hub).route("/v1/agent/socket", web::get().to(upgrade))
            }
        };
        let server = HttpServer::new(app).workers(1).disable_signals().on_connect(configure_socket);
        let server = server.bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let stop = server.handle();
        actix::spawn(server);
        Self { floors, handle, address, server: stop }
    }

    /// Commits and publishes.
    pub(super) fn happen(&self, entries: impl IntoIterator<Item = FeedEntry>) {
        let entries = self.commit(entries);
        self.handle.publish(&entries.into());
    }

    /// Commits without publishing.
    pub(super) fn commit(&self, entries: impl IntoIterator<Item = FeedEntry>) -> Vec<FeedEntry> {
        let entries: Vec<FeedEntry> = entries.into_iter().collect();
        self.floors.stored.lock().unwrap().extend(entries.iter().cloned());
        entries
    }

    /// Opens a socket; `hello` has been read.
    pub(super) async fn connect(&self, subprotocol: &str) -> Client {
        let mut request = format!("ws://{}/v1/agent/socket", self.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", subprotocol.parse().unwrap());
        let (socket, answer) = tokio_tungstenite::connect_async(request).await.unwrap();
        assert_eq!(answer.headers()["sec-websocket-protocol"], subprotocol);
        let msgpack = subprotocol == "tidegate.v1.msgpack";
        let mut client = Client { socket, msgpack, waiting: VecDeque::new() };
        assert_eq!(client.next().await["type"], "hello");
        client
    }

    /// Opens a socket and identifies; gives the cursor of `ready` too.
    pub(super) async fn enter(&self, token: &str) -> (Client, String) {
        let mut client = self.connect("tidegate.v1.json").await;
        client.say(&json!({ "type": "identify", "token": token })).await;
        let ready = client.next().await;
        assert_eq!(ready["type"], "ready", "{ready}");
        let cursor = ready["cursor"].as_str().unwrap().to_owned();
        (client, cursor)
    }

    /// Opens a socket and asks to resume.
    pub(super) async fn resume(&self, token: &str, cursor: &str) -> Client {
        let mut client = self.connect("tidegate.v1.json").await;
        client.say(&json!({ "type": "resume", "token": token, "cursor": cursor })).await;
        client
    }

    pub(super) async fn end(self) {
        self.server.stop(false).await;
    }
}

async fn upgrade(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let hub: &Hub = request.app_data().unwrap();
    start(hub, &request, payload).unwrap_or_else(|error| HttpResponse::build(error.status()).body(error.to_string()))
}

/// What a hung test fails with, instead of hanging.
async fn soon<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), awaited).await.expect("the server says nothing")
}

/// A client's end of a socket.
pub(super) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    msgpack: bool,
    waiting: VecDeque<Value>,
}

impl Client {
    pub(super) async fn say(&mut self, object: &Value) {
        let message = match self.msgpack {
            false => Message::text(object.to_string()),
            true => Message::binary(rmp_serde::to_vec(object).unwrap()),
        };
        self.raw(message).await;
    }

    pub(super) async fn raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// The next frame with objects, or the code and reason of the close.
    pub(super) async fn frame(&mut self) -> Result<(usize, Value), (u16, String)> {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Text(text))) if !self.msgpack => {
                    return Ok((text.len(), serde_json::from_str(&text).unwrap()));
                }
                Some(Ok(Message::Binary(bytes))) if self.msgpack => {
                    return Ok((bytes.len(), rmp_serde::from_slice(&bytes).unwrap()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                    return Err((code.into(), reason.to_string()));
                }
                other => panic!("not a frame of this socket: {other:?}"),
            }
        }
    }

    /// The next object, out of whatever frame it comes in.
    pub(super) async fn next(&mut self) -> Value {
        loop {
            if let Some(object) = self.waiting.pop_front() {
                return object;
            }
            match self.frame().await.expect("the socket closed") {
                (_, Value::Array(objects)) => {
                    assert!(objects.len() > 1, "an array of one is an object");
                    self.waiting.extend(objects);
                }
                (_, object) => return object,
            }
        }
    }

    /// The next object of this type; those before it are passed over.
    pub(super) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let object = self.next().await;
            if object["type"] == kind {
                return object;
            }
        }
    }

    /// The positions of the next `count` events, whose numbers must be dense from `seq` on.
    pub(super) async fn events(&mut self, count: usize, mut seq: u64) -> Vec<u64> {
        let mut positions = Vec::new();
        while positions.len() < count {
            let object = self.next().await;
            if object["seq"].is_null() {
                continue;
            }
            assert_eq!(object["seq"], seq, "{object}");
            seq += 1;
            positions.push(object["id"].as_str().unwrap().parse::<EventId>().unwrap().position);
        }
        positions
    }

    /// Reads to the end: how the socket was closed.
    pub(super) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Err(closed) = self.frame().await {
                return closed;
            }
        }
    }
}
