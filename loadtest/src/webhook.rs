//! Webhook bodies as Meta writes them, of any mix of items: non-ASCII and slashes escaped, grouped and signed.

mod json;

use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use self::json::{comma, escape, quote, separate, write};
use crate::{deliveries, wire};

/// Updates of one POST at most, as Meta documents it; [`request`] writes as many as it is given.
pub const ITEMS_MAX: usize = 1_000;

/// A business number that messages pass through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a> {
    /// The business account it belongs to: `entry[].id`.
    pub business_id: &'a str,
    /// Its digits, for show.
    pub display: &'a str,
    /// Its `phone_number_id`, by which it is routed.
    pub id: &'a str,
}

/// Why a message failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Meta's code.
    pub code: u32,
    /// Its short name, written as title and as message.
    pub title: &'a str,
    /// What Meta adds to it.
    pub details: &'a str,
}

/// One update. Customers are digits without `+`, or a business-scoped user id, which has a dot; times are epoch seconds.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A customer's text.
    Message {
        /// To whom.
        number: Number<'a>,
        /// From whom.
        from: &'a str,
        /// The customer's name.
        name: &'a str,
        /// The message's id.
        wamid: &'a str,
        /// When it was written.
        timestamp: u64,
        /// What it says.
        text: &'a str,
        /// The id of the message that it quotes.
        context: Option<&'a str>,
    },
    /// What became of a message that the business sent.
    Status {
        /// From whom.
        number: Number<'a>,
        /// The message's id.
        wamid: &'a str,
        /// `sent`, `delivered`, `read` or `failed`.
        status: &'a str,
        /// Since when.
        timestamp: u64,
        /// To whom.
        recipient: &'a str,
        /// The sender's own data, given back.
        token: Option<&'a str>,
        /// What it is priced as; `service` is free.
        category: Option<&'a str>,
        /// Why it failed.
        error: Option<Failure<'a>>,
    },
    /// Any other change of an account.
    Field {
        /// The account.
        business_id: &'a str,
        /// When: `entry[].time`.
        time: u64,
        /// Which field changed.
        field: &'a str,
        /// To what.
        value: &'a Value,
    },
}

/// An app's secret, scheduled once.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

impl Secret {
    /// From its text.
    #[must_use]
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub fn new(text: &str) -> Self {
        Self(Hmac::new_from_slice(text.as_bytes()).expect("any key does"))
    }

    /// The value of `x-hub-signature-256` for a body.
    #[must_use]
    pub fn signature(&self, body: &[u8]) -> String {
        deliveries::signature(&self.0, body)
    }
}

/// The bytes of a signed `POST` of these items.
#[must_use]
pub fn request(path: &str, secret: &Secret, items: &[Item<'_>]) -> Vec<u8> {
    let body = body(items);
    wire::post(path, &format!("x-hub-signature-256: {}\r\n", secret.signature(&body)), &body)
}

/// One change of the field `messages`: what one number got, or what became of what it sent.
struct Change<'a> {
    number: Number<'a>,
    contacts: Vec<u8>,
    list: Vec<u8>,
    is_messages: bool,
}

