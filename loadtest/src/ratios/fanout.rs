//! Events to many agents' sockets, held against a relay that writes one frame an event.
//!
//! An event is in flight from its webhook until the last socket has had it, on both sides.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::value::RawValue;

use super::meet;
use super::posting::{Posting, Posts, Stretch};
use crate::crowd::{Crowd, Plan};
use crate::deliveries::Deliveries;
use crate::machine::{self, cpu_seconds};
use crate::options::Options;
use crate::process::Folder;
use crate::report::{Better, Mark, Report};
use crate::server::{Bare, Server};
use crate::socket::{AGENT_PATH, Socket};
use crate::statistics::{median, percentile, ratio};
use crate::wire;

/// Posts in flight, and the budget's bounds for them, in percent of the relay.
const IN_FLIGHT: [(usize, f64, f64); 2] = [(8, 100.0, 130.0), (64, 160.0, 250.0)];
/// The pace at which CPU is compared: events a second.
const PACE: u64 = 100;

pub(super) async fn run(options: &Options) -> Result<Report> {
    let sockets = options.sockets.unwrap_or(1_000);
    let customers = options.customers.unwrap_or(1_000);
    let rounds = options.rounds.unwrap_or(3);
    let span = Duration::from_secs(options.seconds.unwrap_or(2));
    let mut report = Report::begin("fanout");
    let folder = Folder::new(&options.folder)?;
    let server = Server::start(options, folder.path(), &[]).await?;
    let mut relay = Bare::start("bare-relay", folder.path()).await?;
    let relay_sockets = relay.second_address("sockets ").await?;

    let deliveries = server.deliveries()?;
    meet(&server, &deliveries, 0, customers).await?;
    let event = sample_event(&server, &deliveries).await?;
    report.did(format!(
        "{sockets} sockets of {} members, {customers} customers, events of {} bytes; {rounds} rounds of {span:?} each, in turn",
        server.member_tokens().len(),
        event.len()
    ));

    let plan = Plan { addr: server.addr, path: AGENT_PATH, tokens: server.member_tokens(), sockets, events_a_post: 1 };
    let bare_plan = Plan { addr: relay_sockets, path: "/", tokens: Vec::new(), ..plan.clone() };
    let posts = Posts::Webhooks { deliveries, customers, items: 1 };
    let ours = Posting::new(server.addr, posts, Crowd::open(plan).await?);
    let same = Posts::Same(wire::post("/events", "", event.as_bytes()));
    let bare = Posting::new(relay.addr, same, Crowd::open(bare_plan).await?);
    while relay.number("/sockets").await? < sockets as u64 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Both have once written to every socket before anything is timed.
    for side in [&bare, &ours] {
        side.burst(8, Duration::from_millis(300), 100).await?;
    }

    for (in_flight, accept, aim) in IN_FLIGHT {
        let (mut ours_all, mut bare_all) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            bare_all.push(bare.burst(in_flight, span, u64::MAX).await.context("the relay")?);
            ours_all.push(ours.burst(in_flight, span, u64::MAX).await.context("tidegate")?);
        }
        let (ours_rate, bare_rate) = (rate(&ours_all), rate(&bare_all));
        let coalesced: Vec<f64> = ours_all.iter().map(Stretch::events_a_frame).collect();
        report.figure(format!("{in_flight} in flight: bare relay"), bare_rate, "deliveries/s");
        report.figure(format!("{in_flight} in flight: tidegate"), ours_rate, "deliveries/s");
        report.figure(format!("{in_flight} in flight: events a frame"), median(&coalesced), "");
        report.mark(Mark {
            name: format!("fan-out, {in_flight} in flight, of the bare relay"),
            value: ratio(ours_rate, bare_rate) * 100.0,
            unit: "%",
            better: Better::Higher,
            accept,
            aim: Some(aim),
        });
    }

    let bare_cpu = paced(&bare, relay.pid(), "bare relay", span * 2, &mut report).await?;
    let ours_cpu = paced(&ours, server.pid(), "tidegate", span * 2, &mut report).await?;
    report.mark(Mark {
        name: format!("CPU per delivery at {PACE} events/s, over the bare relay's"),
        value: ratio(ours_cpu, bare_cpu),
        unit: "times",
        better: Better::Lower,
        accept: 2.5,
        aim: Some(1.5),
    });

    for (side, name) in [(&bare, "bare relay"), (&ours, "tidegate")] {
        let counted = side.crowd.counted();
        report.check(format!("{name}: deliveries"), side.events_posted() * sockets as u64, counted.deliveries);
        report.check(format!("{name}: sockets closed"), 0, counted.closed);
        // Frames of both sides should carry events of about the same size, or the comparison is lame.
        report.figure(
            format!("{name}: bytes an event"),
            ratio(counted.bytes as f64, counted.deliveries as f64),
            "bytes",
        );
    }
    // One delivery of the sample beside what was posted and the first contacts.
    let messages = customers + 1 + ours.events_posted();
    report.check("messages in the inbox", messages, server.inbox_with(messages).await?.unread);
    Ok(report)
}

