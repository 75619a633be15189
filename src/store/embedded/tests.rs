//! What only a folder on disk can show: one fsync for many, a killed writer, a full disk, a lock.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::clock::FrozenClock;
use crate::domain::time::Timestamp;
use crate::store::contract::open as open_at;

const OWNER: Owner = Owner { node: 1, incarnation: 1 };
/// Names the folder in which a child of this test binary writes, and what it does there.
const CHILD_FOLDER: &str = "TIDEGATE_TEST_STORE_FOLDER";
/// Tells the child to write what the engine cannot compress.
const CHILD_NOISE: &str = "TIDEGATE_TEST_STORE_NOISE";
/// Shards that the killed writer uses.
const SHARDS: u16 = 4;

fn clock() -> Arc<FrozenClock> {
    Arc::new(FrozenClock::new(Timestamp(1_795_165_200_000)))
}

fn open(path: &Path) -> EmbeddedStore {
    open_at(path, &clock())
}

fn fact(pk: &[u8], ck: u64, size: usize) -> Put {
    Put::new(Table::Message, pk, &ck.to_be_bytes(), vec![7; size], 1)
}

/// Keeps the commit thread busy, as a commit under way does, until the sender is dropped.
async fn hold(store: &EmbeddedStore) -> std::sync::mpsc::Sender<()> {
    let (release, until) = std::sync::mpsc::channel();
    let (reply, _) = oneshot::channel();
    assert!(store.requests.send(Request::Hold { until, reply }).await.is_ok());
    release
}

/// Lets the commit thread go on once every commit is in its queue.
///
/// They are in the queue when they have been polled once, and that takes a poll without a budget: with the runtime's, half
/// of them would be put off to the next turn, when the thread may have begun without them.
async fn queued_and_released<F: Future>(
    commits: futures_util::future::JoinAll<F>,
    release: std::sync::mpsc::Sender<()>,
) -> Vec<F::Output> {
    let commits = tokio::task::unconstrained(commits);
    tokio::join!(biased; commits, async { drop(release) }).0
}

#[tokio::test]
async fn a_hundred_and_twenty_eight_commits_cost_at_most_four_fsyncs() {
    let folder = TempDir::new().expect("makes a folder");
    let store = open(folder.path());
    let mut leases = Vec::new();
    for shard in 0..128 {
        leases.push(store.acquire(shard, OWNER, None).await.expect("acquires"));
    }
    let before = store.fsyncs();
    let release = hold(&store).await;
    let commits = leases.iter_mut().map(|lease| store.commit(lease, 1, b"record".to_vec(), vec![fact(b"p", 1, 9)]));
    let commits = futures_util::future::join_all(commits);
    let outcomes = queued_and_released(commits, release).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Ok(1)));
    let cost = store.fsyncs() - before;
    assert!((1..=4).contains(&cost), "{cost} fsyncs");
}

/// A commit is a record and its fact, so a hundred rows are fifty commits.
#[tokio::test]
async fn a_batch_takes_no_more_commits_once_it_has_the_rows_that_are_set() {
    for (batch_rows_max, fsyncs) in [(100, 3), (1_000, 1)] {
        let folder = TempDir::new().expect("makes a folder");
        let options = EmbeddedOptions { batch_rows_max, ..EmbeddedOptions::default() };
        let store = EmbeddedStore::open(folder.path(), options, clock()).expect("opens");
        let mut leases = Vec::new();
        for shard in 0..128 {
            leases.push(store.acquire(shard, OWNER, None).await.expect("acquires"));
        }
        let before = store.fsyncs();
        let release = hold(&store).await;
        let row = |shard: usize| fact(b"p", shard as u64, 9);
        let commits = leases.iter_mut().enumerate();
        let commits = commits.map(|(shard, lease)| store.commit(lease, 1, b"record".to_vec(), vec![row(shard)]));
        let commits = futures_util::future::join_all(commits);
        let outcomes = queued_and_released(commits, release).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Ok(1)));
        assert_eq!(store.fsyncs() - before, fsyncs, "{batch_rows_max} rows");
    }
}

#[tokio::test]
async fn a_settling_costs_no_fsync() {
    let folder = TempDir::new().expect("makes a folder");
    let store = open(folder.path());
    let mut lease = store.acquire(1, OWNER, None).await.expect("acquires");
    store.commit(&mut lease, 1, b"record".to_vec(), vec![]).await.expect("commits");
    let before = store.fsyncs();
    let row = Put::new(Table::Entity, b"e", b"", vec![1], 1);
    store.settle(&lease, 1, vec![row]).await.expect("settles");
    store.beat(OWNER, 1).await.expect("beats");
    assert_eq!(store.fsyncs(), before);
    store.put_facts(vec![fact(b"p", 1, 1)]).await.expect("puts");
    assert_eq!(store.fsyncs(), before + 1);
}

