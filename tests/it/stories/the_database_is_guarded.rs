//! A database that speaks TLS alone and asks who comes: with the right settings all runs, with wrong ones the sentence says
//! where it was tried and what is wrong.

use std::time::Duration;

use crate::house::database::Keyspaces;
use crate::house::whatsapp::{delivery, text};
use crate::house::{MORNING, eventually_within};
use crate::process::tenant::Tenant;
use crate::process::{Process, free_addr, operator_token, ran};

/// How long the database may take to make its first user, in machine time.
const KNOWN_WITHIN: Duration = Duration::from_secs(60);

#[actix_web::test]
async fn a_login_over_tls_is_needed_and_enough() {
    let (data, addr) = (tempfile::tempdir().expect("a folder"), free_addr());
    let Some((keyspaces, database)) = Keyspaces::in_guarded_database() else { return };
    let authorities = format!("cql.authorities={}", database.certificate().display());
    let settings = |more: &[&str]| -> Vec<String> {
        keyspaces.settings().into_iter().chain(more.iter().map(|&setting| setting.to_owned())).collect()
    };
    let migrate = |settings: &[String]| {
        let flags = settings.iter().flat_map(|setting| ["--set", setting.as_str()]);
        ran(&["migrate"].into_iter().chain(flags).collect::<Vec<_>>())
    };
    let login = ["cql.user=cassandra", "cql.password=cassandra"];
    let right = settings(&["cql.tls=true", &authorities, login[0], login[1]]);
    let made = || async { (migrate(&right).0 == Some(0)).then_some(()) };
    eventually_within(KNOWN_WITHIN, "the database knows its user", made).await;

    let wrong = [
        (settings(&login), "onnection"),
        (settings(&["cql.tls=true", login[0], login[1]]), "certificate"),
        (settings(&["cql.tls=true", &authorities, login[0], "cql.password=a-guessed-one"]), "password"),
        (settings(&["cql.tls=true", &authorities]), "uthenticat"),
    ];
    for (settings, word) in wrong {
        let (code, _, said) = migrate(&settings);
        assert_ne!(code, Some(0));
        assert!(said.contains(&database.contact_point()) && said.contains(word), "{word}: {said}");
        assert!(!said.contains("a-guessed-one"), "{said}");
    }

    let settings: Vec<&str> = right.iter().map(String::as_str).collect();
    let mut process = Process::launch(data.path(), addr, &settings);
    process.ready().await;
    let tenant = Tenant::make(addr, &operator_token(data.path()), "http://127.0.0.1:9", 1).await;
    let body = delivery(&[text("15551230001", "wamid.1", MORNING, "Hello")], &[]);
    assert_eq!(tenant.push(addr, &body).await, Some(200));
    process.signal("TERM");
    assert_eq!(process.ended(Duration::from_secs(60)).await, 0);
}
