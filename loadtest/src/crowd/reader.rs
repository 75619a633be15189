//! One thread of a crowd.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::{EVENTS_MAX, Shared, TIMED_ONE_IN};
use crate::frames::{self, Kind, last_seq};
use crate::socket::Socket;

/// Bytes that one read takes at most; one buffer serves all sockets of a thread.
const READ_BYTES: usize = 256 * 1024;
/// How often it is asked whether the crowd is over.
const OVER_EVERY: Duration = Duration::from_millis(50);

/// What the sockets of one thread share.
struct Thread {
    shared: Arc<Shared>,
    sockets: usize,
    /// By event: how many sockets of this thread have had it.
    had: RefCell<Vec<u32>>,
    scratch: RefCell<Vec<u8>>,
}

/// Opens this thread's share of the sockets, tells how that went, and reads until the crowd is over.
pub(super) async fn read(shared: &Arc<Shared>, thread: usize, entered: mpsc::Sender<Result<()>>) {
    let (all, threads) = (shared.plan.sockets, shared.threads);
    let numbers: Vec<usize> = (0..all).filter(|number| number % threads == thread).collect();
    let own = Rc::new(Thread {
        shared: Arc::clone(shared),
        sockets: numbers.len(),
        had: RefCell::new(vec![0; EVENTS_MAX]),
        scratch: RefCell::new(vec![0; READ_BYTES]),
    });
    let local = LocalSet::new();
    let open_all = async {
        for number in numbers {
            let socket = own.open(number).await?;
            // Each reads at once, so that none misses a ping while others enter.
            tokio::task::spawn_local(Rc::clone(&own).listen(socket, number));
        }
        Ok(())
    };
    let outcome = local.run_until(open_all).await;
    let go_on = outcome.is_ok();
    if entered.send(outcome).await.is_err() || !go_on {
        return;
    }
    let over = async {
        while !shared.over.load(Ordering::Acquire) {
            sleep(OVER_EVERY).await;
        }
    };
    local.run_until(over).await;
}

impl Thread {
    async fn open(&self, number: usize) -> Result<Socket> {
        let plan = &self.shared.plan;
        let mut socket = Socket::open(plan.addr, plan.path, None).await?;
        if !plan.tokens.is_empty() {
            socket.identify(&plan.tokens[number % plan.tokens.len()]).await?;
        }
        Ok(socket)
    }

    async fn listen(self: Rc<Self>, socket: Socket, number: usize) {
        let ended = self.listen_to_the_end(socket, number.is_multiple_of(TIMED_ONE_IN)).await;
        if let Err(error) = ended {
            // The scenario's counts show that a socket is missing; this says why, once.
            if self.shared.closed.fetch_add(1, Ordering::AcqRel) == 0 {
                let _ = std::io::Write::write_all(
                    &mut std::io::stderr(),
                    format!("loadtest: the first socket that ended: {error}\n").as_bytes(),
                );
            }
        }
    }

    async fn listen_to_the_end(&self, mut socket: Socket, timed: bool) -> Result<()> {
        let mut had: usize = 0;
        let mut pongs = Vec::new();
        loop {
            socket.stream.readable().await?;
            let (mut after, mut frames, mut bytes, mut closed) = (had, 0, 0, None);
            {
                let mut scratch = self.scratch.borrow_mut();
                let count = match socket.stream.try_read(&mut scratch) {
                    Ok(0) => anyhow::bail!("the server closed the connection"),
                    Ok(count) => count,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error.into()),
                };
                let numbered = !self.shared.plan.tokens.is_empty();
                socket.cutter.take(&scratch[..count], |kind, payload| match kind {
                    Kind::Text => {
                        // Both kinds of server are read with the same effort.
                        let seq = last_seq(payload);
                        if let Some(seq) = seq {
                            frames += 1;
                            bytes += payload.len() as u64;
                            after = if numbered { seq as usize } else { after + 1 };
                        }
                    }
                    Kind::Ping => pongs.extend(frames::client_pong(payload)),
                    Kind::Close => closed = Some(close_code(payload)),
                    Kind::Binary | Kind::Other => {}
                })?;
            }
            if !pongs.is_empty() {
                tokio::io::AsyncWriteExt::write_all(&mut socket.stream, &pongs).await?;
                pongs.clear();
            }
            self.shared.frames.fetch_add(frames, Ordering::AcqRel);
            self.shared.bytes.fetch_add(bytes, Ordering::AcqRel);
            self.count(had, after, timed);
            had = after;
            if let Some(code) = closed {
                anyhow::bail!("the server closed it with {code}");
            }
        }
    }

    /// A socket has had the events `from..to`.
    fn count(&self, from: usize, to: usize, timed: bool) {
        if to == from {
            return;
        }
        let shared = &self.shared;
        // Counted before any of them has arrived everywhere: whoever waits for that then finds the whole count.
        shared.deliveries.fetch_add((to - from) as u64, Ordering::AcqRel);
        let now = if timed { shared.now_us() } else { 0 };
        let mut had = self.had.borrow_mut();
        for event in from..to.min(EVENTS_MAX) {
            had[event] += 1;
            if had[event] as usize == self.sockets {
                shared.arrived_on_a_thread(event);
            }
            if timed {
                let took = now.saturating_sub(shared.posted_us[event].load(Ordering::Acquire));
                shared.latencies().push(u32::try_from(took).unwrap_or(u32::MAX));
            }
        }
    }
}

/// The code of a close frame; 1005 stands for none.
fn close_code(payload: &[u8]) -> u16 {
    payload.first_chunk::<2>().map_or(1_005, |code| u16::from_be_bytes(*code))
}
