//! Axes with round ticks.

use crate::document::shown;

/// Ticks of a value axis, at most.
const TICKS: f64 = 5.0;
/// From which ratio of the largest to the smallest value latencies are drawn on a logarithmic axis.
const LOG_FROM: f64 = 30.0;

/// How values become places.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Linear,
    Log,
}

/// A round value with its label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// Its place, 0 to 1.
    pub(super) place: f64,
    /// What stands there; empty for a line without a label.
    pub(super) label: String,
}

/// An axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    min: f64,
    max: f64,
    scale: Scale,
    /// Its ticks, in ascending order.
    pub(super) ticks: Vec<Tick>,
}

impl Axis {
    /// Of seconds since the start.
    pub(super) fn moments(end: f64) -> Self {
        const STEPS: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];
        let end = end.max(1.0);
        let step =
            STEPS.into_iter().find(|step| end / step <= 8.0).unwrap_or_else(|| (end / 8.0 / 3_600.0).ceil() * 3_600.0);
        Self::linear(0.0, end, step, shown::moment)
    }

    /// Of percentiles, up to so many nines: `decades` 2 ends with 99 %.
    pub(super) fn percentiles(decades: f64) -> Self {
        let labels = [
            (std::f64::consts::LOG10_2, "50 %"),
            (1.0, "90 %"),
            (2.0, "99 %"),
            (3.0, "99.9 %"),
            (4.0, "99.99 %"),
            (5.0, "99.999 %"),
        ];
        let inside = labels.into_iter().filter(|(at, _)| *at <= decades + 1e-9);
        let ticks = inside.map(|(at, label)| Tick { place: at / decades, label: label.to_owned() }).collect();
        Self { min: 0.0, max: decades, scale: Scale::Linear, ticks }
    }

    /// Of latencies in microseconds: logarithmic where they are far apart.
    pub(super) fn latencies(values: impl Iterator<Item = f64>) -> Self {
        let (min, max) =
            values.fold((f64::MAX, 1.0_f64), |(min, max), value| (min.min(value.max(1.0)), max.max(value)));
        if max / min < LOG_FROM {
            return Self::values(max, "us");
        }
        let (min, max) = (below(min), above(max));
        let all: Vec<f64> = round_between(min, max);
        // Of the 1, 2 and 5 of each decade all have a line, and as many a label as fit.
        let decades = (max / min).log10();
        let labelled = |value: f64| decades < 2.2 || (value.log10() - value.log10().round()).abs() < 1e-9;
        let axis = Self { min, max, scale: Scale::Log, ticks: Vec::new() };
        let tick = |value: f64| Tick {
            place: axis.place(value),
            label: if labelled(value) { round_micros(value) } else { String::new() },
        };
        let ticks = all.into_iter().map(tick).collect();
        Self { ticks, ..axis }
    }

    /// Of values from zero.
    pub(super) fn values(max: f64, unit: &str) -> Self {
        let max = if max > 0.0 { max } else { 1.0 };
        match unit {
            "bytes" => {
                let (divisor, prefix) = shown::bytes_unit(max);
                Self::from_zero(max, divisor, move |value| format!("{} {prefix}", plain(value / divisor)))
            }
            "us" => {
                let (divisor, prefix) = match max {
                    max if max < 1e3 => (1.0, "µs"),
                    max if max < 1e6 => (1e3, "ms"),
                    _ => (1e6, "s"),
                };
                Self::from_zero(max, divisor, move |value| format!("{} {prefix}", plain(value / divisor)))
            }
            _ => Self::from_zero(max, 1.0, plain),
        }
    }

    fn from_zero(max: f64, unit: f64, label: impl Fn(f64) -> String) -> Self {
        let step = above(max / unit / TICKS) * unit;
        Self::linear(0.0, (max / step - 1e-9).ceil() * step, step, label)
    }

    fn linear(min: f64, max: f64, step: f64, label: impl Fn(f64) -> String) -> Self {
        let count = ((max - min) / step + 1e-9).floor() as u32;
        let values = (0..=count).map(|n| min + f64::from(n) * step);
        let ticks = values.map(|value| Tick { place: (value - min) / (max - min), label: label(value) }).collect();
        Self { min, max, scale: Scale::Linear, ticks }
    }

    /// Where a value lies, 0 to 1; what lies outside is at the nearer end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.min) / (self.max - self.min),
            Scale::Log => (value.max(self.min) / self.min).log10() / (self.max / self.min).log10(),
        };
        place.clamp(0.0, 1.0)
    }

    /// Its ends and scale, as the page's script reads them.
    pub(super) fn ends(&self) -> String {
        let scale = if self.scale == Scale::Log { "log" } else { "linear" };
        format!("{} {} {scale}", self.min, self.max)
    }
}

