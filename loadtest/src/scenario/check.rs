//! A scenario's bounds: what is out of them is told before anything is started, with its place and what may be there.

use std::ops::RangeInclusive;

use anyhow::{Context, Result, bail, ensure};

use super::file::{Agents, Broadcast, Clients, Customers, Scenario, Stall, Trouble};
use crate::provider::plan::Plan;

/// The greatest seed: the greatest whole number of TOML, in which a report holds its scenario.
pub const SEED_MAX: u64 = i64::MAX as u64;
/// The longest that traffic may run, in seconds.
const SECONDS_MAX: f64 = 12.0 * 3_600.0;
/// Sockets and connections of one scenario: a process has at most 20,000 descriptors.
const SOCKETS_MAX: usize = 10_000;
const PEOPLE_MAX: u32 = 2_000_000;
const CONVERSATIONS_MAX: u32 = 5_000_000;
const NUMBERS_MAX: u32 = 500;
/// Deliveries and questions of one scenario: all are planned, and held in memory, before the run.
const ARRIVALS_MAX: f64 = 20_000_000.0;
/// Parts of customers and broadcasts: the address of each person has one digit for its part.
const PARTS_MAX: usize = 9;
/// The messaging limits that the provider gives; 0 is none.
const TIERS: [u32; 5] = [0, 250, 2_000, 10_000, 100_000];
/// How long anybody may stay away, think, or be late, in milliseconds.
const AWAY_MS_MAX: u64 = 60_000;
const THINK_MS_MAX: u64 = 600_000;
const DELAY_MS_MAX: u64 = 600_000;
const REBATCH_MS_MAX: u64 = 60_000;

