//! The server's REST API on one kept connection, for what is not on the clock.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A connection to it.
pub struct Rest {
    addr: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    bearer: String,
}

/// Connects, and lets the connection run beside its requests.
pub(crate) async fn connect(addr: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(addr).await.with_context(|| format!("connecting to {addr}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // How it ended is told by the request that it broke.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

impl Rest {
    /// Connects as the bearer of a token.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn open(addr: SocketAddr, token: &str) -> Result<Self> {
        Ok(Self { addr, sender: connect(addr).await?, bearer: format!("Bearer {token}") })
    }

    /// The JSON that a `GET` is answered.
    ///
    /// # Errors
    /// The connection broke, or the answer is no success.
    pub async fn get(&mut self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.text(Method::GET, path, Bytes::new()).await?)?)
    }

    /// The JSON that a `POST` is answered.
    ///
    /// # Errors
    /// As [`Rest::get`].
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let body = Bytes::from(serde_json::to_vec(body)?);
        Ok(serde_json::from_str(&self.text(Method::POST, path, body).await?)?)
    }

    /// The JSON that a `PUT` is answered.
    ///
    /// # Errors
    /// As [`Rest::get`].
    pub async fn put(&mut self, path: &str, body: &Value) -> Result<Value> {
        let body = Bytes::from(serde_json::to_vec(body)?);
        Ok(serde_json::from_str(&self.text(Method::PUT, path, body).await?)?)
    }

    /// The text that a request is answered.
    ///
    /// # Errors
    /// As [`Rest::get`].
    pub async fn text(&mut self, method: Method, path: &str, body: Bytes) -> Result<String> {
        let what = format!("{method} {path}");
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "loadtest")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, &self.bearer)
            .body(Full::new(body))?;
        // The server closes a connection whose answer was ready before its request had ended.
        if self.sender.ready().await.is_err() {
            self.sender = connect(self.addr).await?;
        }
        let response = self.sender.send_request(request).await.with_context(|| what.clone())?;
        let status = response.status();
        let body = response.into_body().collect().await.with_context(|| what.clone())?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        if status.is_success() { Ok(text) } else { bail!("{what} was answered {status}: {text}") }
    }
}
