//! What one agent makes of what it hears: it notes what it was told, what must never be said, and what it is to answer.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use super::customers::item_of;
use super::entry::{Data, Entry, Message, rank};
use super::tape::{Heard, Tape};

/// What a socket must never hear: the rule's name, and what must hold. They are judged as it hears.
pub(super) const RULES: [(&str, &str); 4] = [
    ("socket_gap", "events of a connection are numbered without a hole"),
    ("told_twice", "no socket is told a message twice"),
    ("out_of_order", "a customer's messages are told in the order in which they were delivered"),
    ("status_went_down", "a message's status never goes down"),
];
/// Their places in it.
const GAP: usize = 0;
const TWICE: usize = 1;
const ORDER: usize = 2;
const STATUS: usize = 3;

/// Something that an agent does about what it heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heeds {
    /// A customer's message was told for the first time.
    Item { item: u32, conversation: String },
    /// A command was answered: the server's id of the message, or the code and whether to ask again.
    Answer { reply: usize, outcome: Result<String, (String, bool)> },
    /// A message of ours has come so far.
    Status { message: String },
}

/// Judges one event of a connection. `connection` counts from 1, `seq` is the last number it had.
pub(super) fn hear(tape: &Tape, heard: &mut Heard, entry: &Entry<'_>, connection: u16, seq: &mut u64) -> Option<Heeds> {
    if let Some(number) = entry.seq {
        heard.looked[GAP] += 1;
        heard.looked[TWICE] += 1;
        if number != *seq + 1 {
            heard.wrong(RULES[GAP].0, || format!("after event {seq} of a connection came {number}"));
        }
        *seq = number;
        heard.events += 1;
        tape.count(|measures| &mut measures.events, 1);
        let id = entry.id.as_deref().unwrap_or_default();
        match heard.had.insert(digest(id), connection) {
            // The event that takes a conversation away has the id of the one that did.
            Some(before) if before == connection && entry.kind != "conversation.removed" => {
                heard.wrong(RULES[TWICE].0, || format!("the event {id} came twice on one connection"));
            }
            Some(before) if before != connection => return None,
            _ => {}
        }
    }
    if entry.cursor.is_some() {
        heard.had.clear();
    }
    if let (Some(_), Some(conversation)) = (heard.number, &entry.conversation)
        && entry.kind != "conversation.removed"
        && !heard.conversations.contains(&**conversation)
    {
        heard.conversations.insert(conversation.to_string());
    }
    match &*entry.kind {
        "message.received" => received(tape, heard, entry, connection),
        "message.status" => status(heard, entry),
        "answer" => answer(entry),
        "gap" => {
            heard.gaps_announced += 1;
            // What began before this may be what is missing; nothing that begins later is.
            heard.since = Some(tape.now());
            None
        }
        _ => None,
    }
}

fn received(tape: &Tape, heard: &mut Heard, entry: &Entry<'_>, connection: u16) -> Option<Heeds> {
    let Some(Message::Whole { content }) = entry.data.as_ref().and_then(|data| data.message.as_ref()) else {
        return None;
    };
    let item = item_of(content.as_ref()?.body.as_deref()?)?;
    let place = item as usize;
    if heard.told.len() <= place {
        heard.told.resize(place + 1, 0);
    }
    let now_told = told(entry.id.as_deref().unwrap_or_default(), connection);
    let before = std::mem::replace(heard.told.get_mut(place)?, now_told);
    if before != 0 {
        if before >> 16 != now_told >> 16 {
            heard.wrong(RULES[TWICE].0, || format!("message #{item} was told by two events"));
        } else if before == now_told {
            heard.wrong(RULES[TWICE].0, || format!("message #{item} was told twice on one connection"));
        }
        return None;
    }
    in_order(tape, heard, item);
    let known = tape.items.borrow();
    let known = known.get(place)?;
    // What was due while it was away is replayed: that says nothing of the push.
    if let (true, Some(due), Some(begun)) = (heard.timed, known.due, known.begun)
        && heard.inside_since <= due
    {
        tape.time(|measures| &mut measures.push, due, begun);
    }
    Some(Heeds::Item { item, conversation: entry.conversation.as_ref()?.to_string() })
}

/// A digest of an event's id in the upper 48 bits, the connection in the lower 16.
fn told(id: &str, connection: u16) -> u64 {
    (digest(id) << 16) | u64::from(connection)
}

