//! The parts of a value: items of an array, pairs of a map, what a variant holds.

use serde::de::{self, DeserializeSeed, Visitor};

use super::head::Head;
use super::{Unpacking, Unreadable};

/// Items or pairs that are left of an array or a map.
pub(super) struct Items<'a, 'de> {
    unpacking: &'a mut Unpacking<'de>,
    left: u32,
}

impl<'a, 'de> Items<'a, 'de> {
    pub(super) const fn new(unpacking: &'a mut Unpacking<'de>, left: u32) -> Self {
        Self { unpacking, left }
    }

    /// Whoever read them took them all.
    pub(super) fn end(&self) -> Result<(), Unreadable> {
        if self.left == 0 { Ok(()) } else { Err(Unreadable(format!("there are {} items more than known", self.left))) }
    }

    fn next(&mut self) -> bool {
        let there = self.left > 0;
        self.left = self.left.saturating_sub(1);
        there
    }
}

impl<'de> de::SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unreadable> {
        if self.next() { seed.deserialize(&mut *self.unpacking).map(Some) } else { Ok(None) }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left as usize)
    }
}

impl<'de> de::MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unreadable> {
        if self.next() { seed.deserialize(&mut *self.unpacking).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unreadable> {
        seed.deserialize(&mut *self.unpacking)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left as usize)
    }
}

/// A variant, of which the name is next.
pub(super) struct Variant<'a, 'de> {
    pub(super) unpacking: &'a mut Unpacking<'de>,
    /// It is its name alone.
    pub(super) alone: bool,
}

impl Variant<'_, '_> {
    fn holds_something(&self) -> Result<(), Unreadable> {
        if self.alone { Err(Unreadable("a variant holds nothing and should".into())) } else { Ok(()) }
    }
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Unreadable;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Unreadable> {
        Ok((seed.deserialize(&mut *self.unpacking)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        if self.alone {
            return Ok(());
        }
        match self.unpacking.reader.head()? {
            Head::Nil => Ok(()),
            other => Err(other.instead_of("nothing")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Unreadable> {
        self.holds_something()?;
        seed.deserialize(self.unpacking)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Unreadable> {
        self.holds_something()?;
        de::Deserializer::deserialize_tuple(self.unpacking, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.holds_something()?;
        de::Deserializer::deserialize_struct(self.unpacking, "", fields, visitor)
    }
}
