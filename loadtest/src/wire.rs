//! HTTP/1.1 on one kept connection, as bare as it can be: the driver shares its cores with what it drives.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Bytes of the longest answer that is read.
const ANSWER_MAX: usize = 16 * 1024 * 1024;
/// How long connecting may take, and the answer to what is not on the clock.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A connection.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer's head, and where its body lies in what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    body_at: usize,
    body_len: usize,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens, or nobody accepts within 30 s.
    pub async fn open(addr: SocketAddr) -> Result<Self> {
        let connecting = || format!("connecting to {addr}");
        let stream = timeout(ANSWER_WITHIN, TcpStream::connect(addr)).await.with_context(connecting)?;
        let stream = stream.with_context(connecting)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(1_024) })
    }

    /// Sends the bytes of a whole request and gives the answer's status. It has no deadline of its own: whoever is on the
    /// clock has one.
    ///
    /// # Errors
    /// The connection broke, or the answer is not one of this protocol.
    pub async fn call(&mut self, request: &[u8]) -> Result<u16> {
        self.exchange(request).await.map(|head| head.status)
    }

    /// `GET` with a bearer's token (none if empty): the answer's body, if it is a 200.
    ///
    /// # Errors
    /// As [`Connection::call`]; any other status; more than 30 s.
    pub async fn get(&mut self, path: &str, token: &str) -> Result<String> {
        let bearer = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        let request = format!("GET {path} HTTP/1.1\r\nhost: loadtest\r\n{bearer}\r\n");
        let head = timeout(ANSWER_WITHIN, self.exchange(request.as_bytes())).await;
        let head = head.with_context(|| format!("GET {path} was not answered within {ANSWER_WITHIN:?}"))??;
        let body = String::from_utf8_lossy(&self.read[head.body_at..head.body_at + head.body_len]).into_owned();
        if head.status == 200 { Ok(body) } else { bail!("GET {path} was answered {}: {body}", head.status) }
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Head> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let mut head: Option<Head> = None;
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the server closed the connection");
            }
            if head.is_none() {
                head = head_of(&self.read)?;
            }
            match head {
                Some(head) if self.read.len() >= head.body_at + head.body_len => return Ok(head),
                _ if self.read.len() > ANSWER_MAX => bail!("an answer of more than {ANSWER_MAX} bytes"),
                _ => {}
            }
        }
    }
}

/// The head, once all of it is there.
fn head_of(read: &[u8]) -> Result<Option<Head>> {
    let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&read[..end]).context("a head that is no text")?;
    let status = text.get(9..12).context("a short status line")?.parse().context("a status that is no number")?;
    let mut body_len = 0;
    for line in text.split("\r\n").skip(1) {
        let (name, value) = line.split_once(':').context("a header without a colon")?;
        if name.eq_ignore_ascii_case("content-length") {
            body_len = value.trim().parse().context("a length that is no number")?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("an answer in pieces, which this driver does not read");
        }
    }
    Ok(Some(Head { status, body_at: end + 4, body_len }))
}

/// The bytes of a `POST`.
#[must_use]
pub fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: loadtest\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let whole = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\ndate: now: then\r\n\r\nhello";
        let head = head_of(whole).unwrap().unwrap();
        assert_eq!((head.status, &whole[head.body_at..head.body_at + head.body_len]), (503, &b"hello"[..]));
        for cut in 0..head.body_at {
            assert_eq!(head_of(&whole[..cut]).unwrap(), None, "{cut}");
        }
        assert!(head_of(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(head_of(b"HTTP/1.1\r\n\r\n").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_given_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connection = Connection::open(listener.local_addr().unwrap()).await.unwrap();
        let _silent = listener.accept().await.unwrap();
        let error = connection.get("/readyz", "").await.unwrap_err();
        assert!(format!("{error:#}").contains("GET /readyz was not answered within 30s"), "{error:#}");
    }

    #[test]
    fn a_post_says_how_long_it_is() {
        let request = String::from_utf8(post("/a", "x: y\r\n", b"body")).unwrap();
        assert!(request.starts_with("POST /a HTTP/1.1\r\n"));
        assert!(request.contains("\r\ncontent-length: 4\r\nx: y\r\n\r\nbody"));
    }
}
