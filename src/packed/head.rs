//! What stands next in the bytes.

use super::Unreadable;

/// A value without parts, or the beginning of one with parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Head<'de> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    /// Below zero, or written as if it could have been.
    Signed(i64),
    Float(f64),
    Text(&'de str),
    Bytes(&'de [u8]),
    /// So many items follow.
    Array(u32),
    /// So many pairs follow.
    Map(u32),
}

impl Head<'_> {
    /// The error of whoever needs something else.
    #[cold]
    pub(super) fn instead_of(&self, wanted: &str) -> Unreadable {
        let found = match self {
            Self::Nil => "nothing",
            Self::Bool(_) => "true or false",
            Self::Unsigned(_) | Self::Signed(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
        };
        Unreadable(format!("there is {found} instead of {wanted}"))
    }
}

/// Bytes that are read from the front.
pub(super) struct Reader<'de> {
    left: &'de [u8],
}

impl<'de> Reader<'de> {
    pub(super) const fn new(bytes: &'de [u8]) -> Self {
        Self { left: bytes }
    }

    /// Takes what stands next, of a value with parts its beginning.
    pub(super) fn head(&mut self) -> Result<Head<'de>, Unreadable> {
        let marker = self.number(1)? as u8;
        Ok(match marker {
            0x00..=0x7f => Head::Unsigned(marker.into()),
            0x80..=0x8f => Head::Map((marker & 0x0f).into()),
            0x90..=0x9f => Head::Array((marker & 0x0f).into()),
            0xa0..=0xbf => self.text_of((marker & 0x1f).into())?,
            0xc0 => Head::Nil,
            0xc2 | 0xc3 => Head::Bool(marker == 0xc3),
            0xc4..=0xc6 => {
                let len = self.number(1 << (marker - 0xc4))?;
                Head::Bytes(self.take(len as usize)?)
            }
            0xca => Head::Float(f32::from_bits(self.number(4)? as u32).into()),
            0xcb => Head::Float(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => Head::Unsigned(self.number(1 << (marker - 0xcc))?),
            0xd0..=0xd3 => {
                let width = 1 << (marker - 0xd0);
                // The sign is at the top of as many bytes as there are.
                let shift = 64 - 8 * width as u32;
                Head::Signed(((self.number(width)? << shift) as i64) >> shift)
            }
            0xd9..=0xdb => {
                let len = self.number(1 << (marker - 0xd9))?;
                self.text_of(len as usize)?
            }
            0xdc | 0xdd => Head::Array(self.number(2 << (marker - 0xdc))? as u32),
            0xde | 0xdf => Head::Map(self.number(2 << (marker - 0xde))? as u32),
            0xe0..=0xff => Head::Signed((marker as i8).into()),
            // Extensions, which nothing here is written as.
            _ => return Err(Unreadable(format!("there is the unknown form {marker:#04x}"))),
        })
    }

    /// Takes a text.
    pub(super) fn text(&mut self) -> Result<&'de str, Unreadable> {
        match self.head()? {
            Head::Text(text) => Ok(text),
            other => Err(other.instead_of("a text")),
        }
    }

    /// Takes a number of 128 bits: 16 bytes, or a narrow one.
    pub(super) fn wide(&mut self) -> Result<i128, Unreadable> {
        match self.head()? {
            Head::Unsigned(number) => Ok(number.into()),
            Head::Signed(number) => Ok(number.into()),
            Head::Bytes(bytes) => match bytes.try_into() {
                Ok(bytes) => Ok(i128::from_be_bytes(bytes)),
                Err(_) => Err(Unreadable(format!("there are {} bytes instead of 16", bytes.len()))),
            },
            other => Err(other.instead_of("a number of 128 bits")),
        }
    }

    /// Takes a nothing, if there is one.
    pub(super) fn take_nil(&mut self) -> Result<bool, Unreadable> {
        match self.left.split_first() {
            Some((0xc0, left)) => {
                self.left = left;
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Err(ended()),
        }
    }

    /// Whether a text stands next.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.left.first(), Some(0xa0..=0xbf | 0xd9..=0xdb))
    }

    fn text_of(&mut self, len: usize) -> Result<Head<'de>, Unreadable> {
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map(Head::Text).map_err(|error| Unreadable(error.to_string()))
    }

    /// A whole number of so many bytes, at most 8.
    fn number(&mut self, width: usize) -> Result<u64, Unreadable> {
        Ok(self.take(width)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn take(&mut self, len: usize) -> Result<&'de [u8], Unreadable> {
        let (taken, left) = self.left.split_at_checked(len).ok_or_else(ended)?;
        self.left = left;
        Ok(taken)
    }
}

#[cold]
fn ended() -> Unreadable {
    Unreadable("the bytes end too early".into())
}
