//! Broadcasts of many numbers at once: their sends held against a raw client that sends one body to the same sink, and
//! against the same with three receipts of each send coming back.

mod sides;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::sides::{Side, tell};
use super::people::{self, People};
use crate::bare::sink::{BEGIN, Begin, COUNTED, Counted, DIFFERENT, Target};
use crate::brand::provider_id;
use crate::machine::cpu_seconds;
use crate::options::Options;
use crate::process::Folder;
use crate::raw::Raw;
use crate::report::Report;
use crate::rest::Rest;
use crate::server::{Bare, Server};

/// Numbers that send, where there are recipients for them.
const NUMBERS: u64 = 100;
/// What comes back of a send.
const RECEIPTS_EACH: u64 = 3;
/// How often it is looked whether all is done, and after how long without anything new nothing more is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const STALLED_AFTER: Duration = Duration::from_secs(15);
/// Connections that publish and resume.
const PUBLISHERS: usize = 32;
/// A send as it leaves for WhatsApp: a template of two variables.
const FIXED_BODY: &str = r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+15560000007","type":"template","template":{"name":"order_on_its_way","language":{"code":"en_US"},"components":[{"type":"body","parameters":[{"type":"text","text":"Grace"},{"type":"text","text":"1042"}]}]},"biz_opaque_callback_data":"b1.01JDXT5N3V9Q4ZK8M2R7W6YBCF.0.500.1"}"#;

pub(super) async fn run(options: &Options) -> Result<Report> {
    let recipients = options.requests.map_or(100_000, |requests| requests as u64);
    let connections = options.connections.unwrap_or(64);
    let rounds = options.rounds.unwrap_or(2);
    let at_most = Duration::from_secs(options.seconds.unwrap_or(60));
    let numbers = NUMBERS.min(recipients);
    let mut report = Report::begin("sweep");
    report.did(format!(
        "{rounds} rounds in turn: {recipients} sends of a raw client on {connections} connections, then a broadcast to \
         {recipients} in all of each of {numbers} numbers (at most {at_most:?}), then the same with {RECEIPTS_EACH} \
         receipts of each send coming back"
    ));
    let folder = Folder::new(&options.folder)?;
    let server = Server::start(options, folder.path(), &[]).await?;
    let sink = Bare::start("bare-sink", folder.path()).await?;
    let begun = Instant::now();
    let mut rest = Rest::open(server.addr, server.token("ADMIN_TOKEN")?).await?;
    let people = People::gather(&mut rest, &server, sink.addr, numbers, recipients).await?;
    report.figure("contacts made, off the clock", recipients as f64 / begun.elapsed().as_secs_f64(), "/s");
    people::asleep(&server, recipients).await?;

    let mut sweep =
        Sweep { server, sink: Rest::open(sink.addr, "").await?, rest, people, at_most, keep: false, done: 0 };
    let raw = Raw {
        addr: sink.addr,
        path: format!("/v25.0/{}/messages", provider_id(0)),
        body: Bytes::from_static(FIXED_BODY.as_bytes()),
        connections,
        sends: recipients,
    };
    sweep.begin(&Begin::default()).await?;
    Raw { sends: recipients.min(2_000), ..raw.clone() }.run().await.context("the raw client, warming up")?;
    let (mut bare, mut alone, mut closed) = (Side::default(), Side::default(), Side::default());
    for _ in 0..rounds {
        bare.add(&sweep.raw(&raw, sink.pid()).await.context("the raw client")?);
        alone.add(&sweep.go_out(false, sink.pid()).await.context("sends alone")?);
        closed.add(&sweep.go_out(true, sink.pid()).await.context("sends and receipts")?);
    }
    report.figure("server: RSS at the end", sweep.server.rss_bytes()? as f64 / 1_048_576.0, "MiB");
    tell(&mut report, [&bare, &alone, &closed], recipients * rounds as u64, numbers * rounds as u64);
    Ok(report)
}

/// One side's stretch.
#[derive(Clone, Debug, Default)]
pub(super) struct Out {
    sends: u64,
    different: u64,
    body_bytes: u64,
    /// From the first send to the last.
    send_seconds: f64,
    /// From the first send until everything was counted.
    all_seconds: f64,
    freeze_seconds: f64,
    /// CPU seconds of who sent, and of the sink.
    cpu: f64,
    sink_cpu: f64,
    receipts: u64,
    posts: u64,
    refused: u64,
    last_refusal: u64,
    pub(super) broadcasts: Vec<Shown>,
    /// Their paths, and how many each is for.
    pub(super) drafts: Vec<(String, u64)>,
}

/// What a broadcast told at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) audience: u64,
    /// Recipients in all its counts together.
    counted: u64,
    pub(super) accepted: u64,
    pub(super) read: u64,
    status: String,
    pub(super) agrees: bool,
}

