//! Scenarios: files that say who does what, how often and for how long, and what must hold.

mod check;
mod file;
mod shipped;

use std::path::Path;

use anyhow::{Context, Result, bail};

pub use self::check::{SEED_MAX, check};
pub use self::file::{
    Agents, Broadcast, Clients, Customers, Encoding, Herd, Question, Scenario, Sees, ServerPart, Stall, Trouble, What,
    Workspace,
};
pub use self::shipped::{NAMES, shipped};

/// Finds a scenario by the name of a shipped one or the path of a file, and reads it.
///
/// # Errors
/// There is none, or it cannot be read as one: the sentence says where.
pub fn find(name: &str, short: bool) -> Result<Scenario> {
    if let Some(text) = shipped(name) {
        return read(text, short).with_context(|| format!("the scenario `{name}`"));
    }
    if Path::new(name).extension().is_none_or(|extension| extension != "toml") {
        bail!("there is no scenario `{name}`: it is one of {}, or the path of a .toml file", NAMES.join(", "));
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("reading {name}"))?;
    read(&text, short).with_context(|| name.to_owned())
}

/// Reads a scenario's text; its short form has its `[short]` laid over the rest.
///
/// # Errors
/// It is no TOML, has a field that there is not, or one out of its bounds.
pub fn read(text: &str, short: bool) -> Result<Scenario> {
    // From the text itself, so that what is wrong is told with its line.
    let mut scenario: Scenario = toml::from_str(text)?;
    if short {
        let mut table: toml::Table = text.parse()?;
        table.remove("short");
        lay_over(&mut table, scenario.short.take().context("it has no `[short]`")?);
        scenario = toml::Value::Table(table).try_into().context("with its `[short]` laid over it")?;
    }
    check(&scenario)?;
    Ok(scenario)
}

/// Lays one table over another. Lists of tables are laid over each other one by one; everything else is replaced.
fn lay_over(under: &mut toml::Table, over: toml::Table) {
    use toml::Value::{Array, Table};
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Table(under)), Table(over)) => lay_over(under, over),
            (Some(Array(under)), Array(over)) if under.first().is_some_and(toml::Value::is_table) => {
                for (index, value) in over.into_iter().enumerate() {
                    match (under.get_mut(index), value) {
                        (Some(Table(under)), Table(over)) => lay_over(under, over),
                        (Some(under), value) => *under = value,
                        (None, value) => under.push(value),
                    }
                }
            }
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_reads_in_both_forms_and_its_short_one_ends_within_a_minute() {
        for name in NAMES {
            let whole = find(name, false).unwrap();
            let short = find(name, true).unwrap();
            assert_eq!((&*whole.name, &*short.name), (*name, *name));
            assert!(!whole.about.is_empty());
            let most = short.seconds + short.drain_s;
            assert!(most <= 60.0, "{name}: {most}");
        }
    }

    #[test]
    fn a_short_form_lies_over_the_whole_one() {
        let text = r#"
            name = "x"
            about = "x"
            seconds = 60
            [workspace]
            numbers = 2
            [[customers]]
            people = 10
            arrivals = {shape = "constant", per_second = 5}
            [[customers]]
            people = 20
            arrivals = {shape = "constant", per_second = 6}
            [short]
            seconds = 5
            [[short.customers]]
            people = 3
        "#;
        let short = read(text, true).unwrap();
        assert_eq!((short.seconds, short.workspace.numbers), (5.0, 2));
        assert_eq!(short.customers.iter().map(|part| part.people).collect::<Vec<_>>(), [3, 20]);
        assert_eq!(read(text, false).unwrap().customers[0].people, 10);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let head = "name = \"x\"\nabout = \"x\"\nseconds = 10\n";
        for (rest, line, expected) in [
            ("second = 5", 4, "unknown field `second`"),
            ("[workspace]\nnumbers = 1\nnumber = 2", 6, "unknown field `number`"),
            ("[workspace]\ntier = \"a lot\"", 5, "invalid type"),
            ("[provider]\nerror = 1\n[provider.receipts]\nsent = 2", 7, "unknown field `sent`"),
            ("short = 5", 4, "invalid type"),
        ] {
            let error = format!("{:#}", read(&format!("{head}{rest}"), false).unwrap_err());
            assert!(error.contains(expected) && error.contains(&format!("at line {line},")), "{error}");
        }
        // Within a table that is written in one line, its kind is known before its fields are.
        let arrivals = "[[customers]]\npeople = 1\narrivals = {shape = \"sine\"}";
        assert!(format!("{:#}", read(&format!("{head}{arrivals}"), false).unwrap_err()).contains("sine"));
        let short = format!("{head}[short]\nsecond = 5");
        assert!(format!("{:#}", read(&short, true).unwrap_err()).contains("`[short]` laid over it"));
        assert!(format!("{:#}", find("nothing", false).unwrap_err()).contains("inbound-burst"));
        assert!(format!("{:#}", read(head, true).unwrap_err()).contains("it has no `[short]`"));
    }

    #[test]
    fn the_example_of_the_page_is_a_scenario_in_both_forms() {
        let page = include_str!("../README.md");
        let (_, rest) = page.split_once("```toml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let whole = read(example, false).unwrap();
        assert!(!whole.customers.is_empty() && !whole.trouble.is_empty());
        assert!(read(example, true).unwrap().seconds < whole.seconds);
    }

    #[test]
    fn a_scenario_comes_back_from_what_a_report_holds_of_it() {
        for (name, short) in NAMES.iter().flat_map(|name| [(*name, false), (*name, true)]) {
            let mut scenario = find(name, short).unwrap();
            scenario.seed = SEED_MAX;
            let told = toml::to_string_pretty(&scenario).unwrap();
            let back = read(&told, false).unwrap();
            assert_eq!(toml::to_string_pretty(&back).unwrap(), told, "{name}");
        }
    }
}
