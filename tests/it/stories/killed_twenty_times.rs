//! A thousand customers, two agents, ten thousand messages pushed three times each in shuffled batches, and a
//! server that is killed twenty times (or `TIDEGATE_KILLS`): nothing that was acknowledged is lost, and nothing happens
//! twice.

mod agents;
mod customers;
mod outcome;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tidegate::clock::Surroundings;
use tidegate::domain::secret::Secret;
use tidegate::providers::sandbox::{ReceiptOptions, Sandbox, SandboxOptions, WebhookOptions};

use self::agents::Agent;
use self::customers::Traffic;
use super::killed_in_broadcasts::asked;
use crate::house::eventually_within;
use crate::process::tenant::{SECRET, Tenant};
use crate::process::{Process, free_addr, operator_token};

const CUSTOMERS: usize = 1_000;
const MESSAGES: usize = 10_000;
const COPIES: usize = 3;
/// POSTs under way at once.
const LINES: usize = 6;
/// How long the story may take after the last kill, in machine time.
const QUIET_WITHIN: Duration = Duration::from_secs(120);

#[actix_web::test]
async fn nothing_acknowledged_is_lost_and_nothing_happens_twice() {
    let mut chance = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let data = tempfile::tempdir().expect("a folder");
    let witness = tempfile::tempdir().expect("a folder");
    let addr = free_addr();
    let mut process = Process::start(data.path(), addr, &[]).await;
    // The sandbox's address is needed to make the tenant, and the tenant's path to start the sandbox.
    let sandbox_addr = free_addr();
    let base_url = format!("http://{sandbox_addr}/v25.0");
    let operator = operator_token(data.path());
    let tenant = Arc::new(Tenant::make(addr, &operator, &base_url, 2).await);
    let sandbox = Sandbox::start(
        SandboxOptions {
            listen: sandbox_addr,
            folder: witness.path().to_owned(),
            webhook: WebhookOptions {
                url: Some(format!("http://{addr}{}", tenant.webhook_path)),
                app_secret: Secret::new(SECRET.to_owned()),
                ..WebhookOptions::default()
            },
            receipts: ReceiptOptions {
                delivered_share: 1.0,
                read_share: 1.0,
                sent_delay_ms: 5,
                delivered_delay_ms: 10,
                read_delay_ms: 20,
                ..ReceiptOptions::default()
            },
            ..SandboxOptions::default()
        },
        Surroundings::real(),
    )
    .expect("the sandbox starts");

    let traffic = Traffic::new(CUSTOMERS, MESSAGES);
    let deliveries = Arc::new(traffic.shuffled(COPIES, &mut chance));
    let taken = Arc::new(AtomicUsize::new(0));
    let agents: Vec<Agent> = tenant.agents.iter().enumerate().map(|(n, token)| Agent::sit(n, addr, token)).collect();

    // Every delivery is pushed until somebody answers 200, as a provider does.
    let lines: Vec<_> = (0..LINES)
        .map(|line| {
            let (deliveries, tenant, taken) = (Arc::clone(&deliveries), Arc::clone(&tenant), Arc::clone(&taken));
            actix_web::rt::spawn(async move {
                for delivery in deliveries.iter().skip(line).step_by(LINES) {
                    while tenant.push(addr, delivery).await != Some(200) {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    taken.fetch_add(1, Ordering::AcqRel);
                }
            })
        })
        .collect();

    let kills = asked("TIDEGATE_KILLS", 20);
    for kill in 1..=kills {
        // Kills are spread over the pushing, at no moment in particular.
        let due = deliveries.len() * kill / (kills + 1);
        while taken.load(Ordering::Acquire) < due {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        tokio::time::sleep(Duration::from_micros(u64::from(chance.next_u32() % 20_000))).await;
        process.kill();
        process = Process::start(data.path(), addr, &[]).await;
    }
    for line in lines {
        line.await.expect("the pushing ends");
    }

    // Receipts that met a fallen server are pushed again after a pause.
    let nothing_is_owed = || async { (sandbox.owed() == 0).then_some(()) };
    eventually_within(QUIET_WITHIN, "the provider owes nothing", nothing_is_owed).await;
    let agents = agents::finish(agents, QUIET_WITHIN).await;
    outcome::every_message_is_in_its_thread_once(addr, &tenant, &traffic).await;
    outcome::every_reply_left_once_or_is_in_doubt(addr, &tenant, &agents, &sandbox.ledger(), QUIET_WITHIN).await;
    outcome::every_event_was_seen_once(addr, &tenant, &agents).await;
    let shaken = outcome::what_webhooks_decide(addr, &tenant, &traffic).await;
    process.kill();

    // The same messages, once and in order, on a server that nobody kills.
    let calm_data = tempfile::tempdir().expect("a folder");
    let calm_addr = free_addr();
    let mut calm = Process::start(calm_data.path(), calm_addr, &[]).await;
    let calm_tenant = Tenant::make(calm_addr, &operator_token(calm_data.path()), &base_url, 2).await;
    for delivery in traffic.in_order() {
        assert_eq!(calm_tenant.push(calm_addr, &delivery).await, Some(200));
    }
    let undisturbed = eventually_within(QUIET_WITHIN, "the calm server has taken everything", || async {
        let state = outcome::what_webhooks_decide(calm_addr, &calm_tenant, &traffic).await;
        (state.len() == CUSTOMERS).then_some(state)
    })
    .await;
    for (customer, state) in &undisturbed {
        assert_eq!(shaken.get(customer), Some(state), "the state of {customer}");
    }
    assert_eq!(shaken.len(), undisturbed.len());
    calm.kill();
}
