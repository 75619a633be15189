//! Reads a call to `/messages` as coarsely as the limits in Meta's documentation allow.

use serde_json::Value;

use super::graph_error::GraphError;

/// What the sandbox needs to know of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// A read mark or a typing indicator.
    Mark,
    /// A message.
    Message(Message),
}

/// A message that may be accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// As the caller wrote it.
    pub(super) input: String,
    /// Digits of a phone number, or a business-scoped user id (it has a dot).
    pub(super) recipient: String,
    pub(super) kind: String,
    pub(super) token: Option<String>,
}

/// Whom a call is for, also where it is otherwise wrong; empty if it does not say.
pub(super) fn recipient(body: &Value) -> String {
    match (text(body, "to"), text(body, "recipient")) {
        (Some(to), _) => to.chars().filter(char::is_ascii_digit).collect(),
        (None, Some(user_id)) => user_id.to_owned(),
        (None, None) => String::new(),
    }
}

/// The caller's own data, also where a call is otherwise wrong.
pub(super) fn token(body: &Value) -> Option<String> {
    text(body, "biz_opaque_callback_data").map(str::to_owned)
}

/// What the call asks for.
pub(super) fn read(body: &Value) -> Result<Call, GraphError> {
    if text(body, "messaging_product") != Some("whatsapp") {
        return wrong("The parameter messaging_product is required.");
    }
    if body.get("status").is_some() {
        let marks = text(body, "status") == Some("read") && text(body, "message_id").is_some();
        return if marks { Ok(Call::Mark) } else { wrong("status is read, message_id is required.") };
    }
    let input = text(body, "to").or_else(|| text(body, "recipient")).unwrap_or_default().to_owned();
    let recipient = recipient(body);
    if recipient.is_empty() {
        return wrong("The parameter to is required.");
    }
    let kind = text(body, "type").unwrap_or("text").to_owned();
    let token = token(body);
    if token.as_ref().is_some_and(|token| token.len() > 512) {
        return invalid("biz_opaque_callback_data is longer than 512.");
    }
    let part = body.get(&kind).filter(|part| !part.is_null());
    let Some(part) = part else {
        return Err(GraphError::new(131_008, "The part named by type is missing."));
    };
    check_part(&kind, part)?;
    Ok(Call::Message(Message { input, recipient, kind, token }))
}

fn check_part(kind: &str, part: &Value) -> Result<(), GraphError> {
    match kind {
        "text" => within(text(part, "body"), 4_096, "text.body is 1 to 4096 characters."),
        "image" | "video" | "document" | "audio" | "sticker" => {
            if text(part, "id").is_none() && text(part, "link").is_none() {
                return Err(GraphError::new(131_008, "Media needs an id or a link."));
            }
            within(Some(text(part, "caption").unwrap_or("-")), 1_024, "A caption is at most 1024 characters.")
        }
        "location" => {
            let coordinate = |name: &str| part.get(name).is_some_and(|value| value.is_number() || value.is_string());
            if coordinate("latitude") && coordinate("longitude") { Ok(()) } else { wrong("latitude and longitude.") }
        }
        "contacts" => match part.as_array() {
            Some(cards) if !cards.is_empty() => Ok(()),
            _ => wrong("contacts is a list that is not empty."),
        },
        "reaction" if text(part, "message_id").is_some() && part.get("emoji").is_some() => Ok(()),
        "reaction" => wrong("A reaction has message_id and emoji."),
        "template" => {
            let language = part.get("language").and_then(|language| text(language, "code"));
            if text(part, "name").is_some() && language.is_some() {
                Ok(())
            } else {
                Err(GraphError::new(131_008, "A template has name and language.code."))
            }
        }
        "interactive" => check_interactive(part),
        _ => Err(GraphError::new(131_051, "Unsupported message type.")),
    }
}

