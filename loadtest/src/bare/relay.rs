//! The bare relay: whatever is posted to it is written to every socket, one frame an event, one write a socket.
//!
//! It keeps nothing, numbers nothing and knows nobody; its sockets are spread over one thread a core.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::frames;
use crate::machine;

/// Events that wait for one thread, at most.
const WAITING_MAX: usize = 1_024;

enum Told {
    Socket(std::net::TcpStream),
    Event(Arc<Vec<u8>>),
}

struct Shared {
    threads: Vec<mpsc::Sender<Told>>,
    sockets: Arc<AtomicU64>,
}

/// Runs it until whoever started it is gone. It tells where it takes events, then where sockets connect.
///
/// # Errors
/// It cannot listen.
pub fn run() -> Result<()> {
    super::end_with_starter();
    let sockets = Arc::new(AtomicU64::new(0));
    let mut threads = Vec::new();
    for _ in 0..machine::cores() {
        let (sender, told) = mpsc::channel(WAITING_MAX);
        let sockets = Arc::clone(&sockets);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || runtime.block_on(write_all(told, &sockets)));
        threads.push(sender);
    }
    actix_web::rt::System::new().block_on(async {
        let (listener, addr) = super::loopback()?;
        let (doors, sockets_addr) = super::loopback()?;
        doors.set_nonblocking(true)?;
        let doors = tokio::net::TcpListener::from_std(doors)?;
        tokio::spawn(open_doors(doors, threads.clone()));
        let shared = web::Data::new(Shared { threads, sockets });
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/events", web::post().to(publish))
                .route("/sockets", web::get().to(count))
        })
        .workers(machine::cores())
        .listen(listener)?
        .run();
        super::tell(&format!("listening {addr}"))?;
        super::tell(&format!("sockets {sockets_addr}"))?;
        Ok(server.await?)
    })
}

async fn open_doors(doors: tokio::net::TcpListener, threads: Vec<mpsc::Sender<Told>>) -> Result<()> {
    let mut turn = 0;
    loop {
        let (stream, _) = doors.accept().await?;
        let thread = threads[turn % threads.len()].clone();
        turn += 1;
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            let upgraded = tokio_tungstenite::accept_async(stream).await.context("a handshake")?;
            // Clients of this relay say nothing after the handshake, so nothing is lost here.
            let stream = upgraded.into_inner().into_std()?;
            thread.send(Told::Socket(stream)).await.context("the thread has ended")
        });
    }
}

async fn write_all(mut told: mpsc::Receiver<Told>, sockets: &AtomicU64) {
    let mut streams: Vec<TcpStream> = Vec::new();
    while let Some(next) = told.recv().await {
        match next {
            Told::Socket(stream) => {
                if let Ok(stream) = TcpStream::from_std(stream) {
                    streams.push(stream);
                    sockets.fetch_add(1, Ordering::Relaxed);
                }
            }
            Told::Event(frame) => {
                let mut gone = Vec::new();
                for (index, stream) in streams.iter_mut().enumerate() {
                    if stream.write_all(&frame).await.is_err() {
                        gone.push(index);
                    }
                }
                for index in gone.into_iter().rev() {
                    streams.swap_remove(index);
                    sockets.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }
}

async fn publish(shared: web::Data<Shared>, body: web::Bytes) -> HttpResponse {
    let frame = Arc::new(frames::text(&body));
    for thread in &shared.threads {
        if thread.send(Told::Event(Arc::clone(&frame))).await.is_err() {
            return HttpResponse::ServiceUnavailable().finish();
        }
    }
    HttpResponse::Ok().finish()
}

async fn count(shared: web::Data<Shared>) -> String {
    shared.sockets.load(Ordering::Relaxed).to_string()
}