#[tokio::test]
async fn a_full_queue_refuses_and_nothing_is_written() {
    let folder = TempDir::new().expect("makes a folder");
    let options =
        EmbeddedOptions { queue_max: 1, queue_deadline: std::time::Duration::ZERO, ..EmbeddedOptions::default() };
    let store = EmbeddedStore::open(folder.path(), options, clock()).expect("opens");
    let release = hold(&store).await;
    // One place in the queue, once the thread has taken the request that holds it.
    let filler = store.requests.reserve().await.expect("has a place");
    let refused = store.put_facts(vec![fact(b"p", 1, 1)]).await;
    assert!(matches!(refused, Err(StoreError::NotApplied(_))), "{refused:?}");
    drop((filler, release));
    assert_eq!(store.get(&fact(b"p", 1, 1).key).await, Ok(None));
}

#[tokio::test]
async fn a_folder_serves_one_store() {
    let folder = TempDir::new().expect("makes a folder");
    let first = open(folder.path());
    let second = EmbeddedStore::open(folder.path(), EmbeddedOptions::default(), clock()).err();
    let Some(StoreError::Final(why)) = second else { panic!("{second:?}") };
    assert!(why.ends_with("is in use by another process; one folder serves one process"), "{why}");
    first.close().await.expect("closes");
    let next = open(folder.path());
    assert!(matches!(first.put_facts(vec![]).await, Err(StoreError::NotApplied(_))), "it is closed");
    assert!(matches!(first.get(&fact(b"p", 1, 1).key).await, Err(StoreError::NotApplied(_))), "it is closed");
    next.put_facts(vec![fact(b"p", 1, 1)]).await.expect("puts");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = TempDir::new().expect("makes a folder");
    let path = folder.path().join("file");
    std::fs::write(&path, b"").expect("writes");
    let error = EmbeddedStore::open(&path.join("store"), EmbeddedOptions::default(), clock()).err();
    let Some(StoreError::Final(why)) = error else { panic!("{error:?}") };
    assert!(why.starts_with("cannot create ") && why.contains("file/store"), "{why}");
}

#[tokio::test]
async fn a_disk_that_is_silent_too_long_has_failed() {
    let folder = TempDir::new().expect("makes a folder");
    let options = EmbeddedOptions { answer_deadline: std::time::Duration::ZERO, ..EmbeddedOptions::default() };
    let store = EmbeddedStore::open(folder.path(), options, clock()).expect("opens");
    let release = hold(&store).await;
    let sentence = StoreError::Final("the disk has not answered a commit within 0ns".into());
    assert_eq!(store.put_facts(vec![fact(b"p", 1, 1)]).await, Err(sentence.clone()));
    assert_eq!(store.get(&fact(b"p", 1, 1).key).await, Err(sentence));
    assert!(store.failed().borrow().is_some());
    drop(release);
}

#[tokio::test]
async fn a_missing_record_is_told_and_not_skipped() {
    let folder = TempDir::new().expect("makes a folder");
    let store = open(folder.path());
    let mut lease = store.acquire(1, OWNER, None).await.expect("acquires");
    for ts_us in 1..=3 {
        store.commit(&mut lease, ts_us, b"record".to_vec(), vec![]).await.expect("commits");
    }
    let disk = store.shared.disk.read().expect("is sound").clone().expect("is open");
    let mut batch = disk.batch(1);
    batch.trim(1, 2);
    batch.write(true).expect("writes");
    let outcome = store.replay(1, 0, 9).await;
    assert!(matches!(outcome, Err(StoreError::Corrupt { table: "journal", .. })), "{outcome:?}");
}

#[tokio::test]
async fn old_records_leave_the_disk() {
    let folder = TempDir::new().expect("makes a folder");
    let store = open(folder.path());
    let mut lease = store.acquire(1, OWNER, None).await.expect("acquires");
    for ts_us in 1..=20 {
        store.commit(&mut lease, ts_us, b"record".to_vec(), vec![]).await.expect("commits");
    }
    store.settle(&lease, 15, vec![]).await.expect("settles");
    // The next batch deletes what the last one made needless.
    store.put_facts(vec![fact(b"p", 1, 1)]).await.expect("puts");
    let disk = store.shared.disk.read().expect("is sound").clone().expect("is open");
    assert_eq!(disk.head(1).expect("reads").1, 15);
    assert_eq!(disk.records_kept(1), (16..=20).collect::<Vec<_>>());
}