/// Refuses what is out of its bounds.
///
/// # Errors
/// The first that is: its place, and what it may be.
pub fn check(scenario: &Scenario) -> Result<()> {
    let Scenario { name, seconds, workspace, .. } = scenario;
    let named = (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    ensure!(named, "`name` is 1 to 64 letters, digits and `-`, because folders are called by it, and `{name}` is not");
    ensure!(scenario.seed <= SEED_MAX, "`seed` is 0 to {SEED_MAX}, and {} is not", scenario.seed);
    within("seconds", *seconds, 1.0..=SECONDS_MAX)?;
    within("warm_up_s", scenario.warm_up_s, 0.0..=*seconds)?;
    within("drain_s", scenario.drain_s, 1.0..=600.0)?;
    within("workspace.numbers", f64::from(workspace.numbers), 1.0..=f64::from(NUMBERS_MAX))?;
    within("workspace.rate_per_second", f64::from(workspace.rate_per_second), 1.0..=1_000.0)?;
    within("workspace.conversations", f64::from(workspace.conversations), 0.0..=f64::from(CONVERSATIONS_MAX))?;
    let tier = workspace.tier;
    ensure!(TIERS.contains(&tier), "`workspace.tier` is one of {TIERS:?}, 0 for no limit, and {tier} is not");
    provider(&scenario.provider).context("`[provider]`")?;
    within("the number of [[customers]]", scenario.customers.len() as f64, 0.0..=PARTS_MAX as f64)?;
    within("the number of [[broadcasts]]", scenario.broadcasts.len() as f64, 0.0..=PARTS_MAX as f64)?;
    each("customers", &scenario.customers, customers)?;
    each("agents", &scenario.agents, |agents, of| self::agents(agents, *seconds, of))?;
    each("broadcasts", &scenario.broadcasts, |part, of| broadcast(part, workspace.numbers, *seconds, of))?;
    each("clients", &scenario.clients, clients)?;
    each("trouble", &scenario.trouble, |part, of| trouble(part, *seconds, of))?;
    together(scenario)
}

/// Checks each part; `check` is given how its fields are called.
fn each<T>(name: &str, parts: &[T], check: impl Fn(&T, &dyn Fn(&str) -> String) -> Result<()>) -> Result<()> {
    let numbered = parts.iter().enumerate();
    numbered.into_iter().try_for_each(|(index, part)| check(part, &|field| format!("{name}[{index}].{field}")))
}

fn provider(plan: &Plan) -> Result<()> {
    for (name, is_given) in
        [("seed", plan.seed != 0), ("webhook", plan.webhook.is_some()), ("access_token", plan.access_token.is_some())]
    {
        ensure!(!is_given, "`{name}` is the run's own to set; leave it out");
    }
    plan.check()
}

fn customers(part: &Customers, of: &dyn Fn(&str) -> String) -> Result<()> {
    part.arrivals.check().with_context(|| of("arrivals"))?;
    within(&of("people"), f64::from(part.people), 1.0..=f64::from(PEOPLE_MAX))?;
    within(&of("copies"), f64::from(part.copies), 1.0..=10.0)?;
    within(&of("delay_ms"), part.delay_ms as f64, 0.0..=DELAY_MS_MAX as f64)?;
    within(&of("rebatch_ms"), part.rebatch_ms as f64, 0.0..=REBATCH_MS_MAX as f64)?;
    within(&of("items_max"), part.items_max as f64, 1.0..=1_000.0)?;
    if part.items_max > 1 && part.rebatch_ms == 0 {
        bail!("`{}` above 1 needs `rebatch_ms`: only what waits for others shares a delivery", of("items_max"));
    }
    within(&of("connections"), part.connections as f64, 1.0..=SOCKETS_MAX as f64)?;
    within(&of("stale_percent"), part.stale_percent, 0.0..=100.0)
}

fn agents(part: &Agents, seconds: f64, of: &dyn Fn(&str) -> String) -> Result<()> {
    within(&of("sockets"), part.sockets as f64, 1.0..=SOCKETS_MAX as f64)?;
    within(&of("answers_percent"), part.answers_percent, 0.0..=100.0)?;
    let [least, most] = part.think_ms;
    if least > most || most > THINK_MS_MAX {
        bail!("`{}` is from the shortest to the longest, {THINK_MS_MAX} at most", of("think_ms"));
    }
    for (index, herd) in part.herd.iter().enumerate() {
        within(&of(&format!("herd[{index}].at_s")), herd.at_s, 0.0..=seconds)?;
        within(&of(&format!("herd[{index}].away_ms")), herd.away_ms as f64, 0.0..=AWAY_MS_MAX as f64)?;
    }
    part.stall.map_or(Ok(()), |stall| self::stall(stall, &of("stall"), 0.0, seconds))
}

fn broadcast(part: &Broadcast, numbers: u32, seconds: f64, of: &dyn Fn(&str) -> String) -> Result<()> {
    within(&of("numbers"), f64::from(part.numbers), 1.0..=f64::from(numbers))?;
    within(&of("recipients"), f64::from(part.recipients), f64::from(part.numbers)..=f64::from(PEOPLE_MAX))?;
    within(&of("at_s"), part.at_s, 0.0..=seconds)?;
    part.pause.map_or(Ok(()), |pause| stall(pause, &of("pause"), part.at_s, seconds))
}

/// A stall begins and ends within this time.
fn stall(stall: Stall, name: &str, from: f64, to: f64) -> Result<()> {
    within(&format!("{name}.at_s"), stall.at_s, from..=to)?;
    within(&format!("{name}.for_s"), stall.for_s, 0.0..=to - stall.at_s)
}

fn clients(part: &Clients, of: &dyn Fn(&str) -> String) -> Result<()> {
    part.arrivals.check().with_context(|| of("arrivals"))?;
    within(&of("connections"), part.connections as f64, 1.0..=1_000.0)?;
    ensure!(!part.asks.is_empty(), "`{}` is empty", of("asks"));
    Ok(())
}

fn trouble(part: &Trouble, seconds: f64, of: &dyn Fn(&str) -> String) -> Result<()> {
    within(&of("to_s"), part.to_s, 0.0..=seconds)?;
    within(&of("from_s"), part.from_s, 0.0..=part.to_s)?;
    within(&of("times"), f64::from(part.times), 1.0..=100.0)?;
    within(&of("away_ms"), part.away_ms as f64, 0.0..=AWAY_MS_MAX as f64)
}

/// What all parts may have together.
fn together(scenario: &Scenario) -> Result<()> {
    let sockets: usize = scenario.agents.iter().map(|part| part.sockets).sum();
    let posters: usize = scenario.customers.iter().map(|part| part.connections).sum();
    let programs: usize = scenario.clients.iter().map(|part| part.connections).sum();
    let all = (sockets + posters + programs) as f64;
    within("all sockets and connections together", all, 0.0..=SOCKETS_MAX as f64)?;
    let recipients: f64 = scenario.broadcasts.iter().map(|part| f64::from(part.recipients)).sum();
    within("all recipients together", recipients, 0.0..=f64::from(PEOPLE_MAX))?;
    let seconds = scenario.seconds;
    let written = scenario.customers.iter().map(|part| {
        // Each copy is a delivery of its own.
        part.arrivals.begun_by(seconds, seconds) * f64::from(part.copies)
    });
    let asked = scenario.clients.iter().map(|part| part.arrivals.begun_by(seconds, seconds));
    within("all arrivals together, each copy counted", written.chain(asked).sum(), 0.0..=ARRIVALS_MAX)
}

/// Not so for what is no number.
fn within(name: &str, value: f64, bounds: RangeInclusive<f64>) -> Result<()> {
    let (from, to) = (bounds.start(), bounds.end());
    ensure!(bounds.contains(&value), "`{name}` is {from} to {to}, and {value} is not");
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::scenario::read;

    const HEAD: &str = "name = \"x\"\nabout = \"x\"\nseconds = 10\n";
    const CALM: &str = "arrivals = {shape = \"constant\", per_second = 1}";

    fn told(text: &str) -> String {
        read(text, false).map_or_else(|error| format!("{error:#}"), |_| "nothing".to_owned())
    }

    #[test]
    fn what_is_out_of_its_bounds_is_told_with_its_place() {
        let broadcast = "[[broadcasts]]\nat_s = 5\nrecipients = 5\n";
        let agents = "[[agents]]\nsockets = 1\n";
        let customers = format!("[[customers]]\npeople = 1\n{CALM}\n");
        let kill = "[[trouble]]\nwhat = \"kill\"\n";
        for (rest, expected) in [
            ("seed = 9_223_372_036_854_775_808".to_owned(), "`seed`"),
            ("drain_s = nan".to_owned(), "`drain_s`"),
            ("warm_up_s = 11".to_owned(), "`warm_up_s`"),
            ("[workspace]\nnumbers = 0".to_owned(), "`workspace.numbers`"),
            ("[workspace]\ntier = 1_000".to_owned(), "`workspace.tier`"),
            ("[workspace]\nconversations = 5_000_001".to_owned(), "`workspace.conversations`"),
            ("[provider]\nerror = 101".to_owned(), "`[provider]`: `error` is 0 to 100"),
            ("[provider]\nseed = 3".to_owned(), "`seed` is the run's own"),
            ("[provider]\naccess_token = \"x\"".to_owned(), "`access_token` is the run's own"),
            (
                "[[customers]]\npeople = 1\narrivals = {shape = \"constant\", per_second = -1}".to_owned(),
                "customers[0].arrivals",
            ),
            (format!("{customers}items_max = 2"), "customers[0].items_max"),
            (format!("{customers}delay_ms = 600_001"), "customers[0].delay_ms"),
            (customers.repeat(10), "the number of [[customers]]"),
            (broadcast.repeat(10), "the number of [[broadcasts]]"),
            (format!("{agents}think_ms = [5, 1]"), "agents[0].think_ms"),
            (format!("{agents}think_ms = [5, 600_001]"), "agents[0].think_ms"),
            (format!("{agents}herd = [{{at_s = 1}}, {{at_s = 11}}]"), "agents[0].herd[1].at_s"),
            (format!("{agents}herd = [{{at_s = 1, away_ms = 60_001}}]"), "agents[0].herd[0].away_ms"),
            (format!("{agents}stall = {{at_s = 5, for_s = 6}}"), "agents[0].stall.for_s"),
            ("[[broadcasts]]\nat_s = 60\nrecipients = 5".to_owned(), "broadcasts[0].at_s"),
            (format!("{broadcast}pause = {{at_s = 4, for_s = 1}}"), "broadcasts[0].pause.at_s"),
            (format!("{broadcast}pause = {{at_s = 6, for_s = 5}}"), "broadcasts[0].pause.for_s"),
            ("[[broadcasts]]\nat_s = 1\nrecipients = 1_500_000\n".repeat(2), "all recipients"),
            (format!("[[clients]]\nasks = []\n{CALM}"), "clients[0].asks"),
            (format!("{kill}from_s = 5\nto_s = 4"), "trouble[0].from_s"),
            (format!("{kill}from_s = 5\nto_s = 11"), "trouble[0].to_s"),
            (format!("{kill}from_s = -1\nto_s = 5"), "trouble[0].from_s"),
            (format!("{kill}from_s = 1\nto_s = 5\ntimes = 101"), "trouble[0].times"),
            (format!("{kill}from_s = 1\nto_s = 5\naway_ms = 60_001"), "trouble[0].away_ms"),
        ] {
            let told = told(&format!("{HEAD}{rest}"));
            assert!(told.contains(expected), "{rest}: {told}");
        }
        for name in ["", "../x", "a b", "a_b", &"x".repeat(65)] {
            let told = told(&HEAD.replace("name = \"x\"", &format!("name = \"{name}\"")));
            assert!(told.contains("`name` is 1 to 64"), "{name}: {told}");
        }
    }

    #[test]
    fn arrivals_are_bounded_over_the_whole_run_and_with_their_copies() {
        let text = |seconds: u32, copies: u32| {
            format!(
                "name = \"x\"\nabout = \"x\"\nseconds = {seconds}\n[[customers]]\npeople = 1\ncopies = {copies}\n\
                 arrivals = {{shape = \"constant\", per_second = 100_000}}\n"
            )
        };
        assert_eq!(told(&text(200, 1)), "nothing");
        assert!(told(&text(201, 1)).contains("all arrivals together"));
        assert!(told(&text(200, 2)).contains("all arrivals together"));
        assert!(told(&text(40_000, 10)).contains("40000000000 is not"));
    }
}
