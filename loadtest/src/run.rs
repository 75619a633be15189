//! Runs a scenario: a server and a provider in processes of their own, everybody's roles on one thread of this one, then
//! the oracle, and a document of all that was found.

mod agents;
mod brands;
mod clients;
mod collect;
mod customers;
mod ending;
mod entry;
mod findings;
mod hear;
mod live;
mod oracle;
mod plan;
mod stage;
mod tape;
mod trouble;
mod watch;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{sleep, sleep_until};

use self::agents::{Agent, secs};
use self::customers::Door;
use self::oracle::Evidence;
use self::plan::Plan;
use self::stage::Stage;
use self::tape::{Item, Tape};
use self::watch::Watched;
use crate::chance::Chance;
use crate::deliveries::{APP_SECRET, epoch_millis, epoch_seconds};
use crate::document::{Document, Environment, Threshold};
use crate::drive::Drive;
use crate::options::Options;
use crate::process::Folder;
use crate::rest::Rest;
use crate::scenario::Scenario;
use crate::server::Server;
use crate::webhook::Secret;

/// How long ago those wrote whose window is shut, and those whose conversations were there before.
const STALE_AGO_S: u64 = 25 * 3_600;
const BEFORE_AGO_S: u64 = 48 * 3_600;
/// How often it is looked whether the server is still there.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// First messages of one delivery while conversations are made.
const BEFORE_AT_ONCE: u32 = 50;

/// Runs a scenario.
///
/// # Errors
/// Its thresholds name what it does not measure, or something stood in the way: what, and where.
pub async fn run(scenario: &Scenario, options: &Options) -> Result<Document> {
    let thresholds = findings::thresholds(scenario)?;
    LocalSet::new().run_until(on_this_thread(scenario, options, &thresholds)).await
}

async fn on_this_thread(scenario: &Scenario, options: &Options, thresholds: &[Threshold]) -> Result<Document> {
    live::tell("setting up");
    let mut environment = Environment::begin();
    let folder = Folder::new(&options.folder)?;
    let Stage { server, mut provider, numbers, agents, drafts } = Stage::set(scenario, options, folder.path()).await?;
    let chance = Chance::new(scenario.seed);
    let lasts = secs(scenario.seconds);
    let plans = plans(scenario, lasts, chance)?;
    let door = Rc::new(Door {
        addr: server.addr,
        path: format!("/webhooks/whatsapp/{}", server.token("APP")?),
        secret: Secret::new(APP_SECRET),
        numbers: numbers.clone(),
        run: epoch_seconds(),
    });
    meet(scenario, &door).await.context("making the conversations that are there before")?;
    let tape = Rc::new(tape_of(scenario, &plans));
    tape.sent.replace(drafts.iter().flatten().cloned().collect());

    let entered = Rc::new(Semaphore::new(0));
    let mut working = admit(scenario, &tape, &agents, &door, chance, &entered);
    agents::all_in(&entered, working.len()).await?;
    let mut rest = Rest::open(server.addr, server.token("ADMIN_TOKEN")?).await?;
    provider.rest.post("/control/start", &serde_json::json!({})).await?;
    tape.start();

    let (addr, admin) = (server.addr, server.token("ADMIN_TOKEN")?.to_owned());
    let data = server.data().to_owned();
    let disk_before = watch::bytes_of(&data);
    let measured = secs(scenario.warm_up_s)..lasts;
    let watched = Rc::new(RefCell::new(Watched::new(&measured)));
    let watching = watch::watch(Rc::clone(&tape), Rc::clone(&watched), server.running(), provider.process.pid());
    let server = Rc::new(Mutex::new(server));
    working.push(tokio::task::spawn_local(watching));
    working.push(tokio::task::spawn_local(live::show(Rc::clone(&tape), scenario.name.clone(), lasts)));
    let mut writing = Vec::new();
    for (part, plan) in scenario.customers.iter().zip(plans) {
        writing.push(customers::start(&tape, &door, plan.posts, part.connections));
    }
    for (part, clients) in scenario.clients.iter().enumerate() {
        let chance = chance.of("clients").of(&part.to_string());
        working.push(clients::start(&tape, addr, &admin, clients, lasts, chance));
    }
    let mut first = 0;
    for (broadcast, drafts) in scenario.broadcasts.iter().zip(&drafts) {
        let places = first..first + drafts.len();
        first = places.end;
        writing.push(brands::start(&tape, broadcast.clone(), places, Rest::open(addr, &admin).await?));
    }
    let troubled = trouble::start(&tape, &server, trouble::times(&scenario.trouble, chance));

    let to_the_end = async {
        sleep_until(tape.begun() + lasts).await;
        tape.over.set(true);
        tape.mark("traffic ends");
        troubled.await.context("what befalls the server")??;
        let end = tape.begun() + lasts + secs(scenario.drain_s);
        ending::drain(&tape, &mut rest, &mut provider.rest, &writing, end).await
    };
    let rest_or_death = tokio::select! {
        moves = to_the_end => Ok(moves?),
        words = death(&tape, &server) => Err(words),
    };
    writing.iter().chain(&working).for_each(JoinHandle::abort);
    live::tell("reading what there is");
    let mut evidence = Evidence::of(&tape, scenario, numbers);
    evidence.troubled = !scenario.trouble.is_empty();
    let mut died = None;
    match rest_or_death {
        Ok(moves) => {
            evidence.rest = moves;
            ending::collect(&mut evidence, addr, &admin, &mut rest, &mut provider.rest).await?;
        }
        // Nobody is left to be asked.
        Err(words) => died = Some(words),
    }
    environment.end();
    environment.server_build = build_of(options);
    environment.settings = scenario.server.settings.iter().chain(&options.settings).cloned().collect();
    let disk_bytes = watch::bytes_of(&data).saturating_sub(disk_before);
    let watched = watched.replace(Watched::new(&measured));
    let seen = findings::Seen { tape: &tape, evidence: &evidence, died, watched, disk_bytes };
    findings::document(scenario, environment, thresholds, seen)
}

