//! How one value is read from what a layer gave: a value of a file, or the text of a variable or flag.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::units::{Size, parse_duration, parse_size, show_duration};

/// A value as its layer gave it.
#[derive(Clone)]
pub(super) enum Raw {
    /// From a file, already typed.
    Toml(toml::Value),
    /// From the environment or the command line.
    Text(String),
}

impl Raw {
    /// The text of a string or of a variable.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Toml(toml::Value::String(text)) | Self::Text(text) => Some(text),
            Self::Toml(_) => None,
        }
    }

    /// As an error message shows it.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Toml(toml::Value::String(text)) | Self::Text(text) => text.clone(),
            Self::Toml(value) => value.to_string(),
        }
    }
}

/// A type that a key may have.
pub(super) trait Setting: Sized {
    /// What a right value is, to follow "must be".
    const EXPECTED: &'static str;
    /// Reads it, or says that it is none.
    fn read(raw: &Raw) -> Option<Self>;
    /// Stands in for a value that could not be read, so that the other keys are still judged.
    fn placeholder() -> Self;
    /// As it would be written in the file.
    fn show(&self) -> String;
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {$(
        impl Setting for $number {
            const EXPECTED: &'static str = "a whole number";
            fn read(raw: &Raw) -> Option<Self> {
                match raw {
                    Raw::Toml(toml::Value::Integer(number)) => Self::try_from(*number).ok(),
                    Raw::Toml(_) => None,
                    Raw::Text(text) => text.replace('_', "").parse().ok(),
                }
            }
            fn placeholder() -> Self {
                0
            }
            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

whole_numbers!(u8, u16, u32, u64, usize);

impl Setting for bool {
    const EXPECTED: &'static str = "`true` or `false`";
    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Toml(value) => value.as_bool(),
            Raw::Text(text) => text.parse().ok(),
        }
    }
    fn placeholder() -> Self {
        false
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

/// Implements [`Setting`] for types written as text, from how they are read, stood in for and shown.
macro_rules! texts {
    ($($kind:ty, $expected:literal, $read:expr, $placeholder:expr, $show:expr;)+) => {$(
        impl Setting for $kind {
            const EXPECTED: &'static str = $expected;
            fn read(raw: &Raw) -> Option<Self> {
                raw.text().and_then($read)
            }
            fn placeholder() -> Self {
                $placeholder
            }
            fn show(&self) -> String {
                let show: fn(&Self) -> String = $show;
                show(self)
            }
        }
    )+};
}

/// A text that may be empty, which means that there is none.
type Optional<T> = Option<T>;

texts! {
    String, "a text", |text| Some(text.to_owned()), Self::new(), Self::clone;
    Optional<String>, "a text", |text| Some((!text.is_empty()).then(|| text.to_owned())), None,
        |value| value.clone().unwrap_or_default();
    PathBuf, "a path", |text| (!text.is_empty()).then(|| Self::from(text)), Self::new(),
        |path| path.display().to_string();
    Optional<PathBuf>, "a path", |text| Some((!text.is_empty()).then(|| PathBuf::from(text))), None,
        |path| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    SocketAddr, "an address and a port such as `127.0.0.1:8080`", |text| text.parse().ok(),
        Self::from(([127, 0, 0, 1], 0)), Self::to_string;
    Size, "a size such as `64KiB` or `8MiB`", parse_size, Self(0), Self::to_string;
    Duration, "a duration such as `250ms`, `10s` or `15m`", parse_duration, Self::ZERO, |span| show_duration(*span);
}

/// Implements [`Setting`] for an enum, each variant by the word that names it; the first word stands in.
macro_rules! choices {
    ($name:ident { $first:ident = $first_word:literal $(, $variant:ident = $word:literal)* $(,)? }) => {
        impl $crate::config::setting::Setting for $name {
            const EXPECTED: &'static str = concat!("one of `", $first_word, "`" $(, ", `", $word, "`")*);
            fn read(raw: &$crate::config::setting::Raw) -> Option<Self> {
                match raw.text()? {
                    $first_word => Some(Self::$first),
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
            fn placeholder() -> Self {
                Self::$first
            }
            fn show(&self) -> String {
                match self {
                    Self::$first => $first_word.to_owned(),
                    $(Self::$variant => $word.to_owned(),)*
                }
            }
        }
    };
}

pub(super) use choices;
