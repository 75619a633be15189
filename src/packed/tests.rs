use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::read;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Alone,
    One(u32),
    Two(i8, String),
    Named { at: i64, why: Option<String> },
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Id(u128);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    small: u8,
    wide: u64,
    below: i16,
    below_all: i64,
    id: Id,
    signed: i128,
    yes: bool,
    letter: char,
    text: String,
    half: f32,
    whole: f64,
    kind: Kind,
    kinds: Vec<Kind>,
    by_id: BTreeMap<Id, Option<Kind>>,
    pair: (u16, bool),
    array: [u8; 3],
    nothing: (),
    unit: Unit,
    maybe: Option<Vec<i32>>,
    any: serde_json::Value,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Alone),
        any::<u32>().prop_map(Kind::One),
        (any::<i8>(), ".{0,40}").prop_map(|(number, text)| Kind::Two(number, text)),
        (any::<i64>(), proptest::option::of(".{0,300}")).prop_map(|(at, why)| Kind::Named { at, why }),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let numbers = (any::<u8>(), any::<u64>(), any::<i16>(), any::<i64>(), any::<u128>(), any::<i128>());
    let plain = (any::<bool>(), any::<char>(), ".{0,300}", -1e3_f32..1e3, -1e9_f64..1e9);
    let parts = (
        kind(),
        proptest::collection::vec(kind(), 0..20),
        proptest::collection::btree_map(any::<u128>().prop_map(Id), proptest::option::of(kind()), 0..20),
        any::<(u16, bool)>(),
        any::<[u8; 3]>(),
        proptest::option::of(proptest::collection::vec(any::<i32>(), 0..70)),
    );
    (numbers, plain, parts).prop_map(|(numbers, plain, parts)| {
        let (small, wide, below, below_all, id, signed) = numbers;
        let (yes, letter, text, half, whole) = plain;
        let (kind, kinds, by_id, pair, array, maybe) = parts;
        let any = serde_json::json!({"number": below_all, "texts": [text, null], "yes": yes});
        Everything {
            small,
            wide,
            below,
            below_all,
            id: Id(id),
            signed,
            yes,
            letter,
            text,
            half,
            whole,
            kind,
            kinds,
            by_id,
            pair,
            array,
            nothing: (),
            unit: Unit,
            maybe,
            any,
        }
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read(written in everything()) {
        let packed = rmp_serde::to_vec(&written).unwrap();
        prop_assert_eq!(&read::<Everything>(&packed).unwrap(), &written);
        let named = rmp_serde::to_vec_named(&written).unwrap();
        prop_assert_eq!(&read::<Everything>(&named).unwrap(), &written);
        // Whatever is cut off is missed.
        for end in 0..packed.len() {
            prop_assert!(read::<Everything>(&packed[..end]).is_err());
        }
    }

    #[test]
    fn bytes_of_any_kind_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read::<Everything>(&bytes);
        let _ = read::<Vec<Kind>>(&bytes);
        if let (Ok(ours), Ok(theirs)) = (read::<serde_json::Value>(&bytes), rmp_serde::from_slice::<serde_json::Value>(&bytes)) {
            prop_assert_eq!(ours, theirs);
        }
    }
}

#[test]
fn another_form_is_an_error_that_says_which() {
    let packed = |value: &serde_json::Value| rmp_serde::to_vec(value).unwrap();
    let error = |bytes: &[u8]| read::<(u8, Option<Kind>)>(bytes).unwrap_err().to_string();
    assert_eq!(error(&packed(&serde_json::json!("text"))), "there is a text instead of an array");
    assert_eq!(error(&packed(&serde_json::json!([1]))), "invalid length 1, expected a tuple of size 2");
    assert_eq!(error(&packed(&serde_json::json!([1, null, 3]))), "there are 1 items more than known");
    assert_eq!(error(&packed(&serde_json::json!([true, null]))), "there is true or false instead of a whole number");
    assert!(error(&packed(&serde_json::json!([300, null]))).starts_with("invalid value: integer `300`"));
    assert_eq!(error(&packed(&serde_json::json!([1, "One"]))), "a variant holds nothing and should");
    assert_eq!(error(&packed(&serde_json::json!([1, {"One": 1, "Two": 2}]))), "there is a map instead of a variant");
    assert_eq!(error(&[0xc1]), "there is the unknown form 0xc1");
    assert_eq!(error(&[0x92, 0x01, 0xa2, 0xff, 0xff]), "invalid utf-8 sequence of 1 bytes from index 0");
    let deep = [vec![0x91; 10_000], vec![0xc0]].concat();
    assert_eq!(read::<serde_json::Value>(&deep).unwrap_err().to_string(), "it is nested too deep");
}
