//! What an agent's socket says, in either writing: only what a run looks at is read.

use std::borrow::Cow;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::scenario::Encoding;

/// One object of a frame.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    pub(super) seq: Option<u64>,
    #[serde(borrow)]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) conversation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) cursor: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "ref")]
    pub(super) answers: Option<Cow<'a, str>>,
    pub(super) ok: Option<Value>,
    pub(super) problem: Option<Problem>,
    pub(super) data: Option<Data>,
    #[serde(borrow)]
    pub(super) reason: Option<Cow<'a, str>>,
}

/// What an event carries.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Data {
    pub(super) message: Option<Message>,
    pub(super) status: Option<Value>,
}

/// A message, or the name of one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Message {
    Named(String),
    Whole { content: Option<Content> },
}

/// What it says.
#[derive(Debug, Deserialize)]
pub(super) struct Content {
    pub(super) body: Option<String>,
}

/// Why a command was refused.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    pub(super) code: String,
    #[serde(default)]
    pub(super) retryable: bool,
}

/// The objects of a frame, each given in turn.
pub(super) fn each(encoding: Encoding, frame: &[u8], mut take: impl FnMut(&Entry<'_>)) -> Result<()> {
    match encoding {
        Encoding::Json if frame.starts_with(b"[") => {
            let entries: Vec<Entry<'_>> = serde_json::from_slice(frame).context("a frame of JSON")?;
            entries.iter().for_each(take);
        }
        Encoding::Json => take(&serde_json::from_slice(frame).context("a frame of JSON")?),
        // An array of up to 15, of up to 65,535, of more.
        Encoding::Msgpack if frame.first().is_some_and(|first| matches!(first, 0x90..=0x9F | 0xDC | 0xDD)) => {
            let entries: Vec<Entry<'_>> = rmp_serde::from_slice(frame).context("a frame of MessagePack")?;
            entries.iter().for_each(take);
        }
        Encoding::Msgpack => take(&rmp_serde::from_slice(frame).context("a frame of MessagePack")?),
    }
    Ok(())
}

/// The bytes of a command.
pub(super) fn written(encoding: Encoding, command: &Value) -> Result<Vec<u8>> {
    Ok(match encoding {
        Encoding::Json => serde_json::to_vec(command)?,
        Encoding::Msgpack => rmp_serde::to_vec_named(command)?,
    })
}

/// How far a message has come, in rising order; 0 of a word that is not known.
pub(super) fn rank(status: &str) -> u8 {
    const WORDS: [&str; 8] = ["queued", "in_doubt", "unconfirmed", "accepted", "sent", "failed", "delivered", "read"];
    WORDS.iter().position(|word| *word == status).map_or(0, |place| place as u8 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn frames() -> Value {
        json!([
            {"seq": 1, "id": "ev_A", "type": "message.received", "conversation": "cnv_1", "version": 2,
             "data": {"message": {"id": "msg_1", "content": {"type": "text", "body": "#5 x"}, "context": {}}}},
            {"seq": 2, "id": "ev_B", "type": "message.status", "conversation": "cnv_1",
             "data": {"message": "msg_2", "attempt": 1, "status": "accepted"}},
            {"type": "answer", "ref": "r1", "problem": {"code": "window_closed", "retryable": false, "status": 409}},
            {"type": "number.connected", "seq": 3, "data": {"status": {"odd": true}}},
        ])
    }

    #[test]
    fn both_writings_are_read_alike_alone_and_together() {
        for encoding in [Encoding::Json, Encoding::Msgpack] {
            let mut read = Vec::new();
            let mut take = |entry: &Entry<'_>| {
                let data = entry.data.as_ref();
                let text = match data.and_then(|data| data.message.as_ref()) {
                    Some(Message::Whole { content }) => content.as_ref().unwrap().body.clone().unwrap(),
                    Some(Message::Named(id)) => id.clone(),
                    None => entry.problem.as_ref().map(|problem| problem.code.clone()).unwrap_or_default(),
                };
                read.push((entry.kind.to_string(), entry.seq, text));
            };
            each(encoding, &written(encoding, &frames()).unwrap(), &mut take).unwrap();
            each(encoding, &written(encoding, &frames()[0]).unwrap(), &mut take).unwrap();
            assert_eq!(read.len(), 5);
            assert_eq!(read[0], ("message.received".into(), Some(1), "#5 x".into()));
            assert_eq!(read[1].2, "msg_2");
            assert_eq!(read[2].2, "window_closed");
            assert_eq!(read[4], read[0]);
            assert!(each(encoding, b"\xC1", |_| ()).is_err());
        }
    }

    #[test]
    fn statuses_rise() {
        assert!(rank("queued") < rank("accepted") && rank("failed") < rank("delivered") && rank("x") == 0);
    }
}
