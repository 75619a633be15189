//! What is sampled: CPU, memory, the length of a queue.

use std::ops::Range;
use std::time::Duration;

use super::whole_second;
use crate::document::{Figure, Series};

/// A sampled value, kept as the largest sample of each second.
pub struct Gauge {
    name: String,
    unit: String,
    group: String,
    measured: Range<Duration>,
    points: Vec<(f64, f64)>,
    samples: u64,
    sum: f64,
    max: f64,
    last: Option<f64>,
}

/// What a [`Gauge`] gives the document.
pub struct Gauged {
    /// The largest sample of each second that had one.
    pub series: Series,
    /// `<name>.mean` and `<name>.max` over the samples of the time that is measured, and `<name>.last` of all; none of
    /// them where there was no sample.
    pub figures: Vec<Figure>,
}

impl Gauge {
    /// Without a sample. Gauges of one group and unit are drawn in one chart.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: impl Into<String>, group: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            group: group.into(),
            measured: Duration::ZERO..Duration::MAX,
            points: Vec::new(),
            samples: 0,
            sum: 0.0,
            max: f64::MIN,
            last: None,
        }
    }

    /// Only samples of this time are in the mean and are the largest.
    #[must_use]
    pub const fn measured(mut self, since_start: Range<Duration>) -> Self {
        self.measured = since_start;
        self
    }

    /// Takes a sample; times ascend. What is no finite number is no sample.
    pub fn sample(&mut self, since_start: Duration, value: f64) {
        if !value.is_finite() {
            return;
        }
        let (second, value) = (whole_second(since_start) as f64, (value * 1_000.0).round() / 1_000.0);
        match self.points.last_mut() {
            Some((last, largest)) if second <= *last => *largest = largest.max(value),
            _ => self.points.push((second, value)),
        }
        self.last = Some(value);
        if self.measured.contains(&since_start) {
            self.samples += 1;
            self.sum += value;
            self.max = self.max.max(value);
        }
    }

    /// Ends it.
    #[must_use]
    pub fn finish(self) -> Gauged {
        let measured = self.samples > 0;
        let told = [
            ("mean", measured.then(|| self.sum / self.samples as f64)),
            ("max", measured.then_some(self.max)),
            ("last", self.last),
        ];
        let figure = |(what, value): (&str, Option<f64>)| {
            let name = format!("{}.{what}", self.name);
            let value = (value? * 1_000.0).round() / 1_000.0;
            Some(Figure { name, value, unit: self.unit.clone(), group: self.group.clone() })
        };
        let figures = told.into_iter().filter_map(figure).collect();
        Gauged { series: Series { name: self.name, unit: self.unit, group: self.group, points: self.points }, figures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_shows_its_largest_sample_and_figures_are_of_all() {
        let mut gauge = Gauge::new("server_cpu", "%", "cpu");
        for (ms, value) in [(100, 10.0), (600, 40.0), (1_100, f64::NAN), (2_000, 70.0), (2_500, 0.0)] {
            gauge.sample(Duration::from_millis(ms), value);
        }
        let told = gauge.finish();
        assert_eq!(told.series.points, [(0.0, 40.0), (2.0, 70.0)]);
        let found: Vec<_> = told.figures.iter().map(|figure| (figure.name.as_str(), figure.value)).collect();
        assert_eq!(found, [("server_cpu.mean", 30.0), ("server_cpu.max", 70.0), ("server_cpu.last", 0.0)]);
        assert!(Gauge::new("g", "", "").finish().figures.is_empty());
    }

    #[test]
    fn what_is_not_measured_is_drawn_and_may_be_the_last() {
        let at = Duration::from_secs;
        let mut gauge = Gauge::new("g", "%", "cpu").measured(at(2)..at(4));
        for (second, value) in [(1, 90.0), (2, 10.0), (3, 30.0), (4, 80.0)] {
            gauge.sample(at(second), value);
        }
        let told = gauge.finish();
        assert_eq!(told.figures.iter().map(|figure| figure.value).collect::<Vec<_>>(), [20.0, 30.0, 80.0]);
        assert_eq!(told.series.points.len(), 4);
    }
}
