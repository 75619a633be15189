//! JSON of bodies, written straight into bytes.

use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Text as it is.
pub(super) fn write(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = out.write_fmt(text);
}

/// A comma, unless a list begins here.
pub(super) fn comma(list: &mut Vec<u8>) {
    if !list.is_empty() {
        list.push(b',');
    }
}

/// A comma, unless the last byte opens a list.
pub(super) fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
}

/// A JSON string; most are plain and copied as they are.
pub(super) fn quote(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'/')) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        escape(out, text);
    }
}

pub(super) fn escape<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Text and values always can be written, and memory takes them.
    let _ = value.serialize(&mut Serializer::with_formatter(out, Escaping));
}

/// Meta signs the escaped form: whoever reads and writes a body again before it verifies must fail here, too.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for character in fragment.chars() {
            match character {
                '/' => writer.write_all(br"\/")?,
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
