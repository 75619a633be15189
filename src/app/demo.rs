//! `tidegate demo`: a day on the sandbox in about a minute. Customers write, two agents answer, a broadcast goes out to
//! ten thousand; at the end two ledgers are held against each other. Killed and started again, it goes on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::broadcasts::{Audience, Draft};
use crate::clock::{Surroundings, WallClock};
use crate::config::Config;
use crate::conversations::api::SendRequest;
use crate::conversations::inbox::Shelf;
use crate::conversations::{ListQuery, ListView};
use crate::domain::author::Author;
use crate::domain::broadcast::job::{Broadcast, Doubtful, Status};
use crate::domain::broadcast::{RecipientState, Tally};
use crate::domain::ids::{BroadcastId, MessageId};
use crate::domain::inbound::TemplateStatus;
use crate::domain::message::{MessageContent, TemplateFill, TemplateParameter, TemplateSlot};
use crate::domain::recall::Asked;
use crate::domain::template_form::TemplateCategory;
use crate::domain::workspace::{NewTemplate, WorkspaceChange, template_id};
use crate::shards::CommandError;
use crate::workspaces::Caller;

use super::database::open_store;
use super::run::{DONE, WRONG, open_sandbox, say};
use super::seed::{BUSINESS_ID, change};
use super::verify::{Beside, beside};
use super::{Parts, Running, Seeded, StartError, Tokens, start};

/// What the scenes need.
pub(super) const SETTINGS: [(&str, &str); 10] = [
    ("log.level", "warn"),
    ("store.path", "data/demo"),
    ("server.listen", "127.0.0.1:0"),
    ("numbers.rate_per_second", "1000"),
    ("limits.default_tier", "100000"),
    ("sandbox.listen", "127.0.0.1:0"),
    ("sandbox.customers_per_minute", "600"),
    ("sandbox.latency", "20ms"),
    ("sandbox.stop_percent", "5"),
    ("seed.contacts", "10000"),
];

/// How long customers write and agents answer before the broadcast, and after it.
const CHAT: Duration = Duration::from_secs(8);
/// How long a scene may take.
const SCENE_WITHIN: Duration = Duration::from_secs(180);
/// How often a scene is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How far business time has been moved, in milliseconds: a start goes on from there.
const AHEAD: &str = "DEMO_CLOCK_AHEAD_MS";

/// Plays the day.
pub(super) async fn play(
    config: Config,
    surroundings: Surroundings,
    clock: Arc<WallClock>,
    as_json: bool,
) -> Result<u8, StartError> {
    let files = |error| StartError::Files("the data folder cannot be used", error);
    let mut tokens = Tokens::read(&config.store.path).map_err(files)?;
    let ahead = tokens.get(AHEAD).and_then(|text| text.parse().ok()).unwrap_or(0);
    clock.advance(Duration::from_millis(ahead));
    let operator_token = tokens.operator(&*surroundings.ids).map_err(files)?;
    let store = open_store(&config, &surroundings).await?;
    let parts = Parts {
        config: config.clone(),
        surroundings: surroundings.clone(),
        store,
        operator_token,
        manual_clock: None,
        metrics: None,
        tell: false,
    };
    let running = start(parts).await?;
    say_unless(as_json, "a workspace with 10,000 contacts is made\n");
    let sandbox = open_sandbox(&config, surroundings, &running, &mut tokens).await?;
    let mut day = Day { running: &running, config: &config, clock, tokens, ahead, as_json, answered: HashSet::new() };
    let told = day.scenes().await;
    // The provider goes first: what it owes stays in its ledger, and nobody waits for it.
    sandbox.stop().await;
    running.stop(config.server.shutdown_deadline).await;
    told
}

struct Day<'a> {
    running: &'a Running,
    config: &'a Config,
    clock: Arc<WallClock>,
    tokens: Tokens,
    ahead: u64,
    as_json: bool,
    /// The messages that agents answered.
    answered: HashSet<MessageId>,
}