fn check_interactive(part: &Value) -> Result<(), GraphError> {
    let Some(action) = part.get("action").filter(|action| action.is_object()) else {
        return Err(GraphError::new(131_008, "interactive.action is required."));
    };
    let body = part.get("body").and_then(|body| text(body, "text"));
    match text(part, "type") {
        Some("button") => {
            within(body, 1_024, "The body of buttons is 1 to 1024 characters.")?;
            let buttons = action.get("buttons").and_then(Value::as_array).map_or(0, Vec::len);
            if (1..=3).contains(&buttons) { Ok(()) } else { invalid("1 to 3 reply buttons.") }
        }
        Some("list") => {
            within(body, 4_096, "The body of a list is 1 to 4096 characters.")?;
            let sections = action.get("sections").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let rows = |section: &Value| section.get("rows").and_then(Value::as_array).map_or(0, Vec::len);
            let rows: usize = sections.iter().map(rows).sum();
            if (1..=10).contains(&rows) { Ok(()) } else { invalid("1 to 10 rows in all.") }
        }
        Some(_) => Ok(()),
        None => Err(GraphError::new(131_008, "interactive.type is required.")),
    }
}

fn within(value: Option<&str>, characters_max: usize, rule: &'static str) -> Result<(), GraphError> {
    match value {
        None | Some("") => wrong(rule),
        Some(value) if value.chars().count() > characters_max => invalid(rule),
        Some(_) => Ok(()),
    }
}

fn text<'a>(part: &'a Value, name: &str) -> Option<&'a str> {
    part.get(name).and_then(Value::as_str).filter(|text| !text.is_empty() || name == "body")
}

fn wrong<T>(details: &'static str) -> Result<T, GraphError> {
    Err(GraphError::new(100, details))
}

fn invalid<T>(details: &'static str) -> Result<T, GraphError> {
    Err(GraphError::new(131_009, details))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(kind: &str, part: &Value) -> Value {
        json!({"messaging_product":"whatsapp","to":"+351 910 000 001","type":kind,kind:part,
            "biz_opaque_callback_data":"m1.a.b.1"})
    }

    #[test]
    fn what_meta_takes_is_taken() {
        let buttons = json!([{"type":"reply","reply":{"id":"1","title":"Yes"}}]);
        let rows = json!([{"title":"Thu","rows":[{"id":"a","title":"15:00"}]}]);
        let cases = [
            ("text", json!({"body":"Hi"})),
            ("image", json!({"id":"1","caption":"c"})),
            ("audio", json!({"link":"https://x/y"})),
            ("location", json!({"latitude":38.7,"longitude":-9.1})),
            ("contacts", json!([{"name":{}}])),
            ("reaction", json!({"message_id":"wamid.X","emoji":""})),
            ("template", json!({"name":"t","language":{"code":"pt_PT"}})),
            ("interactive", json!({"type":"button","body":{"text":"?"},"action":{"buttons":buttons}})),
            ("interactive", json!({"type":"list","body":{"text":"?"},"action":{"sections":rows}})),
        ];
        for (kind, part) in cases {
            let expected = Message {
                input: "+351 910 000 001".into(),
                recipient: "351910000001".into(),
                kind: kind.into(),
                token: Some("m1.a.b.1".into()),
            };
            assert_eq!(read(&call(kind, &part)), Ok(Call::Message(expected)), "{kind}");
        }
        let by_user_id = json!({"messaging_product":"whatsapp","recipient":"PT.123","text":{"body":"x"}});
        assert!(matches!(read(&by_user_id), Ok(Call::Message(message)) if message.recipient == "PT.123"));
        let mark = json!({"messaging_product":"whatsapp","status":"read","message_id":"wamid.X"});
        assert_eq!(read(&mark), Ok(Call::Mark));
    }

    #[test]
    fn what_meta_refuses_is_refused() {
        let four = json!([{}, {}, {}, {}]);
        let cases = [
            (json!({}), 100),
            (json!({"messaging_product":"whatsapp","type":"text","text":{"body":"x"}}), 100),
            (json!({"messaging_product":"whatsapp","status":"read"}), 100),
            (call("text", &json!({"body":""})), 100),
            (call("text", &json!({"body":"x".repeat(4_097)})), 131_009),
            (call("text", &Value::Null), 131_008),
            (call("image", &json!({})), 131_008),
            (call("template", &json!({"name":"t"})), 131_008),
            (call("reaction", &json!({"emoji":"x"})), 100),
            (call("interactive", &json!({"type":"button","body":{"text":"?"},"action":{"buttons":four}})), 131_009),
            (call("interactive", &json!({"type":"list","body":{"text":"?"}})), 131_008),
            (call("poll", &json!({})), 131_051),
        ];
        for (body, code) in cases {
            assert_eq!(read(&body).unwrap_err().code, code, "{body}");
        }
    }
}
