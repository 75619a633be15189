//! A chart: lines over an axis, with phases behind them and marks across.

use std::fmt::Write as _;

use super::axis::Axis;
use super::escape::escaped;
use crate::document::{Mark, Phase, shown};

/// Units of the drawing's width and height; it is stretched to whatever room there is.
const SIDE: f64 = 1_000.0;
/// Points of a line before it is thinned, which keeps the extremes.
const POINTS_MAX: usize = 1_500;
/// How near marks may be, as a share of the width, before they share a flag.
const FLAGS_APART: f64 = 0.06;

/// A line.
pub(super) struct Line {
    pub(super) name: String,
    /// In order of the first.
    pub(super) points: Vec<(f64, f64)>,
    /// How it looks: `c0` to `c5`, with `thin` or `dashed`.
    pub(super) class: &'static str,
    /// The widest gap over which it is drawn.
    pub(super) gap: f64,
}

/// What is drawn.
pub(super) struct Chart<'a> {
    pub(super) title: String,
    pub(super) about: String,
    pub(super) x: Axis,
    /// `moment` or `nines`: how the script shows an x.
    pub(super) x_form: &'static str,
    pub(super) y: Axis,
    /// The unit of y, as [`shown::value`] takes it; `us` for latencies.
    pub(super) unit: String,
    pub(super) lines: Vec<Line>,
    pub(super) phases: &'a [Phase],
    pub(super) marks: &'a [Mark],
}

impl Chart<'_> {
    /// As HTML.
    pub(super) fn html(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "<figure class=\"chart\">\n<figcaption><h3>{}</h3>", super::escape::name(&self.title))?;
        if !self.about.is_empty() {
            writeln!(text, "<p>{}</p>", escaped(&self.about))?;
        }
        writeln!(text, "<ul class=\"legend\">")?;
        for line in &self.lines {
            writeln!(text, "<li><i class=\"{}\"></i>{}</li>", line.class, super::escape::name(&line.name))?;
        }
        writeln!(text, "</ul></figcaption>")?;
        let (x, y, form, unit) = (self.x.ends(), self.y.ends(), self.x_form, escaped(&self.unit));
        writeln!(text, "<div class=\"plot\" data-x=\"{x}\" data-y=\"{y}\" data-form=\"{form}\" data-unit=\"{unit}\">")?;
        writeln!(text, "<div class=\"y\">")?;
        for tick in self.y.ticks.iter().filter(|tick| !tick.label.is_empty()) {
            writeln!(text, "<span style=\"bottom:{:.2}%\">{}</span>", tick.place * 100.0, tick.label)?;
        }
        writeln!(text, "</div>\n<div class=\"area\">")?;
        self.write_phases(text)?;
        self.write_drawing(text)?;
        self.write_flags(text)?;
        writeln!(text, "</div>\n<div class=\"x\">")?;
        for (number, tick) in self.x.ticks.iter().enumerate() {
            // Where there is little room every second moment goes.
            let class = if self.x_form == "moment" && number % 2 == 1 { " class=\"odd\"" } else { "" };
            writeln!(text, "<span{class} style=\"left:{:.2}%\">{}</span>", tick.place * 100.0, tick.label)?;
        }
        writeln!(text, "</div>\n</div>\n</figure>")
    }

    fn write_phases(&self, text: &mut String) -> std::fmt::Result {
        for (number, phase) in self.phases.iter().enumerate() {
            let (from, to) = (self.x.place(phase.from_s), self.x.place(phase.to_s));
            let (class, name) = (if number % 2 == 0 { "even" } else { "odd" }, escaped(&phase.name));
            writeln!(
                text,
                "<div class=\"phase {class}\" style=\"left:{:.2}%;width:{:.2}%\" title=\"{name}\"><span>{name}</span></div>",
                from * 100.0,
                (to - from).max(0.0) * 100.0
            )?;
        }
        Ok(())
    }

    fn write_drawing(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "<svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
            escaped(&self.title)
        )?;
        for tick in &self.y.ticks {
            let class = if tick.label.is_empty() { "grid faint" } else { "grid" };
            writeln!(text, "<path class=\"{class}\" d=\"M0 {:.1}H{SIDE}\"/>", (1.0 - tick.place) * SIDE)?;
        }
        if self.phases.is_empty() {
            for tick in &self.x.ticks {
                writeln!(text, "<path class=\"grid faint\" d=\"M{:.1} 0V{SIDE}\"/>", tick.place * SIDE)?;
            }
        }
        for mark in self.marks {
            let title = format!("{} {}", shown::moment(mark.s), mark.text);
            let at = self.x.place(mark.s) * SIDE;
            writeln!(text, "<path class=\"mark\" d=\"M{at:.1} 0V{SIDE}\"><title>{}</title></path>", escaped(&title))?;
        }
        for line in &self.lines {
            let path = self.path(line);
            writeln!(text, "<path class=\"line {}\" data-name=\"{}\" d=\"{path}\"/>", line.class, escaped(&line.name))?;
        }
        writeln!(text, "</svg>")
    }

    fn path(&self, line: &Line) -> String {
        let mut path = String::new();
        let mut before: Option<f64> = None;
        for (at, value) in thinned(&line.points) {
            let (x, y) = (self.x.place(at) * SIDE, (1.0 - self.y.place(value)) * SIDE);
            let joined = before.is_some_and(|before| at - before <= line.gap);
            let _ = write!(path, "{}{x:.1} {y:.1}", if joined { "L" } else { "M" });
            if !joined {
                // A point that stands alone is a line of no length, whose round ends show.
                let _ = write!(path, "L{x:.1} {y:.1}");
            }
            before = Some(at);
        }
        path
    }

    fn write_flags(&self, text: &mut String) -> std::fmt::Result {
        let mut flags: Vec<(f64, usize, usize)> = Vec::new();
        for (number, mark) in self.marks.iter().enumerate() {
            let at = self.x.place(mark.s);
            match flags.last_mut() {
                Some((first, _, to)) if at - *first < FLAGS_APART => *to = number + 1,
                _ => flags.push((at, number + 1, number + 1)),
            }
        }
        for (at, from, to) in flags {
            let label = if from == to { from.to_string() } else { format!("{from}–{to}") };
            writeln!(text, "<b class=\"flag\" style=\"left:{:.2}%\">{label}</b>", at * 100.0)?;
        }
        Ok(())
    }
}

