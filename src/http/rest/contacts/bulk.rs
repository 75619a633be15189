//! Upserts as a stream of lines, answered as a stream of lines: neither is ever whole in memory.
//!
//! The answer begins while lines still come, so a client reads while it writes.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;

use super::form::ContactForm;
use crate::contacts::{BULK_AT_ONCE, BulkAnswer, BulkLine, Outcome, upsert_all};
use crate::domain::workspace::Scope;
use crate::http::json::read;
use crate::http::{Asker, Edge, Problem};

/// The most lines of one request.
const LINES_MAX: u32 = 10_000;
/// The longest line, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// How long the next bytes may take.
const BYTES_WITHIN: Duration = Duration::from_secs(30);

/// Saves a contact a line, and says what became of each in the order of the lines.
pub(super) async fn upsert(
    edge: web::Data<Edge>,
    asker: Asker,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::ContactsWrite)?;
    let (contacts, workspace) = (Arc::clone(&edge.contacts), asker.workspace);
    let lines = lines(payload).map(move |(number, text)| BulkLine {
        number,
        draft: text.and_then(|text| read::<ContactForm>(&text)?.draft(&edge, workspace)),
    });
    let answers = upsert_all(contacts, asker.0, lines);
    // What is ready leaves together: a chunk a line would cost more than the line.
    let chunks = answers
        .map(|answer| line(&answer))
        .ready_chunks(BULK_AT_ONCE)
        .map(|lines| Ok::<Bytes, actix_web::Error>(Bytes::from(lines.concat())));
    let mut answer = HttpResponse::Ok();
    // An answer that begins before its request has ended is the last of its connection, and a client is told so.
    answer.force_close().insert_header((CONTENT_TYPE, "application/x-ndjson"));
    Ok(answer.streaming(Box::pin(chunks)))
}

fn line(answer: &BulkAnswer<Problem>) -> String {
    let shown = match &answer.outcome {
        Ok(saved) => json!({"line": answer.number, "status": word(saved.outcome), "id": saved.id}),
        Err(problem) => json!({"line": answer.number, "status": "failed", "problem": problem.body()}),
    };
    format!("{shown}\n")
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "created",
        Outcome::Updated => "updated",
        Outcome::Unchanged => "unchanged",
    }
}

/// The lines of a body, numbered from 1; empty ones are counted and left out. What cannot be read is the last
/// line of all, except for one that is too long.
fn lines<S, E>(body: S) -> impl Stream<Item = (u32, Result<Bytes, Problem>)>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    let splitter = Splitter { body, held: BytesMut::new(), searched: 0, number: 0, over_long: false, ended: false };
    stream::unfold(splitter, |mut splitter| async move { splitter.next().await.map(|line| (line, splitter)) })
}

struct Splitter<S> {
    body: S,
    held: BytesMut,
    /// How many of the held bytes are known to hold no line's end.
    searched: usize,
    number: u32,
    /// The rest of a line that was too long is still to come.
    over_long: bool,
    ended: bool,
}

