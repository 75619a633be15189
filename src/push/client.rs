//! What a client may say: the envelope alone; what a command means is decided elsewhere.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::frame::Encoding;
use super::ports::Token;
use crate::domain::ids::ConversationId;

/// The commands that are handed to the [`super::ports::CommandPort`].
pub const COMMANDS: [&str; 10] =
    ["send", "note", "assign", "collaborate", "hand_over", "open", "close", "snooze", "read", "typing"];

/// The longest `ref`, in bytes.
pub const REF_MAX_BYTES: usize = 64;

/// The most objects one frame from a client may hold.
pub const BATCH_IN_MAX: usize = 64;

/// How deep objects may be nested, as serde_json has it for JSON.
const DEPTH_MAX: usize = 128;

/// What an agent looks at: the list window and the open conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    conversations: HashSet<ConversationId>,
    open: Option<ConversationId>,
}

impl Interest {
    /// Whether the agent looks at it.
    #[must_use]
    pub fn includes(&self, conversation: ConversationId) -> bool {
        self.open == Some(conversation) || self.conversations.contains(&conversation)
    }

    /// Reads `{"list": […], "open": …}` with at most `list_max` conversations in the list.
    fn parse(value: &Value, list_max: usize) -> Result<Self, String> {
        let id = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        let list: &[Value] = match value.get("list") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(list)) if list.len() <= list_max => list,
            Some(_) => return Err(format!("`list` must be an array of at most {list_max} conversation ids")),
        };
        let conversations: Option<_> = list.iter().map(id).collect();
        let open = match value.get("open") {
            None | Some(Value::Null) => None,
            Some(open) => Some(id(open).ok_or("`open` must be a conversation id")?),
        };
        Ok(Self { conversations: conversations.ok_or("`list` holds something that is not a conversation id")?, open })
    }
}

/// How somebody wants to enter.
pub struct Entrance {
    /// Who they say they are.
    pub token: Token,
    /// How far they had read; none to begin now.
    pub cursor: Option<String>,
    /// What they look at; none for everything.
    pub interest: Option<Interest>,
}

/// One object from a client.
pub enum ClientObject {
    /// `identify` or `resume`.
    Enter(Entrance),
    /// `interest`; none takes it back.
    Interest {
        /// The answer's `ref`.
        reference: Option<String>,
        /// What the agent looks at, or what is wrong with it.
        interest: Result<Option<Interest>, String>,
    },
    /// `ping`.
    Ping {
        /// The answer's `ref`.
        reference: Option<String>,
    },
    /// Any other command.
    Command {
        /// The answer's `ref`.
        reference: Option<String>,
        /// Its name.
        name: &'static str,
        /// The whole object.
        body: Value,
    },
    /// A type that there is not.
    Unknown {
        /// The answer's `ref`.
        reference: Option<String>,
    },
}

/// The bytes are not an object of this protocol, nor an array of such objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Reads one message: an object, or an array of at most [`BATCH_IN_MAX`]. An interest may name `interest_max`
/// conversations.
///
/// # Errors
/// [`Malformed`], after which the socket is closed.
pub fn parse(encoding: Encoding, bytes: &[u8], interest_max: usize) -> Result<Vec<ClientObject>, Malformed> {
    let value: Value = match encoding {
        Encoding::Json => serde_json::from_slice(bytes).map_err(|_| Malformed)?,
        Encoding::Msgpack => {
            let mut rest = bytes;
            let mut reader = rmp_serde::Deserializer::new(&mut rest);
            reader.set_max_depth(DEPTH_MAX);
            let value = Value::deserialize(&mut reader).map_err(|_| Malformed)?;
            if !rest.is_empty() {
                return Err(Malformed);
            }
            value
        }
    };
    match value {
        Value::Object(object) => Ok(vec![read(object, interest_max)?]),
        Value::Array(objects) if objects.len() <= BATCH_IN_MAX => objects
            .into_iter()
            .map(|object| match object {
                Value::Object(object) => read(object, interest_max),
                _ => Err(Malformed),
            })
            .collect(),
        _ => Err(Malformed),
    }
}

