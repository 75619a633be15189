//! Reads a call to `/messages`, as coarsely as Meta's limits allow.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::refusal::Refusal;

/// Bytes of a sender's own data.
const TOKEN_MAX: usize = 512;
/// Characters of a text.
const TEXT_MAX: usize = 4_096;
/// Bytes of a recipient, whose business-scoped user id is at most 131 of them.
const RECIPIENT_MAX: usize = 140;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call<'a> {
    /// A read mark or a typing indicator.
    Mark,
    /// A message.
    Send(Send<'a>),
}

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Send<'a> {
    /// As the sender wrote it.
    pub(super) input: Cow<'a, str>,
    /// Digits, or a business-scoped user id.
    pub(super) to: String,
    /// Empty where there is none.
    pub(super) token: Cow<'a, str>,
    /// One of [`KINDS`].
    pub(super) kind: &'static str,
    /// Its name; empty where it is none.
    pub(super) template: String,
    /// The id that it quotes; empty where there is none.
    pub(super) context: String,
    /// Of a text's characters, or of the bytes of the part that the type names.
    pub(super) digest: u64,
}

/// What a message may be.
pub(super) const KINDS: [&str; 11] = [
    "text",
    "template",
    "image",
    "video",
    "document",
    "audio",
    "sticker",
    "location",
    "contacts",
    "reaction",
    "interactive",
];

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    messaging_product: Cow<'a, str>,
    #[serde(borrow, default)]
    to: Cow<'a, str>,
    #[serde(borrow, default)]
    recipient: Cow<'a, str>,
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    biz_opaque_callback_data: Cow<'a, str>,
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    message_id: Cow<'a, str>,
    context: Option<Context>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    template: Option<&'a RawValue>,
    #[serde(borrow)]
    image: Option<&'a RawValue>,
    #[serde(borrow)]
    video: Option<&'a RawValue>,
    #[serde(borrow)]
    document: Option<&'a RawValue>,
    #[serde(borrow)]
    audio: Option<&'a RawValue>,
    #[serde(borrow)]
    sticker: Option<&'a RawValue>,
    #[serde(borrow)]
    location: Option<&'a RawValue>,
    #[serde(borrow)]
    contacts: Option<&'a RawValue>,
    #[serde(borrow)]
    reaction: Option<&'a RawValue>,
    #[serde(borrow)]
    interactive: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Context {
    #[serde(default)]
    message_id: String,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    body: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Template {
    name: String,
    #[serde(rename = "language")]
    _language: Language,
}

#[derive(Deserialize)]
struct Language {
    #[serde(rename = "code")]
    _code: String,
}

/// What the call asks for.
///
/// # Errors
/// What Meta refuses it with.
pub(super) fn read(body: &[u8]) -> Result<Call<'_>, Refusal> {
    let wire: Wire<'_> =
        serde_json::from_slice(body).map_err(|_| Refusal::new(100, "The body is not a message in JSON."))?;
    if wire.messaging_product != "whatsapp" {
        return Err(Refusal::new(100, "The parameter messaging_product is required."));
    }
    if !wire.status.is_empty() {
        let marks = wire.status == "read" && !wire.message_id.is_empty();
        return if marks { Ok(Call::Mark) } else { Err(Refusal::new(100, "status is read, message_id is required.")) };
    }
    if wire.biz_opaque_callback_data.len() > TOKEN_MAX {
        return Err(Refusal::new(131_009, "biz_opaque_callback_data is longer than 512."));
    }
    let is_phone = !wire.to.is_empty();
    let to: String =
        if is_phone { wire.to.chars().filter(char::is_ascii_digit).collect() } else { wire.recipient.to_string() };
    if to.is_empty() || to.len() > RECIPIENT_MAX {
        return Err(Refusal::new(100, "The parameter to is required, and is a phone number."));
    }
    let (kind, part) = part(&wire)?;
    let (mut template, mut digest) = (String::new(), 0);
    match kind {
        "text" => {
            let text: Text<'_> =
                serde_json::from_str(part.get()).map_err(|_| Refusal::new(131_008, "text.body is required."))?;
            if text.body.is_empty() || text.body.len() > TEXT_MAX && text.body.chars().count() > TEXT_MAX {
                return Err(Refusal::new(100, "text.body is 1 to 4096 characters."));
            }
            digest = xxh3_64(text.body.as_bytes());
        }
        "template" => {
            let read: Template = serde_json::from_str(part.get())
                .map_err(|_| Refusal::new(131_008, "A template has name and language.code."))?;
            template = read.name;
        }
        _ => {}
    }
    if kind != "text" {
        digest = xxh3_64(part.get().as_bytes());
    }
    let context = wire.context.map_or_else(String::new, |context| context.message_id);
    let input = if is_phone { wire.to } else { wire.recipient };
    Ok(Call::Send(Send { input, to, token: wire.biz_opaque_callback_data, kind, template, context, digest }))
}

