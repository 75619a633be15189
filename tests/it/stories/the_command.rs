//! The `tidegate` command: what it refuses and says, and that a data folder has one server.

use std::process::Command;

use crate::house::http;
use crate::process::{Process, free_addr, ran};

#[actix_web::test]
async fn a_data_folder_has_one_server() {
    let data = tempfile::tempdir().expect("a folder");
    let addr = free_addr();
    let mut first = Process::start(data.path(), addr, &["store.engine=embedded"]).await;
    let tokens = std::fs::read(data.path().join("tokens")).expect("the tokens");
    let folder = data.path().display().to_string();
    let second = free_addr().to_string();
    let (code, output, words) = ran(&["--data", &folder, "--listen", &second, "--set", "sandbox.enabled=false"]);
    assert_eq!((code, output.as_str()), (Some(75), ""), "{words}");
    let sentence = words.lines().last().unwrap_or_default();
    assert!(sentence.starts_with("tidegate: the store cannot be opened: "), "{words}");
    assert!(sentence.contains("another process"), "{words}");
    assert_eq!(http::call(addr, "GET", "/readyz", &[], Vec::new()).await.status, 200);
    assert_eq!(std::fs::read(data.path().join("tokens")).expect("the tokens"), tokens);
    first.kill();
}

#[test]
fn an_address_that_is_taken_is_named() {
    let data = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address").to_string();
    let folder = data.path().display().to_string();
    let (code, _, words) = ran(&["--data", &folder, "--listen", &addr, "--set", "sandbox.enabled=false"]);
    assert_eq!(code, Some(75), "{words}");
    assert!(words.lines().last().unwrap_or_default().contains(&format!("cannot listen on {addr}")), "{words}");
}

#[test]
fn check_config_tells_every_problem() {
    let wrong =
        ["check-config", "--set", "numbers.tick=5", "--set", "numbers.pair_burst=0", "--set", "store.colour=red"];
    let (code, output, words) = ran(&wrong);
    assert_eq!(code, Some(2), "{words}");
    let told = output + &words;
    for key in ["numbers.tick", "numbers.pair_burst", "store.colour", "3 problems"] {
        assert!(told.contains(key), "{key}: {told}");
    }
    // The server itself tells them too, and does not start.
    let (code, _, words) = ran(&wrong[1..]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("numbers.tick") && words.contains("store.colour"), "{words}");
    let (code, output, _) = ran(&["check-config"]);
    assert_eq!(code, Some(0));
    assert!(output.ends_with("the configuration is right\n"), "{output}");
}

#[test]
fn what_is_not_understood_ends_with_2_and_help_with_0() {
    let (code, output, words) = ran(&["--verbose"]);
    assert_eq!((code, output.as_str()), (Some(2), ""));
    assert!(words.contains("unknown argument `--verbose`"), "{words}");
    let (code, output, words) = ran(&["--help"]);
    assert_eq!((code, words.as_str()), (Some(0), ""));
    for word in ["check-config", "sandbox", "--config", "--data", "--listen", "--set", "--clock"] {
        assert!(output.contains(word), "{word}");
    }
    let (code, output, _) = ran(&["--version"]);
    assert_eq!((code, output), (Some(0), format!("tidegate {}\n", env!("CARGO_PKG_VERSION"))));
    // A terminal that is gone is nobody's panic.
    let closed = Command::new("sh").arg("-c").arg("\"$0\" --help >&-").arg(env!("CARGO_BIN_EXE_tidegate")).output();
    assert_eq!(closed.expect("it runs").status.code(), Some(0));
}
