//! A closed loop: so many connections, each sending its next request when the last was answered.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::deliveries::Prepared;
use crate::machine;
use crate::wire::Connection;

/// How long one request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How a loop is driven.
#[derive(Clone, Debug)]
pub struct Drive {
    /// Where.
    pub addr: SocketAddr,
    /// Connections.
    pub connections: usize,
    /// No request begins later.
    pub at_most: Duration,
    /// Whether the requests are sent again and again until then, or each once.
    pub again: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Driven {
    /// Requests answered 200.
    pub answered: u64,
    /// Requests answered otherwise.
    pub refused: u64,
    /// From the first request to the last answer, in seconds.
    pub seconds: f64,
    /// How long each answer took, in microseconds.
    pub latencies_us: Vec<u32>,
}

impl Driven {
    /// Requests answered 200 a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        crate::statistics::ratio(self.answered as f64, self.seconds)
    }
}

impl Drive {
    /// Sends the requests on threads of its own, one a core, and waits for their end.
    ///
    /// # Errors
    /// A connection broke, or an answer did not come in time.
    pub async fn run(&self, prepared: &Arc<Prepared>) -> Result<Driven> {
        let threads = machine::cores().min(self.connections).max(1);
        let next = Arc::new(AtomicUsize::new(0));
        let start = Arc::new(Barrier::new(threads));
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let connections = self.connections / threads + usize::from(thread < self.connections % threads);
                let (drive, prepared) = (self.clone(), Arc::clone(prepared));
                let (next, start) = (Arc::clone(&next), Arc::clone(&start));
                tokio::task::spawn_blocking(move || drive.on_this_thread(connections, &prepared, &next, &start))
            })
            .collect();
        let mut all = Driven::default();
        for thread in running {
            let part = thread.await.map_err(|_| anyhow!("a thread of the driver panicked"))??;
            all.answered += part.answered;
            all.refused += part.refused;
            all.seconds = all.seconds.max(part.seconds);
            all.latencies_us.extend(part.latencies_us);
        }
        Ok(all)
    }

    fn on_this_thread(
        &self,
        connections: usize,
        prepared: &Arc<Prepared>,
        next: &Arc<AtomicUsize>,
        start: &Barrier,
    ) -> Result<Driven> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut opened = Vec::with_capacity(connections);
            let mut failed = None;
            for _ in 0..connections {
                match Connection::open(self.addr).await {
                    Ok(connection) => opened.push(connection),
                    Err(error) => failed = Some(error),
                }
            }
            // The other threads wait here, so a failure may speak only after it.
            start.wait();
            if let Some(error) = failed {
                return Err(error);
            }
            let begun = Instant::now();
            let mut loops = JoinSet::new();
            for connection in opened {
                loops.spawn(turns(
                    connection,
                    Arc::clone(prepared),
                    Arc::clone(next),
                    self.again,
                    begun + self.at_most,
                ));
            }
            let mut all = Driven::default();
            while let Some(part) = loops.join_next().await {
                let part = part.context("a loop of the driver panicked")??;
                all.answered += part.answered;
                all.refused += part.refused;
                all.latencies_us.extend(part.latencies_us);
            }
            all.seconds = begun.elapsed().as_secs_f64();
            Ok(all)
        })
    }
}

async fn turns(
    mut connection: Connection,
    prepared: Arc<Prepared>,
    next: Arc<AtomicUsize>,
    again: bool,
    end: Instant,
) -> Result<Driven> {
    let mut driven = Driven::default();
    loop {
        let sent = Instant::now();
        let index = next.fetch_add(1, Ordering::Relaxed);
        if sent >= end || prepared.is_empty() || (index >= prepared.len() && !again) {
            return Ok(driven);
        }
        let request = prepared.request(index % prepared.len());
        let status = timeout(ANSWER_WITHIN, connection.call(request)).await;
        match status.map_err(|_| anyhow!("an answer took longer than {ANSWER_WITHIN:?}"))?? {
            200 => driven.answered += 1,
            _ => driven.refused += 1,
        }
        driven.latencies_us.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Answers every request of its connections: 200 to those whose body is `y`.
    async fn listen() -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut read = [0; 4_096];
                    while let Ok(count @ 1..) = stream.read(&mut read).await {
                        let status = if read[..count].ends_with(b"y") { "200 OK" } else { "503 Busy" };
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        addr
    }

    #[tokio::test]
    async fn each_request_is_sent_once_and_refusals_are_no_answers() {
        let mut prepared = Prepared::default();
        for index in 0..100 {
            prepared.push(&crate::wire::post("/", "", if index % 4 == 0 { b"n" } else { b"y" }));
        }
        let drive = Drive { addr: listen().await, connections: 7, at_most: Duration::from_secs(60), again: false };
        let driven = drive.run(&Arc::new(prepared)).await.unwrap();
        assert_eq!((driven.answered, driven.refused, driven.latencies_us.len()), (75, 25, 100));
        assert!(driven.per_second() > 0.0);
    }

    #[tokio::test]
    async fn nobody_there_is_an_error() {
        let drive = Drive {
            addr: "127.0.0.1:1".parse().unwrap(),
            connections: 3,
            at_most: Duration::from_secs(1),
            again: false,
        };
        assert!(drive.run(&Arc::new(Prepared::default())).await.is_err());
    }
}
