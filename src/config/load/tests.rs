//! What the layers say, and how wrong values are told.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::config::{ClockMode, Engine, Size};

fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn flags(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn right(file: Option<&str>, variables: &[(&str, &str)], settings: &[(&str, &str)]) -> Config {
    let file = file.map(|text| (Path::new("t.toml"), text));
    match load(file, &env(variables), &flags(settings)) {
        Ok(config) => config,
        Err(problems) => panic!("{problems:?}"),
    }
}

fn wrong(file: Option<&str>, variables: &[(&str, &str)], settings: &[(&str, &str)]) -> Vec<String> {
    let file = file.map(|text| (Path::new("t.toml"), text));
    let problems = load(file, &env(variables), &flags(settings)).err().unwrap();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_default_file_has_exactly_the_keys_that_are_read() {
    let table: toml::Table = DEFAULT_TOML.parse().unwrap();
    let written: BTreeSet<String> = table
        .iter()
        .flat_map(|(section, keys)| keys.as_table().unwrap().keys().map(move |key| format!("{section}.{key}")))
        .collect();
    // Loading refuses keys that nobody reads and keys that are missing, so what is in force is what is read.
    let read: BTreeSet<String> = right(None, &[], &[]).effective.into_iter().map(|key| key.key).collect();
    assert_eq!(written, read);
}

#[test]
fn every_key_of_the_default_file_has_a_comment() {
    let mut before = "";
    for line in DEFAULT_TOML.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(before.starts_with("# "), "`{line}` has no comment above it");
        }
        before = line;
    }
}

#[test]
fn the_defaults_are_the_products_figures() {
    let config = right(None, &[], &[]);
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.clock, ClockMode::Wall);
    assert!(config.server.body_bytes_max.0 > 3_000_000);
    assert_eq!(config.server.webhook_bytes_in_flight_max, Size::mib(32));
    assert_eq!(config.server.webhook_items_in_flight_max, 10_000);
    assert_eq!((config.store.engine, config.store.shards), (Engine::Embedded, 16));
    assert_eq!((config.actors.resident_max, config.actors.idle_after), (200_000, Duration::from_secs(120)));
    assert_eq!((config.numbers.rate_per_second, config.numbers.shared_rate_per_second), (80, 20));
    assert_eq!((config.numbers.pair_interval, config.numbers.pair_burst), (Duration::from_secs(6), 3));
    assert_eq!(config.numbers.reply_max_wait, Duration::from_secs(600));
    assert_eq!(config.numbers.unconfirmed_after, Duration::from_secs(900));
    assert_eq!(config.push.window_bytes_max, Size::kib(256));
    assert_eq!((config.limits.default_tier, config.limits.period), (Some(2_000), Duration::from_secs(86_400)));
    assert_eq!(config.windows.margin, Duration::from_secs(60));
    assert!(!config.windows.human_agent_on_instagram && !config.windows.extend_messenger_human_agent);
    assert!(config.sandbox.enabled);
}

#[test]
fn a_later_layer_wins() {
    let file = "[numbers]\nrate_per_second = 81\npair_burst = 4\ntick = \"6ms\"\n";
    let variables = [("TIDEGATE__NUMBERS__RATE_PER_SECOND", "82"), ("TIDEGATE__NUMBERS__PAIR_BURST", "5")];
    let config = right(Some(file), &variables, &[("numbers.rate_per_second", "83")]);
    assert_eq!(config.numbers.rate_per_second, 83);
    assert_eq!(config.numbers.pair_burst, 5);
    assert_eq!(config.numbers.tick, Duration::from_millis(6));
    assert_eq!(config.numbers.pair_interval, Duration::from_secs(6));
}

#[test]
fn with_a_file_the_sandbox_is_off_unless_asked_for() {
    assert!(!right(Some(""), &[], &[]).sandbox.enabled);
    assert!(right(Some("[sandbox]\nenabled = true\n"), &[], &[]).sandbox.enabled);
    assert!(right(Some(""), &[("TIDEGATE__SANDBOX__ENABLED", "true")], &[]).sandbox.enabled);
}

#[test]
fn all_problems_are_told_at_once_with_their_source() {
    let file = "stray = 1\n[numbers]\npair_burst = \"many\"\nrat_per_second = 3\n[nonsense]\nkey = 1\n";
    let variables = [("TIDEGATE__NUMBERS__RATE_PER_SECOND", "0"), ("HOME", "/root")];
    let settings = [("store.settle_bytes", "1GiB"), ("push.ping_interval", "5"), ("log.format", "xml")];
    assert_eq!(
        wrong(Some(file), &variables, &settings),
        [
            "log.format: must be one of `text`, `json`, got `xml` (from the command line)",
            "nonsense.key: is not a key that exists (from file `t.toml`)",
            "numbers.pair_burst: must be a whole number, got `many` (from file `t.toml`)",
            "numbers.rat_per_second: is not a key that exists (from file `t.toml`)",
            "numbers.rate_per_second: must be 1..=1000, got `0` (from TIDEGATE__NUMBERS__RATE_PER_SECOND)",
            "push.ping_interval: must be a duration such as `250ms`, `10s` or `15m`, got `5` (from the command line)",
            "store.settle_bytes: must be 64KiB..=256MiB, got `1GiB` (from the command line)",
            "stray: is not a key that exists (from file `t.toml`)",
        ]
    );
}

