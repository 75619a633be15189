//! `tidegate check-config`: every problem at once, or what is in force and who said so.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::arguments::{Invocation, parse};
use super::{Config, ConfigProblem, load};

/// The exit code of a configuration or command line that is wrong.
const WRONG: u8 = 2;

/// Loads the configuration that a command line names, its file included.
///
/// # Errors
///
/// Every problem there is; a file that cannot be read is one.
pub fn load_for(invocation: &Invocation, env: &BTreeMap<String, String>) -> Result<Config, Vec<ConfigProblem>> {
    let Some(path) = &invocation.config else {
        return load(None, env, &invocation.settings);
    };
    match std::fs::read_to_string(path) {
        Ok(text) => load(Some((path, &text)), env, &invocation.settings),
        Err(error) => Err(vec![ConfigProblem {
            key: format!("file `{}`", path.display()),
            problem: format!("cannot be read: {error}"),
            source: Some("--config".to_owned()),
        }]),
    }
}

/// Answers `check-config` for the arguments that follow the program's name: a report for people, and the exit code,
/// 0 if everything is right and 2 if not. Secrets are masked.
#[must_use]
pub fn check(arguments: &[String], env: &BTreeMap<String, String>) -> (String, u8) {
    let invocation = match parse(arguments) {
        Ok(invocation) => invocation,
        Err(error) => return (format!("{error}\n"), WRONG),
    };
    match load_for(&invocation, env) {
        Ok(config) => (in_force(&config), 0),
        Err(problems) => {
            let mut report = String::new();
            for problem in &problems {
                // Writing to a string cannot fail.
                let _ = writeln!(report, "{problem}");
            }
            let count = problems.len();
            let _ = writeln!(report, "{count} {}", if count == 1 { "problem" } else { "problems" });
            (report, WRONG)
        }
    }
}

fn in_force(config: &Config) -> String {
    let mut report = String::new();
    for key in &config.effective {
        let _ = writeln!(report, "{} = {}  ({})", key.key, key.value, key.source);
    }
    report.push_str("the configuration is right\n");
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(arguments: &[&str], variables: &[(&str, &str)]) -> (String, u8) {
        let arguments: Vec<_> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        check(&arguments, &env)
    }

    #[test]
    fn what_is_right_is_shown_with_its_source_and_without_secrets() {
        let secret = "a-secret-of-the-operator";
        let (report, code) = checked(
            &["check-config", "--listen", "127.0.0.1:9000"],
            &[("TIDEGATE__SANDBOX__APP_SECRET", secret), ("TIDEGATE__NUMBERS__RATE_PER_SECOND", "90")],
        );
        assert_eq!(code, 0, "{report}");
        assert!(report.contains("server.listen = 127.0.0.1:9000  (the command line)"), "{report}");
        assert!(report.contains("numbers.rate_per_second = 90  (TIDEGATE__NUMBERS__RATE_PER_SECOND)"), "{report}");
        assert!(report.contains("numbers.pair_burst = 3  (the default)"), "{report}");
        assert!(report.contains("sandbox.app_secret = (secret)"), "{report}");
        assert!(!report.contains(secret), "{report}");
    }

    #[test]
    fn what_is_wrong_is_counted() {
        let (report, code) =
            checked(&["check-config", "--set", "numbers.tick=5", "--set", "numbers.pair_burst=0"], &[]);
        assert_eq!(code, 2);
        assert!(report.ends_with("2 problems\n"), "{report}");
    }

    #[test]
    fn a_file_that_is_not_there_and_a_flag_that_is_unknown_end_with_2() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent.toml").display().to_string();
        let (report, code) = checked(&["check-config", "--config", &absent], &[]);
        assert_eq!(code, 2);
        assert!(report.contains("absent.toml`: cannot be read"), "{report}");
        assert_eq!(checked(&["check-config", "--nonsense"], &[]).1, 2);
    }
}