fn rate(stretches: &[Stretch]) -> f64 {
    median(&stretches.iter().map(Stretch::deliveries_per_second).collect::<Vec<_>>())
}

/// CPU microseconds per delivery at a fixed pace.
async fn paced(side: &Arc<Posting>, pid: u32, name: &str, span: Duration, report: &mut Report) -> Result<f64> {
    // What bursts took to arrive is not asked for.
    drop(side.crowd.take_latencies_us());
    let (cpu, ticks) = (cpu_seconds(pid)?, machine::Ticks::now());
    let stretch = side.paced(PACE, span).await.with_context(|| format!("{name} at {PACE} events/s"))?;
    let used = (cpu_seconds(pid)? - cpu) * 1e6;
    let stolen = machine::Ticks::now().stolen_percent_since(ticks);
    let mut took = side.crowd.take_latencies_us();
    let per_delivery = ratio(used, stretch.deliveries as f64);
    let pace = ratio(stretch.events as f64, stretch.seconds);
    report.figure(format!("{name} at {PACE} events/s: CPU a delivery"), per_delivery, "us");
    report.figure(format!("{name} at {PACE} events/s: pace kept"), pace, "events/s");
    report.figure(format!("{name}: post to socket p50"), f64::from(percentile(&mut took, 0.5)) / 1e3, "ms");
    report.figure(format!("{name}: post to socket p99"), f64::from(percentile(&mut took, 0.99)) / 1e3, "ms");
    report.figure(format!("{name}: stolen meanwhile"), stolen, "%");
    Ok(per_delivery)
}

/// An event as Tidegate writes it: the relay is given the same bytes. A frame may also carry what the first contacts
/// made, which is on its way for a while.
async fn sample_event(server: &Server, deliveries: &Deliveries) -> Result<String> {
    let mut socket = Socket::open(server.addr, AGENT_PATH, None).await?;
    socket.identify(server.token("ADMIN_TOKEN")?).await?;
    let mut connection = wire::Connection::open(server.addr).await?;
    let status = connection.call(&deliveries.request(std::iter::once(0))).await?;
    anyhow::ensure!(status == 200, "the sample webhook was answered {status}");
    let patience = Duration::from_secs(10);
    tokio::time::timeout(patience, async {
        loop {
            if let Some(event) = socket.texts().await?.iter().find_map(|frame| message_in(frame)) {
                return Ok(event);
            }
        }
    })
    .await
    .context("no event came for the sample webhook")?
}

/// The last event of a frame that tells a customer's message, in the bytes it was written in.
fn message_in(frame: &str) -> Option<String> {
    let whole = if frame.starts_with('[') { frame.to_owned() } else { format!("[{frame}]") };
    let events: Vec<&RawValue> = serde_json::from_str(&whole).ok()?;
    let told = events.into_iter().map(RawValue::get).rfind(|event| event.contains("\"type\":\"message.received\""));
    told.filter(|event| event.starts_with("{\"seq\":")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_is_cut_out_of_a_frame_byte_for_byte() {
        let message = r#"{"seq":2,"id":"b","type":"message.received","data":{"text":"x"}}"#;
        let other = r#"{"seq":1,"id":"a","type":"conversation.opened","data":{}}"#;
        for (frame, expected) in [
            (message.to_owned(), Some(message)),
            (format!("[{other},{message}]"), Some(message)),
            (format!("[{message},{other}]"), Some(message)),
            (other.to_owned(), None),
            ("{".to_owned(), None),
        ] {
            assert_eq!(message_in(&frame).as_deref(), expected, "{frame}");
        }
    }
}
