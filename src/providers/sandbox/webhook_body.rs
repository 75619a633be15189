//! The bodies of webhooks, byte for byte as Meta writes them: non-ASCII and slashes escaped.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::ser::Formatter;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::customers;
use super::graph_error::title;
use super::ledger::{InboundLine, SendLine, What};
use super::options::SandboxNumber;
use super::owed::{Item, Origin};

/// One number's part of a body.
struct Part<'a> {
    phone_number_id: &'a str,
    statuses: Vec<Value>,
    messages: Vec<Value>,
    contacts: Vec<Value>,
}

/// One body with all `items`, in their order within a number.
pub(super) fn body(items: &[Item], numbers: &[SandboxNumber]) -> io::Result<Vec<u8>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for item in items {
        let phone_number_id = match &*item.origin {
            Origin::Sent(line) => &line.phone_number_id,
            Origin::Inbound(line) => &line.phone_number_id,
        };
        let at = parts.iter().position(|part| part.phone_number_id == phone_number_id).unwrap_or_else(|| {
            parts.push(Part { phone_number_id, statuses: vec![], messages: vec![], contacts: vec![] });
            parts.len() - 1
        });
        if let Some(part) = parts.get_mut(at) {
            add(part, item);
        }
    }
    let mut entries: Vec<(String, Vec<Value>)> = Vec::new();
    for part in parts {
        let number = numbers.iter().find(|number| number.phone_number_id == part.phone_number_id);
        let waba_id = number.map_or("100000000000000", |number| &number.waba_id);
        let display = number.map_or(part.phone_number_id, |number| &number.display_phone_number);
        let metadata = json!({"display_phone_number": display, "phone_number_id": part.phone_number_id});
        let mut changes = Vec::new();
        if !part.messages.is_empty() {
            changes.push(json!({"field": "messages", "value": {"messaging_product": "whatsapp",
                "metadata": metadata, "contacts": part.contacts, "messages": part.messages}}));
        }
        if !part.statuses.is_empty() {
            changes.push(json!({"field": "messages", "value": {"messaging_product": "whatsapp",
                "metadata": metadata, "statuses": part.statuses}}));
        }
        match entries.iter_mut().find(|(id, _)| id == waba_id) {
            Some((_, all)) => all.append(&mut changes),
            None => entries.push((waba_id.to_owned(), changes)),
        }
    }
    let entries: Vec<Value> = entries.into_iter().map(|(id, changes)| json!({"id": id, "changes": changes})).collect();
    escaped(&json!({"object": "whatsapp_business_account", "entry": entries}))
}

fn add(part: &mut Part<'_>, item: &Item) {
    let Some((what, twice)) = item.what() else {
        return;
    };
    match &*item.origin {
        Origin::Inbound(line) => {
            part.contacts.push(contact(&line.from, &line.name));
            part.messages.push(written(line));
        }
        Origin::Sent(line) => {
            if let What::Reply { text, quotes } = what {
                part.contacts.push(contact(&line.recipient, customers::name_of(&line.recipient)));
                part.messages.push(reply(line, item.due, text, *quotes));
            } else {
                let status = status(line, item.due, what);
                if twice {
                    part.statuses.push(status.clone());
                }
                part.statuses.push(status);
            }
        }
    }
}

fn written(line: &InboundLine) -> Value {
    serde_json::from_str(line.message.get()).unwrap_or_default()
}

/// A customer is a phone number or, with a dot, a business-scoped user id.
fn named<'a>(recipient: &str, phone: &'a str, user_id: &'a str) -> &'a str {
    if recipient.contains('.') { user_id } else { phone }
}

fn contact(recipient: &str, name: &str) -> Value {
    json!({"profile": {"name": name}, named(recipient, "wa_id", "user_id"): recipient})
}

fn reply(line: &SendLine, at: i64, text: &str, quotes: bool) -> Value {
    let wamid = line.wamid.as_deref().unwrap_or_default();
    // From the message it answers, so that a repetition after a restart has the same id.
    let id = STANDARD.encode(&Sha256::digest(format!("reply to {wamid}"))[..24]);
    let mut message = json!({
        "id": format!("wamid.{id}"), "timestamp": seconds(at), "type": "text", "text": {"body": text},
        named(&line.recipient, "from", "from_user_id"): line.recipient,
    });
    if quotes {
        message["context"] = json!({"from": line.phone_number_id, "id": wamid});
    }
    message
}