impl Shown {
    fn of(audience: u64, shown: &Value) -> Self {
        let count = |name: &str| shown["counts"][name].as_u64().unwrap_or_default();
        // Who replied is counted beside what became of the message.
        let states = shown["counts"].as_object().into_iter().flatten().filter(|(name, _)| *name != "replied");
        Self {
            audience,
            counted: states.filter_map(|(_, count)| count.as_u64()).sum(),
            accepted: count("accepted"),
            read: count("read"),
            status: shown["status"].as_str().unwrap_or_default().to_owned(),
            agrees: false,
        }
    }

    /// Whether everybody is where they should be at the end.
    pub(super) fn is_done(&self, receipts: bool) -> bool {
        let there = if receipts { self.read } else { self.accepted };
        self.status == "sent" && there == self.audience
    }
}

/// Whether there is still something to wait for.
struct Patience {
    end: Instant,
    last: u64,
    stalls_at: Instant,
}

impl Patience {
    fn new(at_most: Duration) -> Self {
        let now = Instant::now();
        Self { end: now + at_most, last: 0, stalls_at: now + STALLED_AFTER }
    }

    /// `come` is anything that grows while there is progress.
    fn lasts(&mut self, come: u64) -> bool {
        let now = Instant::now();
        if come != self.last {
            (self.last, self.stalls_at) = (come, now + STALLED_AFTER);
        }
        now < self.end.min(self.stalls_at)
    }
}

/// Numbers that write to everybody they have, as often as they are told.
pub(super) struct Sweep {
    pub(super) server: Server,
    pub(super) sink: Rest,
    pub(super) rest: Rest,
    pub(super) people: People,
    pub(super) at_most: Duration,
    /// Whether the sink keeps what it was sent.
    pub(super) keep: bool,
    /// How many times everybody was written to.
    pub(super) done: usize,
}

impl Sweep {
    async fn begin(&mut self, begin: &Begin) -> Result<()> {
        self.sink.post(BEGIN, &serde_json::to_value(begin)?).await.map(drop)
    }

    async fn counted(&mut self) -> Result<Counted> {
        Ok(serde_json::from_value(self.sink.get(COUNTED).await?)?)
    }

    async fn different(&mut self) -> Result<u64> {
        self.sink.get(DIFFERENT).await?.as_u64().context("a count of tokens")
    }

    /// The ceiling: this process sends.
    async fn raw(&mut self, raw: &Raw, sink: u32) -> Result<Out> {
        self.begin(&Begin::default()).await?;
        let own = std::process::id();
        let (cpu, sink_cpu) = (cpu_seconds(own)?, cpu_seconds(sink)?);
        raw.run().await?;
        let counted = self.counted().await?;
        Ok(Out {
            sends: counted.sends,
            body_bytes: counted.body_bytes,
            send_seconds: counted.span_us as f64 / 1e6,
            cpu: cpu_seconds(own)? - cpu,
            sink_cpu: cpu_seconds(sink)? - sink_cpu,
            ..Out::default()
        })
    }

    /// A broadcast of every number.
    pub(super) async fn go_out(&mut self, receipts: bool, sink: u32) -> Result<Out> {
        self.done += 1;
        let drafts = self.drafts().await?;
        let path = self.server.token("APP").map(|app| format!("/webhooks/whatsapp/{app}"))?;
        let addr = self.server.addr;
        self.begin(&Begin { receipts: receipts.then_some(Target { addr, path }), keep: self.keep }).await?;
        let begun = Instant::now();
        let paths: Vec<String> = drafts.iter().map(|(draft, _)| draft.clone()).collect();
        self.freeze(&drafts, &paths).await?;
        let freeze_seconds = begun.elapsed().as_secs_f64();
        let (cpu, sink_cpu) = (cpu_seconds(self.server.pid())?, cpu_seconds(sink)?);
        self.act(&paths, "resume").await?;

        let wanted = self.people.all();
        let mut patience = Patience::new(self.at_most);
        let mut counted = self.counted().await?;
        let expected = if receipts { RECEIPTS_EACH * wanted } else { 0 };
        while (counted.sends < wanted || counted.receipts < expected)
            && patience.lasts(counted.sends + counted.receipts)
        {
            sleep(LOOK_EVERY).await;
            counted = self.counted().await?;
        }
        let mut broadcasts = self.settled(&drafts, receipts).await?;
        let counted = self.counted().await?;
        let cpu = cpu_seconds(self.server.pid())? - cpu;
        self.verify(&drafts, &mut broadcasts).await?;
        Ok(Out {
            sends: counted.sends,
            different: self.different().await?,
            body_bytes: counted.body_bytes,
            send_seconds: counted.span_us as f64 / 1e6,
            all_seconds: counted.since_first_us as f64 / 1e6,
            freeze_seconds,
            cpu,
            sink_cpu: cpu_seconds(sink)? - sink_cpu,
            receipts: counted.receipts,
            posts: counted.posts,
            refused: counted.refused,
            last_refusal: counted.last_refusal,
            broadcasts,
            drafts,
        })
    }