#[test]
fn each_kind_of_value_is_judged() {
    let table = [
        ("server.listen", "localhost"),
        ("server.workers", "-1"),
        ("server.public_url", "example.com"),
        ("server.public_url", "https://example.com/"),
        ("server.public_url", "https://"),
        ("server.public_url", "https://user:word@example.com"),
        ("store.path", ""),
        ("store.shards", "70000"),
        ("providers.graph_version", "25.0"),
        ("providers.graph_version", "v25"),
        ("windows.human_agent_on_instagram", "yes"),
        ("sandbox.listen", "0.0.0.0:8090"),
        ("sandbox.read_percent", "101"),
        ("log.level", "tidegate=loud"),
    ];
    for (key, value) in table {
        let problems = wrong(None, &[], &[(key, value)]);
        assert_eq!(problems.len(), 1, "{key} = {value}: {problems:?}");
        assert!(problems[0].starts_with(key) && problems[0].contains(&format!("got `{value}`")), "{problems:?}");
    }
}

#[test]
fn rules_between_keys_come_last() {
    let settings = [
        ("providers.call_timeout", "11s"),
        ("providers.connect_timeout", "11s"),
        ("server.shutdown_deadline", "11s"),
        ("push.ping_interval", "20s"),
        ("push.frame_out_bytes_max", "512KiB"),
        ("server.body_bytes_max", "33MiB"),
        ("sandbox.listen", "127.0.0.1:8080"),
    ];
    let problems = wrong(None, &[], &settings);
    assert_eq!(problems.len(), settings.len(), "{problems:?}");
    assert_eq!(problems[3], "providers.call_timeout: must be at most numbers.in_doubt_after (`10s`), got `11s`");
    // One wrong key hides them: they would be judged on a value that nobody gave.
    let mut settings = settings.to_vec();
    settings.push(("seed.contacts", "-1"));
    assert_eq!(wrong(None, &[], &settings).len(), 1);
    let doubt = wrong(None, &[], &[("numbers.in_doubt_after", "2m"), ("numbers.unconfirmed_after", "1m")]);
    assert_eq!(doubt, ["numbers.in_doubt_after: must be shorter than numbers.unconfirmed_after (`1m`), got `2m`"]);
}

#[test]
fn a_secret_is_never_shown() {
    for value in ["short", "a-secret-of-the-operator"] {
        let file = format!("[sandbox]\napp_secret = \"{value}\n");
        let settings = [("sandbox.verify_token", value), ("seed.contacts", "-1")];
        for problem in wrong(Some(&file), &[("TIDEGATE__SANDBOX__ACCESS_TOKEN", "short")], &settings) {
            assert!(!problem.contains(value), "{problem}");
        }
    }
    let problems = wrong(None, &[("TIDEGATE__SANDBOX__ACCESS_TOKEN", "short")], &[]);
    let told = "sandbox.access_token: must be a text of at least 8 characters (from TIDEGATE__SANDBOX__ACCESS_TOKEN)";
    assert_eq!(problems, [told]);
}

#[test]
fn a_file_that_is_not_toml_is_told_by_its_line() {
    let problems = wrong(Some("[numbers]\nrate_per_second = = 3\n"), &[], &[]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("file `t.toml`: cannot be read as TOML at line 2: "), "{problems:?}");
}

#[test]
fn the_example_for_a_database_is_right_with_its_password() {
    let text = include_str!("../../../config/production.cql.example.toml");
    let file = Some((Path::new("production.toml"), text));
    let password = BTreeMap::from([("TIDEGATE__CQL__PASSWORD".to_owned(), "correct horse".to_owned())]);
    let loaded = load(file, &password, &[]).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!((loaded.store.engine, loaded.cql.nodes.len()), (Engine::Cql, 3));
    assert!(loaded.effective.iter().all(|key| !key.value.contains("correct horse")), "a secret is never shown");
    let without = load(file, &BTreeMap::new(), &[]).err().expect("a login needs a password");
    assert_eq!(without.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), ["cql.password"]);
}

#[test]
fn the_example_for_production_is_right() {
    let text = include_str!("../../../config/production.example.toml");
    let loaded = load(Some((Path::new("production.toml"), text)), &BTreeMap::new(), &[]);
    let config = loaded.unwrap_or_else(|problems| panic!("{problems:?}"));
    assert!(!config.sandbox.enabled);
}
