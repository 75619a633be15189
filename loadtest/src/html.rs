//! The document as one page: no other file, no network, readable in light and dark, on paper and on a telephone.
//!
//! Charts are SVG that stretches to the width it gets; their labels are text beside it, so that they keep their size.

mod axis;
#[cfg(test)]
mod browser;
mod chart;
mod escape;
mod over_time;
mod percentiles;
mod tables;

use std::fmt::Write as _;

use crate::document::{Document, Verdict, shown};
use escape::{escaped, sentence};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// The whole page.
#[must_use]
pub fn page(document: &Document) -> String {
    let title = format!("{}: {}", document.scenario.name, document.verdict.word());
    let sections = [
        summary(document),
        section("Rules", tables::rules(document)),
        section("Thresholds", tables::thresholds(document)),
        section("Latency", tables::timings(document)),
        section("Latency by percentile", percentiles::charts(document)),
        section("Over time", over_time::charts(document)),
        section("Figures", tables::figures(document)),
        section("Load generator", tables::generator(document)),
        section("Environment", tables::environment(document)),
        section("Notes", tables::sentences(&document.notes)),
        scenario(document),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escaped(&title),
        sections.concat(),
    )
}

/// A part of the page with its heading; one that has nothing to say is left out.
fn section(title: &str, body: String) -> String {
    if body.is_empty() { body } else { format!("<section>\n<h2>{title}</h2>\n{body}</section>\n") }
}

fn summary(document: &Document) -> String {
    let Document { scenario, environment, .. } = document;
    let sign = match document.verdict {
        Verdict::Passed => "✓",
        Verdict::Failed => "✗",
        Verdict::Invalid => "!",
    };
    let word = document.verdict.word();
    let mut told = format!(
        "<header class=\"{word}\">\n<p class=\"kind\">Tidegate load test</p>\n\
         <h1>{}<span class=\"verdict {word}\">{sign} {word}</span></h1>\n<p class=\"about\">{}</p>\n",
        escaped(&scenario.name),
        escaped(&scenario.about)
    );
    // Writing to a string cannot fail.
    let _ = writeln!(
        told,
        "<p class=\"facts\"><span>{}</span><span>ran for {}</span><span>seed {}</span><span>{}</span></p>",
        escaped(&environment.started_at.replace('T', " ").replace('Z', " UTC")),
        length(over_time::end_of(document)),
        scenario.seed,
        escaped(&environment.server_build),
    );
    told + &reasons(document) + "</header>\n"
}

/// How long the run was: `2 min 5 s`.
fn length(s: f64) -> String {
    let s = s.round() as u64;
    match (s / 3_600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, min, s) => format!("{min} min {s} s"),
        (h, min, _) => format!("{h} h {min} min"),
    }
}

fn reasons(document: &Document) -> String {
    if !document.reasons.is_empty() {
        let list = document.reasons.iter().map(|reason| format!("<li>{}</li>\n", sentence(reason)));
        return format!("<ul class=\"reasons\">\n{}</ul>\n", list.collect::<String>());
    }
    let held = document.rules.iter().filter(|rule| rule.looked_at > 0);
    let events: u64 = held.clone().map(|rule| rule.looked_at).sum();
    format!(
        "<p class=\"reasons\">Rules that held: {}, for {} events. Thresholds that were reached: {}.</p>\n",
        held.count(),
        shown::number(events as f64),
        document.thresholds.len()
    )
}

fn scenario(document: &Document) -> String {
    if document.scenario.toml.is_empty() {
        return String::new();
    }
    format!(
        "<section>\n<details class=\"file\"><summary>Scenario file as it was run</summary>\n<pre>{}</pre></details>\n</section>\n",
        escaped(&document.scenario.toml)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Environment, Scenario, sample};

    /// The page without its script, which is no XML.
    fn xml(page: &str) -> String {
        page.replace(SCRIPT, "")
    }

    #[test]
    fn the_page_is_well_formed_and_asks_for_nothing_else() {
        for document in [sample::rich(), sample::small(), Document::new(Scenario::default(), Environment::default())] {
            let page = page(&document);
            let xml = xml(&page);
            let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
            let tree = roxmltree::Document::parse_with_options(&xml, options).unwrap();
            for node in tree.descendants().filter(roxmltree::Node::is_element) {
                assert!(!["link", "img", "iframe", "object"].contains(&node.tag_name().name()));
                assert!(node.attribute("src").is_none() && node.attribute("href").is_none());
                // A number that is none would stand in a path or a style.
                for attribute in node.attributes() {
                    assert!(!["NaN", "inf"].iter().any(|bad| attribute.value().contains(bad)), "{attribute:?}");
                }
            }
            assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("@import"));
        }
    }

    #[test]
    fn what_others_wrote_is_text() {
        let mut document = sample::rich();
        let evil = "</script></pre><script>alert(1)</script>\"'&\u{0}";
        document.scenario.name = evil.into();
        document.scenario.toml = evil.into();
        document.timings[0].name = evil.into();
        document.series[0].name = evil.into();
        document.series[0].unit = evil.into();
        document.figures[0].group = evil.into();
        document.marks[0].text = evil.into();
        document.scenario.phases[1].name = evil.into();
        document.environment.settings.push(evil.into());
        let page = page(&document);
        assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert(1)"));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;wamid."), "the rule's example");
        let xml = xml(&page);
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
        let tree = roxmltree::Document::parse_with_options(&xml, options).unwrap();
        assert_eq!(tree.descendants().filter(|node| node.has_tag_name("script")).count(), 1);
    }

    #[test]
    fn the_verdict_stands_first() {
        let page = page(&sample::rich());
        let verdict = page.find("✗ failed").unwrap();
        assert!(verdict < page.find("<h2>").unwrap());
        assert!(page.contains("was broken 23 times of 48,000"));
    }
}
