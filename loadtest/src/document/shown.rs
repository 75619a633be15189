//! Values as people read them: three digits that mean something, and a unit that fits.

/// A latency in microseconds: `850 µs`, `12.3 ms`, `1.50 s`.
pub(crate) fn micros(us: f64) -> String {
    match us {
        us if us < 999.5 => format!("{} µs", digits(us)),
        us if us < 999_500.0 => format!("{} ms", digits(us / 1_000.0)),
        us => format!("{} s", digits(us / 1_000_000.0)),
    }
}

/// A value with its unit; bytes get the prefix that fits, and no number is `–`.
pub(crate) fn value(value: f64, unit: &str) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if unit == "bytes" {
        let (divisor, prefix) = bytes_unit(value);
        return format!("{} {prefix}", digits(value / divisor));
    }
    let number = number(value);
    if unit.is_empty() { number } else { format!("{number} {unit}") }
}

/// The unit in which so many bytes are told, and its bytes.
pub(crate) fn bytes_unit(bytes: f64) -> (f64, &'static str) {
    const KIB: f64 = 1_024.0;
    match bytes.abs() {
        size if size >= KIB * KIB * KIB => (KIB * KIB * KIB, "GiB"),
        size if size >= KIB * KIB => (KIB * KIB, "MiB"),
        size if size >= KIB => (KIB, "KiB"),
        _ => (1.0, "B"),
    }
}

/// A number: whole ones in full with commas, others with three digits or all before the point.
pub(crate) fn number(value: f64) -> String {
    let whole = value.abs() >= 100.0 || value.fract().abs() < 1e-9;
    if !whole {
        return digits(value);
    }
    let text = format!("{:.0}", value.abs());
    let mut grouped = String::new();
    for (at, digit) in text.chars().enumerate() {
        if at > 0 && (text.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if value <= -0.5 { format!("-{grouped}") } else { grouped }
}

/// A moment in a run: `0:07`, `12:30`, `1:05:00`.
pub(crate) fn moment(s: f64) -> String {
    let s = s.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (s / 3_600, s / 60 % 60, s % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Three digits, or all before the point.
fn digits(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.995 => format!("{value:.2}"),
        size if size >= 0.001 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_change_their_unit() {
        for (us, expected) in [
            (0.0, "0 µs"),
            (7.0, "7.00 µs"),
            (850.0, "850 µs"),
            (999.7, "1.00 ms"),
            (12_345.0, "12.3 ms"),
            (999_900.0, "1.00 s"),
            (75_000_000.0, "75.0 s"),
        ] {
            assert_eq!(micros(us), expected);
        }
    }

    #[test]
    fn values_are_told_in_their_unit() {
        for (number, unit, expected) in [
            (1_234_567.0, "messages", "1,234,567 messages"),
            (999.96, "/s", "1,000 /s"),
            (-1_500.0, "", "-1,500"),
            (0.257, "%", "0.257 %"),
            (41.68, "%", "41.7 %"),
            (0.000_02, "x", "2.0e-5 x"),
            (512.0, "bytes", "512 B"),
            (428_867_584.0, "bytes", "409 MiB"),
            (f64::NAN, "x", "–"),
        ] {
            assert_eq!(value(number, unit), expected);
        }
    }

    #[test]
    fn moments_are_minutes_until_an_hour_is_full() {
        for (s, expected) in [(7.2, "0:07"), (59.6, "1:00"), (750.0, "12:30"), (3_900.0, "1:05:00")] {
            assert_eq!(moment(s), expected);
        }
    }
}