/// Starts this test binary again, as a process that runs one of the tests below in `folder`.
fn child(test: &str, folder: &Path, shell: &str) -> Child {
    let binary = std::env::current_exe().expect("is known");
    Command::new("/bin/sh")
        .args(["-c", &format!("{shell} exec \"$0\" \"$@\"")])
        .arg(binary)
        .args(["--exact", &format!("store::embedded::tests::{test}"), "--nocapture", "--test-threads", "1"])
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

/// Writes a line that is not captured as a test's output is.
fn say(line: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").and_then(|()| out.flush()).expect("writes");
}

/// The killed writer: commits in several shards and facts beside them, each told once acknowledged.
#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let store = open(Path::new(&folder));
    let commits = (0..SHARDS).map(|shard| {
        let store = store.clone();
        async move {
            let mut lease = store.acquire(shard, OWNER, None).await.expect("acquires");
            while lease.position < u64::MAX {
                let (ts_us, next) = (lease.last_ts_us + 1, lease.position + 1);
                let record = format!("{shard} {next}").into_bytes();
                let facts = vec![fact(&shard.to_be_bytes(), next, 100)];
                store.commit(&mut lease, ts_us, record, facts).await.expect("commits");
                say(format_args!("commit {shard} {next}"));
                if next % 25 == 0 {
                    let row = Put::new(Table::Entity, &shard.to_be_bytes(), b"", next.to_be_bytes().to_vec(), ts_us);
                    store.settle(&lease, next, vec![row]).await.expect("settles");
                }
            }
        }
    });
    let facts = async {
        for number in 0.. {
            store.put_facts(vec![fact(b"facts", number, 10)]).await.expect("puts");
            say(format_args!("fact {number}"));
        }
    };
    tokio::join!(futures_util::future::join_all(commits), facts);
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_it_acknowledged() {
    let folder = TempDir::new().expect("makes a folder");
    for lines in [3, 17, 90, 161, 404] {
        let mut writer = child("child_that_writes_until_it_is_killed", folder.path(), "");
        let mut said = BufReader::new(writer.stdout.take().expect("is piped")).lines().map_while(Result::ok);
        let acknowledged = |line: &String| line.starts_with("commit ") || line.starts_with("fact ");
        let mut lines: Vec<String> = said.by_ref().filter(acknowledged).take(lines).collect();
        writer.kill().expect("is killed");
        writer.wait().expect("ends");
        // What it said before it died and nobody had read counts too; a line cut short does not.
        lines.extend(said.filter(acknowledged));
        check_acknowledged(folder.path(), &lines).await;
    }
}

async fn check_acknowledged(folder: &Path, lines: &[String]) {
    let store = open(folder);
    let mut last: BTreeMap<u16, u64> = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["commit", shard, position] => {
                let position: u64 = position.parse().expect("is a number");
                let known = last.entry(shard.parse().expect("is a number")).or_default();
                *known = position.max(*known);
            }
            ["fact", number] => {
                let key = fact(b"facts", number.parse().expect("is a number"), 10).key;
                assert!(store.get(&key).await.expect("reads").is_some(), "{line} is lost");
            }
            _ => panic!("{line}"),
        }
    }
    assert!(!lines.is_empty(), "nothing was acknowledged");
    for shard in 0..SHARDS {
        let lease = store.acquire(shard, OWNER, None).await.expect("acquires");
        let acknowledged = last.get(&shard).copied().unwrap_or_default();
        assert!(lease.position >= acknowledged, "shard {shard}: {acknowledged} is lost, {lease:?}");
        let records = store.replay(shard, 0, 10_000).await.expect("replays");
        let positions: Vec<u64> = records.iter().map(|record| record.position).collect();
        assert_eq!(positions, (lease.checkpoint + 1..=lease.position).collect::<Vec<_>>());
        for record in &records {
            assert_eq!(record.payload, format!("{shard} {}", record.position).into_bytes());
        }
        // A record is never there without its facts, nor facts without their record.
        let page = store.scan(Table::Message, &shard.to_be_bytes(), ScanRange::first(10_000)).await.expect("scans");
        let facts: BTreeSet<Vec<u8>> = page.rows.into_iter().map(|row| row.ck).collect();
        assert_eq!(facts, (1..=lease.position).map(|position| position.to_be_bytes().to_vec()).collect());
        let settled = store.get(&RowKey::new(Table::Entity, &shard.to_be_bytes(), b"")).await.expect("reads");
        let settled = settled.map_or(0, |row| u64::from_be_bytes(row.value.try_into().expect("is a number")));
        assert_eq!(settled, lease.checkpoint, "rows and checkpoint move together");
    }
    store.close().await.expect("closes");
}

