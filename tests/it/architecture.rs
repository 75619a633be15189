//! The rules of the house, read from the sources: imports go down only, and certain words are absent
//! from certain rooms.

mod rules;
mod source;

use rules::{Breach, absences, imports};
use source::{Source, sources};

/// The sources as they are keep every rule.
#[test]
fn imports_go_down_and_absences_hold() {
    let files = sources();
    assert!(files.len() > 50, "only {} source files were found", files.len());
    let breaches: Vec<Breach> = files.iter().flat_map(|file| imports(file).into_iter().chain(absences(file))).collect();
    assert!(breaches.is_empty(), "\n{}", breaches.iter().map(Breach::line).collect::<Vec<_>>().join("\n"));
}

/// A file has one idea: 400 lines at most.
#[test]
fn files_are_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|file| file.text.lines().count() > 420)
        .map(|file| format!("{}: {} lines", file.path, file.text.lines().count()))
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

/// The rules bite: each bad example here is caught.
#[test]
fn bad_examples_are_caught() {
    let table = [
        ("src/domain/bad.rs", "use crate::shards::Shards;", "imports upwards"),
        ("src/domain/bad.rs", "if crate::broken::happens(fault) {}", "imports upwards"),
        ("src/store/bad.rs", "fn f() { crate::push::start(); }", "imports upwards"),
        ("src/domain/bad.rs", "async fn decide() {}", "async"),
        ("src/channels/bad.rs", "use tokio::net::TcpStream;", "tokio"),
        ("src/numbers.rs", "use crate::store::Store;", "store"),
        ("src/store/bad.rs", "use actix::Actor;", "actix"),
        ("src/domain/bad.rs", "let now = SystemTime::now();", "SystemTime"),
    ];
    for (path, text, word) in table {
        let file = Source { path: path.to_owned(), text: text.to_owned() };
        let found: Vec<String> = imports(&file).iter().chain(&absences(&file)).map(Breach::line).collect();
        assert!(found.iter().any(|line| line.contains(word)), "{path}: `{text}` was not caught: {found:?}");
    }
    let good = Source {
        path: "src/shards/good.rs".to_owned(),
        text: "//! crate::http is above.\nuse crate::store::Store;\n#[cfg(test)]\nmod tests { use crate::app; }"
            .to_owned(),
    };
    assert!(imports(&good).is_empty() && absences(&good).is_empty());
}
