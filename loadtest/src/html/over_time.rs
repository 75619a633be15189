//! What happened when: latencies by second, and everything else that has a course.

use std::fmt::Write as _;

use super::axis::Axis;
use super::chart::{Chart, Line};
use super::escape::escaped;
use crate::document::{Document, Second, Series, Timing, shown};

/// How the lines of one chart look, in their order.
const CLASSES: [&str; 6] = ["c0", "c1", "c2", "c3", "c4", "c5"];

/// When the last thing happened, in seconds since the start.
pub(super) fn end_of(document: &Document) -> f64 {
    let phases = document.scenario.phases.iter().map(|phase| phase.to_s);
    let timings =
        document.timings.iter().filter_map(|timing| timing.by_second.last()).map(|second| second.s as f64 + 1.0);
    let series = document.series.iter().filter_map(|series| series.points.last()).map(|(s, _)| *s);
    let marks = document.marks.iter().map(|mark| mark.s);
    phases.chain(timings).chain(series).chain(marks).filter(|s| s.is_finite()).fold(0.0, f64::max)
}

/// A chart for each timing and each group of series, over one axis of time, behind a list of the marks.
pub(super) fn charts(document: &Document) -> String {
    let end = end_of(document);
    let timings = document.timings.iter().filter(|timing| !timing.by_second.is_empty());
    let mut charts: Vec<_> = timings.map(|timing| of_timing(timing, document, end)).collect();
    let mut done: Vec<(&str, &str)> = Vec::new();
    for series in document.series.iter().filter(|series| !series.points.is_empty()) {
        let group = (series.group.as_str(), series.unit.as_str());
        if !done.contains(&group) {
            done.push(group);
            charts.push(of_group(group, document, end));
        }
    }
    if charts.is_empty() {
        return String::new();
    }
    let charts: String = charts.iter().map(Chart::html).collect();
    format!("{}{}<div class=\"charts\">\n{charts}</div>\n", phases(document), marks(document))
}

/// The names in the charts are cut where there is no room.
fn phases(document: &Document) -> String {
    let told = document.scenario.phases.iter().map(|phase| {
        let (from, to) = (shown::moment(phase.from_s), shown::moment(phase.to_s));
        format!("<li><time>{from} – {to}</time> {}</li>\n", escaped(&phase.name))
    });
    let told: String = told.collect();
    if told.is_empty() { told } else { format!("<ul class=\"phases\">\n{told}</ul>\n") }
}

fn marks(document: &Document) -> String {
    if document.marks.is_empty() {
        return String::new();
    }
    let mut list = String::from("<ol class=\"marks\">\n");
    for (number, mark) in document.marks.iter().enumerate() {
        let (at, text) = (shown::moment(mark.s), escaped(&mark.text));
        // Writing to a string cannot fail.
        let _ = writeln!(list, "<li><b class=\"flag\">{}</b><time>{at}</time> {text}</li>", number + 1);
    }
    list + "</ol>\n"
}

fn of_timing<'a>(timing: &Timing, document: &'a Document, end: f64) -> Chart<'a> {
    let line = |name: &str, class, of: fn(&Second) -> u64| Line {
        name: name.to_owned(),
        points: timing.by_second.iter().map(|second| (second.s as f64, of(second) as f64)).collect(),
        class,
        gap: gap(timing.by_second.iter().map(|second| second.s as f64)),
    };
    let lines = vec![
        line("longest", "c2 thin", |second| second.max_us),
        line("99 %", "c1", |second| second.p99_us),
        line("50 %", "c0", |second| second.p50_us),
    ];
    let values = lines.iter().flat_map(|line| line.points.iter().map(|(_, us)| *us));
    Chart {
        title: timing.name.clone(),
        about: "Corrected latency of what ended in each second.".to_owned(),
        x: Axis::moments(end),
        x_form: "moment",
        y: Axis::latencies(values),
        unit: "us".to_owned(),
        lines,
        phases: &document.scenario.phases,
        marks: &document.marks,
    }
}

fn of_group<'a>((group, unit): (&str, &str), document: &'a Document, end: f64) -> Chart<'a> {
    let of_group = |series: &&Series| series.group == group && series.unit == unit && !series.points.is_empty();
    let series = document.series.iter().filter(of_group).zip(CLASSES.into_iter().cycle());
    let line = |(series, class): (&Series, &'static str)| Line {
        name: series.name.clone(),
        points: series.points.clone(),
        class,
        gap: gap(series.points.iter().map(|(s, _)| *s)),
    };
    let lines: Vec<_> = series.map(line).collect();
    let max = lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value)).fold(0.0, f64::max);
    let title = if group.is_empty() {
        lines.first().map(|line| line.name.clone()).unwrap_or_default()
    } else {
        group.to_owned()
    };
    Chart {
        title,
        about: if unit == "bytes" { String::new() } else { unit.to_owned() },
        x: Axis::moments(end),
        x_form: "moment",
        y: Axis::values(max, unit),
        unit: unit.to_owned(),
        lines,
        phases: &document.scenario.phases,
        marks: &document.marks,
    }
}

/// How far apart points may be and still belong together: a few times as far as most of them are.
fn gap(places: impl Iterator<Item = f64>) -> f64 {
    let places: Vec<f64> = places.collect();
    let mut steps: Vec<f64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).map_or(f64::MAX, |middle| middle * 2.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::sample;

    #[test]
    fn every_timing_and_group_has_its_chart() {
        let html = charts(&sample::rich());
        assert_eq!(html.matches("<figure").count(), 7);
        for name in ["webhooks_<wbr/>accepted", "server_<wbr/>cpu", "generator_<wbr/>cpu", "server_<wbr/>rss"] {
            assert!(html.contains(&format!("</i>{name}</li>")), "{name}");
        }
        assert!(charts(&crate::document::Document::new(Default::default(), Default::default())).is_empty());
    }

    #[test]
    fn what_is_sampled_seldom_is_still_a_line() {
        assert!((gap([0.0, 10.0, 20.0, 30.0, 90.0].into_iter()) - 25.0).abs() < 1e-9);
        assert!(gap([0.0, 1.0, 2.0, 9.0].into_iter()) < 7.0);
        assert!(gap([3.0].into_iter()) > 1e9);
    }
}
