//! Reading of compact MessagePack, as `rmp_serde` writes it for rows and records.
//!
//! `rmp_serde`'s own reader asks every type whether it takes any of the forms there are, and is compiled once more for
//! each of 560 types: that was a quarter of all code of this program and of the time to build it. Here one function reads
//! whatever stands there, and a type meets the form it was written in.

mod access;
mod head;
#[cfg(test)]
mod tests;

use std::fmt::Display;

use serde::Deserialize;
use serde::de::{self, Visitor};
use serde::forward_to_deserialize_any;

use self::access::{Items, Variant};
use self::head::{Head, Reader};

/// Arrays and maps that may stand in each other: the 128 of a JSON value that came in, and what it is kept in.
const DEPTH_MAX: u16 = 256;

/// Bytes that are not such a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl de::Error for Unreadable {
    fn custom<T: Display>(why: T) -> Self {
        Self(why.to_string())
    }
}

/// Reads a value; what comes after it is not looked at.
///
/// # Errors
/// The bytes end early or are another value.
pub fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Unreadable> {
    T::deserialize(&mut Unpacking { reader: Reader::new(bytes), depth: 0 })
}

/// A value that is being read.
struct Unpacking<'de> {
    reader: Reader<'de>,
    depth: u16,
}

impl<'de> Unpacking<'de> {
    fn array<V: Visitor<'de>>(&mut self, len: u32, visitor: V) -> Result<V::Value, Unreadable> {
        self.deeper()?;
        let mut items = Items::new(self, len);
        let value = visitor.visit_seq(&mut items)?;
        items.end()?;
        self.depth -= 1;
        Ok(value)
    }

    fn map<V: Visitor<'de>>(&mut self, len: u32, visitor: V) -> Result<V::Value, Unreadable> {
        self.deeper()?;
        let mut items = Items::new(self, len);
        let value = visitor.visit_map(&mut items)?;
        items.end()?;
        self.depth -= 1;
        Ok(value)
    }

    /// An error ends the reading, so nobody comes up again from there.
    fn deeper(&mut self) -> Result<(), Unreadable> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(Unreadable("it is nested too deep".into())) } else { Ok(()) }
    }
}

/// Whole numbers, in whichever width they were written.
macro_rules! whole_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            match self.reader.head()? {
                Head::Unsigned(number) => visitor.visit_u64(number),
                Head::Signed(number) => visitor.visit_i64(number),
                other => Err(other.instead_of("a whole number")),
            }
        }
    )*};
}

/// Arrays of as many as there are.
macro_rules! arrays {
    ($($method:ident($($argument:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $(_: $argument,)* visitor: V) -> Result<V::Value, Unreadable> {
            match self.reader.head()? {
                Head::Array(len) => self.array(len, visitor),
                other => Err(other.instead_of("an array")),
            }
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            visitor.visit_borrowed_str(self.reader.text()?)
        }
    )*};
}

macro_rules! bytes {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            match self.reader.head()? {
                Head::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
                other => Err(other.instead_of("bytes")),
            }
        }
    )*};
}

macro_rules! floats {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            match self.reader.head()? {
                Head::Float(number) => visitor.visit_f64(number),
                other => Err(other.instead_of("a number")),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Unpacking<'de> {
    type Error = Unreadable;

    whole_numbers! {
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    }
    arrays! {
        deserialize_seq() deserialize_tuple(usize) deserialize_tuple_struct(&'static str, usize)
    }
    texts! { deserialize_str deserialize_string deserialize_char deserialize_identifier }
    bytes! { deserialize_bytes deserialize_byte_buf }
    floats! { deserialize_f32 deserialize_f64 }
    forward_to_deserialize_any! { ignored_any }

    fn is_human_readable(&self) -> bool {
        false
    }

    /// For whoever takes several forms: what stands there decides.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.reader.head()? {
            Head::Nil => visitor.visit_unit(),
            Head::Bool(value) => visitor.visit_bool(value),
            Head::Unsigned(number) => visitor.visit_u64(number),
            Head::Signed(number) => visitor.visit_i64(number),
            Head::Float(number) => visitor.visit_f64(number),
            Head::Text(text) => visitor.visit_borrowed_str(text),
            Head::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Head::Array(len) => self.array(len, visitor),
            Head::Map(len) => self.map(len, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.reader.head()? {
            Head::Bool(value) => visitor.visit_bool(value),
            other => Err(other.instead_of("true or false")),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_u128(self.reader.wide()? as u128)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_i128(self.reader.wide()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.reader.take_nil()? { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.reader.head()? {
            Head::Nil => visitor.visit_unit(),
            other => Err(other.instead_of("nothing")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unreadable> {
        match self.reader.head()? {
            Head::Nil | Head::Array(0) => visitor.visit_unit(),
            other => Err(other.instead_of("nothing")),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.reader.head()? {
            Head::Map(len) => self.map(len, visitor),
            other => Err(other.instead_of("a map")),
        }
    }

    /// A struct is the array of its fields, or the map of them by name.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        match self.reader.head()? {
            Head::Array(len) => self.array(len, visitor),
            Head::Map(len) => self.map(len, visitor),
            other => Err(other.instead_of("a struct")),
        }
    }

    /// A variant is its name alone, or the map of its name to what it holds.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let alone = self.reader.is_text();
        if !alone {
            match self.reader.head()? {
                Head::Map(1) => {}
                other => return Err(other.instead_of("a variant")),
            }
        }
        visitor.visit_enum(Variant { unpacking: self, alone })
    }
}