/// The largest 1, 2 or 5 of a decade that is not above the value.
fn below(value: f64) -> f64 {
    let decade = 10_f64.powf((value.log10() + 1e-9).floor());
    [5.0, 2.0].into_iter().map(|step| step * decade).find(|round| *round <= value * (1.0 + 1e-9)).unwrap_or(decade)
}

/// The smallest 1, 2 or 5 of a decade that is not below the value.
fn above(value: f64) -> f64 {
    let decade = 10_f64.powf((value.log10() + 1e-9).floor());
    let steps = [1.0, 2.0, 5.0].into_iter().map(|step| step * decade);
    steps.into_iter().find(|round| *round >= value * (1.0 - 1e-9)).unwrap_or(10.0 * decade)
}

fn round_between(min: f64, max: f64) -> Vec<f64> {
    let mut values = vec![min];
    while let Some(last) = values.last().copied().filter(|last| *last < max * (1.0 - 1e-9)) {
        values.push(above(last * 1.5));
    }
    values
}

/// A round latency without digits that mean nothing: `20 ms`.
fn round_micros(us: f64) -> String {
    match us {
        us if us < 999.0 => format!("{} µs", plain(us)),
        us if us < 999_000.0 => format!("{} ms", plain(us / 1e3)),
        us => format!("{} s", plain(us / 1e6)),
    }
}

/// A round number as short as it can be.
fn plain(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    if rounded.fract() == 0.0 { shown::number(rounded) } else { rounded.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).filter(|label| !label.is_empty()).collect()
    }

    #[test]
    fn ticks_are_round_in_the_unit_that_is_shown() {
        for (axis, expected) in [
            (Axis::values(812.0, "/s"), &["0", "200", "400", "600", "800", "1,000"][..]),
            (Axis::values(0.7, ""), &["0", "0.2", "0.4", "0.6", "0.8"]),
            (Axis::values(0.0, ""), &["0", "0.2", "0.4", "0.6", "0.8", "1"]),
            (Axis::values(190.0 * 1_048_576.0, "bytes"), &["0 MiB", "50 MiB", "100 MiB", "150 MiB", "200 MiB"]),
            (Axis::latencies([1_000.0, 4_100.0].into_iter()), &["0 ms", "1 ms", "2 ms", "3 ms", "4 ms", "5 ms"]),
            (Axis::latencies([700.0, 7_000_000.0].into_iter()), &["1 ms", "10 ms", "100 ms", "1 s", "10 s"]),
            (
                Axis::latencies([9.0, 450.0].into_iter()),
                &["5 µs", "10 µs", "20 µs", "50 µs", "100 µs", "200 µs", "500 µs"],
            ),
            (Axis::moments(120.0), &["0:00", "0:15", "0:30", "0:45", "1:00", "1:15", "1:30", "1:45", "2:00"]),
            (Axis::moments(100_000.0), &["0:00", "4:00:00", "8:00:00", "12:00:00", "16:00:00", "20:00:00", "24:00:00"]),
            (Axis::percentiles(3.0), &["50 %", "90 %", "99 %", "99.9 %"]),
        ] {
            assert_eq!(labels(&axis), expected);
            assert!(axis.ticks.is_sorted_by(|a, b| a.place < b.place), "{axis:?}");
            assert!(axis.ticks.iter().all(|tick| (0.0..=1.0 + 1e-9).contains(&tick.place)), "{axis:?}");
        }
    }

    #[test]
    fn values_lie_between_the_ends() {
        let log = Axis::latencies([10.0, 1_000.0].into_iter());
        for (value, expected) in [(10.0, 0.0), (100.0, 0.5), (1_000.0, 1.0), (0.0, 0.0), (1e9, 1.0)] {
            assert!((log.place(value) - expected).abs() < 1e-9, "{value}");
        }
        let linear = Axis::values(100.0, "%");
        assert!((linear.place(25.0) - 0.25).abs() < 1e-9 && linear.place(-3.0).abs() < 1e-9);
    }
}