/// The points, or of too many the smallest and the largest of each stretch.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= POINTS_MAX {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(POINTS_MAX);
    for stretch in points.chunks(points.len().div_ceil(POINTS_MAX / 2)) {
        let ends = |pick: fn(&[(f64, f64)], bool) -> usize| (pick(stretch, false), pick(stretch, true));
        let (low, high) = ends(|stretch, highest| {
            let by_value = |a: &usize, b: &usize| stretch[*a].1.total_cmp(&stretch[*b].1);
            let places = 0..stretch.len();
            let found = if highest { places.max_by(by_value) } else { places.min_by(by_value) };
            found.unwrap_or_default()
        });
        kept.push(stretch[low.min(high)]);
        if low != high {
            kept.push(stretch[low.max(high)]);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>, marks: &[Mark]) -> Chart<'_> {
        Chart {
            title: "t".into(),
            about: String::new(),
            x: Axis::moments(100.0),
            x_form: "moment",
            y: Axis::values(100.0, ""),
            unit: String::new(),
            lines: vec![Line { name: "n".into(), points, class: "c0", gap: 2.0 }],
            phases: &[],
            marks,
        }
    }

    #[test]
    fn a_line_breaks_where_there_is_nothing() {
        let chart = chart(vec![(0.0, 0.0), (1.0, 50.0), (10.0, 100.0)], &[]);
        let path = chart.path(&chart.lines[0]);
        assert_eq!(path, "M0.0 1000.0L0.0 1000.0L10.0 500.0M100.0 0.0L100.0 0.0");
    }

    #[test]
    fn marks_that_are_near_share_a_flag() {
        let marks: Vec<_> = [10.0, 12.0, 13.0, 50.0].map(|s| Mark { s, text: "m".into() }).into();
        let html = chart(Vec::new(), &marks).html();
        assert_eq!(html.matches("class=\"mark\"").count(), 4);
        assert!(html.contains(">1–3</b>") && html.contains(">4</b>") && html.matches("class=\"flag\"").count() == 2);
    }

    #[test]
    fn thinning_keeps_the_peak_and_the_order() {
        let mut points: Vec<_> = (0..86_400_u32).map(|s| (f64::from(s), 10.0)).collect();
        points[40_001].1 = 900.0;
        points[70_003].1 = 1.0;
        let thin = thinned(&points);
        assert!(thin.len() <= POINTS_MAX && thin.is_sorted_by(|a, b| a.0 < b.0));
        assert!(thin.contains(&(40_001.0, 900.0)) && thin.contains(&(70_003.0, 1.0)));
    }
}
