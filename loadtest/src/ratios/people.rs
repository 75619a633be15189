//! The numbers that send, and for each of them people of its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::rest::Rest;
use crate::server::Server;

/// The template that is sent: two variables, and no opt-in is needed.
pub(super) const TEMPLATE: &str = "order_on_its_way";
/// The business account that has it.
const BUSINESS_ID: &str = "209900112233445";
/// Messages a second of each number.
pub(super) const RATE: u32 = 1_000;
/// Numbers of a portfolio.
const PORTFOLIO: u64 = 10;
/// Contacts of one request: on a list go as many at once.
const CONTACTS_MAX: u64 = 1_000;
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
        let template = json!({
            "name": TEMPLATE,
            "language": "en_US",
            "category": "utility",
            "business_id": BUSINESS_ID,
            "components": [{
                "type": "BODY",
                "text": "Hello {{1}}, your order {{2}} is on its way.",
                "example": {"body_text": [["Ada", "1042"]]},
            }],
        });
        rest.post("/v1/templates", &template).await?;
        let mut people = Self { numbers: Vec::new() };
        let mut next = 0;
        for (index, audience) in shares(recipients, numbers).enumerate() {
            let account = connect(rest, server, sink, index as u64).await?;
            let list = rest.post("/v1/lists", &json!({"name": format!("Number {index}")})).await?;
            let list = text(&list, "id")?;
            let end = next + audience;
            while next < end {
                let until = (next + CONTACTS_MAX).min(end);
                let made = rest.text(Method::POST, "/v1/contacts/bulk", Bytes::from(lines(next, until))).await?;
                let ids = ids(&made)?;
                let added = rest.post(&format!("/v1/lists/{list}/members"), &json!({"add": ids})).await?;
                if added["added"] != until - next {
                    bail!("{} contacts were put on a list so: {added}", until - next);
                }
                next = until;
            }
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
    let parameters =
        [json!({"type": "text", "text": "{{first_name|friend}}"}), json!({"type": "text", "text": "1042"})];
    let draft = json!({
        "name": name,
        "account": account,
        "audience": {"lists": lists},
        "content": {
            "type": "template",
            "name": TEMPLATE,
            "language": "en_US",
            "fills": [{"slot": {"type": "body"}, "parameters": parameters}],
        },
    });
    let made = rest.post("/v1/broadcasts", &draft).await?;
    Ok(format!("/v1/broadcasts/{}", text(&made, "id")?))
}

/// The provider's id of a number.
pub(super) fn provider_id(index: u64) -> String {
    format!("2065403522{index:05}")
}

/// Connects a number to the sink, in a portfolio without a limit; its account.
async fn connect(rest: &mut Rest, server: &Server, sink: SocketAddr, index: u64) -> Result<String> {
    let account = json!({
        "channel": "whatsapp",
        "app": server.token("APP")?,
        "provider_id": provider_id(index),
        "business_id": BUSINESS_ID,
        "portfolio": format!("sweep-{}", index / PORTFOLIO),
        "base_url": format!("http://{sink}/v25.0"),
        "access_token": "sandbox-access-token",
        "rate_per_second": RATE,
    });
    let connected = rest.post("/v1/accounts", &account).await?;
    if index.is_multiple_of(PORTFOLIO) {
        let limit = text(&connected, "limit_scope")?;
        rest.put(&format!("/v1/limits/{limit}/tier"), &json!({"tier": "unlimited"})).await?;
    }
    text(&connected, "id")
}

/// As even as it can be.
fn shares(all: u64, parts: u64) -> impl Iterator<Item = u64> {
    (0..parts).map(move |part| all / parts + u64::from(part < all % parts))
}

/// Contacts as lines of the bulk route.
fn lines(from: u64, to: u64) -> String {
    let mut lines = String::new();
    for person in from..to {
        let name = NAMES[person as usize % NAMES.len()];
        // Writing to a string cannot fail.
        let _ = writeln!(
            lines,
            r#"{{"identities":[{{"channel":"whatsapp","address":"1556{person:07}"}}],"properties":{{"first_name":"{name}"}}}}"#
        );
    }
    lines
}

/// The ids that the bulk route answers.
fn ids(answer: &str) -> Result<Vec<String>> {
    answer.lines().map(|line| text(&serde_json::from_str(line)?, "id").with_context(|| line.to_owned())).collect()
}

fn text(shown: &Value, field: &str) -> Result<String> {
    shown[field].as_str().map(str::to_owned).with_context(|| format!("`{field}` in {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_differ_by_one_at_most() {
        for (all, parts) in [(100_000, 100), (1_003, 100), (7, 7), (250, 3)] {
            let shares: Vec<u64> = shares(all, parts).collect();
            assert_eq!((shares.len() as u64, shares.iter().sum::<u64>()), (parts, all));
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn contacts_are_lines_with_an_address_each() {
        let lines = lines(9, 12);
        let read: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read.len(), 3);
        assert_eq!(read[0]["identities"][0]["address"], "15560000009");
        assert_eq!(read[2]["properties"]["first_name"], "Davi");
    }

    #[test]
    fn ids_are_read_and_a_failed_line_is_told() {
        let made = "{\"line\":1,\"status\":\"created\",\"id\":\"con_1\"}\n{\"line\":2,\"status\":\"created\",\"id\":\"con_2\"}\n";
        assert_eq!(ids(made).unwrap(), ["con_1", "con_2"]);
        let failed = "{\"line\":1,\"status\":\"failed\",\"problem\":{\"code\":\"invalid\"}}\n";
        assert!(format!("{:#}", ids(failed).unwrap_err()).contains("invalid"));
    }
}
