//! The demo: the table at the end of its day adds up, also where it was killed in the middle of its broadcast.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::house::database;
use crate::process::ran;

const CONTACTS: u64 = 1_500;
/// A few seconds of sending.
const RATE: u64 = 300;
/// Of the recipients, who have had their turn when it is killed.
const KILLED_AT: u64 = 400;

#[test]
fn its_table_adds_up_after_a_kill() {
    if database::is_chosen() {
        // It brings a folder of its own.
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    let settings = settings(data.path());
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();

    let mut first = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let mut first = first.arg("demo").args(&settings).stdout(Stdio::piped()).spawn().expect("it starts");
    let done = turns_had(&mut first.stdout.take().expect("its output"), KILLED_AT);
    first.kill().expect("it runs");
    first.wait().expect("it ends");
    assert!(done < CONTACTS, "it was killed too late: {done}");

    let (code, output, words) = ran(&[&["demo", "--json"], settings.as_slice()].concat());
    let table: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}{words}"));
    assert_eq!((code, &table["adds_up"]), (Some(0), &json!(true)), "{table} {words}");
    let count = |name: &str| table[name].as_u64().unwrap_or_else(|| panic!("no {name} in {table}"));
    // Whoever wrote before the broadcast is among the contacts, or one more.
    assert!(count("recipients") >= CONTACTS, "{table}");
    let ended = ["have_it", "failed", "skipped", "unconfirmed"].map(count);
    assert_eq!(ended.iter().sum::<u64>(), count("recipients"), "{table}");
    assert_eq!((count("have_it"), count("have_it_twice")), (count("have_it_by_provider"), 0), "{table}");
    // In doubt is what was claimed when it was killed: two blocks.
    assert!(count("unconfirmed") <= 400 && count("read") > 0 && count("replied") > 0, "{table}");
    assert!(count("conversations") > 0 && count("answers") > 0, "{table}");
}

fn settings(data: &Path) -> Vec<String> {
    let path = format!("store.path={}", data.display());
    let (contacts, rate) = (format!("seed.contacts={CONTACTS}"), format!("numbers.rate_per_second={RATE}"));
    [path, contacts, rate].into_iter().flat_map(|setting| ["--set".to_owned(), setting]).collect()
}

/// Reads what it says until so many recipients have had their turn; answers how many.
fn turns_had(said: &mut impl Read, least: u64) -> u64 {
    let (mut text, mut some) = (String::new(), [0; 4_096]);
    loop {
        let read = said.read(&mut some).expect("it speaks");
        assert!(read > 0, "it ended: {text}");
        text.push_str(&String::from_utf8_lossy(&some[..read]));
        // The bar: `[####....] 412/1504  read 17 …`, again and again.
        let bar = text.rsplit('\r').find_map(|line| line.split_once("] ")?.1.split_once('/'));
        let done = bar.and_then(|(done, _)| done.parse::<u64>().ok()).unwrap_or(0);
        if done >= least {
            return done;
        }
    }
}
