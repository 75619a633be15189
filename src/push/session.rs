//! The websocket actor: the one file that knows which crate carries the sockets.
//!
//! It turns websocket messages into calls of the hub, and what waits for the connection into
//! frames. It has no mailbox traffic: the hub wakes its task, and it looks for itself.

use std::cell::Cell;
use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix::{Actor, ActorContext, ActorFuture, AsyncContext, StreamHandler};
use actix_web::http::StatusCode;
use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{CloseCode, CloseReason, Message, ProtocolError, WebsocketContext, WsResponseBuilder};

use super::close::Close;
use super::connection::Connection;
use super::frame::{Encoding, Frame};
use super::guard::FrameGuard;
use super::hub::Hub;

/// Why a request does not become a socket.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The client offers subprotocols, none of them ours.
    #[error("offer the subprotocol tidegate.v1.json or tidegate.v1.msgpack")]
    NoCommonSubprotocol,
    /// The server is going away.
    #[error("the server takes no new sockets; try another or come back")]
    GoingAway,
    /// It is not a websocket handshake.
    #[error("this is not a websocket handshake: {0}")]
    NotAHandshake(String),
}

impl UpgradeError {
    /// The status to refuse it with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::GoingAway => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoCommonSubprotocol | Self::NotAHandshake(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Answers `GET /v1/agent/socket`: makes the request a session of this arbiter's hub.
///
/// # Errors
/// When the request cannot become a socket.
pub fn start(hub: &Hub, request: &HttpRequest, payload: web::Payload) -> Result<HttpResponse, UpgradeError> {
    let offered = request.headers().get(SEC_WEBSOCKET_PROTOCOL).map(|value| value.to_str().unwrap_or_default());
    let encoding = Encoding::negotiate(offered).ok_or(UpgradeError::NoCommonSubprotocol)?;
    if hub.0.handle.is_closed() {
        return Err(UpgradeError::GoingAway);
    }
    let too_big = Rc::new(Cell::new(false));
    let frame_in_max = hub.0.settings.frame_in_bytes_max;
    let guarded = FrameGuard::new(payload, frame_in_max as u64, Rc::clone(&too_big));
    let session = Session { hub: hub.clone(), connection: None, encoding, too_big, hold: false };
    WsResponseBuilder::new(session, request, guarded)
        .protocols(&[encoding.subprotocol()])
        .frame_size(frame_in_max)
        .start()
        .map_err(|error| UpgradeError::NotAHandshake(error.to_string()))
}

/// One agent's socket. It is polled by the response's body: while the client reads nothing and the
/// kernel's buffer is full, it does not run at all.
struct Session {
    hub: Hub,
    /// From `started` to `stopped`.
    connection: Option<Rc<Connection>>,
    encoding: Encoding,
    too_big: Rc<Cell<bool>>,
    /// A frame was handed over in this pass: the server writes it out before it gets the next, so
    /// that its write buffer stays at the size of one.
    hold: bool,
}

impl Actor for Session {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.connection = Some(self.hub.connect(self.encoding));
        ctx.spawn(Outbox);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        if let Some(connection) = self.connection.take() {
            self.hub.disconnect(&connection);
        }
    }
}

/// Looks at every poll of the actor what waits for the socket.
struct Outbox;

impl ActorFuture<Session> for Outbox {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut Session,
        ctx: &mut WebsocketContext<Session>,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(connection) = session.connection.clone() else { return Poll::Ready(()) };
        connection.polled(task.waker());
        if std::mem::take(&mut session.hold) {
            connection.wake();
            return Poll::Pending;
        }
        let outgoing = session.hub.outgoing(&connection);
        session.hold = outgoing.more && outgoing.close.is_none();
        match outgoing.frame {
            Some(Frame::Text(text)) => ctx.text(text),
            Some(Frame::Binary(bytes)) => ctx.binary(bytes),
            None => {}
        }
        if let Some(ping) = outgoing.ping {
            ctx.ping(&ping);
        }
        if let Some(reason) = outgoing.close {
            end(ctx, reason);
        }
        // A body that gave something is asked again at once, or when the kernel takes more: so a
        // held session needs no wake here.
        Poll::Pending
    }
}

/// Says why and stops.
fn end(ctx: &mut WebsocketContext<Session>, reason: Close) {
    let code = CloseCode::from(reason.code());
    ctx.close(Some(CloseReason { code, description: Some(reason.word().to_owned()) }));
    ctx.stop();
}

impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, message: Result<Message, ProtocolError>, ctx: &mut Self::Context) {
        let Some(connection) = self.connection.clone() else { return };
        connection.heard();
        match message {
            Ok(Message::Text(text)) => self.whole(&connection, true, text.as_bytes(), ctx),
            Ok(Message::Binary(bytes)) => self.whole(&connection, false, &bytes, ctx),
            // Its parts cannot be named without actix-http; no browser and no common library splits
            // messages of this size.
            Ok(Message::Continuation(_)) => end(ctx, Close::Unsupported),
            Ok(Message::Ping(payload)) => ctx.pong(&payload),
            Ok(Message::Pong(payload)) => connection.pong(&payload),
            Ok(Message::Close(reason)) => {
                ctx.close(reason);
                ctx.stop();
            }
            Ok(Message::Nop) => {}
            Err(ProtocolError::Overflow) => end(ctx, Close::TooBig),
            Err(_) if self.too_big.get() => end(ctx, Close::TooBig),
            // The crate's form of a text that is not UTF-8, and of a payload that broke off, to
            // which no answer arrives anyway.
            Err(ProtocolError::Io(error)) if error.kind() == ErrorKind::Other => end(ctx, Close::NotUtf8),
            Err(_) => end(ctx, Close::BrokenFraming),
        }
    }
}

impl Session {
    /// A whole message.
    fn whole(&self, connection: &Rc<Connection>, text: bool, bytes: &[u8], ctx: &mut WebsocketContext<Self>) {
        if text == (self.encoding == Encoding::Json) {
            self.hub.receive(connection, bytes);
        } else {
            end(ctx, Close::Unsupported);
        }
    }
}
