//! The provider's own memory: a file of JSON lines, each written before what it speaks of is answered.

mod line;
mod summary;

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

pub use self::line::{InboundLine, Line, Outcome, Owe, PostedLine, SendLine, What};
pub use self::summary::{LedgerQuery, LedgerSummary, RecipientCount};

/// Why a line cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum LedgerError {
    #[error("the ledger is full")]
    Full,
    #[error("the ledger cannot be written")]
    Broken,
}

/// Reads a ledger, also while it is written.
#[derive(Clone)]
pub struct LedgerReader(PathBuf);

impl LedgerReader {
    /// A reader of the ledger in `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self(folder.join("ledger.jsonl"))
    }

    /// Counts what `query` asks for. It reads the whole file: not on a thread that serves.
    ///
    /// # Errors
    /// Those of reading, and `InvalidData` for a line that is not the ledger's.
    pub fn summary(&self, query: &LedgerQuery) -> io::Result<LedgerSummary> {
        summary::summarise(&self.0, query)
    }

    /// Every whole line, in order.
    ///
    /// # Errors
    /// As [`Self::summary`].
    pub fn each(&self, take: impl FnMut(Line)) -> io::Result<()> {
        summary::each_line(&self.0, take)
    }
}

/// What a ledger still owes when it is opened: the owing lines, and which of their items were not taken.
pub(super) type Owed = Vec<(Line, Vec<u16>)>;

struct Pending {
    next: u64,
    length_bytes: u64,
    bytes: Vec<u8>,
}

/// The open ledger. Lines that wait are written together.
pub(super) struct Ledger {
    file: Arc<File>,
    pending: Mutex<Pending>,
    wanted: Notify,
    /// The number after the last written line; none when writing failed, which is final.
    written: watch::Sender<Option<u64>>,
    sync: bool,
    length_bytes_max: u64,
}

impl Ledger {
    /// Opens the ledger in `folder`, cuts a torn last line off, and says what is owed. One process at a time.
    pub(super) fn open(folder: &Path, sync: bool, length_bytes_max: u64) -> io::Result<(Self, Owed)> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join("ledger.jsonl");
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(io::ErrorKind::WouldBlock, "another sandbox holds the ledger"),
            TryLockError::Error(error) => error,
        })?;
        let (next, owed) = recovered(&path)?;
        let length_bytes = whole_length(&mut file)?;
        file.set_len(length_bytes)?;
        let pending = Mutex::new(Pending { next, length_bytes, bytes: Vec::new() });
        let written = watch::Sender::new(Some(next));
        Ok((Self { file: Arc::new(file), pending, wanted: Notify::new(), written, sync, length_bytes_max }, owed))
    }

    /// Writes the line that `make` builds from its number, and returns it when it is written.
    pub(super) async fn append(&self, make: impl FnOnce(u64) -> Line) -> Result<Line, LedgerError> {
        let mut written = self.written.subscribe();
        let line = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            if pending.length_bytes >= self.length_bytes_max {
                return Err(LedgerError::Full);
            }
            let line = make(pending.next);
            let before = pending.bytes.len();
            if serde_json::to_writer(&mut pending.bytes, &line).is_err() {
                pending.bytes.truncate(before);
                return Err(LedgerError::Broken);
            }
            pending.bytes.push(b'\n');
            pending.length_bytes += (pending.bytes.len() - before) as u64;
            pending.next += 1;
            line
        };
        self.wanted.notify_one();
        let state = written.wait_for(|state| state.is_none_or(|next| next > line.number())).await;
        match state.map(|state| *state) {
            Ok(Some(_)) => Ok(line),
            _ => Err(LedgerError::Broken),
        }
    }

    /// Writes what waits, as it comes; never returns unless writing fails.
    pub(super) async fn write_all(&self) {
        loop {
            self.wanted.notified().await;
            let (bytes, next) = {
                let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
                (std::mem::take(&mut pending.bytes), pending.next)
            };
            if bytes.is_empty() {
                continue;
            }
            let outcome = if self.sync {
                let file = Arc::clone(&self.file);
                let write = move || (&*file).write_all(&bytes).and_then(|()| file.sync_data());
                tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)))
            } else {
                (&*self.file).write_all(&bytes)
            };
            if let Err(error) = outcome {
                tracing::error!(%error, "the sandbox cannot write its ledger");
                self.written.send_replace(None);
                return;
            }
            self.written.send_replace(Some(next));
        }
    }
}