fn read(object: Map<String, Value>, interest_max: usize) -> Result<ClientObject, Malformed> {
    let kind = object.get("type").and_then(Value::as_str).ok_or(Malformed)?;
    let reference = match object.get("ref") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.len() <= REF_MAX_BYTES => Some(text.clone()),
        Some(_) => return Err(Malformed),
    };
    let text = |field: &str| object.get(field).and_then(Value::as_str).map(str::to_owned);
    if kind == "identify" || kind == "resume" {
        let token = Token(text("token").ok_or(Malformed)?);
        let cursor = if kind == "resume" { Some(text("cursor").ok_or(Malformed)?) } else { None };
        let interest = match object.get("interest") {
            None | Some(Value::Null) => None,
            Some(interest) => Some(Interest::parse(interest, interest_max).map_err(|_| Malformed)?),
        };
        return Ok(ClientObject::Enter(Entrance { token, cursor, interest }));
    }
    Ok(match kind {
        "interest" => {
            let everything = !object.contains_key("list") && !object.contains_key("open");
            let interest =
                if everything { Ok(None) } else { Interest::parse(&Value::Object(object), interest_max).map(Some) };
            ClientObject::Interest { reference, interest }
        }
        "ping" => ClientObject::Ping { reference },
        _ => match COMMANDS.iter().find(|name| **name == kind) {
            Some(name) => ClientObject::Command { reference, name, body: Value::Object(object) },
            None => ClientObject::Unknown { reference },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn one(value: &Value) -> Result<ClientObject, Malformed> {
        parse(Encoding::Json, value.to_string().as_bytes(), 2).map(|mut objects| objects.remove(0))
    }

    #[test]
    fn objects_of_the_protocol() {
        let conversation = ConversationId(5);
        let resume = json!({"type": "resume", "token": "t", "cursor": "c", "interest": {"open": conversation}});
        let Ok(ClientObject::Enter(entrance)) = one(&resume) else { panic!("not an entrance") };
        assert_eq!((entrance.token.0.as_str(), entrance.cursor.as_deref()), ("t", Some("c")));
        assert!(entrance.interest.is_some_and(|interest| interest.includes(conversation)));
        let send = json!({"type": "send", "ref": "c1", "text": "hello"});
        let Ok(ClientObject::Command { reference, name, body }) = one(&send) else { panic!("not a command") };
        assert_eq!((reference.as_deref(), name, body), (Some("c1"), "send", send));
        assert!(matches!(one(&json!({"type": "fly"})), Ok(ClientObject::Unknown { .. })));
        assert!(matches!(one(&json!({"type": "interest"})), Ok(ClientObject::Interest { interest: Ok(None), .. })));
        let many = vec![ConversationId(1); 3];
        let wide = one(&json!({"type": "interest", "list": many}));
        assert!(matches!(wide, Ok(ClientObject::Interest { interest: Err(why), .. }) if why.contains("at most 2")));
        let fits = one(&json!({"type": "interest", "list": many[1..]}));
        assert!(matches!(fits, Ok(ClientObject::Interest { interest: Ok(Some(_)), .. })));
    }

    #[test]
    fn what_is_malformed() {
        for wrong in [
            json!(1),
            json!([1]),
            json!({}),
            json!({"type": 4}),
            json!({"type": "identify"}),
            json!({"type": "resume", "token": "t"}),
            json!({"type": "ping", "ref": 1}),
            json!({"type": "ping", "ref": "x".repeat(REF_MAX_BYTES + 1)}),
            json!(vec![json!({"type": "ping"}); BATCH_IN_MAX + 1]),
        ] {
            assert!(one(&wrong).is_err(), "{wrong}");
        }
        let mut trailing = rmp_serde::to_vec(&json!({"type": "ping"})).unwrap();
        assert_eq!(parse(Encoding::Msgpack, &trailing, 2).map(|objects| objects.len()), Ok(1));
        trailing.push(0);
        assert!(parse(Encoding::Msgpack, &trailing, 2).is_err());
        assert!(parse(Encoding::Msgpack, &[0x91; 60_000], 2).is_err(), "deep nesting ends before the stack does");
        assert!(parse(Encoding::Json, "[".repeat(60_000).as_bytes(), 2).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(Encoding::Json, &bytes, 2);
            let _ = parse(Encoding::Msgpack, &bytes, 2);
        }
    }
}
