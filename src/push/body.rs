//! An object of the wire, serialised once and shared by every socket that carries it.

use std::sync::OnceLock;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;

/// One JSON object, and the same in MessagePack once somebody wants it.
pub struct Body {
    json: ByteString,
    msgpack: OnceLock<Fields>,
}

/// The fields of a MessagePack map without its header, so that a field can be put before them.
pub(super) struct Fields {
    /// How many key-value pairs.
    pub(super) count: u16,
    /// The pairs.
    pub(super) bytes: Bytes,
}

/// Why something cannot be a body.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It does not serialise.
    #[error("the value does not serialise: {0}")]
    Serialize(#[from] serde_json::Error),
    /// It serialises to something other than an object with at least one field.
    #[error("the value is not an object with at least one field")]
    NotAnObject,
}

impl Body {
    /// Serialises `value`, which must give an object with at least one field.
    ///
    /// # Errors
    /// When it does not serialise, or to something else.
    pub fn new(value: &impl Serialize) -> Result<Self, BodyError> {
        let text = serde_json::to_string(value)?;
        if !text.starts_with('{') || text.len() < 3 {
            return Err(BodyError::NotAnObject);
        }
        Ok(Self::trusted(text))
    }

    /// A body from text that this module's callers built themselves as an object with a field.
    pub(super) fn trusted(json: String) -> Self {
        Self { json: json.into(), msgpack: OnceLock::new() }
    }

    /// The JSON text, from `{` to `}`.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// How many bytes one copy of it takes, about, in either encoding.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.json.len()
    }

    /// The MessagePack fields, made at the first call.
    pub(super) fn fields(&self) -> &Fields {
        self.msgpack.get_or_init(|| {
            let packed = serde_json::from_str::<serde_json::Value>(&self.json)
                .ok()
                .and_then(|value| rmp_serde::to_vec(&value).ok())
                .unwrap_or_default();
            let (count, header) = match packed.first() {
                Some(first @ 0x80..=0x8F) => (u16::from(first & 0x0F), 1),
                Some(0xDE) if packed.len() > 3 => (u16::from_be_bytes([packed[1], packed[2]]), 3),
                // Over 65,535 fields, which no event has.
                _ => (0, packed.len()),
            };
            Fields { count, bytes: Bytes::from(packed).slice(header..) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_objects_with_a_field_are_bodies() {
        assert!(Body::new(&json!({"a": 1})).is_ok());
        for wrong in [json!({}), json!([1]), json!("x"), json!(null)] {
            assert!(matches!(Body::new(&wrong), Err(BodyError::NotAnObject)), "{wrong}");
        }
    }

    #[test]
    fn fields_are_the_map_without_its_header() {
        for fields in [1_u16, 15, 16, 300] {
            let object: serde_json::Map<String, serde_json::Value> =
                (0..fields).map(|number| (format!("k{number}"), json!(number))).collect();
            let body = Body::new(&object).unwrap();
            assert_eq!(body.fields().count, fields);
            let mut whole = vec![0xDE];
            whole.extend(fields.to_be_bytes());
            whole.extend(&body.fields().bytes);
            assert_eq!(rmp_serde::from_slice::<serde_json::Value>(&whole).unwrap(), json!(object));
        }
    }
}
