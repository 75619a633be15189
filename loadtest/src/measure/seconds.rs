//! Percentiles by second, from one small histogram for each of the latest seconds.

use std::collections::VecDeque;

use hdrhistogram::Histogram;

use super::latency::histogram;
use crate::document::Second;

/// Seconds that are open at a time: how late a sample may come and still count in its second's percentiles.
const OPEN_MAX: usize = 4;
/// Decimal digits that are right: a chart shows no more.
const DIGITS: u8 = 2;

/// Folds samples by second; a sample for a second that is folded already counts in its count and maximum alone.
#[derive(Default)]
pub(super) struct Seconds {
    folded: Vec<Second>,
    /// In ascending order.
    open: VecDeque<(u64, Histogram<u64>)>,
    /// Histograms to use again.
    spare: Vec<Histogram<u64>>,
}

impl Seconds {
    /// Records a sample in its second.
    pub(super) fn record(&mut self, second: u64, us: u64) {
        let newest = self.open.back().map(|(newest, _)| *newest);
        if newest == Some(second) {
            if let Some((_, histogram)) = self.open.back_mut() {
                histogram.saturating_record(us);
            }
        } else if newest.is_none_or(|newest| second > newest) {
            let mut histogram = self.spare.pop().unwrap_or_else(|| histogram(DIGITS));
            histogram.saturating_record(us);
            self.open.push_back((second, histogram));
            self.fold(OPEN_MAX);
        } else {
            self.record_late(second, us);
        }
    }

    fn record_late(&mut self, second: u64, us: u64) {
        if let Some((_, histogram)) = self.open.iter_mut().find(|(open, _)| *open == second) {
            return histogram.saturating_record(us);
        }
        match self.folded.binary_search_by_key(&second, |folded| folded.s) {
            Ok(at) => {
                self.folded[at].count += 1;
                self.folded[at].max_us = self.folded[at].max_us.max(us);
            }
            Err(at) if at < self.folded.len() => {
                self.folded.insert(at, Second { s: second, count: 1, p50_us: us, p99_us: us, max_us: us });
            }
            // Younger than all that are folded: a second that had no sample until now.
            Err(_) => {
                let mut histogram = self.spare.pop().unwrap_or_else(|| histogram(DIGITS));
                histogram.saturating_record(us);
                let at = self.open.iter().take_while(|(open, _)| *open < second).count();
                self.open.insert(at, (second, histogram));
                self.fold(OPEN_MAX);
            }
        }
    }

    /// Folds the oldest seconds until so many are open.
    fn fold(&mut self, keep: usize) {
        while self.open.len() > keep {
            let Some((s, mut histogram)) = self.open.pop_front() else { return };
            let at = |share: f64| histogram.value_at_quantile(share);
            let (p50_us, p99_us, max_us) = (at(0.5), at(0.99), histogram.max());
            self.folded.push(Second { s, count: histogram.len(), p50_us, p99_us, max_us });
            histogram.reset();
            self.spare.push(histogram);
        }
    }

    /// Every second that had a sample, in ascending order.
    pub(super) fn finish(mut self) -> Vec<Second> {
        self.fold(0);
        self.folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_own_percentiles() {
        let mut seconds = Seconds::default();
        for second in [0, 1, 2, 9, 10, 11, 12, 13] {
            for us in 1..=100 {
                seconds.record(second, us + second * 1_000);
            }
        }
        let told = seconds.finish();
        assert_eq!(told.iter().map(|row| row.s).collect::<Vec<_>>(), [0, 1, 2, 9, 10, 11, 12, 13]);
        for row in told {
            let base = row.s * 1_000;
            for (found, expected) in [(row.p50_us, base + 50), (row.p99_us, base + 99), (row.max_us, base + 100)] {
                assert!(found.abs_diff(expected) * 100 <= expected, "{found} for {expected}");
            }
            assert_eq!(row.count, 100);
        }
    }

    #[test]
    fn samples_may_come_out_of_order() {
        let mut seconds = Seconds::default();
        // Late within the open seconds, then for one between them that had none, then for one that is folded.
        for (second, us) in [(5, 10), (7, 10), (5, 30), (6, 20), (20, 1), (21, 1), (22, 1), (5, 900), (4, 7)] {
            seconds.record(second, us);
        }
        let told: Vec<_> = seconds.finish().iter().map(|row| (row.s, row.count, row.p50_us, row.max_us)).collect();
        let expected = [
            (4, 1, 7, 7),
            (5, 3, 10, 900),
            (6, 1, 20, 20),
            (7, 1, 10, 10),
            (20, 1, 1, 1),
            (21, 1, 1, 1),
            (22, 1, 1, 1),
        ];
        assert_eq!(told, expected);
    }
}
