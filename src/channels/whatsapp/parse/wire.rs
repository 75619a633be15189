//! Meta's JSON as it lies in the body: borrowed, and lax where the platform drifts.
//!
//! Lists of items stay raw until each item is read by itself, so a bad one harms no other.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::domain::time::Timestamp;

/// Text that may also come as a whole number (ids, timestamps and tiers drift between the two).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a whole number")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

impl Text<'_> {
    /// The text; none if it is empty.
    pub(super) fn filled(text: &Option<Self>) -> Option<&str> {
        text.as_deref().filter(|text| !text.is_empty())
    }

    /// The same, owned.
    pub(super) fn owned(text: &Option<Self>) -> Option<String> {
        Self::filled(text).map(str::to_owned)
    }

    /// A provider's time in seconds or milliseconds; none if it cannot be one.
    pub(super) fn time(text: &Option<Self>) -> Option<Timestamp> {
        let number: i64 = text.as_deref()?.parse().ok()?;
        // Later than the year 5000 in milliseconds is damage, and so is before 1970.
        (1..100_000_000_000_000).contains(&number).then(|| Timestamp::from_provider(number))
    }
}

/// A coordinate, as a number or as text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Degrees(pub(super) f64);

impl<'de> Deserialize<'de> for Degrees {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DegreesVisitor;
        impl Visitor<'_> for DegreesVisitor {
            type Value = Degrees;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of degrees")
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Degrees, E> {
                Ok(Degrees(number))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Degrees, E> {
                Ok(Degrees(number as f64))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Degrees, E> {
                Ok(Degrees(number as f64))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Degrees, E> {
                let number: f64 = text.trim().parse().map_err(E::custom)?;
                if number.is_finite() { Ok(Degrees(number)) } else { Err(E::custom("not finite")) }
            }
        }
        deserializer.deserialize_any(DegreesVisitor)
    }
}

/// The body. `E` is an entry, or its raw text.
#[derive(Deserialize)]
pub(super) struct Delivery<'a, E> {
    #[serde(borrow)]
    pub(super) object: Option<Text<'a>>,
    pub(super) entry: Vec<E>,
}

/// One business account's part. `C` is a change, or its raw text.
#[derive(Deserialize)]
pub(super) struct Entry<'a, C> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) time: Option<&'a RawValue>,
    pub(super) changes: Vec<C>,
}

/// One change.
#[derive(Deserialize)]
pub(super) struct Change<'a> {
    #[serde(borrow)]
    pub(super) field: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) value: Option<&'a RawValue>,
}

/// What a change about a number's traffic holds. `L` is a list of raw items, or the raw list; `S` is the same of receipts,
/// or the receipts themselves.
#[derive(Deserialize)]
pub(super) struct Traffic<'a, L, S = L> {
    #[serde(borrow)]
    pub(super) metadata: Option<Metadata<'a>>,
    pub(super) contacts: Option<L>,
    pub(super) messages: Option<L>,
    pub(super) statuses: Option<S>,
    pub(super) message_echoes: Option<L>,
    pub(super) user_preferences: Option<L>,
    pub(super) user_id_update: Option<L>,
    pub(super) errors: Option<L>,
}

/// Which number it is.
#[derive(Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub(super) phone_number_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) display_phone_number: Option<Text<'a>>,
}

/// A person, as a change introduces them.
#[derive(Deserialize)]
pub(super) struct WireContact<'a> {
    #[serde(borrow)]
    pub(super) profile: Option<Profile<'a>>,
    #[serde(borrow)]
    pub(super) wa_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) parent_user_id: Option<Text<'a>>,
}

/// What a person shows.
#[derive(Deserialize)]
pub(super) struct Profile<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) username: Option<Text<'a>>,
}

/// A message or an echo. The parts are raw: only the one that `type` names is read.
#[derive(Deserialize)]
pub(super) struct WireMessage<'a> {
    #[serde(borrow)]
    pub(super) from: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) from_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) from_parent_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) to: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) to_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) to_parent_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) group_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) context: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) referral: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) image: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) video: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) audio: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) document: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) sticker: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) location: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) contacts: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) interactive: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) button: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) reaction: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) edit: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) revoke: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) system: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) unsupported: Option<&'a RawValue>,
}

/// What a receipt says.
#[derive(Deserialize)]
pub(super) struct WireStatus<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) status: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) recipient_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) recipient_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) recipient_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) recipient_parent_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) recipient_participant_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) recipient_participant_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) biz_opaque_callback_data: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) pricing: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) errors: Option<&'a RawValue>,
}

/// Reads one raw piece; none if it has another shape.
pub(super) fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}
