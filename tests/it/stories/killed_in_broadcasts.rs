//! Broadcasts over several numbers, a provider that answers badly, and a server that is killed again and again: nobody
//! has anything twice, nobody is lost, and the counts are those of the provider's own ledger.
//!
//! `TIDEGATE_KILLS` and `TIDEGATE_RECIPIENTS` (of each broadcast) make it longer: 200 kills in broadcasts of 100,000 are
//! `TIDEGATE_KILLS=200 TIDEGATE_RECIPIENTS=10000 TIDEGATE_NUMBERS=10 cargo test --release --test it killed_in_broadcasts
//! -- --nocapture`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};
use tidegate::clock::Surroundings;
use tidegate::domain::secret::Secret;
use tidegate::providers::sandbox::{
    Fault, FaultPlan, FaultRate, Line, ReceiptFaults, ReceiptOptions, Sandbox, SandboxHandle, SandboxOptions,
    WebhookOptions,
};

use crate::house::whatsapp::{BUSINESS_ID, PHONE_NUMBER_ID};
use crate::house::{database, eventually_within, http};
use crate::process::tenant::{SECRET, Tenant, post};
use crate::process::{Process, free_addr, operator_token};

/// How long the story may take after the last kill, in machine time.
const QUIET_WITHIN: Duration = Duration::from_secs(600);
pub(super) const SETTINGS: [&str; 5] = [
    "providers.connect_timeout=1s",
    "limits.default_tier=0",
    "numbers.unconfirmed_after=1m",
    "providers.call_timeout=2s",
    "numbers.in_doubt_after=2s",
];

