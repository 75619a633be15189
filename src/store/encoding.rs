//! How a value becomes the bytes of a row: one version byte, then compact MessagePack.
//!
//! Compact means that structs are arrays: fields are only ever added at the end, with a default. Golden
//! files in `tests/golden` hold the bytes, so that a change of form is seen before it is stored.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::packed;

/// The version that this code writes and reads.
pub const VERSION: u8 = 1;

/// The bytes of a value.
///
/// # Errors
/// The value cannot be written, which is a mistake in its type.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(128);
    encode_into(&mut bytes, value)?;
    Ok(bytes)
}

/// The bytes of a value whose fields may be left out: structs are maps by field name, which [`decode`] reads as
/// well. Whatever has `skip_serializing_if` needs this form, for in an array the fields after it would move up.
///
/// # Errors
/// The value cannot be written, which is a mistake in its type.
pub fn encode_named<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(VERSION);
    rmp_serde::encode::write_named(&mut bytes, value)
        .map_err(|error| StoreError::NotApplied(format!("a row cannot be encoded: {error}")))?;
    Ok(bytes)
}

/// Appends the bytes of a value to a buffer that is used again; on an error it is as before.
///
/// # Errors
/// The value cannot be written, which is a mistake in its type.
pub fn encode_into<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) -> Result<(), StoreError> {
    let start = bytes.len();
    bytes.push(VERSION);
    rmp_serde::encode::write(bytes, value).map_err(|error| {
        bytes.truncate(start);
        StoreError::NotApplied(format!("a row cannot be encoded: {error}"))
    })
}

/// The value of a row; `table` names it in the error.
///
/// # Errors
/// The bytes are not such a value, or of a version that this program does not know.
pub fn decode<T: DeserializeOwned>(table: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, body)) => packed::read(body).map_err(|error| corrupt(table, error.to_string())),
        Some((version, _)) => {
            Err(corrupt(table, format!("its version is {version}, and this program reads {VERSION}")))
        }
        None => Err(corrupt(table, "it is empty".into())),
    }
}

/// A row that cannot be read.
pub(super) const fn corrupt(table: &'static str, why: String) -> StoreError {
    StoreError::Corrupt { table, why }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::store::contract::golden;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        id: u128,
        at_ms: i64,
        word: Option<String>,
        status: Status,
        bytes: Vec<u8>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Status {
        #[serde(rename = "qu")]
        Queued,
        #[serde(rename = "fa")]
        Failed { code: u32 },
    }

    fn samples() -> Vec<Sample> {
        vec![
            Sample { id: 0, at_ms: 0, word: None, status: Status::Queued, bytes: vec![] },
            Sample {
                id: u128::MAX - 7,
                at_ms: -1_795_165_200_000,
                word: Some("Grüße".into()),
                status: Status::Failed { code: 131_047 },
                bytes: vec![0, 255, 128],
            },
        ]
    }

    #[test]
    fn the_stored_bytes_are_the_golden_ones() {
        let rows: Vec<_> = samples().iter().map(|sample| encode(sample).expect("encodes")).collect();
        golden("store_encoding.hex", &rows);
    }

    #[test]
    fn what_is_written_is_read() {
        for sample in samples() {
            let bytes = encode(&sample).expect("encodes");
            assert_eq!(decode::<Sample>("sample", &bytes).expect("reads"), sample);
        }
    }

    #[test]
    fn whatever_cannot_be_read_is_named() {
        let bytes = encode(&samples()[1]).expect("encodes");
        for length in 0..bytes.len() {
            let error = decode::<Sample>("sample", &bytes[..length]).expect_err("is cut");
            assert!(matches!(error, StoreError::Corrupt { table: "sample", .. }), "{error}");
        }
        let newer = [&[VERSION + 1], &bytes[1..]].concat();
        let error = decode::<Sample>("sample", &newer).expect_err("is of another version");
        assert_eq!(
            error.to_string(),
            "a stored row of sample cannot be read: its version is 2, and this program reads 1"
        );
    }

    #[test]
    fn a_value_that_cannot_be_written_leaves_the_buffer_as_it_was() {
        struct Unwritable;
        impl Serialize for Unwritable {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("it is unwritable"))
            }
        }
        let mut bytes = vec![7];
        assert!(matches!(encode_into(&mut bytes, &Unwritable), Err(StoreError::NotApplied(_))));
        assert_eq!(bytes, [7]);
    }
}