/// Waits until the server has ended though nobody asked it to; tells its last words.
async fn death(tape: &Tape, server: &Mutex<Server>) -> String {
    loop {
        sleep(LOOK_EVERY).await;
        // While it is ended and started again somebody else holds it.
        if let Ok(mut server) = server.try_lock()
            && let Some(words) = server.died()
        {
            tape.mark("server died");
            return words;
        }
    }
}

/// What the server's program says of itself.
fn build_of(options: &Options) -> String {
    let told = std::process::Command::new(&options.server).arg("--version").output();
    told.map(|told| String::from_utf8_lossy(&told.stdout).trim().to_owned()).unwrap_or_default()
}

/// What each part of the customers does.
fn plans(scenario: &Scenario, lasts: Duration, chance: Chance) -> Result<Vec<Plan>> {
    let (mut plans, mut first) = (Vec::new(), 0_u32);
    for part in scenario.customers.iter().enumerate() {
        let plan = plan::plan(part, scenario.workspace.numbers, lasts, first, chance);
        first = match first.checked_add(plan.written.len() as u32) {
            Some(next) => next,
            None => bail!("more than {} messages in one run", u32::MAX),
        };
        plans.push(plan);
    }
    Ok(plans)
}

fn tape_of(scenario: &Scenario, plans: &[Plan]) -> Tape {
    let now_ms = epoch_millis();
    let now_s = now_ms / 1_000;
    let mut last_of = std::collections::HashMap::new();
    let mut items: Vec<Item> = Vec::new();
    for (part, plan) in scenario.customers.iter().zip(plans) {
        // Where deliveries are late and shuffled, what was written before may well be delivered after.
        let in_order = part.copies == 1 && part.delay_ms == 0 && part.rebatch_ms == 0;
        for written in &plan.written {
            let before = last_of.insert((written.part, written.customer), items.len() as u32);
            let ago = if written.stale { STALE_AGO_S } else { 0 };
            items.push(Item {
                written: *written,
                written_s: now_s + written.at.as_secs() - ago,
                before: before.filter(|_| in_order),
                due: None,
                begun: None,
                taken: None,
            });
        }
    }
    let posts = plans.iter().map(|plan| plan.posts.len() as u64).sum();
    Tape::begin(now_ms, secs(scenario.warm_up_s), items, posts)
}

fn admit(
    scenario: &Scenario,
    tape: &Rc<Tape>,
    tokens: &[Vec<(String, Option<u32>)>],
    door: &Door,
    chance: Chance,
    entered: &Rc<Semaphore>,
) -> Vec<JoinHandle<()>> {
    let mut working = Vec::new();
    for (part, (kind, tokens)) in scenario.agents.iter().zip(tokens).enumerate() {
        let kind = Rc::new(kind.clone());
        let chance = chance.of("agents").of(&part.to_string());
        for (place, (token, number)) in tokens.iter().enumerate() {
            // Those who see the same share its answers.
            let same = |(_, other): &&(String, Option<u32>)| other == number;
            let of_kind = tokens.iter().filter(same).count() as u64;
            let rank = tokens[..place].iter().filter(same).count() as u64;
            let index = working.len();
            let agent = Agent::new(tape, door.addr, index, (rank, of_kind), &kind, token.clone(), chance, *number);
            working.push(agent.start(Rc::clone(entered)));
        }
    }
    working
}

/// Makes the conversations that are there before the run.
async fn meet(scenario: &Scenario, door: &Door) -> Result<()> {
    let all = scenario.workspace.conversations;
    if all == 0 {
        return Ok(());
    }
    let prepared = Arc::new(door.first_contacts(all, BEFORE_AT_ONCE, epoch_seconds() - BEFORE_AGO_S));
    let at_most = Duration::from_secs(600);
    let driven = Drive { addr: door.addr, connections: 32, at_most, again: false }.run(&prepared).await?;
    if driven.answered < prepared.len() as u64 {
        bail!("{} of {} deliveries were taken", driven.answered, prepared.len());
    }
    Ok(())
}