fn digest(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// What a customer wrote before, and was taken before this was delivered at all, has been told.
fn in_order(tape: &Tape, heard: &mut Heard, item: u32) {
    let items = tape.items.borrow();
    let Some(this) = items.get(item as usize) else { return };
    let Some((number, before)) = this.before.and_then(|before| Some((before, items.get(before as usize)?))) else {
        return;
    };
    let (Some(taken), Some(begun), Some(since)) = (before.taken, this.begun, heard.since) else { return };
    let settled = taken + SETTLED < begun && before.begun.is_some_and(|first| first > since);
    if !settled {
        return;
    }
    heard.looked[ORDER] += 1;
    if heard.told.get(number as usize).is_none_or(|told| *told == 0) {
        heard.wrong(RULES[ORDER].0, || format!("message #{item} was told before #{number} of the same customer"));
    }
}

/// A message that was kept as a fact alone under load is taken up later; what follows so much later does not pass it.
const SETTLED: Duration = Duration::from_secs(2);

fn status(heard: &mut Heard, entry: &Entry<'_>) -> Option<Heeds> {
    let Some(Data { message: Some(Message::Named(message)), status: Some(status) }) = &entry.data else { return None };
    let word = status.as_str()?;
    let (now, before) = (rank(word), heard.statuses.get(message).copied().unwrap_or_default());
    heard.looked[STATUS] += u64::from(before > 0);
    if now < before {
        heard.wrong(RULES[STATUS].0, || format!("{message} became `{word}` after it had come further"));
    }
    heard.statuses.insert(message.clone(), now.max(before));
    Some(Heeds::Status { message: message.clone() })
}

fn answer(entry: &Entry<'_>) -> Option<Heeds> {
    let reply = entry.answers.as_deref()?.strip_prefix('r')?.parse().ok()?;
    let outcome = match (&entry.ok, &entry.problem) {
        (Some(ok), _) => Ok(ok["message"].as_str().unwrap_or_default().to_owned()),
        (None, Some(problem)) => Err((problem.code.clone(), problem.retryable)),
        (None, None) => return None,
    };
    Some(Heeds::Answer { reply, outcome })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::entry::each;
    use crate::run::plan::Written;
    use crate::run::tape::Item;
    use crate::scenario::Encoding;
    use serde_json::{Value, json};

    fn tape() -> Tape {
        let second = Duration::from_secs;
        let written = Written { part: 0, customer: 1, number: 0, at: second(1), stale: false };
        let item = |before, due| Item {
            written,
            written_s: 0,
            before,
            due: Some(second(due)),
            begun: Some(second(due)),
            taken: Some(second(due)),
        };
        Tape::begin(0, Duration::ZERO, vec![item(None, 1), item(Some(0), 9)], 2)
    }

    fn received(seq: u64, id: &str, item: u32) -> Value {
        json!({"seq": seq, "id": id, "type": "message.received", "conversation": "cnv_1",
               "data": {"message": {"id": "msg_1", "content": {"type": "text", "body": format!("#{item} x")}}}})
    }

    fn status(seq: u64, word: &str) -> Value {
        json!({"seq": seq, "id": format!("ev{seq}{word}"), "type": "message.status", "conversation": "cnv_1",
               "data": {"message": "msg_9", "attempt": 1, "status": word}})
    }

    /// The rules that are broken by what is heard on these connections.
    fn broken(connections: &[Vec<Value>]) -> Vec<&'static str> {
        heard(&tape(), connections).wrong.iter().map(|wrong| wrong.rule).collect()
    }

    /// What is noted of what these connections say.
    fn heard(tape: &Tape, connections: &[Vec<Value>]) -> Heard {
        let mut heard = Heard { since: Some(Duration::ZERO), ..Heard::default() };
        for (connection, said) in (1..).zip(connections) {
            let mut seq = 0;
            for value in said {
                let bytes = serde_json::to_vec(value).unwrap();
                each(Encoding::Json, &bytes, |entry| drop(hear(tape, &mut heard, entry, connection, &mut seq)))
                    .unwrap();
            }
        }
        heard
    }

    #[test]
    fn a_true_story_breaks_no_rule() {
        let first = vec![received(1, "a", 0), status(2, "accepted"), status(3, "read"), received(4, "b", 1)];
        // After a resume what was had may come again, by the same events.
        let mut again = first.clone();
        again.extend([status(5, "read")]);
        assert!(broken(&[first, again]).is_empty());
    }

    #[test]
    fn each_rule_is_seen() {
        for (connections, expected) in [
            (vec![vec![received(1, "a", 0), received(3, "b", 1)]], "socket_gap"),
            (vec![vec![status(1, "sent"), json!({"seq": 2, "id": "ev1sent", "type": "x"})]], "told_twice"),
            (vec![vec![received(1, "a", 0)], vec![received(1, "b", 0)]], "told_twice"),
            (vec![vec![received(1, "b", 1)]], "out_of_order"),
            (vec![vec![status(1, "delivered"), status(2, "sent")]], "status_went_down"),
        ] {
            assert_eq!(broken(&connections), [expected]);
        }
    }

    #[test]
    fn only_what_was_looked_at_is_counted() {
        let looked = |said: Vec<Value>| heard(&tape(), &[said]).looked;
        assert_eq!(looked(vec![json!({"type": "ready"})]), [0, 0, 0, 0]);
        assert_eq!(looked(vec![received(1, "a", 0), status(2, "sent")]), [2, 2, 0, 0]);
        let said = vec![received(1, "a", 0), received(2, "b", 1), status(3, "sent"), status(4, "read")];
        assert_eq!(looked(said), [4, 4, 1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_excuses_what_began_before_it_and_nothing_later() {
        let tape = tape();
        let gap = || json!({"type": "gap"});
        let passed = |heard: &Heard| heard.wrong.is_empty() && heard.gaps_announced == 1;
        // The first message began at one second and is missing; the second begins at nine.
        tokio::time::advance(Duration::from_secs(2)).await;
        let after = heard(&tape, &[vec![gap(), received(1, "b", 1)]]);
        assert!(passed(&after), "{:?}", after.wrong);
        assert_eq!(after.since, Some(Duration::from_secs(2)));
        let early = self::tape();
        let before = heard(&early, &[vec![gap(), received(1, "b", 1)]]);
        assert_eq!(before.wrong.len(), 1);
    }
}
