//! Fields of changes: left out leaves the thing as it is, `null` takes it away.

use serde::{Deserialize, Deserializer};

/// Reads a field that was given, also as `null`. With `#[serde(default)]` one that was left out is none.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(field: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(field).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Edit {
        #[serde(default, deserialize_with = "given")]
        days: Option<Option<u32>>,
    }

    #[test]
    fn left_out_and_null_are_told_apart() {
        let cases = [("{}", None), (r#"{"days":null}"#, Some(None)), (r#"{"days":30}"#, Some(Some(30)))];
        for (text, wanted) in cases {
            assert_eq!(serde_json::from_str::<Edit>(text).unwrap().days, wanted, "{text}");
        }
    }
}