/// The body alone. The items of a number keep their order; messages and statuses are changes of their own.
#[must_use]
pub fn body(items: &[Item<'_>]) -> Vec<u8> {
    let mut changes: Vec<Change<'_>> = Vec::new();
    let mut out = Vec::with_capacity(256 + items.len() * 400);
    out.extend_from_slice(br#"{"object":"whatsapp_business_account","entry":["#);
    for item in items {
        match *item {
            Item::Message { number, .. } => message(change(&mut changes, number, true), item),
            Item::Status { number, .. } => status(change(&mut changes, number, false), item),
            Item::Field { business_id, time, field, value } => {
                separate(&mut out);
                out.extend_from_slice(br#"{"id":"#);
                quote(&mut out, business_id);
                write(&mut out, format_args!(r#","time":{time},"changes":[{{"field":"#));
                quote(&mut out, field);
                out.extend_from_slice(br#","value":"#);
                escape(&mut out, value);
                out.extend_from_slice(b"}]}");
            }
        }
    }
    // Accounts in the order of their first item; few, so looking back costs nothing.
    for (at, first) in changes.iter().enumerate() {
        let business_id = first.number.business_id;
        if changes.iter().take(at).any(|before| before.number.business_id == business_id) {
            continue;
        }
        separate(&mut out);
        out.extend_from_slice(br#"{"id":"#);
        quote(&mut out, business_id);
        out.extend_from_slice(br#","changes":["#);
        for change in changes.iter().filter(|change| change.number.business_id == business_id) {
            separate(&mut out);
            finish(&mut out, change);
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}");
    out
}

fn change<'c, 'a>(changes: &'c mut Vec<Change<'a>>, number: Number<'a>, is_messages: bool) -> &'c mut Change<'a> {
    let found = changes.iter().rposition(|change| change.number == number && change.is_messages == is_messages);
    let at = found.unwrap_or_else(|| {
        changes.push(Change { number, contacts: Vec::new(), list: Vec::new(), is_messages });
        changes.len() - 1
    });
    &mut changes[at]
}

fn finish(out: &mut Vec<u8>, change: &Change<'_>) {
    out.extend_from_slice(br#"{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"#);
    out.extend_from_slice(br#""display_phone_number":"#);
    quote(out, change.number.display);
    out.extend_from_slice(br#","phone_number_id":"#);
    quote(out, change.number.id);
    out.extend_from_slice(b"}");
    if change.is_messages {
        out.extend_from_slice(br#","contacts":["#);
        out.extend_from_slice(&change.contacts);
        out.extend_from_slice(br#"],"messages":["#);
    } else {
        out.extend_from_slice(br#","statuses":["#);
    }
    out.extend_from_slice(&change.list);
    out.extend_from_slice(b"]}}");
}

fn message(change: &mut Change<'_>, item: &Item<'_>) {
    let Item::Message { number, from, name, wamid, timestamp, text, context } = *item else { return };
    let (contacts, list) = (&mut change.contacts, &mut change.list);
    let scoped = from.contains('.');
    comma(contacts);
    contacts.extend_from_slice(br#"{"profile":{"name":"#);
    quote(contacts, name);
    write(contacts, format_args!(r#"}},"{}":"#, if scoped { "user_id" } else { "wa_id" }));
    quote(contacts, from);
    contacts.push(b'}');
    comma(list);
    write(list, format_args!(r#"{{"{}":"#, if scoped { "from_user_id" } else { "from" }));
    quote(list, from);
    list.extend_from_slice(br#","id":"#);
    quote(list, wamid);
    write(list, format_args!(r#","timestamp":"{timestamp}","type":"text","text":{{"body":"#));
    quote(list, text);
    list.push(b'}');
    if let Some(quoted) = context {
        list.extend_from_slice(br#","context":{"from":"#);
        quote(list, number.display);
        list.extend_from_slice(br#","id":"#);
        quote(list, quoted);
        list.push(b'}');
    }
    list.push(b'}');
}

fn status(change: &mut Change<'_>, item: &Item<'_>) {
    let Item::Status { wamid, status, timestamp, recipient, token, category, error, .. } = *item else { return };
    let list = &mut change.list;
    comma(list);
    list.extend_from_slice(br#"{"id":"#);
    quote(list, wamid);
    list.extend_from_slice(br#","status":"#);
    quote(list, status);
    let recipient_is = if recipient.contains('.') { "recipient_user_id" } else { "recipient_id" };
    write(list, format_args!(r#","timestamp":"{timestamp}","{recipient_is}":"#));
    quote(list, recipient);
    if let Some(token) = token {
        list.extend_from_slice(br#","biz_opaque_callback_data":"#);
        quote(list, token);
    }
    if let Some(category) = category {
        let billable = category != "service";
        write(list, format_args!(r#","pricing":{{"billable":{billable},"pricing_model":"PMP","type":"regular","#));
        list.extend_from_slice(br#""category":"#);
        quote(list, category);
        list.push(b'}');
    }
    if let Some(Failure { code, title, details }) = error {
        write(list, format_args!(r#","errors":[{{"code":{code},"title":"#));
        quote(list, title);
        list.extend_from_slice(br#","message":"#);
        quote(list, title);
        list.extend_from_slice(br#","error_data":{"details":"#);
        quote(list, details);
        list.extend_from_slice(b"}}]");
    }
    list.push(b'}');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HERE: Number<'_> = Number { business_id: "77", display: "351210000099", id: "1" };
    const THERE: Number<'_> = Number { id: "2", display: "351210000098", ..HERE };
    const ELSEWHERE: Number<'_> = Number { business_id: "88", display: "3", id: "3" };

    fn text<'a>(number: Number<'a>, from: &'a str, text: &'a str, context: Option<&'a str>) -> Item<'a> {
        Item::Message { number, from, name: "Ana \"A\"", wamid: "wamid.a/b", timestamp: 1_795_165_200, text, context }
    }

    fn receipt<'a>(number: Number<'a>, status: &'a str, recipient: &'a str) -> Item<'a> {
        let error = (status == "failed").then_some(Failure { code: 131_026, title: "Undeliverable", details: "No." });
        let category = (status == "sent").then_some("marketing");
        let (wamid, token, timestamp) = ("wamid.x", Some("b1.A.0.7.1"), 1_795_165_202);
        Item::Status { number, wamid, status, timestamp, recipient, token, category, error }
    }

    fn written(items: &[Item<'_>]) -> Value {
        serde_json::from_slice(&body(items)).unwrap()
    }

    #[test]
    fn a_text_is_what_the_fixture_of_a_text_is() {
        let fixture = include_str!("../../tests/fixtures/webhooks/whatsapp/reply_context.json");
        let mut expected: Value = serde_json::from_str(fixture).unwrap();
        let value = &mut expected["entry"][0]["changes"][0]["value"];
        value["contacts"][0].as_object_mut().unwrap().remove("user_id");
        value["messages"][0].as_object_mut().unwrap().remove("from_user_id");
        let (wamid, quoted) = (value["messages"][0]["id"].clone(), value["messages"][0]["context"]["id"].clone());
        let number = Number { business_id: "210987654321098", display: "351210000099", id: "309876543210987" };
        let item = Item::Message {
            number,
            from: "351910000001",
            name: "Joana Teste",
            wamid: wamid.as_str().unwrap(),
            timestamp: 1_795_165_200,
            text: "this one please",
            context: quoted.as_str(),
        };
        assert_eq!(written(&[item]), expected);
    }

    #[test]
    fn items_are_grouped_by_account_and_number_in_their_order() {
        let value = json!({"event": "X", "text": "é/"});
        let field = Item::Field { business_id: "99", time: 5, field: "account_update", value: &value };
        let all = written(&[
            receipt(HERE, "sent", "351910000001"),
            text(THERE, "351910000002", "b", None),
            receipt(ELSEWHERE, "read", "PT.99"),
            field,
            receipt(HERE, "failed", "351910000001"),
            text(THERE, "PT.7", "c", None),
        ]);
        let entries = all["entry"].as_array().unwrap();
        let ids: Vec<_> = entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["99", "77", "88"]);
        assert_eq!(
            entries[0],
            json!({"id": "99", "time": 5, "changes": [{"field": "account_update", "value": value}]})
        );
        let changes = entries[1]["changes"].as_array().unwrap();
        assert_eq!((changes.len(), &changes[0]["value"]["metadata"]["phone_number_id"]), (2, &json!("1")));
        let statuses = &changes[0]["value"]["statuses"];
        assert_eq!((&statuses[0]["status"], &statuses[1]["status"]), (&json!("sent"), &json!("failed")));
        assert_eq!(statuses[0]["pricing"]["category"], "marketing");
        assert_eq!(statuses[1]["errors"][0]["code"], 131_026);
        assert_eq!(statuses[1]["biz_opaque_callback_data"], "b1.A.0.7.1");
        let value = &changes[1]["value"];
        assert_eq!(
            (&value["messages"][0]["from"], &value["contacts"][0]["wa_id"]),
            (&json!("351910000002"), &json!("351910000002"))
        );
        assert_eq!(
            (&value["messages"][1]["from_user_id"], &value["contacts"][1]["user_id"]),
            (&json!("PT.7"), &json!("PT.7"))
        );
        let scoped = &entries[2]["changes"][0]["value"]["statuses"][0];
        assert_eq!((&scoped["recipient_user_id"], scoped.get("recipient_id")), (&json!("PT.99"), None));
    }

    #[test]
    fn text_survives_and_its_bytes_are_plain() {
        let said = "Olá/\u{1}\n\"\\ 👍 \u{7f}";
        let bytes = body(&[text(HERE, "351910000001", said, None)]);
        assert!(bytes.is_ascii());
        let told = String::from_utf8(bytes.clone()).unwrap();
        assert!(
            told.contains(r"Ol\u00e1\/") && told.contains(r"\ud83d\udc4d") && told.contains(r"wamid.a\/b"),
            "{told}"
        );
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let value = &value["entry"][0]["changes"][0]["value"];
        assert_eq!(
            (&value["messages"][0]["text"]["body"], &value["contacts"][0]["profile"]["name"]),
            (&json!(said), &json!("Ana \"A\""))
        );
    }

    #[test]
    fn a_request_is_signed_with_the_apps_secret() {
        let secret = Secret::new("shh");
        let bytes = request("/webhooks/whatsapp/app", &secret, &[receipt(HERE, "read", "1")]);
        let written = String::from_utf8(bytes).unwrap();
        let (head, body) = written.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /webhooks/whatsapp/app HTTP/1.1\r\n"));
        assert!(head.ends_with(&format!("x-hub-signature-256: {}", secret.signature(body.as_bytes()))), "{head}");
        assert_ne!(secret.signature(b"a"), Secret::new("other").signature(b"a"));
        assert_eq!(body, String::from_utf8(super::body(&[receipt(HERE, "read", "1")])).unwrap());
        assert_eq!(super::body(&[]), br#"{"object":"whatsapp_business_account","entry":[]}"#);
    }
}