pub(super) fn asked(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[actix_web::test]
async fn nobody_has_it_twice_and_nobody_is_lost() {
    let kills = asked("TIDEGATE_KILLS", 5);
    let mut chance = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let data = tempfile::tempdir().expect("a folder");
    let addr = free_addr();
    let mut process = Process::start(data.path(), addr, &SETTINGS).await;
    let (broadcasts, witness) = through(data.path(), addr, kills, async |_| {
        tokio::time::sleep(Duration::from_micros(u64::from(chance.next_u32() % 50_000))).await;
        process.kill();
        process = Process::start(data.path(), addr, &SETTINGS).await;
    })
    .await;
    process.kill();
    if database::is_chosen() {
        // The command counts a folder again; a database has other owners, and they are asked.
        return;
    }
    for path in &broadcasts {
        let id = path.rsplit('/').next().expect("an id");
        let ledger = format!("sandbox.ledger_path={}", witness.path().display());
        let mut verify = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"));
        verify.args(["verify", "broadcast", id, "--json", "--set", &ledger]).arg("--data").arg(data.path());
        let told = verify.output().expect("it runs");
        let counted: Value = serde_json::from_slice(&told.stdout).expect("JSON");
        assert_eq!((told.status.code(), &counted["agrees"]), (Some(0), &json!(true)), "{counted}");
        assert_eq!(counted["provider"]["twice"], 0, "{counted}");
    }
}

/// Sends broadcasts from a server that runs on a folder, with so many troubles spread over the sending, and holds what
/// became of everybody against the provider's ledger. Answers the broadcasts' paths and the ledger's folder.
pub(super) async fn through(
    data: &Path,
    addr: SocketAddr,
    troubles: usize,
    mut trouble: impl AsyncFnMut(usize),
) -> (Vec<String>, tempfile::TempDir) {
    let (recipients, numbers) = (asked("TIDEGATE_RECIPIENTS", 4_000), asked("TIDEGATE_NUMBERS", 2));
    let witness = tempfile::tempdir().expect("a folder");
    let sandbox_addr = free_addr();
    let base_url = format!("http://{sandbox_addr}/v25.0");
    let tenant = Tenant::make(addr, &operator_token(data), &base_url, 0).await;
    let sandbox = provider(sandbox_addr, witness.path(), &format!("http://{addr}{}", tenant.webhook_path));
    people(addr, &tenant, recipients).await;
    let mut broadcasts = Vec::new();
    for account in accounts(addr, &tenant, &base_url, numbers).await {
        broadcasts.push(publish(addr, &tenant, &account).await);
    }

    let all = (recipients * numbers) as u64;
    for number in 1..=troubles {
        // They are spread over the sending, at no moment in particular.
        let due = all * number as u64 / (troubles as u64 + 1);
        let far_enough = || async { (begun(addr, &tenant, &broadcasts).await >= due).then_some(()) };
        eventually_within(QUIET_WITHIN, "the broadcasts go on", far_enough).await;
        trouble(number).await;
    }
    for path in &broadcasts {
        let sent = || async {
            let shown = get(addr, &tenant, path).await;
            (shown["status"] == "sent").then_some(())
        };
        eventually_within(QUIET_WITHIN, "everybody has an outcome", sent).await;
    }
    let nothing_is_owed = || async { (sandbox.owed() == 0).then_some(()) };
    eventually_within(QUIET_WITHIN, "the provider owes nothing", nothing_is_owed).await;

    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for path in &broadcasts {
        let counts = agrees_with_the_provider(addr, &tenant, path, &sandbox, recipients).await;
        for (state, count) in counts {
            *sums.entry(state).or_default() += count;
        }
    }
    let told = format!("{troubles} troubles, {all} recipients: {sums:?}\n");
    std::io::stdout().write_all(told.as_bytes()).expect("the verdict is told");
    (broadcasts, witness)
}

/// How many recipients' sends have begun and ended, well or in doubt.
async fn begun(addr: SocketAddr, tenant: &Tenant, broadcasts: &[String]) -> u64 {
    let mut begun = 0;
    for path in broadcasts {
        let counts = get(addr, tenant, path).await["counts"].clone();
        for state in ["accepted", "sent", "delivered", "read", "failed", "in_doubt", "unconfirmed"] {
            begun += counts[state].as_u64().unwrap_or_default();
        }
    }
    begun
}

/// Each recipient's state against what the provider says it took: accepted there is accepted here, once, and nothing else
/// is. Answers how many came to what.
async fn agrees_with_the_provider(
    addr: SocketAddr,
    tenant: &Tenant,
    path: &str,
    sandbox: &SandboxHandle,
    recipients: usize,
) -> BTreeMap<String, u64> {
    let id = path.rsplit(['/', '_']).next().expect("an id");
    let prefix = format!("b1.{id}.");
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    sandbox
        .ledger()
        .each(|line| {
            if let Line::Send(line) = line
                && line.token.as_deref().is_some_and(|token| token.starts_with(&prefix))
                && line.outcome.is_accepted()
            {
                *taken.entry(line.recipient).or_default() += 1;
            }
        })
        .expect("the ledger reads");
    let twice: Vec<_> = taken.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{} have it twice: {:?}", twice.len(), twice.first());

    let (mut counts, mut page) = (BTreeMap::new(), format!("{path}/recipients?limit=200"));
    loop {
        let shown = get(addr, tenant, &page).await;
        for row in shown["items"].as_array().into_iter().flatten() {
            let (state, address) = (row["state"].as_str().unwrap_or_default(), row["address"].as_str());
            let has_it = taken.contains_key(address.unwrap_or_default());
            let said = matches!(state, "accepted" | "sent" | "delivered" | "read");
            assert_eq!(has_it, said, "{row}");
            assert!(said || matches!(state, "failed" | "unconfirmed"), "{row}");
            *counts.entry(state.to_owned()).or_default() += 1;
        }
        match shown["next"].as_str() {
            Some(cursor) => page = format!("{path}/recipients?limit=200&cursor={cursor}"),
            None => break,
        }
    }
    let shown = get(addr, tenant, path).await;
    for (state, count) in shown["counts"].as_object().into_iter().flatten().filter(|(state, _)| *state != "replied") {
        assert_eq!(
            count.as_u64(),
            Some(counts.get(state).copied().unwrap_or_default()),
            "{state} of {}",
            shown["counts"]
        );
    }
    assert_eq!(counts.values().sum::<u64>(), recipients as u64);
    assert_eq!(get(addr, tenant, &format!("{path}/verify")).await["agrees"], true);
    counts
}

fn provider(listen: SocketAddr, folder: &std::path::Path, webhook_url: &str) -> SandboxHandle {
    let options = SandboxOptions {
        listen,
        folder: folder.to_owned(),
        webhook: WebhookOptions {
            url: Some(webhook_url.to_owned()),
            app_secret: Secret::new(SECRET.to_owned()),
            ..WebhookOptions::default()
        },
        receipts: ReceiptOptions {
            delivered_share: 1.0,
            read_share: 0.5,
            sent_delay_ms: 20,
            delivered_delay_ms: 50,
            read_delay_ms: 200,
            ..ReceiptOptions::default()
        },
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options, Surroundings::real()).expect("the sandbox starts");
    let rate = |fault, share| FaultRate { fault, share, phone_number_id: None };
    let plan = FaultPlan {
        rates: vec![
            rate(Fault::DropAfter, 0.01),
            rate(Fault::DropBefore, 0.002),
            rate(Fault::Garbage, 0.01),
            rate(Fault::Hang, 0.002),
            rate(Fault::TooManyRequests, 0.002),
            rate(Fault::Code(131_026), 0.02),
        ],
        receipts: ReceiptFaults { lost: 0.0, duplicated: 0.1, reordered: 0.1, delayed: 0.05, delay_ms: 700 },
        ..FaultPlan::default()
    };
    assert!(sandbox.order(plan));
    sandbox
}

async fn people(addr: SocketAddr, tenant: &Tenant, count: usize) {
    let lines: Vec<String> = (0..count)
        .map(|number| {
            json!({"identities": [{"channel": "whatsapp", "address": format!("35193{number:07}")}]}).to_string()
        })
        .collect();
    for some in lines.chunks(2_000) {
        let bearer = format!("Bearer {}", tenant.admin);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
        let answer = http::call(addr, "POST", "/v1/contacts/bulk", &headers, some.join("\n").into_bytes()).await;
        assert_eq!(answer.status, 200);
    }
}

/// The accounts of so many numbers; the first is the tenant's own.
async fn accounts(addr: SocketAddr, tenant: &Tenant, base_url: &str, count: usize) -> Vec<Value> {
    let app = get(addr, tenant, "/v1/apps").await["items"][0]["id"].clone();
    for number in 1..count {
        let account = json!({
            "channel": "whatsapp", "app": app, "provider_id": format!("{PHONE_NUMBER_ID}{number}"),
            "business_id": BUSINESS_ID, "display": format!("155507900{number:02}"), "portfolio": "acme",
            "base_url": base_url, "access_token": "access", "rate_per_second": 1000,
        });
        post(addr, &tenant.admin, "/v1/accounts", &account).await;
    }
    let template = json!({
        "name": "news", "language": "en_US", "category": "utility", "business_id": BUSINESS_ID,
        "components": [{"type": "BODY", "text": "Hello {{1}}", "example": {"body_text": [["Ada"]]}}],
    });
    post(addr, &tenant.admin, "/v1/templates", &template).await;
    let listed = get(addr, tenant, "/v1/accounts?limit=200").await;
    listed["items"].as_array().into_iter().flatten().map(|account| account["id"].clone()).collect()
}

/// Makes and publishes a broadcast to everybody; its path.
async fn publish(addr: SocketAddr, tenant: &Tenant, account: &Value) -> String {
    let parameters = json!([{"type": "text", "text": "{{first_name|friend}}"}]);
    let content = json!({
        "type": "template", "name": "news", "language": "en_US",
        "fills": [{"slot": {"type": "body"}, "parameters": parameters}],
    });
    let body = json!({"name": "News", "account": account, "audience": {"everyone": true}, "content": content});
    let made = post(addr, &tenant.admin, "/v1/broadcasts", &body).await;
    let path = format!("/v1/broadcasts/{}", made["id"].as_str().expect("an id"));
    post(addr, &tenant.admin, &format!("{path}/publish"), &json!({})).await;
    path
}

/// Reads; who is told to come back comes back.
async fn get(addr: SocketAddr, tenant: &Tenant, path: &str) -> Value {
    let bearer = format!("Bearer {}", tenant.admin);
    let answered = || async {
        let answer = http::call(addr, "GET", path, &[("authorization", &bearer)], Vec::new()).await;
        (answer.status != 503).then_some(answer)
    };
    eventually_within(QUIET_WITHIN, "a reader is answered", answered).await.expect(200)
}
