//! What is counted: the total, and by second.

use std::time::Duration;

use super::whole_second;
use crate::document::{Figure, Series};

/// A counter.
pub struct Count {
    name: String,
    unit: String,
    group: String,
    from: Duration,
    total: u64,
    by_second: Vec<u64>,
    first: Option<Duration>,
    last: Duration,
}

/// What a [`Count`] gives the document.
pub struct Counted {
    /// How many in each second, from the first that had any to the last.
    pub series: Series,
    /// `<name>.total`, `<name>.rate_per_s` (over the time from the first to the last, at least a second) and
    /// `<name>.peak_per_s` (of the fullest second that is measured as a whole).
    pub figures: [Figure; 3],
}

impl Count {
    /// At zero. `unit` is what is counted (`messages`); its series is drawn in a chart of its own name.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: impl Into<String>) -> Self {
        let name = name.into();
        let (group, unit) = (name.clone(), unit.into());
        let from = Duration::ZERO;
        Self { name, unit, group, from, total: 0, by_second: Vec::new(), first: None, last: Duration::ZERO }
    }

    /// What is counted before this is in the series and in no figure.
    #[must_use]
    pub const fn measured_from(mut self, since_start: Duration) -> Self {
        self.from = since_start;
        self
    }

    /// Draws its series together with the others of this group and unit.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }

    /// Counts `n` more at this time.
    pub fn add(&mut self, since_start: Duration, n: u64) {
        if n == 0 {
            return;
        }
        let second = whole_second(since_start) as usize;
        if second >= self.by_second.len() {
            self.by_second.resize(second + 1, 0);
        }
        self.by_second[second] += n;
        if since_start < self.from {
            return;
        }
        self.total += n;
        self.first = Some(self.first.map_or(since_start, |first| first.min(since_start)));
        self.last = self.last.max(since_start);
    }

    /// How many there are, since it is measured.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Ends it.
    #[must_use]
    pub fn finish(self) -> Counted {
        let first = self.first.unwrap_or_default();
        let span = self.last.saturating_sub(first).as_secs_f64().max(1.0);
        let measured = whole_second(self.from + Duration::from_millis(999)) as usize;
        let peak = self.by_second.iter().skip(measured).max().copied().unwrap_or_default();
        let points = self.by_second.iter().enumerate().skip_while(|(_, count)| **count == 0);
        let points = points.map(|(second, count)| (second as f64, *count as f64)).collect();
        let per_second = format!("{}/s", self.unit);
        let figure = |what: &str, value: f64, unit: &str| Figure {
            name: format!("{}.{what}", self.name),
            value: (value * 1_000.0).round() / 1_000.0,
            unit: unit.to_owned(),
            group: self.group.clone(),
        };
        let figures = [
            figure("total", self.total as f64, &self.unit),
            figure("rate_per_s", self.total as f64 / span, &per_second),
            figure("peak_per_s", peak as f64, &per_second),
        ];
        Counted { series: Series { name: self.name, unit: per_second, group: self.group, points }, figures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_rates_and_seconds_agree() {
        let mut count = Count::new("broadcast", "messages").group("throughput");
        for (ms, n) in [(2_500, 10), (2_900, 30), (4_500, 60), (3_000, 0), (12_500, 100)] {
            count.add(Duration::from_millis(ms), n);
        }
        let told = count.finish();
        let found: Vec<_> = told.figures.iter().map(|figure| (figure.name.as_str(), figure.value)).collect();
        assert_eq!(
            found,
            [("broadcast.total", 200.0), ("broadcast.rate_per_s", 20.0), ("broadcast.peak_per_s", 100.0)]
        );
        assert_eq!(told.series.points.len(), 11);
        assert_eq!(told.series.points[..3], [(2.0, 40.0), (3.0, 0.0), (4.0, 60.0)]);
        assert_eq!((told.series.unit.as_str(), told.series.group.as_str()), ("messages/s", "throughput"));
    }

    #[test]
    fn a_warm_up_is_drawn_and_in_no_figure() {
        let mut count = Count::new("c", "x").measured_from(Duration::from_millis(2_500));
        for (ms, n) in [(500, 90), (2_400, 80), (2_600, 7), (3_600, 10), (4_600, 3)] {
            count.add(Duration::from_millis(ms), n);
        }
        assert_eq!(count.total(), 20);
        let told = count.finish();
        assert_eq!(told.figures.map(|figure| figure.value), [20.0, 10.0, 10.0]);
        assert_eq!(told.series.points, [(0.0, 90.0), (1.0, 0.0), (2.0, 87.0), (3.0, 10.0), (4.0, 3.0)]);
    }

    #[test]
    fn nothing_counted_is_zero_and_no_point() {
        let told = Count::new("c", "x").finish();
        assert!(told.series.points.is_empty() && told.figures.iter().all(|figure| figure.value.abs() < f64::EPSILON));
    }
}
