//! The numbers that send, and for each of them people of its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

use crate::brand::{self, NewNumber};
use crate::rest::Rest;
use crate::server::Server;

/// Messages a second of each number.
pub(super) const RATE: u32 = 1_000;
/// How long the contacts that were just made may take to fall asleep (`actors.sleep_after`, and a sweep of it).
const ASLEEP_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(200);
const NAMES: [&str; 8] = ["Ada", "Ben", "Carla", "Davi", "Elif", "Femi", "Grace", "Hiro"];

/// A number, and who hears from it.
pub(super) struct Number {
    pub(super) account: String,
    pub(super) list: String,
    pub(super) audience: u64,
}

/// All of them.
pub(super) struct People {
    pub(super) numbers: Vec<Number>,
}

impl People {
    /// Connects the numbers to the sink and puts so many contacts on their lists.
    pub(super) async fn gather(
        rest: &mut Rest,
        server: &Server,
        sink: SocketAddr,
        numbers: u64,
        recipients: u64,
    ) -> Result<Self> {
        brand::template(rest).await?;
        let mut people = Self { numbers: Vec::new() };
        let mut next = 0;
        for (index, audience) in (0..).zip(brand::shares(recipients, numbers)) {
            let app = server.token("APP")?;
            let new = NewNumber { app, index, provider: sink, rate_per_second: RATE, tier: 0 };
            let account = brand::connect(rest, &new).await?;
            let list = brand::list(rest, &format!("Number {index}"), next..next + audience, lines).await?;
            next += audience;
            people.numbers.push(Number { account, list, audience });
        }
        Ok(people)
    }

    /// How many hear from any number.
    pub(super) fn all(&self) -> u64 {
        self.numbers.iter().map(|number| number.audience).sum()
    }
}

/// Waits until the contacts that were just made sleep or have left memory: what putting them to rest costs is no part of
/// a send.
pub(super) async fn asleep(server: &Server, contacts: u64) -> Result<()> {
    let end = Instant::now() + ASLEEP_WITHIN;
    loop {
        let at_rest =
            server.metric("tidegate_slept_total", "").await? + server.metric("tidegate_retired_total", "").await?;
        if at_rest >= contacts {
            return Ok(());
        }
        if Instant::now() >= end {
            bail!("{at_rest} of {contacts} contacts were put to rest within {ASLEEP_WITHIN:?}");
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Drafts a broadcast of the template to these lists, and answers its path.
pub(super) async fn draft(rest: &mut Rest, name: &str, account: &str, lists: &[&str]) -> Result<String> {
    Ok(format!("/v1/broadcasts/{}", brand::draft(rest, name, account, lists).await?))
}

/// Contacts as lines of the bulk route.
fn lines(people: Range<u64>) -> String {
    let mut lines = String::new();
    for person in people {
        let name = NAMES[person as usize % NAMES.len()];
        // Writing to a string cannot fail.
        let _ = writeln!(
            lines,
            r#"{{"identities":[{{"channel":"whatsapp","address":"1556{person:07}"}}],"properties":{{"first_name":"{name}"}}}}"#
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn contacts_are_lines_with_an_address_each() {
        let lines = lines(9..12);
        let read: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read.len(), 3);
        assert_eq!(read[0]["identities"][0]["address"], "15560000009");
        assert_eq!(read[2]["properties"]["first_name"], "Davi");
    }
}