/// The writer whose disk fills: it tells what was acknowledged, then the error and what follows it.
#[tokio::test]
async fn child_that_writes_until_the_disk_is_full() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let store = open(Path::new(&folder));
    let mut lease = store.acquire(1, OWNER, None).await.expect("acquires");
    let (failed, noise) = (store.failed(), std::env::var_os(CHILD_NOISE).is_some());
    let error = loop {
        let (ts_us, next) = (lease.last_ts_us + 1, lease.position + 1);
        let mut row = fact(b"p", next, 50_000);
        if noise {
            row.value = Some(noise_of(next, 50_000));
        }
        match store.commit(&mut lease, ts_us, vec![7; 1_000], vec![row]).await {
            Ok(position) => say(format_args!("commit {position}")),
            Err(error) => break error,
        }
    };
    say(format_args!("error {error}"));
    say(format_args!("watched {:?}", *failed.borrow()));
    say(format_args!("later {:?}", store.put_facts(vec![fact(b"q", 1, 1)]).await));
    say(format_args!("read {:?}", store.get(&fact(b"p", 1, 1).key).await));
    say(format_args!("closed {:?}", store.close().await));
}

/// Bytes that look like chance, the same for the same number.
fn noise_of(number: u64, size: usize) -> Vec<u8> {
    let blocks =
        (0_u64..).flat_map(|block| xxhash_rust::xxh3::xxh3_64_with_seed(&block.to_be_bytes(), number).to_be_bytes());
    blocks.take(size).collect()
}

#[tokio::test]
async fn a_full_disk_is_final_and_the_next_process_replays() {
    // Noise fills the engine's log; what compresses well fits there and fails when it becomes a table.
    for (noise, why) in [
        (true, "File too large (os error 27)"),
        (false, "the engine could not write out a table; the disk may be full or broken"),
    ] {
        let folder = TempDir::new().expect("makes a folder");
        // The engine makes its log 64 MiB large; what it holds then is the child's affair.
        open(folder.path()).close().await.expect("closes");
        let said = written_until_full(folder.path(), noise);
        let word = |word: &str| said.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_default();
        let sentence = format!("a commit could not be written: {why}");
        assert_eq!(word("error "), format!("the store has failed for good: {sentence}"), "{said}");
        assert_eq!(word("watched "), format!("Some({sentence:?})"));
        for later in ["later ", "read ", "closed "] {
            assert_eq!(word(later), format!("Err(Final({sentence:?}))"), "{later}");
        }
        let last = said.lines().filter_map(|line| line.strip_prefix("commit ")?.parse::<u64>().ok()).max();
        check_replayed(folder.path(), last.expect("something was acknowledged")).await;
    }
}

fn written_until_full(folder: &Path, noise: bool) -> String {
    // Blocks of 512 bytes: 2 MiB a file.
    let limit = if noise { format!("{CHILD_NOISE}=1; export {CHILD_NOISE};") } else { String::new() };
    let limit = limit + "trap '' XFSZ; ulimit -f 4096;";
    let writer = child("child_that_writes_until_the_disk_is_full", folder, &limit);
    let output = writer.wait_with_output().expect("ends");
    String::from_utf8(output.stdout).expect("is text")
}

async fn check_replayed(folder: &Path, last: u64) {
    let store = open(folder);
    let mut lease = store.acquire(1, OWNER, None).await.expect("acquires");
    assert!(lease.position >= last, "{last} was acknowledged, {lease:?}");
    let records = store.replay(1, 0, 10_000).await.expect("replays");
    assert_eq!(records.len() as u64, lease.position);
    for position in 1..=last {
        assert!(store.get(&fact(b"p", position, 1).key).await.expect("reads").is_some(), "{position} is lost");
    }
    let ts_us = lease.last_ts_us + 1;
    store.commit(&mut lease, ts_us, b"on".to_vec(), vec![]).await.expect("goes on");
}
