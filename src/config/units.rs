//! Sizes and durations as people write them: `64KiB`, `15m`.

use std::fmt;
use std::time::Duration;

/// Units of size, largest first, in bytes.
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Units of time, largest first, in milliseconds.
const TIME_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A number of bytes, written as `512B`, `64KiB`, `8MiB` or `1GiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

impl Size {
    /// So many KiB.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// So many MiB.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// So many GiB.
    #[must_use]
    pub const fn gib(count: u64) -> Self {
        Self(count << 30)
    }

    /// The number of bytes, as lengths are counted.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_largest_unit(self.0, &SIZE_UNITS))
    }
}

/// Reads a size; none if the text is not a whole number and one of `B`, `KiB`, `MiB`, `GiB`.
#[must_use]
pub fn parse_size(text: &str) -> Option<Size> {
    parse_with(text, &SIZE_UNITS).map(Size)
}

/// Reads a duration; none if the text is not a whole number and one of `ms`, `s`, `m`, `h`, `d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    parse_with(text, &TIME_UNITS).map(Duration::from_millis)
}

/// Shows a duration as it would be written in the file, to the millisecond.
#[must_use]
pub fn show_duration(span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 { "0s".to_owned() } else { in_largest_unit(millis, &TIME_UNITS) }
}

fn parse_with(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn in_largest_unit(amount: u64, units: &[(&str, u64)]) -> String {
    let fitting = units.iter().find(|(_, factor)| amount >= *factor && amount.is_multiple_of(*factor));
    match fitting {
        Some((name, factor)) => format!("{}{name}", amount / factor),
        None => format!("{amount}{}", units.last().map_or("", |(name, _)| *name)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        let sizes = [("0B", 0), ("512B", 512), ("64KiB", 65_536), ("8MiB", 8_388_608), ("1GiB", 1 << 30)];
        for (text, bytes) in sizes {
            assert_eq!(parse_size(text), Some(Size(bytes)), "{text}");
        }
        let spans = [("250ms", 250), ("5s", 5_000), ("15m", 900_000), ("24h", 86_400_000), ("35d", 3_024_000_000)];
        for (text, millis) in spans {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_mean_two_things() {
        for text in ["", "5", "KiB", "64 KiB", "64kb", "64K", "-1B", "1.5MiB", "99999999999GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        for text in ["", "5", "ms", "5 s", "5S", "-5s", "1h30m", "99999999999999999d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(amount in any::<u64>()) {
            prop_assert_eq!(parse_size(&Size(amount).to_string()), Some(Size(amount)));
            let span = Duration::from_millis(amount);
            prop_assert_eq!(parse_duration(&show_duration(span)), Some(span));
        }
    }
}
