//! What the ledger says: counts, doubles, and what is still owed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::Path;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::line::{Line, Outcome, SendLine};

/// Distinct tokens and recipients that are told apart.
const DISTINCT_MAX: usize = 4_000_000;

/// Which sends are looked at, and how much is told of them.
#[derive(Clone, Debug, Default)]
pub struct LedgerQuery {
    /// Only this business number.
    pub phone_number_id: Option<String>,
    /// Only this customer, in digits.
    pub recipient: Option<String>,
    /// Only tokens that begin so.
    pub token: Option<String>,
    /// Tell the counts of each customer.
    pub by_recipient: bool,
    /// Of customers, only those with at least so many accepted messages.
    pub at_least: u32,
    /// Tell the latest lines themselves.
    pub lines: bool,
    /// How many customers, doubles and lines are told, at most.
    pub limit: usize,
}

/// The answer.
#[derive(Debug, Default, Serialize)]
pub struct LedgerSummary {
    /// Accepted sends.
    pub accepted: u64,
    /// Of them, those whose caller got no usable answer.
    pub accepted_unanswered: u64,
    /// Sends not accepted and without an answer.
    pub dropped: u64,
    /// Refused sends by code.
    pub rejected: BTreeMap<i64, u64>,
    /// Messages that customers wrote by themselves.
    pub inbound: u64,
    /// Webhook items that are owed and not taken yet.
    pub owed: u64,
    /// Distinct customers with an accepted message.
    pub recipients: u64,
    /// Distinct tokens accepted.
    pub tokens: u64,
    /// Tokens accepted more than once.
    pub doubled: u64,
    /// Some of them.
    pub doubled_tokens: Vec<String>,
    /// Counts of each customer, most first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_recipient: Vec<RecipientCount>,
    /// The latest lines, latest last.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    pub lines: VecDeque<SendLine>,
    /// There were more distinct tokens or customers than are told apart.
    pub truncated: bool,
}

/// Accepted messages of one customer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct RecipientCount {
    /// Digits, or a business-scoped user id.
    pub recipient: String,
    /// How many.
    pub accepted: u32,
}

/// Reads each whole line of a ledger; a torn last line is not there.
pub(super) fn each_line(path: &Path, mut take: impl FnMut(Line)) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        reader.read_until(b'\n', &mut bytes)?;
        if bytes.last() != Some(&b'\n') {
            return Ok(());
        }
        take(serde_json::from_slice(&bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?);
    }
}

pub(super) fn summarise(path: &Path, query: &LedgerQuery) -> io::Result<LedgerSummary> {
    let mut summary = LedgerSummary::default();
    let mut tokens: HashMap<u64, u32> = HashMap::new();
    let mut recipients: HashMap<u64, u32> = HashMap::new();
    let mut named: HashMap<String, u32> = HashMap::new();
    each_line(path, |line| match line {
        Line::Posted(line) => summary.owed = summary.owed.saturating_sub(line.items.len() as u64),
        Line::Inbound(_) => {
            summary.inbound += 1;
            summary.owed += 1;
        }
        Line::Send(line) => {
            summary.owed += line.owes.len() as u64;
            if !asked(&line, query) {
                return;
            }
            match line.outcome {
                Outcome::Accepted => summary.accepted += 1,
                Outcome::AcceptedUnanswered => {
                    summary.accepted += 1;
                    summary.accepted_unanswered += 1;
                }
                Outcome::Rejected => *summary.rejected.entry(line.code.unwrap_or_default()).or_default() += 1,
                Outcome::Dropped => summary.dropped += 1,
            }
            if line.outcome.is_accepted() {
                summary.truncated |= !counted(&mut recipients, xxh3_64(line.recipient.as_bytes()), |_| {});
                if let Some(token) = &line.token {
                    let doubled = |times| {
                        if times == 2 {
                            summary.doubled += 1;
                            if summary.doubled_tokens.len() < query.limit {
                                summary.doubled_tokens.push(token.clone());
                            }
                        }
                    };
                    summary.truncated |= !counted(&mut tokens, xxh3_64(token.as_bytes()), doubled);
                }
                if query.by_recipient {
                    summary.truncated |= !counted(&mut named, line.recipient.clone(), |_| {});
                }
            }
            if query.lines && query.limit > 0 {
                if summary.lines.len() == query.limit {
                    summary.lines.pop_front();
                }
                summary.lines.push_back(line);
            }
        }
    })?;
    summary.recipients = recipients.len() as u64;
    summary.tokens = tokens.len() as u64;
    let counts = named.into_iter().filter(|(_, accepted)| *accepted >= query.at_least);
    summary.by_recipient = counts.map(|(recipient, accepted)| RecipientCount { recipient, accepted }).collect();
    summary.by_recipient.sort_by(|a, b| b.accepted.cmp(&a.accepted).then_with(|| a.recipient.cmp(&b.recipient)));
    summary.by_recipient.truncate(query.limit);
    Ok(summary)
}

fn asked(line: &SendLine, query: &LedgerQuery) -> bool {
    query.phone_number_id.as_ref().is_none_or(|id| *id == line.phone_number_id)
        && query.recipient.as_ref().is_none_or(|recipient| *recipient == line.recipient)
        && query.token.as_ref().is_none_or(|start| line.token.as_ref().is_some_and(|token| token.starts_with(start)))
}

/// Counts one more of `key` and tells how often it was seen; false if there are too many keys.
fn counted<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, u32>, key: K, seen: impl FnOnce(u32)) -> bool {
    if counts.len() >= DISTINCT_MAX && !counts.contains_key(&key) {
        return false;
    }
    let times = counts.entry(key).or_default();
    *times = times.saturating_add(1);
    seen(*times);
    true
}
