//! How long a broadcast to a million takes from its publishing until its audience is frozen, and what that costs in memory.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::people::{self, People};
use crate::options::Options;
use crate::process::Folder;
use crate::report::{Better, Mark, Report};
use crate::rest::Rest;
use crate::server::{Bare, Server};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The longest that is waited for.
const WITHIN: Duration = Duration::from_secs(300);

pub(super) async fn run(options: &Options) -> Result<Report> {
    let recipients = options.requests.map_or(1_000_000, |requests| requests as u64);
    let mut report = Report::begin("freeze");
    report.did(format!("a broadcast to a list of {recipients}, published while its number is paused"));
    let folder = Folder::new(&options.folder)?;
    let server = Server::start(options, folder.path(), &[]).await?;
    let sink = Bare::start("bare-sink", folder.path()).await?;
    let mut rest = Rest::open(server.addr, server.token("ADMIN_TOKEN")?).await?;
    let begun = Instant::now();
    let people = People::gather(&mut rest, &server, sink.addr, 1, recipients).await?;
    report.figure("contacts made, off the clock", recipients as f64 / begun.elapsed().as_secs_f64(), "/s");
    people::asleep(&server, recipients).await?;
    let Some(number) = people.numbers.first() else { bail!("no number was connected") };
    // So that nothing leaves while it is looked whether all of it is frozen.
    rest.post(&format!("/v1/accounts/{}/pause", number.account), &json!({})).await?;
    let draft = people::draft(&mut rest, "To everybody", &number.account, &[&number.list]).await?;

    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    let before = server.rss_bytes()?;
    let begun = Instant::now();
    rest.post(&format!("{draft}/publish"), &json!({})).await?;
    let (mut most, mut frozen) = (before, 0);
    while frozen < recipients {
        if begun.elapsed() > WITHIN {
            bail!("{frozen} of {recipients} were frozen within {WITHIN:?}");
        }
        sleep(LOOK_EVERY).await;
        frozen = pending(&rest.get(&draft).await?);
        most = most.max(server.rss_bytes()?);
    }
    let took = begun.elapsed();
    report.figure("server: RSS before", mib(before), "MiB");
    report.figure("server: most of it meanwhile", mib(most), "MiB");
    report.mark(Mark {
        name: format!("freezing {recipients} recipients"),
        value: took.as_secs_f64(),
        unit: "s",
        better: Better::Lower,
        accept: 30.0,
        aim: Some(10.0),
    });
    rest.post(&format!("{draft}/cancel"), &json!({})).await?;
    report.check("recipients frozen", recipients, frozen);
    Ok(report)
}

/// How many wait to be sent to.
fn pending(shown: &Value) -> u64 {
    shown["counts"]["pending"].as_u64().unwrap_or_default()
}