fn status(line: &SendLine, at: i64, what: &What) -> Value {
    let (name, code) = match what {
        What::Delivered => ("delivered", None),
        What::Read => ("read", None),
        What::Failed(code) => ("failed", Some(*code)),
        What::Sent | What::Reply { .. } | What::Inbound => ("sent", None),
    };
    let mut status = json!({
        "id": line.wamid, "status": name, "timestamp": seconds(at),
        named(&line.recipient, "recipient_id", "recipient_user_id"): line.recipient,
    });
    if let Some(token) = &line.token {
        status["biz_opaque_callback_data"] = json!(token);
    }
    if matches!(what, What::Sent | What::Delivered) {
        let category = if line.kind == "template" { "marketing" } else { "service" };
        let billable = line.kind == "template";
        status["pricing"] =
            json!({"billable": billable, "pricing_model": "PMP", "type": "regular", "category": category});
    }
    if let Some(code) = code {
        let (title, details) = (title(code), "The sandbox lets this message fail.");
        status["errors"] =
            json!([{"code": code, "title": title, "message": title, "error_data": {"details": details}}]);
    }
    status
}

fn seconds(at: i64) -> String {
    at.div_euclid(1_000).to_string()
}

/// Meta signs the escaped form, so whoever re-serialises before verifying must fail here too.
fn escaped(value: &Value) -> io::Result<Vec<u8>> {
    struct Escaping;
    impl Formatter for Escaping {
        fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
            let mut units = [0; 2];
            for character in fragment.chars() {
                match character {
                    '/' => writer.write_all(b"\\/")?,
                    ' '..='~' => writer.write_all(&[character as u8])?,
                    _ => {
                        for unit in character.encode_utf16(&mut units) {
                            write!(writer, "\\u{unit:04x}")?;
                        }
                    }
                }
            }
            Ok(())
        }
    }
    let mut bytes = Vec::with_capacity(1_024);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Escaping))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::providers::sandbox::ledger::{Outcome, Owe};

    fn items(number: u64, phone_number_id: &str, recipient: &str, whats: Vec<What>) -> Vec<Item> {
        let count = whats.len() as u16;
        let origin = Arc::new(Origin::Sent(SendLine {
            n: number,
            at: 1_000,
            phone_number_id: phone_number_id.into(),
            recipient: recipient.into(),
            kind: "template".into(),
            token: Some("b1.a.0.7.1".into()),
            wamid: Some(format!("wamid.{number}/x")),
            outcome: Outcome::Accepted,
            code: None,
            digest: String::new(),
            owes: whats.into_iter().map(|what| Owe { what, due: 2_500, twice: number == 9 }).collect(),
        }));
        (0..count).map(|index| Item { number, index, due: 2_500, origin: Arc::clone(&origin) }).collect()
    }

    #[test]
    fn items_are_grouped_by_number_and_keep_their_order() {
        let number = SandboxNumber {
            phone_number_id: "1".into(),
            display_phone_number: "351210000099".into(),
            waba_id: "77".into(),
        };
        let reply = What::Reply { text: "Olá 👍".into(), quotes: true };
        let mut batch = items(1, "1", "351910000001", vec![What::Sent, What::Delivered, reply]);
        batch.extend(items(2, "2", "PT.99", vec![What::Failed(131_026)]));
        batch.extend(items(9, "1", "351910000002", vec![What::Read]));
        let bytes = body(&batch, &[number]).unwrap();
        assert!(bytes.is_ascii());
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains(r"Ol\u00e1 \ud83d\udc4d") && text.contains(r"wamid.1\/x"), "{text}");
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["entry"][0]["id"], "77");
        let message = &value["entry"][0]["changes"][0]["value"]["messages"][0];
        assert_eq!((&message["text"]["body"], &message["context"]["id"]), (&json!("Olá 👍"), &json!("wamid.1/x")));
        let statuses = value["entry"][0]["changes"][1]["value"]["statuses"].as_array().unwrap();
        let names: Vec<_> = statuses.iter().map(|status| status["status"].as_str().unwrap()).collect();
        assert_eq!(names, ["sent", "delivered", "read", "read"]);
        assert_eq!(statuses[0]["timestamp"], "2");
        assert_eq!(statuses[0]["biz_opaque_callback_data"], "b1.a.0.7.1");
        let failed = &value["entry"][1]["changes"][0]["value"]["statuses"][0];
        assert_eq!((&failed["recipient_user_id"], &failed["errors"][0]["code"]), (&json!("PT.99"), &json!(131_026)));
        assert!(failed.get("recipient_id").is_none());
        assert_eq!(body(&batch, &[]).unwrap(), body(&batch, &[]).unwrap(), "the same id in every repetition");
    }
}