impl Day<'_> {
    async fn scenes(&mut self) -> Result<u8, StartError> {
        let edge = &self.running.edge;
        let seeded = Seeded::ids(edge.keys());
        let admin = self.caller("ADMIN_TOKEN").ok_or(CommandError::unavailable())?;
        say_unless(self.as_json, "09:00  customers write, two agents answer\n");
        self.chat(CHAT).await?;
        self.template(&seeded).await?;
        let id = self.broadcast(&admin, &seeded).await?;
        say_unless(self.as_json, "10:00  a broadcast leaves for everybody\n");
        self.until_sent(&admin, id).await?;
        self.pass(Duration::from_secs(3_600))?;
        say_unless(self.as_json, "11:00  some answer, some say STOP\n");
        self.chat(CHAT).await?;
        // Doubt ends a quarter of an hour after the last call.
        self.pass(Duration::from_secs(8 * 3_600))?;
        self.until_quiet(&admin, id).await?;
        say_unless(self.as_json, "19:00  the day is over\n");
        let view = edge.broadcasts.read(&admin, id).await?;
        let ledger = beside(self.config, &edge.broadcasts, id).await?.unwrap_or_default();
        let written = edge.conversations.counts(&admin, None).all.conversations as u64;
        Ok(self.table(id, &view.tally, &ledger, written))
    }

    fn caller(&self, name: &str) -> Option<Caller> {
        self.running.edge.workspaces.admit(self.tokens.get(name)?)
    }

    /// Business time passes at once.
    fn pass(&mut self, span: Duration) -> Result<(), StartError> {
        self.ahead += u64::try_from(span.as_millis()).unwrap_or(0);
        let kept = self.tokens.set(AHEAD, self.ahead.to_string());
        kept.map_err(|error| StartError::Files("the clock cannot be kept", error))?;
        self.clock.advance(span);
        Ok(())
    }

    /// Two agents answer whoever waits, for a while.
    async fn chat(&mut self, span: Duration) -> Result<(), StartError> {
        let agents: Vec<Caller> =
            ["AGENT1_TOKEN", "AGENT2_TOKEN"].iter().filter_map(|name| self.caller(name)).collect();
        let end = tokio::time::Instant::now() + span;
        while tokio::time::Instant::now() < end {
            for agent in &agents {
                self.answer_some(agent).await?;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn answer_some(&mut self, agent: &Caller) -> Result<(), CommandError> {
        let edge = &self.running.edge;
        let query = ListQuery {
            view: ListView::All,
            shelf: Some(Shelf::Open),
            channel: None,
            account: None,
            after: None,
            limit: 20,
        };
        let (lines, _) = edge.conversations.list(agent, query)?;
        for line in lines {
            let Some(last) = line.last_inbound.filter(|last| !self.answered.contains(&last.id)) else { continue };
            let request = SendRequest {
                // One answer to each message, however often it is seen.
                client_id: Some(format!("demo-{}", last.id)),
                content: MessageContent::Text { body: "Thank you, we are looking into it.".to_owned() },
                reply_to: None,
                epoch: None,
                tag: None,
            };
            match edge.conversations.send(agent, line.id, request).await {
                Ok(_) => drop(self.answered.insert(last.id)),
                // A window that closed, or somebody else was faster: the day goes on.
                Err(CommandError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn template(&self, seeded: &Seeded) -> Result<(), StartError> {
        let template = NewTemplate {
            name: "spring_sale".to_owned(),
            language: "en_US".to_owned(),
            business_id: Some(BUSINESS_ID.to_owned()),
            category: TemplateCategory::Marketing,
            status: TemplateStatus::Approved,
            components: r#"[{"type":"BODY","text":"Hello {{1}}, spring is here: everything at {{2}} less."}]"#
                .to_owned(),
        };
        let (edge, workspace) = (&self.running.edge, seeded.workspace);
        let id = template_id(edge.keys(), workspace, Some(BUSINESS_ID), "spring_sale", "en_US");
        let put = WorkspaceChange::PutTemplate { id, template: Box::new(template) };
        Ok(change(&edge.shards, workspace, put).await?)
    }

    /// The day's broadcast: the one that an earlier start left under way, else a new one.
    async fn broadcast(&self, admin: &Caller, seeded: &Seeded) -> Result<BroadcastId, StartError> {
        let edge = &self.running.edge;
        let mut number = 0_u32;
        loop {
            let id = BroadcastId(edge.keys().keyed(seeded.workspace, "broadcast", &format!("demo/{number}")));
            let status = edge.shards.view::<Broadcast, _>(id.0, Broadcast::status).await?;
            match status {
                None | Some(Status::Draft) => {
                    if status.is_none() {
                        edge.broadcasts.create(admin, Asked::by(Author::System), id, &draft(seeded)).await?;
                    }
                    edge.broadcasts.publish(admin, Asked::by(Author::System), id, None).await?;
                    return Ok(id);
                }
                Some(Status::Sending | Status::Paused(_) | Status::Scheduled(_)) => return Ok(id),
                Some(Status::Sent | Status::Cancelled | Status::Deleted) => number += 1,
            }
        }
    }

    async fn until_sent(&mut self, admin: &Caller, id: BroadcastId) -> Result<(), StartError> {
        let end = tokio::time::Instant::now() + SCENE_WITHIN;
        loop {
            let view = self.running.edge.broadcasts.read(admin, id).await?;
            self.show_progress(&view.tally, view.limited_by.word());
            let open = view.tally.of(RecipientState::Pending) + view.tally.of(RecipientState::Attempting);
            let left = view.frozen.is_some() && open == 0;
            if left || matches!(view.status, Status::Paused(_)) || tokio::time::Instant::now() > end {
                say_unless(self.as_json, "\n");
                return Ok(());
            }
            for name in ["AGENT1_TOKEN", "AGENT2_TOKEN"] {
                if let Some(agent) = self.caller(name) {
                    self.answer_some(&agent).await?;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until every receipt is in, and none is in doubt.
    async fn until_quiet(&self, admin: &Caller, id: BroadcastId) -> Result<(), StartError> {
        let end = tokio::time::Instant::now() + SCENE_WITHIN;
        let mut before = Tally::default();
        loop {
            let tally = self.running.edge.broadcasts.read(admin, id).await?.tally;
            if (tally.open() == 0 && tally == before) || tokio::time::Instant::now() > end {
                return Ok(());
            }
            before = tally;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    fn show_progress(&self, tally: &Tally, limited_by: &str) {
        const WIDTH: u32 = 40;
        let all = tally.recipients().max(1);
        let done = all - tally.of(RecipientState::Pending).min(all);
        let filled = (u64::from(done) * u64::from(WIDTH) / u64::from(all)) as usize;
        let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH as usize - filled));
        let read = tally.of(RecipientState::Read);
        say_unless(self.as_json, &format!("\r       [{bar}] {done}/{all}  read {read}  limited by {limited_by}    "));
    }

    fn table(&self, id: BroadcastId, tally: &Tally, ledger: &Beside, conversations: u64) -> u8 {
        let failed = tally.of(RecipientState::Failed);
        let has_it = tally.of(RecipientState::Accepted) + tally.of(RecipientState::Sent) + tally.delivered();
        let rest = tally.of(RecipientState::Skipped)
            + tally.of(RecipientState::Cancelled)
            + tally.of(RecipientState::Unconfirmed);
        let whole = has_it + failed + rest == tally.recipients();
        let agrees = whole && ledger.twice + ledger.unsaid + ledger.missing == 0;
        let rows = [
            ("conversations", "conversations", conversations),
            ("answers", "answers by two agents", self.answered.len() as u64),
            ("recipients", "recipients of the broadcast", u64::from(tally.recipients())),
            ("have_it", "have it, by our ledger", u64::from(has_it)),
            ("have_it_by_provider", "have it, by the provider's", ledger.have_it),
            ("delivered", "delivered", u64::from(tally.delivered())),
            ("read", "read", u64::from(tally.of(RecipientState::Read))),
            ("replied", "replied", u64::from(tally.replied)),
            ("failed", "failed", u64::from(failed)),
            ("skipped", "skipped", u64::from(tally.of(RecipientState::Skipped))),
            ("unconfirmed", "unconfirmed", u64::from(tally.of(RecipientState::Unconfirmed))),
            ("have_it_twice", "have it twice", ledger.twice),
        ];
        let text = if self.as_json {
            let mut told: serde_json::Map<String, Value> =
                rows.iter().map(|(key, _, count)| ((*key).to_owned(), json!(count))).collect();
            told.insert("broadcast".to_owned(), json!(id));
            told.insert("adds_up".to_owned(), json!(agrees));
            format!("{}\n", Value::Object(told))
        } else {
            let mut text = String::new();
            for (_, what, count) in rows {
                text.push_str(&format!("       {what:<30}{count:>8}\n"));
            }
            text.push_str(if agrees { "       everything adds up\n" } else { "       it does NOT add up\n" });
            text
        };
        let _ = say(DONE, &text);
        if agrees { DONE } else { WRONG }
    }
}

fn draft(seeded: &Seeded) -> Draft {
    let text = |text: &str| TemplateParameter::Text { name: None, text: text.to_owned() };
    let parameters = vec![text("{{first_name|there}}"), text("10 %")];
    Draft {
        name: "Spring sale".to_owned(),
        account: seeded.account,
        audience: Audience { everyone: true, ..Audience::default() },
        content: MessageContent::Template {
            name: "spring_sale".to_owned(),
            language: "en_US".to_owned(),
            fills: vec![TemplateFill { slot: TemplateSlot::Body, parameters }],
        },
        marketing: true,
        doubtful: Doubtful::Hold,
        send_until: None,
        rate_per_second: None,
    }
}

/// Tells what happens, unless only the end is to be told.
fn say_unless(quiet: bool, text: &str) {
    if !quiet {
        let _ = say(DONE, text);
    }
}
