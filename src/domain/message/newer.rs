//! Reading what a newer version stored: fields that are not known here are passed over, and a kind that is not known
//! is kept as it came.
//!
//! What the API takes is read more strictly, where it comes in.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::MessageContent;

/// Reads stored content. A kind that is not known here becomes [`MessageContent::Unsupported`] with all that it held.
///
/// # Errors
/// The bytes are no content: nothing names a kind.
pub fn content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MessageContent, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Known(MessageContent),
        Newer(Anything),
    }
    match Stored::deserialize(deserializer)? {
        Stored::Known(content) => Ok(content),
        Stored::Newer(Anything(held)) => {
            let kind = held.get("type").and_then(Value::as_str);
            let kind = kind.ok_or_else(|| D::Error::custom("a message's content names no kind"))?.to_owned();
            Ok(MessageContent::Unsupported { kind, raw: held.to_string() })
        }
    }
}

/// Any value as JSON; bytes are shown in hexadecimal.
struct Anything(Value);

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor).map(Self)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Value, E> {
        Ok(hex::encode(value).into())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Anything::deserialize(deserializer).map(|Anything(value)| value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(Anything(element)) = access.next_element()? {
            elements.push(element);
        }
        Ok(elements.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((Anything(name), Anything(value))) = access.next_entry()? {
            let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
            fields.insert(name, value);
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{MediaKind, TemplateParameter};
    use super::*;

    fn read(stored: &Value) -> Result<MessageContent, String> {
        let packed = rmp_serde::to_vec_named(stored).unwrap();
        content(&mut rmp_serde::Deserializer::new(packed.as_slice())).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_that_are_not_known_are_passed_over_at_every_depth() {
        let text = read(&json!({"type": "text", "body": "Hello", "mood": {"glad": true}}));
        assert_eq!(text, Ok(MessageContent::Text { body: "Hello".into() }));
        let picture = json!({"kind": "image", "media": {"provider_id": "m1", "voice": false, "width": 640}});
        let mut media = picture.clone();
        media["type"] = json!("media");
        let Ok(MessageContent::Media { kind: MediaKind::Image, media }) = read(&media) else { panic!("a picture") };
        assert_eq!(media.provider_id.as_deref(), Some("m1"));
        let mut parameter = picture;
        parameter["type"] = json!("media");
        let fills = json!([{"slot": {"type": "header", "x": 1}, "parameters": [parameter], "y": [2]}]);
        let template = read(&json!({"type": "template", "name": "n", "language": "en", "fills": fills, "z": null}));
        let Ok(MessageContent::Template { fills, .. }) = template else { panic!("a template: {template:?}") };
        assert!(matches!(fills[0].parameters[..], [TemplateParameter::Media { .. }]));
    }

    #[test]
    fn a_kind_that_is_not_known_is_kept_with_all_it_held() {
        let hologram = json!({"type": "hologram", "depth": 3, "at": [-1, 2.5, null, "x"], "on": {"a": false}});
        let Ok(MessageContent::Unsupported { kind, raw }) = read(&hologram) else { panic!("it is kept") };
        assert_eq!((kind.as_str(), serde_json::from_str::<Value>(&raw).unwrap()), ("hologram", hologram));
        // A known kind with an unknown part is shown as nothing that it is not.
        let part = json!({"type": "interactive", "interactive": {"body": "b", "action": {"type": "dance"}}});
        let Ok(MessageContent::Unsupported { kind, raw }) = read(&part) else { panic!("it is kept") };
        assert_eq!(kind, "interactive");
        assert!(raw.contains("dance"));
    }

    #[test]
    fn what_is_no_content_is_an_error() {
        for stored in [json!({}), json!(7), json!(null), json!({"type": 7}), json!(["text"])] {
            assert!(read(&stored).is_err(), "{stored}");
        }
    }

    #[test]
    fn ids_in_an_unknown_kind_are_kept() {
        #[derive(serde::Serialize)]
        struct Poll {
            r#type: &'static str,
            by: crate::domain::ids::MemberId,
        }
        let packed = rmp_serde::to_vec_named(&Poll { r#type: "poll", by: crate::domain::ids::MemberId(10) }).unwrap();
        let read = content(&mut rmp_serde::Deserializer::new(packed.as_slice())).unwrap();
        let MessageContent::Unsupported { raw, .. } = read else { panic!("it is kept") };
        assert!(raw.contains("0000000000000000000000000000000a"), "{raw}");
    }
}