fn recovered(path: &Path) -> io::Result<(u64, Owed)> {
    let mut next = 0;
    let mut owing: HashMap<u64, (Line, Vec<u16>)> = HashMap::new();
    summary::each_line(path, |line| {
        next = next.max(line.number() + 1);
        let items = match &line {
            Line::Send(send) => send.owes.len() as u16,
            Line::Inbound(_) => 1,
            Line::Posted(posted) => {
                for (number, index) in &posted.items {
                    let left = owing.get_mut(number).map(|(_, left)| {
                        left.retain(|item| item != index);
                        left.len()
                    });
                    if left == Some(0) {
                        owing.remove(number);
                    }
                }
                0
            }
        };
        if items > 0 {
            owing.insert(line.number(), (line, (0..items).collect()));
        }
    })?;
    let mut owed: Owed = owing.into_values().collect();
    owed.sort_by_key(|(line, _)| line.number());
    Ok((next, owed))
}

/// The length up to and with the last newline.
fn whole_length(file: &mut File) -> io::Result<u64> {
    use std::io::Read;
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut block = vec![0; 4_096];
    while end > 0 {
        let size = end.min(block.len() as u64);
        file.seek(SeekFrom::Start(end - size))?;
        let part = &mut block[..size as usize];
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(end - size + at as u64 + 1);
        }
        end -= size;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(n: u64, token: &str, outcome: Outcome, owes: Vec<Owe>) -> Line {
        Line::Send(SendLine {
            n,
            at: 1,
            phone_number_id: "1".into(),
            recipient: "351910000001".into(),
            kind: "text".into(),
            token: Some(token.into()),
            wamid: outcome.is_accepted().then(|| format!("wamid.{n}")),
            outcome,
            code: (outcome == Outcome::Rejected).then_some(131_026),
            digest: String::new(),
            owes,
        })
    }

    async fn written(ledger: &Ledger, lines: Vec<Line>) {
        let appends = async {
            for line in lines {
                ledger.append(|_| line).await.unwrap();
            }
        };
        tokio::select! {
            () = appends => {}
            () = ledger.write_all() => panic!("writing failed"),
        }
    }

    #[tokio::test]
    async fn a_line_is_on_disk_when_append_returns_and_what_is_owed_survives() {
        let folder = tempfile::tempdir().unwrap();
        let owes: Vec<Owe> = [What::Sent, What::Delivered].map(|what| Owe { what, due: 5, twice: false }).into();
        for sync in [false, true] {
            let (ledger, owed) = Ledger::open(folder.path(), sync, u64::MAX).unwrap();
            assert_eq!(owed.len(), usize::from(sync));
            if !sync {
                let taken = PostedLine { n: 2, at: 2, items: vec![(0, 0)] };
                let lines = vec![
                    send(0, "a", Outcome::Accepted, owes.clone()),
                    send(1, "b", Outcome::Rejected, vec![]),
                    Line::Posted(taken),
                ];
                written(&ledger, lines).await;
                let mut seen = 0;
                LedgerReader::new(folder.path()).each(|_| seen += 1).unwrap();
                assert_eq!(seen, 3);
                assert_eq!(Ledger::open(folder.path(), false, 1).err().unwrap().kind(), io::ErrorKind::WouldBlock);
                // A torn line is cut off, and numbers go on.
                (&*ledger.file).write_all(b"{\"send\":{\"n\":3").unwrap();
            } else {
                assert_eq!(owed[0].1, [1]);
                written(&ledger, vec![send(3, "a", Outcome::AcceptedUnanswered, vec![])]).await;
                assert_eq!(ledger.pending.lock().unwrap().next, 4);
            }
        }
        let query = LedgerQuery { by_recipient: true, limit: 10, ..LedgerQuery::default() };
        let summary = LedgerReader::new(folder.path()).summary(&query).unwrap();
        assert_eq!((summary.accepted, summary.accepted_unanswered, summary.owed), (2, 1, 1));
        assert_eq!(summary.rejected.get(&131_026), Some(&1));
        assert_eq!(summary.doubled_tokens, ["a"]);
        assert_eq!(summary.by_recipient, [RecipientCount { recipient: "351910000001".into(), accepted: 2 }]);
    }

    #[tokio::test]
    async fn a_full_ledger_refuses() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, _) = Ledger::open(folder.path(), false, 1).unwrap();
        written(&ledger, vec![send(0, "a", Outcome::Accepted, vec![])]).await;
        let refused = ledger.append(|_| send(1, "b", Outcome::Accepted, vec![])).await;
        assert!(matches!(refused, Err(LedgerError::Full)));
    }
}
