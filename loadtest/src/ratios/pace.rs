//! One number at its full rate: how much of it is used, how soon a pause holds, and how ten broadcasts share it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::people::{self, People, RATE};
use crate::bare::sink::{BEGIN, Begin, COUNTED, Counted, PACE, Pace};
use crate::options::Options;
use crate::process::Folder;
use crate::report::{Better, Mark, Report};
use crate::rest::Rest;
use crate::server::{Bare, Server};

/// Lists of the number, of so many contacts each.
const LISTS: usize = 13;
const OF_A_LIST: u64 = 5_000;
/// Which of them each part writes to.
const PACED: [usize; 2] = [0, 1];
const PAUSED: usize = 2;
const SHARED: std::ops::Range<usize> = 3..LISTS;
/// The rate at which the limiter fills below a cap of [`RATE`] with a tick of 5 ms, which is the default: cap − burst + 1,
/// and a burst of 6.
const LIMITER_RATE: f64 = 995.0;
/// Whole seconds whose sends are counted, after the first.
const SECONDS: usize = 6;
/// How long a broadcast runs before it is paused.
const PAUSED_AFTER: Duration = Duration::from_secs(2);
/// How long it is looked whether something leaves all the same.
const LOOKED_FOR: Duration = Duration::from_secs(3);
/// Of what ten broadcasts share so much has left when it is looked how it was dealt: a broadcast may be a block of 200
/// ahead of another, which is a twenty-fourth of its own by then.
const DEALT: u64 = 48_000;
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The longest that any part may take.
const PART_WITHIN: Duration = Duration::from_secs(90);

struct Pacing {
    _server: Server,
    rest: Rest,
    sink: Rest,
    people: People,
}

pub(super) async fn run(options: &Options) -> Result<Report> {
    let mut report = Report::begin("pace");
    report.did(format!(
        "one number at {RATE}/s: a broadcast to {} alone; another that is paused after {PAUSED_AFTER:?}; then {} to \
         {OF_A_LIST} each at once, until {DEALT} have left",
        PACED.len() as u64 * OF_A_LIST,
        SHARED.len(),
    ));
    let folder = Folder::new(&options.folder)?;
    let server = Server::start(options, folder.path(), &[]).await?;
    let sink = Bare::start("bare-sink", folder.path()).await?;
    let mut rest = Rest::open(server.addr, server.token("ADMIN_TOKEN")?).await?;
    let people = People::gather(&mut rest, &server, sink.addr, LISTS as u64, LISTS as u64 * OF_A_LIST).await?;
    people::asleep(&server, LISTS as u64 * OF_A_LIST).await?;
    let mut pacing = Pacing { _server: server, rest, sink: Rest::open(sink.addr, "").await?, people };
    pacing.alone(&mut report).await.context("a broadcast alone")?;
    pacing.paused(&mut report).await.context("a broadcast that is paused")?;
    pacing.shared(&mut report).await.context("broadcasts that share")?;
    Ok(report)
}

impl Pacing {
    /// How much of the number's rate one broadcast uses.
    async fn alone(&mut self, report: &mut Report) -> Result<()> {
        self.publish("Alone", &PACED).await?;
        self.until(PACED.len() as u64 * OF_A_LIST).await?;
        let pace: Pace = serde_json::from_value(self.sink.get(PACE).await?)?;
        let whole = pace.by_second.get(1..=SECONDS).context("it took too short a time")?;
        report.figure("busiest second at the provider", pace.busiest_second as f64, "sends");
        let slowest = whole.iter().min().copied().unwrap_or_default();
        report.figure("slowest whole second at the provider", slowest as f64, "sends");
        report.check("seconds above the cap", 0, u64::from(pace.busiest_second > u64::from(RATE)));
        report.mark(Mark {
            name: "pacing: share of the limiter's own rate that is used".to_owned(),
            value: 100.0 * whole.iter().sum::<u64>() as f64 / (LIMITER_RATE * SECONDS as f64),
            unit: "%",
            better: Better::Higher,
            accept: 98.5,
            aim: Some(99.5),
        });
        Ok(())
    }