impl<S, E> Splitter<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    async fn next(&mut self) -> Option<(u32, Result<Bytes, Problem>)> {
        loop {
            if let Some(text) = self.whole_line() {
                if let Some(line) = self.taken(text) {
                    return Some(line);
                }
                continue;
            }
            if self.ended {
                return None;
            }
            if self.held.len() > LINE_BYTES_MAX {
                self.held.clear();
                self.searched = 0;
                if !std::mem::replace(&mut self.over_long, true) {
                    return Some((self.number + 1, Err(too_long())));
                }
            }
            match tokio::time::timeout(BYTES_WITHIN, self.body.next()).await {
                Ok(Some(Ok(bytes))) => self.held.extend_from_slice(&bytes),
                Ok(Some(Err(error))) => {
                    return self.last(
                        StatusCode::BAD_REQUEST,
                        "body_unreadable",
                        format!("It cannot be read: {error}."),
                    );
                }
                Ok(None) => {
                    self.ended = true;
                    // The last line need not end.
                    self.held.extend_from_slice(b"\n");
                }
                Err(_) => {
                    let detail = format!("The next line did not arrive in {} s.", BYTES_WITHIN.as_secs());
                    return self.last(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail);
                }
            }
        }
    }

    fn whole_line(&mut self) -> Option<Bytes> {
        let Some(end) = self.held[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.held.len();
            return None;
        };
        let mut text = self.held.split_to(self.searched + end + 1);
        self.searched = 0;
        text.truncate(text.len() - 1);
        Some(text.freeze())
    }

    /// A line by its number; none where there is nothing to answer.
    fn taken(&mut self, text: Bytes) -> Option<(u32, Result<Bytes, Problem>)> {
        if self.ended && self.held.is_empty() && text.is_empty() && !self.over_long {
            return None;
        }
        self.number += 1;
        if std::mem::take(&mut self.over_long) || text.trim_ascii().is_empty() {
            return None;
        }
        if self.number > LINES_MAX {
            let detail = format!("At most {LINES_MAX} lines are taken at once; send the rest in another request.");
            self.number -= 1;
            return self.last(StatusCode::UNPROCESSABLE_ENTITY, "too_many", detail);
        }
        let fits = text.len() <= LINE_BYTES_MAX;
        Some((self.number, if fits { Ok(text) } else { Err(too_long()) }))
    }

    /// Ends with a line that says why.
    fn last(
        &mut self,
        status: StatusCode,
        code: &'static str,
        detail: String,
    ) -> Option<(u32, Result<Bytes, Problem>)> {
        self.ended = true;
        self.held.clear();
        self.searched = 0;
        Some((self.number + 1, Err(Problem::new(status, code, detail))))
    }
}

fn too_long() -> Problem {
    let detail = format!("A line may have at most {LINE_BYTES_MAX} bytes.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "line_too_long", detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines of a body that comes in these pieces: number, and the text or the problem's code.
    fn split(pieces: &[&[u8]]) -> Vec<(u32, Result<String, &'static str>)> {
        let body = stream::iter(pieces.iter().map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let lines: Vec<_> = runtime.block_on(lines(body).collect());
        let text = |text: Bytes| String::from_utf8_lossy(&text).into_owned();
        lines.into_iter().map(|(line, read)| (line, read.map(text).map_err(|problem| problem.code()))).collect()
    }

    fn line(number: u32, text: &str) -> (u32, Result<String, &'static str>) {
        (number, Ok(text.to_owned()))
    }

    #[test]
    fn lines_are_numbered_and_empty_ones_left_out() {
        assert_eq!(split(&[b"a\n", b"\n \r\nb", b"c\nlast"]), vec![line(1, "a"), line(4, "bc"), line(5, "last")]);
        assert_eq!(split(&[b"a\n"]), vec![line(1, "a")]);
        assert_eq!(split(&[]), vec![]);
    }

    #[test]
    fn a_line_that_is_too_long_is_told_once_and_the_next_ones_are_read() {
        let long = vec![b'x'; LINE_BYTES_MAX];
        let told = vec![line(1, "a"), (2, Err("line_too_long")), line(3, "b")];
        assert_eq!(split(&[b"a\n", &long, &long, &long, b"xx\nb"]), told);
        assert_eq!(split(&[b"a\n", &[&long[..], b"x\nb"].concat()]), told);
        assert_eq!(split(&[b"a\n", &long, b"x", b"\nb\n"]), told);
        let just = vec![b'x'; LINE_BYTES_MAX];
        assert!(split(&[&just])[0].1.is_ok());
    }

    #[test]
    fn the_line_after_the_last_one_says_so_and_ends_it() {
        let body = "x\n".repeat(LINES_MAX as usize + 5);
        let lines = split(&[body.as_bytes()]);
        assert_eq!(lines.len(), LINES_MAX as usize + 1);
        assert_eq!(lines.last(), Some(&(LINES_MAX + 1, Err("too_many"))));
    }

    #[test]
    fn a_body_that_breaks_off_says_so_at_its_line() {
        let body = stream::iter([Ok(Bytes::from_static(b"a\nb")), Err(std::io::Error::other("gone"))]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let lines: Vec<_> = runtime.block_on(lines(body).collect());
        assert_eq!(lines.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(lines[1].1.as_ref().unwrap_err().code(), "body_unreadable");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[ab\n]{0,60}", cuts in proptest::collection::vec(0_usize..60, 0..6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            let wanted: Vec<_> = text.split('\n').zip(1..).filter(|(line, _)| !line.is_empty())
                .map(|(text, number)| line(number, text)).collect();
            prop_assert_eq!(split(&pieces), wanted);
        }
    }
}
