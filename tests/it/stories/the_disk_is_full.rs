//! A disk that fills ends the process with 75 and a sentence; what it had acknowledged is there after the next start.

use std::time::Duration;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::Value;
use tidegate::clock::{Clock, WallClock};

use crate::house::threads::received;
use crate::house::whatsapp::{delivery, text};
use crate::process::tenant::Tenant;
use crate::process::{Process, free_addr, operator_token};

/// Deliveries after which the disk would have to be full: 20 MB, and a file may have 2 MB.
const DELIVERIES_MAX: usize = 500;

/// Whatever other stories run on: this one is about the folder.
const FOLDER: [&str; 1] = ["store.engine=embedded"];

#[actix_web::test]
async fn a_full_disk_ends_the_process_and_loses_nothing() {
    let (data, said) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let addr = free_addr();
    let mut roomy = Process::start(data.path(), addr, &FOLDER).await;
    let tenant = Tenant::make(addr, &operator_token(data.path()), "http://127.0.0.1:9/v25.0", 1).await;
    roomy.signal("TERM");
    assert_eq!(roomy.ended(Duration::from_secs(20)).await, 0);

    // Blocks of 512 bytes.
    let limits = "trap '' XFSZ; ulimit -f 4096;";
    let mut process = Process::limited(limits, data.path(), addr, &FOLDER, said.path()).await;
    let mut chance = TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]);
    let now = WallClock::new().now();
    let mut taken: Vec<String> = Vec::new();
    for number in 0..DELIVERIES_MAX {
        let messages: Vec<Value> = (0..10)
            .map(|item| {
                let mut noise = [0_u8; 2_000];
                chance.fill_bytes(&mut noise);
                text(&format!("1555400{:04}", number % 20), &format!("wamid.{number}.{item}"), now, &hex::encode(noise))
            })
            .collect();
        match tenant.push(addr, &delivery(&messages, &[])).await {
            Some(200) => taken.extend((0..10).map(|item| format!("wamid.{number}.{item}"))),
            Some(503) | None => break,
            Some(other) => panic!("a webhook was answered {other}"),
        }
    }
    assert_eq!(process.ended(Duration::from_secs(20)).await, 75);
    let words = std::fs::read_to_string(said.path().join("stderr")).expect("it said something");
    let sentence = words.lines().find(|line| line.starts_with("tidegate: ")).unwrap_or_default();
    assert!(sentence.ends_with("start it again and it replays what was committed"), "{words}");
    assert!(sentence.contains("could not be written"), "{words}");

    let mut again = Process::start(data.path(), addr, &FOLDER).await;
    let found = received(addr, &tenant.admin).await;
    assert!(taken.len() >= 50, "only {} were acknowledged", taken.len());
    for wamid in &taken {
        assert_eq!(found.get(wamid), Some(&1), "{wamid} of {}", taken.len());
    }
    // It goes on where it stopped.
    let more = delivery(&[text("15554000000", "wamid.more", now, "Still there?")], &[]);
    assert_eq!(tenant.push(addr, &more).await, Some(200));
    again.kill();
}