    /// How long after it was asked a pause holds.
    async fn paused(&mut self, report: &mut Report) -> Result<()> {
        let path = self.publish("Paused", &[PAUSED]).await?;
        self.until(1).await?;
        sleep(PAUSED_AFTER).await;
        let asked = Instant::now();
        self.rest.post(&format!("{path}/pause"), &json!({})).await?;
        let answered = asked.elapsed();
        let at_answer = self.sends().await?;
        let (mut last, mut last_at) = (at_answer, answered);
        while asked.elapsed() < LOOKED_FOR {
            let sends = self.sends().await?;
            if sends != last {
                (last, last_at) = (sends, asked.elapsed());
            }
            sleep(LOOK_EVERY).await;
        }
        report.figure("pause: answered after", answered.as_secs_f64() * 1_000.0, "ms");
        report.figure("pause: sends after its answer", (last - at_answer) as f64, "");
        report.mark(Mark {
            name: "pause: the last send after it was asked".to_owned(),
            value: last_at.as_secs_f64(),
            unit: "s",
            better: Better::Lower,
            accept: 1.0,
            aim: None,
        });
        self.rest.post(&format!("{path}/cancel"), &json!({})).await.map(drop)
    }

    /// How broadcasts that run at once share the number.
    async fn shared(&mut self, report: &mut Report) -> Result<()> {
        self.sink.post(BEGIN, &serde_json::to_value(Begin::default())?).await?;
        let account = self.account()?;
        let number = format!("/v1/accounts/{account}");
        // All begin together: they are frozen while the number is paused.
        self.rest.post(&format!("{number}/pause"), &json!({})).await?;
        let mut paths = Vec::new();
        for list in SHARED {
            paths.push(self.drafted(&format!("Shared {list}"), &[list]).await?);
        }
        for path in &paths {
            self.rest.post(&format!("{path}/publish"), &json!({})).await?;
        }
        let end = Instant::now() + PART_WITHIN;
        for path in &paths {
            while self.rest.get(path).await?["status"] != "paused" {
                if Instant::now() >= end {
                    bail!("{path} was not frozen in time");
                }
                sleep(LOOK_EVERY).await;
            }
        }
        self.rest.post(&format!("{number}/resume"), &json!({})).await?;
        for path in &paths {
            self.rest.post(&format!("{path}/resume"), &json!({})).await?;
        }
        self.until(DEALT).await?;
        self.rest.post(&format!("{number}/pause"), &json!({})).await?;
        let mut sent = Vec::new();
        for path in &paths {
            loop {
                let shown = self.rest.get(path).await?;
                if shown["counts"]["attempting"] == 0 {
                    sent.push(shown["counts"]["accepted"].as_u64().context("`accepted`")?);
                    break;
                }
                if Instant::now() >= end {
                    bail!("{path} still sends: {shown}");
                }
                sleep(LOOK_EVERY).await;
            }
        }
        let due = sent.iter().sum::<u64>() as f64 / sent.len() as f64;
        let furthest = sent.iter().map(|sent| (*sent as f64 - due).abs()).fold(0.0, f64::max);
        report.figure("shared: due of each broadcast", due, "sends");
        report.mark(Mark {
            name: format!("{} broadcasts on one number: the furthest from its due", sent.len()),
            value: 100.0 * furthest / due,
            unit: "%",
            better: Better::Lower,
            accept: 5.0,
            aim: None,
        });
        Ok(())
    }

    fn account(&self) -> Result<String> {
        Ok(self.people.numbers.first().context("a number")?.account.clone())
    }

    /// A draft to these lists, by the one number.
    async fn drafted(&mut self, name: &str, lists: &[usize]) -> Result<String> {
        let account = self.account()?;
        let list = |list: &usize| self.people.numbers.get(*list).map(|number| number.list.as_str());
        let lists: Option<Vec<&str>> = lists.iter().map(list).collect();
        people::draft(&mut self.rest, name, &account, &lists.context("a list")?).await
    }

    async fn publish(&mut self, name: &str, lists: &[usize]) -> Result<String> {
        self.sink.post(BEGIN, &serde_json::to_value(Begin::default())?).await?;
        let path = self.drafted(name, lists).await?;
        self.rest.post(&format!("{path}/publish"), &json!({})).await?;
        Ok(path)
    }

    async fn sends(&mut self) -> Result<u64> {
        Ok(serde_json::from_value::<Counted>(self.sink.get(COUNTED).await?)?.sends)
    }

    /// Waits until so many have come.
    async fn until(&mut self, sends: u64) -> Result<()> {
        let end = Instant::now() + PART_WITHIN;
        loop {
            let come = self.sends().await?;
            if come >= sends {
                return Ok(());
            }
            if Instant::now() >= end {
                bail!("{come} of {sends} sends came");
            }
            sleep(LOOK_EVERY).await;
        }
    }
}
