//! Opens one connection: resolve, connect, TLS, HTTP/1 hand-shake.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::NotSentReason;
use super::base_url::BaseUrl;
use super::gate::{Gate, Gated};

/// An open connection; dropping it ends its task and closes the socket.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Full<Bytes>>,
    pub(super) gate: Arc<Gate>,
    task: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Opens a connection to `url` within `patience`.
pub(super) async fn connect(
    url: &BaseUrl,
    tls: &TlsConnector,
    patience: Duration,
) -> Result<Connection, NotSentReason> {
    match tokio::time::timeout(patience, open(url, tls)).await {
        Ok(connection) => connection,
        Err(_) => Err(NotSentReason::ConnectDeadline),
    }
}

async fn open(url: &BaseUrl, tls: &TlsConnector) -> Result<Connection, NotSentReason> {
    let stream =
        TcpStream::connect((&*url.host, url.port)).await.map_err(|error| NotSentReason::Connect(error.kind()))?;
    stream.set_nodelay(true).map_err(|error| NotSentReason::Connect(error.kind()))?;
    let gate = Gate::new();
    let stream = Gated::new(stream, Arc::clone(&gate));
    if !url.https {
        return shake_hands(stream, gate).await;
    }
    let name =
        ServerName::try_from(url.host.to_string()).map_err(|_| NotSentReason::Tls(io::ErrorKind::InvalidInput))?;
    let stream = tls.connect(name, stream).await.map_err(|error| NotSentReason::Tls(error.kind()))?;
    shake_hands(stream, gate).await
}

async fn shake_hands<S>(stream: S, gate: Arc<Gate>) -> Result<Connection, NotSentReason>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|_| NotSentReason::Connect(io::ErrorKind::Other))?;
    // How the connection ends is learnt by the call that uses it.
    let task = tokio::spawn(async move { drop(connection.await) }).abort_handle();
    Ok(Connection { sender, gate, task })
}
