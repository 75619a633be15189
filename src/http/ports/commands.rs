//! The commands of the agents' socket: the REST commands, with the same fields and answers.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::conversations::api::{
    AssignRequest, CollaborateRequest, HandOverRequest, NoFields, NoteRequest, ReadRequest, SendRequest, SnoozeRequest,
};
use crate::domain::ids::ConversationId;
use crate::domain::recall::Asked;
use crate::http::{Edge, Problem, json, typing};
use crate::push::Identity;

/// Fields of the envelope, which are no command's.
const ENVELOPE: [&str; 3] = ["type", "ref", "conversation"];

/// Carries out one command.
pub(super) async fn run(edge: &Edge, identity: Identity, name: &str, body: Value) -> Result<Value, Problem> {
    let caller = edge.workspaces.caller(identity.workspace, identity.member).ok_or_else(Problem::unauthorized)?;
    let (id, fields) = opened(body)?;
    let asked = Asked::by(caller.author);
    let conversations = &edge.conversations;
    match name {
        "send" => answer(conversations.send(&caller, id, read::<SendRequest>(fields)?).await?),
        "note" => answer(conversations.note(&caller, id, read::<NoteRequest>(fields)?).await?),
        "assign" => answer(conversations.assign(&caller, asked, id, read::<AssignRequest>(fields)?).await?),
        "collaborate" => {
            answer(conversations.collaborate(&caller, asked, id, read::<CollaborateRequest>(fields)?).await?)
        }
        "hand_over" => answer(conversations.hand_over(&caller, asked, id, read::<HandOverRequest>(fields)?).await?),
        "snooze" => answer(conversations.snooze(&caller, asked, id, read::<SnoozeRequest>(fields)?).await?),
        "read" => answer(conversations.mark_read(&caller, asked, id, read::<ReadRequest>(fields)?).await?),
        "open" => {
            read::<NoFields>(fields)?;
            answer(conversations.open(&caller, asked, id).await?)
        }
        "close" => {
            read::<NoFields>(fields)?;
            answer(conversations.close(&caller, asked, id).await?)
        }
        "typing" => {
            read::<NoFields>(fields)?;
            typing::show(edge, &caller, id).await?;
            Ok(json!({}))
        }
        _ => Err(Problem::invalid("type", "there is no such command")),
    }
}

/// The conversation that an object names, and the fields of the command.
fn opened(body: Value) -> Result<(ConversationId, Value), Problem> {
    let Value::Object(mut fields) = body else { return Err(Problem::invalid("type", "a command is an object")) };
    let id = conversation(&fields)?;
    for name in ENVELOPE {
        fields.remove(name);
    }
    Ok((id, Value::Object(fields)))
}

fn conversation(fields: &Map<String, Value>) -> Result<ConversationId, Problem> {
    let named = fields.get("conversation").and_then(Value::as_str);
    let text = named.ok_or_else(|| Problem::invalid("conversation", "it must be a conversation's id"))?;
    text.parse().map_err(|_| Problem::not_found("conversation"))
}

fn read<T: DeserializeOwned>(fields: Value) -> Result<T, Problem> {
    serde_json::from_value(fields).map_err(|error| json::refused(&error))
}

fn answer(said: impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(said).map_err(|error| {
        Problem::unavailable(format!("The answer cannot be written: {error}."), std::time::Duration::ZERO)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_taken_off_and_the_fields_are_left() {
        let id = ConversationId(5);
        let (named, fields) = opened(json!({"type": "read", "ref": "c1", "conversation": id, "up_to": null})).unwrap();
        assert_eq!((named, fields), (id, json!({"up_to": null})));
        for (body, code) in [
            (json!({"type": "read"}), "invalid"),
            (json!({"type": "read", "conversation": 5}), "invalid"),
            (json!({"type": "read", "conversation": "cnt_5"}), "not_found"),
        ] {
            assert_eq!(opened(body.clone()).map_err(|problem| problem.code()).unwrap_err(), code, "{body}");
        }
    }

    #[test]
    fn unknown_fields_are_refused_by_name() {
        let problem = read::<NoFields>(json!({"text": "Hello"})).unwrap_err();
        assert_eq!((problem.status().as_u16(), problem.body()["field"].as_str()), (422, Some("text")));
    }
}
