//! Times as the API carries them: RFC 3339 text.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::time::Timestamp;

/// A time in a request or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Moment;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time as RFC 3339 writes it")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
                text.parse().map(Moment).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_no_times() {
        assert!(serde_json::from_str::<Moment>("1795165200").is_err());
        assert!(serde_json::from_str::<Moment>("\"tomorrow\"").is_err());
        let moment: Moment = serde_json::from_str("\"2026-11-20T10:00:00.25+01:00\"").unwrap();
        assert_eq!(serde_json::to_string(&moment).unwrap(), "\"2026-11-20T09:00:00.250Z\"");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(millis in -62_135_596_800_000_i64..253_402_300_800_000) {
            let moment = Moment(Timestamp(millis));
            let shown = serde_json::to_string(&moment).unwrap();
            prop_assert_eq!(serde_json::from_str::<Moment>(&shown).unwrap(), moment);
        }
    }
}
