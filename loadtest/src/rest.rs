//! The server's REST API on one kept connection, for what is not on the clock.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection and a whole answer may take together.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A connection to it. Each of its requests has a deadline of 30 s, connecting anew included.
pub struct Rest {
    addr: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    bearer: String,
}

/// Connects, and lets the connection run beside its requests.
pub(crate) async fn connect(addr: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let connecting = || format!("connecting to {addr}");
    let stream = timeout(ANSWER_WITHIN, TcpStream::connect(addr)).await.with_context(connecting)?;
    let stream = stream.with_context(connecting)?;
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
    /// Nobody listens, or nobody accepts within 30 s.
    pub async fn open(addr: SocketAddr, token: &str) -> Result<Self> {
        Ok(Self { addr, sender: connect(addr).await?, bearer: format!("Bearer {token}") })
    }

    /// The JSON that a `GET` is answered.
    ///
    /// # Errors
    /// The connection broke, the answer took more than 30 s, or it is no success.
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

    /// The same with a key that makes it one order, however often it is asked.
    ///
    /// # Errors
    /// As [`Rest::get`].
    pub async fn post_once(&mut self, path: &str, key: &str, body: &Value) -> Result<Value> {
        let body = Bytes::from(serde_json::to_vec(body)?);
        Ok(serde_json::from_str(&self.ask(Method::POST, path, Some(key), body, ANSWER_WITHIN).await?)?)
    }

    /// The same as [`Rest::post`] of an order that may itself take so long: its answer has that much longer.
    ///
    /// # Errors
    /// As [`Rest::get`].
    pub async fn post_lasting(&mut self, path: &str, body: &Value, lasts: Duration) -> Result<Value> {
        let body = Bytes::from(serde_json::to_vec(body)?);
        Ok(serde_json::from_str(&self.ask(Method::POST, path, None, body, ANSWER_WITHIN + lasts).await?)?)
    }

    /// Where it connects.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
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
        self.ask(method, path, None, body, ANSWER_WITHIN).await
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Bytes,
        within: Duration,
    ) -> Result<String> {
        let what = format!("{method} {path}");
        // What is given up breaks its connection: the next request makes another.
        match timeout(within, self.exchange(method, path, key, body)).await {
            Ok(Ok((status, text))) if (200..300).contains(&status) => Ok(text),
            Ok(Ok((status, text))) => Err(Refused { what, status, text }.into()),
            Ok(Err(error)) => Err(error).context(what),
            Err(_) => bail!("{what} was not answered within {within:?}"),
        }
    }

    /// The status and the text of an answer.
    async fn exchange(&mut self, method: Method, path: &str, key: Option<&str>, body: Bytes) -> Result<(u16, String)> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "loadtest")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, &self.bearer);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(body))?;
        // The server closes a connection whose answer was ready before its request had ended.
        if self.sender.ready().await.is_err() {
            self.sender = connect(self.addr).await?;
        }
        let response = self.sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was asked.
    pub what: String,
    /// The status.
    pub status: u16,
    /// What it says.
    pub text: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} was answered {}: {}", self.what, self.status, self.text)
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Reads a request up to its head's end.
    async fn read_head(stream: &mut TcpStream) {
        let mut read = Vec::new();
        while !read.windows(4).any(|four| four == b"\r\n\r\n") {
            assert!(stream.read_buf(&mut read).await.unwrap() > 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_given_up_and_the_next_request_connects_anew() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut rest = Rest::open(listener.local_addr().unwrap(), "").await.unwrap();
        let (mut silent, _) = listener.accept().await.unwrap();
        let asked = tokio::time::Instant::now();
        let error = rest.post_lasting("/slow", &Value::Null, Duration::from_secs(60)).await.unwrap_err();
        assert!(format!("{error:#}").contains("POST /slow was not answered within 90s"), "{error:#}");
        assert!((90..91).contains(&asked.elapsed().as_secs()));
        read_head(&mut silent).await;

        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n7").await.unwrap();
            stream
        });
        assert_eq!(rest.get("/next").await.unwrap(), 7);
        // Half an answer is none.
        let mut stream = answering.await.unwrap();
        let half = tokio::spawn(async move {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n7").await.unwrap();
            stream
        });
        let error = rest.get("/half").await.unwrap_err();
        assert!(format!("{error:#}").contains("GET /half was not answered within 30s"), "{error:#}");
        drop(half);
    }
}
