//! Business time: milliseconds since the Unix epoch, always handed in.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment in business time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// From a provider's number in seconds or in milliseconds, told apart by magnitude
    /// (providers drift between the two: `channels.md` §10.10).
    #[must_use]
    pub const fn from_provider(number: i64) -> Self {
        if number >= 1_000_000_000_000 { Self(number) } else { Self::from_seconds(number) }
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Microseconds since the epoch, the unit of row timestamps.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0.saturating_mul(1_000)
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Why a text is not a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a moment is wanted, as 2026-11-20T09:00:00Z")]
pub struct InvalidTimestamp;

/// Reads RFC 3339, to the millisecond: what is finer is cut off.
impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        read(text).ok_or(InvalidTimestamp)
    }
}

fn read(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let sign_at = |at: usize, signs: &str| text.get(at..=at).is_some_and(|found| signs.contains(found));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let signs = [(4, "-"), (7, "-"), (10, "Tt "), (13, ":"), (16, ":")];
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days_of_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    let in_range = (1..=days_of_month).contains(&day) && hour < 24 && minute < 60 && second < 61;
    if !in_range || !signs.iter().all(|(at, signs)| sign_at(*at, signs)) {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|letter: char| !letter.is_ascii_digit())?),
        None => ("0", rest),
    };
    let fraction = fraction.get(..fraction.len().min(3)).filter(|digits| !digits.is_empty())?;
    let milli = fraction.parse::<i64>().ok()? * 10_i64.pow(3 - fraction.len() as u32);
    let offset_minutes = match zone.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit()) => {
            let two = |tens: u8, ones: u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
            let (hours, minutes) = (two(*h1, *h2), two(*m1, *m2));
            if hours > 23 || minutes > 59 {
                return None;
            }
            if *sign == b'-' { -(hours * 60 + minutes) } else { hours * 60 + minutes }
        }
        _ => return None,
    };
    // Day count from a civil date: H. Hinnant, "chrono-compatible low-level date algorithms".
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + (minute - offset_minutes) * 60 + second;
    Some(Timestamp(seconds * 1_000 + milli))
}

/// RFC 3339 in UTC with milliseconds, as every answer shows it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, in_day) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        // Civil date from a day count: H. Hinnant, "chrono-compatible low-level date algorithms".
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
        let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
        let (second, milli) = (in_day / 1_000 % 60, in_day % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_rfc_3339() {
        assert_eq!(Timestamp::from_seconds(1_795_165_200).to_string(), "2026-11-20T09:00:00.000Z");
        assert_eq!(Timestamp(951_782_400_123).to_string(), "2000-02-29T00:00:00.123Z");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn reads_rfc_3339() {
        let cases = [
            ("2026-11-20T09:00:00Z", Some(1_795_165_200_000)),
            ("2026-11-20T10:30:00.5+01:30", Some(1_795_165_200_500)),
            ("2026-11-20t04:00:00.123456-05:00", Some(1_795_165_200_123)),
            ("2000-02-29T00:00:00.123Z", Some(951_782_400_123)),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-11-20T24:00:00Z", None),
            ("2026-11-20T09:00:00", None),
            ("2026-11-20T09:00:00.Z", None),
            ("2026-11-20T09:00:00+1:00", None),
            ("2026-11-20", None),
            ("2026-11-20T09:00:0\u{e9}Z", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(text.parse().ok(), wanted.map(Timestamp), "{text}");
        }
        for at in [Timestamp(0), Timestamp(-62_135_596_800_000), Timestamp(951_782_400_123)] {
            assert_eq!(at.to_string().parse(), Ok(at));
        }
    }

    #[test]
    fn providers_seconds_and_milliseconds_are_told_apart() {
        assert_eq!(Timestamp::from_provider(1_795_165_200), Timestamp::from_provider(1_795_165_200_000));
    }
}
