//! Content as clients write it: a field that there is not is refused by its name.
//!
//! The same types are read from the store, where what a newer version added is passed over; so the strictness is here.

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::{Value, json};

use crate::domain::message::MessageContent;

/// Fields with null that are tried, each over the whole content; one more is refused like one that there is not. A full
/// list of ten sections and ten rows has fewer than 30 that may be null, a template one for each parameter.
const NULLS_MAX: usize = 64;

/// Reads content and refuses what it does not know.
///
/// # Errors
/// It is no content, or has a field that there is not; the error begins with its name.
pub fn content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MessageContent, D::Error> {
    let asked = Value::deserialize(deserializer)?;
    let content = MessageContent::deserialize(&asked).map_err(D::Error::custom)?;
    let understood = serde_json::to_value(&content).map_err(D::Error::custom)?;
    match unknown(&asked, &asked, &understood, "", &mut 0) {
        None => Ok(content),
        Some(pointer) => Err(D::Error::custom(format!("unknown field `content{}`", path_of(&pointer)))),
    }
}

/// The pointer to the first field of `part` that was not understood, where `part` stands at `pointer` in `whole`.
fn unknown(whole: &Value, part: &Value, understood: &Value, pointer: &str, nulls: &mut usize) -> Option<String> {
    match (part, understood) {
        (Value::Object(fields), Value::Object(known)) => fields.iter().find_map(|(name, value)| {
            let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            match known.get(name) {
                Some(known) => unknown(whole, value, known, &pointer, nulls),
                None if value.is_null() && *nulls < NULLS_MAX && is_optional(whole, &pointer) => {
                    *nulls += 1;
                    None
                }
                None => Some(pointer),
            }
        }),
        (Value::Array(elements), Value::Array(known)) => {
            elements.iter().zip(known).enumerate().find_map(|(index, (element, known))| {
                unknown(whole, element, known, &format!("{pointer}/{index}"), nulls)
            })
        }
        _ => None,
    }
}

/// A pointer as problems name fields: `.fills[0].slot`.
fn path_of(pointer: &str) -> String {
    let step = |step: &str| match step.parse::<usize>() {
        Ok(index) => format!("[{index}]"),
        Err(_) => format!(".{}", step.replace("~1", "/").replace("~0", "~")),
    };
    pointer.split('/').skip(1).map(step).collect()
}

/// Whether a field that is null, and so is not written again, is one that there is: then it may not be an object.
fn is_optional(whole: &Value, pointer: &str) -> bool {
    let mut probe = whole.clone();
    let Some(field) = probe.pointer_mut(pointer) else { return false };
    *field = json!({});
    MessageContent::deserialize(&probe).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(asked: &Value) -> Result<MessageContent, String> {
        content(asked).map_err(|error| error.to_string())
    }

    #[test]
    fn a_field_that_there_is_not_is_named_wherever_it_stands() {
        let fill = |slot: Value, parameter: Value| {
            let fills = json!([{"slot": slot, "parameters": [parameter]}]);
            json!({"type": "template", "name": "n", "language": "en", "fills": fills})
        };
        let buttons = |button: Value| {
            let action = json!({"type": "buttons", "buttons": [{"id": "a", "title": "A"}, button]});
            json!({"type": "interactive", "interactive": {"body": "b", "action": action}})
        };
        let cases = [
            (json!({"type": "text", "body": "b", "colour": "red"}), "content.colour"),
            (json!({"type": "text", "body": "b", "colour": null}), "content.colour"),
            (json!({"type": "text", "body": "b", "a/b~c": 1}), "content.a/b~c"),
            (json!({"type": "media", "kind": "image", "media": {"link": "l", "size": 1}}), "content.media.size"),
            (json!({"type": "media", "kind": "image", "media": {"link": "l", "size": null}}), "content.media.size"),
            (fill(json!({"type": "body", "x": 1}), json!({"type": "text", "text": "t"})), "content.fills[0].slot.x"),
            (
                fill(json!({"type": "body"}), json!({"type": "text", "text": "t", "x": {}})),
                "content.fills[0].parameters[0].x",
            ),
            (buttons(json!({"id": "b", "title": "B", "icon": "i"})), "content.interactive.action.buttons[1].icon"),
        ];
        for (asked, field) in cases {
            let error = read(&asked).expect_err("has a field too many");
            assert_eq!(error, format!("unknown field `{field}`"), "{asked}");
        }
    }

    #[test]
    fn what_is_left_out_or_null_is_taken() {
        for asked in [
            json!({"type": "text", "body": ""}),
            json!({"type": "media", "kind": "audio", "media": {"link": "l", "caption": null, "voice": true}}),
            json!({"type": "media", "kind": "image", "media": {}}),
            json!({"type": "location", "latitude": 1, "longitude": 2.5, "name": null}),
            json!({"type": "template", "name": "n", "language": "en"}),
            json!({"type": "edit", "target": "t", "replacement": {"type": "text", "body": "b"}}),
            json!({"type": "interactive", "interactive": {"header": null, "body": "b", "action":
                {"type": "list", "button": "o", "sections": [{"title": null, "rows": [{"id": "1", "title": "t"}]}]}}}),
        ] {
            assert!(read(&asked).is_ok(), "{asked}: {:?}", read(&asked));
        }
        let rows = |count: usize| {
            let row = |number: usize| json!({"id": number.to_string(), "title": "t", "description": null});
            let rows: Vec<Value> = (0..count).map(row).collect();
            let action = json!({"type": "list", "button": "o", "sections": [{"rows": rows}]});
            json!({"type": "interactive", "interactive": {"body": "b", "action": action}})
        };
        assert!(read(&rows(10)).is_ok());
        assert!(read(&rows(10_000)).is_err(), "each is tried over the whole");
        assert!(read(&json!({"type": "hologram"})).is_err());
        assert!(read(&json!({"type": "text"})).is_err());
    }
}