    /// Lets the server count each of them again.
    pub(super) async fn verify(&mut self, drafts: &[(String, u64)], broadcasts: &mut [Shown]) -> Result<()> {
        for ((draft, _), shown) in drafts.iter().zip(broadcasts) {
            shown.agrees = self.rest.get(&format!("{draft}/verify")).await?["agrees"] == true;
        }
        Ok(())
    }

    /// A draft of each number: its path, and how many it is for.
    async fn drafts(&mut self) -> Result<Vec<(String, u64)>> {
        let mut drafts = Vec::with_capacity(self.people.numbers.len());
        for (index, number) in self.people.numbers.iter().enumerate() {
            let name = format!("Sweep {} of number {index}", self.done);
            let draft = people::draft(&mut self.rest, &name, &number.account, &[&number.list]).await?;
            drafts.push((draft, number.audience));
        }
        Ok(drafts)
    }

    /// Publishes them while no number sends: every audience is frozen before the first send, so that what freezing costs
    /// is a figure of its own and all numbers begin together.
    async fn freeze(&mut self, drafts: &[(String, u64)], paths: &[String]) -> Result<()> {
        let numbers: Vec<String> =
            self.people.numbers.iter().map(|number| format!("/v1/accounts/{}", number.account)).collect();
        self.act(&numbers, "pause").await?;
        self.act(paths, "publish").await?;
        let mut patience = Patience::new(self.at_most);
        loop {
            let mut ready = 0;
            for (draft, audience) in drafts {
                let shown = Shown::of(*audience, &self.rest.get(draft).await?);
                // A broadcast whose number is paused is halted with its first turn, which comes after the freezing.
                ready += u64::from(shown.counted == *audience && shown.status == "paused");
            }
            if ready == drafts.len() as u64 {
                break;
            }
            if !patience.lasts(ready) {
                bail!("{ready} of {} audiences were frozen", drafts.len());
            }
            sleep(LOOK_EVERY).await;
        }
        self.act(&numbers, "resume").await
    }

    /// Asks the same of all of them, on a few connections.
    async fn act(&self, paths: &[String], action: &'static str) -> Result<()> {
        let mut asking = JoinSet::new();
        for part in paths.chunks(paths.len().div_ceil(PUBLISHERS).max(1)) {
            let mut rest = Rest::open(self.server.addr, self.server.token("ADMIN_TOKEN")?).await?;
            let paths = part.to_vec();
            asking.spawn(async move {
                for path in paths {
                    rest.post(&format!("{path}/{action}"), &json!({})).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = asking.join_next().await {
            done??;
        }
        Ok(())
    }

    /// What the broadcasts tell once all of them have counted everybody, or nothing moves any more.
    pub(super) async fn settled(&mut self, drafts: &[(String, u64)], receipts: bool) -> Result<Vec<Shown>> {
        let mut broadcasts = vec![Shown::default(); drafts.len()];
        let mut patience = Patience::new(self.at_most);
        loop {
            for ((draft, audience), shown) in drafts.iter().zip(&mut broadcasts) {
                if shown.audience == 0 || !shown.is_done(receipts) {
                    *shown = Shown::of(*audience, &self.rest.get(draft).await?);
                }
            }
            let there = broadcasts.iter().map(|shown| shown.accepted + 2 * shown.read).sum();
            if broadcasts.iter().all(|shown| shown.is_done(receipts)) || !patience.lasts(there) {
                return Ok(broadcasts);
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brand::TEMPLATE;

    fn shown(counts: &Value, status: &str) -> Shown {
        Shown::of(10, &json!({"status": status, "counts": counts}))
    }

    #[test]
    fn a_broadcast_is_done_when_everybody_is_there() {
        let half = shown(&json!({"accepted": 5, "pending": 5, "read": 0, "replied": 0}), "sending");
        assert_eq!((half.counted, half.is_done(false)), (10, false));
        let whole = shown(&json!({"accepted": 10, "read": 0, "replied": 0}), "sent");
        assert!(whole.is_done(false) && !whole.is_done(true));
        let read = shown(&json!({"accepted": 0, "read": 10, "replied": 3}), "sent");
        assert_eq!((read.counted, read.is_done(true), read.is_done(false)), (10, true, false));
    }

    #[test]
    fn the_fixed_body_is_json_with_a_token() {
        let body: Value = serde_json::from_str(FIXED_BODY).unwrap();
        assert_eq!(body["template"]["name"], TEMPLATE);
        assert!(body["biz_opaque_callback_data"].as_str().is_some_and(|token| token.starts_with("b1.")));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_when_nothing_comes() {
        let mut patience = Patience::new(STALLED_AFTER * 3);
        for come in 1..=2 {
            tokio::time::advance(STALLED_AFTER - LOOK_EVERY).await;
            assert!(patience.lasts(come));
        }
        tokio::time::advance(STALLED_AFTER).await;
        assert!(!patience.lasts(2) && patience.lasts(3));
        tokio::time::advance(STALLED_AFTER).await;
        assert!(!patience.lasts(4));
    }
}
