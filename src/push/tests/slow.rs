//! Readers that do not prove that they read.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::*;
use super::fakes::*;

/// A client that reads everything and answers no ping.
struct Mute {
    stream: TcpStream,
}

impl Mute {
    async fn enter(house: &House, token: &str) -> Self {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let request = "GET /v1/agent/socket HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"));
        let mut mute = Self { stream };
        mute.say(&json!({ "type": "identify", "token": token })).await;
        mute
    }

    async fn say(&mut self, object: &Value) {
        self.write(0x81, object.to_string().as_bytes()).await;
    }

    /// A frame under the mask of zeros.
    async fn write(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
        frame.extend(payload);
        self.stream.write_all(&frame).await.unwrap();
    }

    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let opcode = self.stream.read_u8().await.unwrap() & 0x0F;
        let length = match self.stream.read_u8().await.unwrap() {
            126 => self.stream.read_u16().await.unwrap().into(),
            127 => self.stream.read_u64().await.unwrap(),
            length => length.into(),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.unwrap();
        (opcode, payload)
    }

    /// Reads to the close: how many objects came, and the code.
    async fn read_to_close(&mut self) -> (usize, u16) {
        let mut objects = 0;
        loop {
            match self.frame().await {
                (1, text) => match serde_json::from_slice(&text).unwrap() {
                    Value::Array(several) => objects += several.len(),
                    _ => objects += 1,
                },
                (8, close) => return (objects, u16::from_be_bytes([close[0], close[1]])),
                _ => {}
            }
        }
    }
}

fn settings() -> Settings {
    Settings {
        window: window::WindowSize { objects: 64, bytes: 256 * 1024 },
        slow_patience: Duration::from_millis(50),
        tick: Duration::from_millis(10),
        ..Settings::default()
    }
}

#[actix_web::test]
async fn a_reader_without_proof_is_cut_at_the_window_and_holds_nobody_up() {
    let house = House::build(settings());
    let mut mute = Mute::enter(&house, "ann").await;
    let (mut bob, _) = house.enter("bob").await;
    while house.handle.sessions() < 2 {
        tokio::task::yield_now().await;
    }
    for batch in 0..10 {
        house.happen((1..=100).map(|number| event(batch * 100 + number, None)));
    }
    assert_eq!(bob.events(1_000, 1).await, (1..=1_000).collect::<Vec<_>>());
    assert_eq!(mute.read_to_close().await, (64, 4000));
    house.end().await;
}

#[actix_web::test]
async fn bytes_close_the_window_too() {
    let house = House::build(Settings { window: window::WindowSize { objects: 256, bytes: 16_000 }, ..settings() });
    let mut mute = Mute::enter(&house, "ann").await;
    let (mut bob, _) = house.enter("bob").await;
    house.happen((1..=200).map(|position| event(position, None)));
    assert_eq!(bob.events(200, 1).await, (1..=200).collect::<Vec<_>>());
    let (objects, code) = mute.read_to_close().await;
    assert_eq!(code, 4000);
    assert!((40..120).contains(&objects), "{objects}");
    house.end().await;
}

#[actix_web::test]
async fn who_falls_out_of_the_tail_is_cut_and_resumes_without_loss() {
    let house = House::build(Settings { tail_entries_max: 100, slow_patience: Duration::from_secs(600), ..settings() });
    let mut mute = Mute::enter(&house, "ann").await;
    let (mut bob, start) = house.enter("bob").await;
    house.happen([event(1, None)]);
    assert_eq!(bob.events(1, 1).await, [1]);
    for batch in 0..10 {
        house.happen((1..=50).map(|number| event(1 + batch * 50 + number, None)));
        assert_eq!(bob.events(50, 2 + batch * 50).await.len(), 50);
    }
    // The proof comes, and then what would be next is no longer there.
    let proof = loop {
        if let (9, proof) = mute.frame().await {
            break proof;
        }
    };
    mute.write(0x8A, &proof).await;
    assert_eq!(mute.read_to_close().await.1, 4000);
    let mut resumed = house.resume("ann", &start).await;
    assert_eq!(resumed.events(501, 1).await, (1..=501).collect::<Vec<_>>());
    house.end().await;
}