fn part<'a>(wire: &Wire<'a>) -> Result<(&'static str, &'a RawValue), Refusal> {
    let asked = if wire.kind.is_empty() { "text" } else { &*wire.kind };
    let parts = [
        wire.text,
        wire.template,
        wire.image,
        wire.video,
        wire.document,
        wire.audio,
        wire.sticker,
        wire.location,
        wire.contacts,
        wire.reaction,
        wire.interactive,
    ];
    let found = KINDS.into_iter().zip(parts).find(|(kind, _)| *kind == asked);
    let (kind, part) = found.ok_or(Refusal::new(131_051, "Unsupported message type."))?;
    Ok((kind, part.ok_or(Refusal::new(131_008, "The part named by type is missing."))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read() {
        let body = r#"{"messaging_product":"whatsapp","to":"+351 910","type":"text","text":{"body":"Ol\u00e1"},
            "context":{"message_id":"wamid.IN"},"biz_opaque_callback_data":"b1.A"}"#;
        let Call::Send(send) = read(body.as_bytes()).unwrap() else { panic!("a mark") };
        assert_eq!((&*send.input, &*send.to, &*send.token, send.kind), ("+351 910", "351910", "b1.A", "text"));
        assert_eq!((&*send.context, send.digest), ("wamid.IN", xxh3_64("Olá".as_bytes())));
        let body = r#"{"messaging_product":"whatsapp","recipient":"PT.1","type":"template",
            "template":{"name":"promo","language":{"code":"pt_PT"}}}"#;
        let Call::Send(send) = read(body.as_bytes()).unwrap() else { panic!("a mark") };
        assert_eq!((&*send.to, &*send.template, &*send.token), ("PT.1", "promo", ""));
        let mark = r#"{"messaging_product":"whatsapp","status":"read","message_id":"wamid.IN","typing_indicator":{"type":"text"}}"#;
        assert_eq!(read(mark.as_bytes()), Ok(Call::Mark));
    }

    #[test]
    fn what_meta_refuses_is_refused_with_its_code() {
        let long = format!(r#""to":"1","text":{{"body":"{}"}}"#, "x".repeat(4_097));
        let token = format!(r#""to":"1","text":{{"body":"x"}},"biz_opaque_callback_data":"{}""#, "x".repeat(513));
        for (rest, code) in [
            (r#""text":{"body":"x"}"#, 100),
            (r#""to":"+","text":{"body":"x"}"#, 100),
            (r#""to":"1","text":{"body":""}"#, 100),
            (long.as_str(), 100),
            (token.as_str(), 131_009),
            (r#""to":"1","text":{}"#, 131_008),
            (r#""to":"1","type":"image","text":{"body":"x"}"#, 131_008),
            (r#""to":"1","type":"template","template":{"name":"x"}"#, 131_008),
            (r#""to":"1","type":"poll","poll":{}"#, 131_051),
            (r#""status":"sent","message_id":"x""#, 100),
            (r#""to":7"#, 100),
        ] {
            let body = format!(r#"{{"messaging_product":"whatsapp",{rest}}}"#);
            assert_eq!(read(body.as_bytes()).unwrap_err().code, code, "{rest}");
        }
        for body in ["", "[]", "{}", "{", "\u{0}"] {
            assert_eq!(read(body.as_bytes()).unwrap_err().code, 100, "{body}");
        }
        assert!(read(br#"{"messaging_product":"whatsapp","to":"1","text":{"body":"x"}}"#).is_ok());
    }
}
