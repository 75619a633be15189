//! Raw hyper: so many connections that send the same body again when the last was answered.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use anyhow::{Result, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use tokio::task::JoinSet;

use crate::machine;
use crate::rest::connect;

/// What is sent, and over how much.
#[derive(Clone, Debug)]
pub struct Raw {
    /// Where.
    pub addr: SocketAddr,
    /// The path.
    pub path: String,
    /// The body.
    pub body: Bytes,
    /// Connections.
    pub connections: usize,
    /// How often, all connections together.
    pub sends: u64,
}

impl Raw {
    /// Sends on threads of its own, one a core, and waits for their end.
    ///
    /// # Errors
    /// A connection broke, or a send was refused.
    pub async fn run(&self) -> Result<()> {
        let threads = machine::cores().min(self.connections).max(1);
        let left = Arc::new(AtomicU64::new(self.sends));
        let start = Arc::new(Barrier::new(threads));
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let connections = self.connections / threads + usize::from(thread < self.connections % threads);
                let (raw, left, start) = (self.clone(), Arc::clone(&left), Arc::clone(&start));
                tokio::task::spawn_blocking(move || raw.on_this_thread(connections, &left, &start))
            })
            .collect();
        for thread in running {
            thread.await.map_err(|_| anyhow!("a thread of the driver panicked"))??;
        }
        Ok(())
    }

    fn on_this_thread(&self, connections: usize, left: &Arc<AtomicU64>, start: &Barrier) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut opened = Vec::with_capacity(connections);
            for _ in 0..connections {
                opened.push(connect(self.addr).await);
            }
            // The other threads wait here, so a failure may speak only after it.
            start.wait();
            let mut loops = JoinSet::new();
            for sender in opened {
                loops.spawn(self.clone().turns(sender?, Arc::clone(left)));
            }
            while let Some(ended) = loops.join_next().await {
                ended??;
            }
            Ok(())
        })
    }

    async fn turns(self, mut sender: SendRequest<Full<Bytes>>, left: Arc<AtomicU64>) -> Result<()> {
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            let request = Request::post(&self.path)
                .header(HOST, "loadtest")
                .header(CONTENT_TYPE, "application/json")
                .header(AUTHORIZATION, "Bearer sandbox-access-token")
                .body(Full::new(self.body.clone()))?;
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            let status = response.status();
            response.into_body().collect().await?;
            if !status.is_success() {
                bail!("a send was answered {status}");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn it_sends_as_often_as_it_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let came = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&came);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    let mut read = [0; 4_096];
                    while let Ok(1..) = stream.read(&mut read).await {
                        counted.fetch_add(1, Ordering::Relaxed);
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
                    }
                });
            }
        });
        let raw = Raw { addr, path: "/x".into(), body: Bytes::from_static(b"{}"), connections: 5, sends: 103 };
        raw.run().await.unwrap();
        assert_eq!(came.load(Ordering::Relaxed), 103);
    }
}
