//! The form of a scenario's file. Times are seconds from the beginning of the run, warm-up included.

use serde::{Deserialize, Serialize};

use crate::arrivals::Arrivals;
use crate::provider::plan::Plan;

/// A scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name: letters, digits and `-`.
    pub name: String,
    /// What it is for, in a sentence or two.
    pub about: String,
    /// What all draws rest on, 0 to 2^63 - 1: two runs with one seed make the same traffic.
    #[serde(default = "one")]
    pub seed: u64,
    /// How long traffic runs, warm-up included.
    pub seconds: f64,
    /// How much of that is not in the latencies, only judged.
    #[serde(default)]
    pub warm_up_s: f64,
    /// How long what is under way may take to come to its end afterwards.
    #[serde(default = "drain_s")]
    pub drain_s: f64,
    /// How the server is started.
    #[serde(default)]
    pub server: ServerPart,
    /// What it is given before the run.
    #[serde(default)]
    pub workspace: Workspace,
    /// How the provider behaves: a plan as `loadtest provider` reads it, without what the run itself sets (`seed`,
    /// `webhook`, `access_token`).
    #[serde(default)]
    pub provider: Plan,
    /// Customers who write.
    #[serde(default)]
    pub customers: Vec<Customers>,
    /// Agents on sockets.
    #[serde(default)]
    pub agents: Vec<Agents>,
    /// Broadcasts of the brand.
    #[serde(default)]
    pub broadcasts: Vec<Broadcast>,
    /// Programs that ask over REST.
    #[serde(default)]
    pub clients: Vec<Clients>,
    /// What befalls the server.
    #[serde(default)]
    pub trouble: Vec<Trouble>,
    /// What its figures are held to, such as `webhook_accept.p99_ms <= 50`.
    #[serde(default)]
    pub thresholds: Vec<String>,
    /// What its short form lays over the rest.
    #[serde(default, skip_serializing)]
    pub(super) short: Option<toml::Table>,
}

impl Scenario {
    /// The same with every rate of arrivals multiplied.
    #[must_use]
    pub fn scaled(&self, times: f64) -> Self {
        let mut scaled = self.clone();
        scaled.customers.iter_mut().for_each(|part| part.arrivals = part.arrivals.scaled(times));
        scaled.clients.iter_mut().for_each(|part| part.arrivals = part.arrivals.scaled(times));
        scaled
    }

    /// Arrivals a second on average, customers and programs together.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        let customers = self.customers.iter().map(|part| &part.arrivals);
        let all = customers.chain(self.clients.iter().map(|part| &part.arrivals));
        all.map(|arrivals| arrivals.begun_by(self.seconds, self.seconds)).sum::<f64>() / self.seconds
    }
}

/// How the server is started.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerPart {
    /// Its settings, as `numbers.tick=5ms`.
    #[serde(default)]
    pub settings: Vec<String>,
}

/// What the server is given before the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// Numbers that are connected to the provider.
    #[serde(default = "one_u32")]
    pub numbers: u32,
    /// Messages a second of each, 1 to 1,000.
    #[serde(default = "rate")]
    pub rate_per_second: u32,
    /// The messaging limit of each portfolio of ten numbers: 250, 2,000, 10,000 or 100,000; 0 is none.
    #[serde(default)]
    pub tier: u32,
    /// Conversations that there are already, each with one message; at most 5,000,000.
    #[serde(default)]
    pub conversations: u32,
}

impl Default for Workspace {
    fn default() -> Self {
        Self { numbers: 1, rate_per_second: rate(), tier: 0, conversations: 0 }
    }
}

/// Customers who write by themselves, each to one of the numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customers {
    /// How many they are.
    pub people: u32,
    /// When messages are written, all customers together.
    pub arrivals: Arrivals,
    /// How often the provider delivers each message.
    #[serde(default = "one_u32")]
    pub copies: u32,
    /// How late each delivery may be, drawn evenly.
    #[serde(default)]
    pub delay_ms: u64,
    /// What is due within so long is shuffled and cut into deliveries anew; 0: each message leaves when it is due.
    #[serde(default)]
    pub rebatch_ms: u64,
    /// Items of one delivery at most; each has a size of its own, drawn evenly. More than 1 needs `rebatch_ms`.
    #[serde(default = "one_usize")]
    pub items_max: usize,
    /// Connections on which they are delivered.
    #[serde(default = "connections")]
    pub connections: usize,
    /// How many of a hundred wrote more than 24 hours ago: their window is shut.
    #[serde(default)]
    pub stale_percent: f64,
}

/// Agents of one kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agents {
    /// How many.
    pub sockets: usize,
    /// How frames are written.
    #[serde(default)]
    pub encoding: Encoding,
    /// What they may see.
    #[serde(default)]
    pub sees: Sees,
    /// Of a hundred messages of customers so many are answered, by one of them.
    #[serde(default)]
    pub answers_percent: f64,
    /// How long an agent thinks before an answer, at least and at most.
    #[serde(default = "think_ms")]
    pub think_ms: [u64; 2],
    /// All of them lose their connection at once.
    #[serde(default)]
    pub herd: Vec<Herd>,
    /// They stop reading for a while.
    #[serde(default)]
    pub stall: Option<Stall>,
}

/// How frames are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As JSON.
    #[default]
    Json,
    /// As MessagePack.
    Msgpack,
}

/// What an agent may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sees {
    /// All conversations.
    #[default]
    Everything,
    /// Those of one number, which is the agent's own.
    OneNumber,
}

/// A loss of all connections of a kind.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Herd {
    /// When.
    pub at_s: f64,
    /// How long each stays away, at most; drawn evenly.
    #[serde(default)]
    pub away_ms: u64,
}

/// A pause in reading.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// When it begins.
    pub at_s: f64,
    /// How long it lasts; it ends with the traffic at the latest.
    pub for_s: f64,
}

/// A broadcast of each of some numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broadcast {
    /// When they are published.
    pub at_s: f64,
    /// Numbers that send, one broadcast each.
    #[serde(default = "one_u32")]
    pub numbers: u32,
    /// Recipients, all numbers together.
    pub recipients: u32,
    /// When they are paused, not before `at_s`, and for how long.
    #[serde(default)]
    pub pause: Option<Stall>,
}

/// Programs that ask over REST.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clients {
    /// Connections they share.
    #[serde(default = "one_usize")]
    pub connections: usize,
    /// When they ask.
    pub arrivals: Arrivals,
    /// What they ask, in turn.
    pub asks: Vec<Question>,
}

/// What a program asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// The first page of the inbox.
    Inbox,
    /// The inbox's counts.
    Counts,
    /// The newest messages of a conversation.
    Thread,
}

/// Something that befalls the server.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// What.
    pub what: What,
    /// When it may come first.
    pub from_s: f64,
    /// When it may come last; the time is drawn evenly.
    pub to_s: f64,
    /// How often, 1 to 100: the time between is cut evenly, and each part has one.
    #[serde(default = "one_u32")]
    pub times: u32,
    /// How long until it is started again, at most 60,000.
    #[serde(default)]
    pub away_ms: u64,
}

/// What befalls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// `kill -9`, and it is started again.
    Kill,
    /// It is asked to stop, and is started again.
    Restart,
}

const fn one() -> u64 {
    1
}

const fn one_u32() -> u32 {
    1
}

const fn one_usize() -> usize {
    1
}

const fn rate() -> u32 {
    80
}

const fn connections() -> usize {
    32
}

const fn drain_s() -> f64 {
    30.0
}

const fn think_ms() -> [u64; 2] {
    [500, 3_000]
}
