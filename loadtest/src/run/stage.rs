//! The stage of a run: a server with its numbers, a provider, the agents' tokens, the people who are written to.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use super::brands;
use super::tape::Sent;
use crate::brand::{self, ACCESS_TOKEN, BUSINESS_ID, NewNumber, provider_id, text};
use crate::options::Options;
use crate::process::Started;
use crate::rest::Rest;
use crate::scenario::{Scenario, Sees, Workspace};
use crate::server::Server;
use crate::webhook::Number;

/// What people write for any of them.
const DISPLAY: &str = "15550783881";

/// A number that is connected.
#[derive(Clone, Debug)]
pub(super) struct NumberPlace {
    /// The server's id of its account.
    pub(super) account: String,
    /// The provider's id.
    pub(super) provider_id: String,
}

impl NumberPlace {
    pub(super) fn shown(&self) -> Number<'_> {
        Number { business_id: BUSINESS_ID, display: DISPLAY, id: &self.provider_id }
    }
}

/// The provider's process.
pub(super) struct Provider {
    pub(super) process: Started,
    pub(super) rest: Rest,
}

/// All of it.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) provider: Provider,
    pub(super) numbers: Vec<NumberPlace>,
    /// By kind of agent: each one's token, and its number where it sees no other.
    pub(super) agents: Vec<Vec<(String, Option<u32>)>>,
    /// By scenario's broadcast: a draft of each number.
    pub(super) drafts: Vec<Vec<Sent>>,
}

impl Stage {
    /// Sets it.
    ///
    /// # Errors
    /// Something of it cannot be had: which, and why.
    pub(super) async fn set(scenario: &Scenario, options: &Options, folder: &Path) -> Result<Self> {
        let settings: Vec<&str> = scenario.server.settings.iter().map(String::as_str).collect();
        let server = Server::start(options, folder, &settings).await?;
        let provider = Provider::start(scenario, &server, folder).await.context("the provider")?;
        let mut rest = Rest::open(server.addr, server.token("ADMIN_TOKEN")?).await?;
        let numbers = connect(&mut rest, scenario, &server, &provider).await.context("connecting numbers")?;
        let agents = admit(&mut rest, scenario, &server, &numbers).await.context("admitting agents")?;
        let drafts = brands::prepare(&mut rest, scenario, &numbers).await.context("preparing broadcasts")?;
        Ok(Self { server, provider, numbers, agents, drafts })
    }
}

impl Provider {
    async fn start(scenario: &Scenario, server: &Server, folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["provider", "--child"]);
        let mut process = Started::new("provider", command, folder)?;
        let addr = process.address("provider ").await?;
        let mut plan = serde_json::to_value(&scenario.provider)?;
        plan["seed"] = scenario.seed.into();
        plan["access_token"] = ACCESS_TOKEN.into();
        plan["webhook"] = json!({
            "url": format!("http://{}/webhooks/whatsapp/{}", server.addr, server.token("APP")?),
            "secret": crate::deliveries::APP_SECRET,
        });
        let number = |index| json!({"id": provider_id(index), "display": DISPLAY, "business_id": BUSINESS_ID});
        plan["numbers"] = (0..scenario.workspace.numbers).map(number).collect();
        let mut rest = Rest::open(addr, "").await?;
        rest.put("/control/plan", &plan).await.context("its plan, the scenario's `[provider]`")?;
        Ok(Self { process, rest })
    }
}

/// Connects the numbers to the provider, ten a portfolio.
async fn connect(
    rest: &mut Rest,
    scenario: &Scenario,
    server: &Server,
    provider: &Provider,
) -> Result<Vec<NumberPlace>> {
    let workspace = &scenario.workspace;
    let mut numbers = Vec::new();
    for index in 0..workspace.numbers {
        let (app, provider) = (server.token("APP")?, provider.rest.addr());
        let Workspace { rate_per_second, tier, .. } = *workspace;
        let account = brand::connect(rest, &NewNumber { app, index, provider, rate_per_second, tier }).await?;
        numbers.push(NumberPlace { account, provider_id: provider_id(index) });
    }
    Ok(numbers)
}

/// A member and a token for each agent. All who see everything are one member: sessions share nothing but their rights.
async fn admit(
    rest: &mut Rest,
    scenario: &Scenario,
    server: &Server,
    numbers: &[NumberPlace],
) -> Result<Vec<Vec<(String, Option<u32>)>>> {
    let everything = server.token("ADMIN_TOKEN")?.to_owned();
    let mut of_number: Vec<Option<String>> = vec![None; numbers.len()];
    let mut all = Vec::new();
    for kind in &scenario.agents {
        let mut tokens = Vec::new();
        for index in 0..kind.sockets {
            match kind.sees {
                Sees::Everything => tokens.push((everything.clone(), None)),
                Sees::OneNumber => {
                    let number = index % numbers.len().max(1);
                    if of_number[number].is_none() {
                        let member = json!({
                            "name": format!("Agent of number {number}"),
                            "role": "staff",
                            "dedicated_accounts": [numbers[number].account],
                        });
                        let member = text(&rest.post("/v1/members", &member).await?, "id")?;
                        let issued = rest.post(&format!("/v1/members/{member}/tokens"), &json!({})).await?;
                        of_number[number] = Some(text(&issued, "token")?);
                    }
                    let token = of_number[number].clone().context("a token that was just made")?;
                    tokens.push((token, Some(number as u32)));
                }
            }
        }
        all.push(tokens);
    }
    Ok(all)
}
