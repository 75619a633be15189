//! Latencies by percentile: each nine has as much room as the one before it.

use super::axis::Axis;
use super::chart::{Chart, Line};
use crate::document::{Document, Latencies, Timing, shown};

/// Points of a decade.
const POINTS: u32 = 40;
/// Nines that are shown at most.
const DECADES_MAX: f64 = 5.0;

/// A chart for each timing that has a sample.
pub(super) fn charts(document: &Document) -> String {
    let charts = document.timings.iter().filter(|timing| timing.count > 0).map(|timing| chart(timing).html());
    let charts: String = charts.collect();
    if charts.is_empty() {
        return charts;
    }
    format!(
        "<p class=\"hint\">Corrected latency counts from when work was planned, uncorrected from when it began: the room \
         between the lines is time that work waited to begin.</p>\n<div class=\"charts\">\n{charts}</div>\n"
    )
}

fn chart(timing: &Timing) -> Chart<'static> {
    let decades = (timing.count as f64).log10().clamp(1.0, DECADES_MAX);
    let line = |name: &str, latencies: &Latencies, class| Line {
        name: name.to_owned(),
        points: points(latencies, decades),
        class,
        gap: f64::MAX,
    };
    let lines = vec![line("corrected", &timing.corrected, "c0"), line("uncorrected", &timing.uncorrected, "c1 dashed")];
    let values = lines.iter().flat_map(|line| line.points.iter().map(|(_, us)| *us));
    Chart {
        title: timing.name.clone(),
        about: format!("{} samples. {}", shown::number(timing.count as f64), timing.about),
        x: Axis::percentiles(decades),
        x_form: "nines",
        y: Axis::latencies(values),
        unit: "us".to_owned(),
        lines,
        phases: &[],
        marks: &[],
    }
}

/// Latency over the number of nines; from the few percentiles that are told where the histogram cannot be read.
fn points(latencies: &Latencies, decades: f64) -> Vec<(f64, f64)> {
    let Ok(histogram) = latencies.histogram() else {
        let told = latencies.percentiles().into_iter().map(|(share, us)| (-(1.0 - share).log10(), us as f64));
        return told.filter(|(nines, _)| *nines <= decades + 1e-9).collect();
    };
    let steps = (decades * f64::from(POINTS)).round() as u32;
    let nines = (0..=steps).map(|step| decades * f64::from(step) / f64::from(steps));
    nines.map(|nines| (nines, histogram.value_at_quantile(1.0 - 10_f64.powf(-nines)) as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sample;

    #[test]
    fn the_lines_go_through_the_percentiles_that_are_told() {
        let document = sample::rich();
        let told = &document.timings[0].corrected;
        let points = points(told, 4.0);
        for (share, us) in told.percentiles().into_iter().filter(|(share, _)| *share >= 0.9) {
            let nines = -(1.0 - share).log10();
            let (_, found) = points.iter().find(|(at, _)| (at - nines).abs() < 1e-6).unwrap();
            assert!((found / us as f64 - 1.0).abs() < 0.002, "{share}: {found} for {us}");
        }
        assert!(points.is_sorted_by(|a, b| a.1 <= b.1));
    }

    #[test]
    fn a_histogram_that_cannot_be_read_leaves_what_is_told() {
        let latencies = Latencies { p50_us: 5, p90_us: 9, p99_us: 20, ..Latencies::default() };
        assert_eq!(points(&latencies, 2.0).len(), 3);
    }
}
