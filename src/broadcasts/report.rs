//! What became of a block's messages: facts of their chunk, permits of the limit, and reasons to halt.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::run::{LimitedBy, Run, once_more};
use crate::domain::broadcast::Refused;
use crate::domain::broadcast::chunk::{AttemptOutcome, Chunk, ChunkCommand};
use crate::domain::broadcast::job::HaltReason;
use crate::domain::ids::AddressId;
use crate::domain::outbound::{ErrorClass, SendOutcome};
use crate::domain::time::Timestamp;
use crate::numbers::{BlockName, Said};
use crate::shards::CommandError;

/// Refusals of the template or its parameters in a row that halt a broadcast: a few may be the recipients'.
const TEMPLATE_REFUSALS_MAX: u32 = 10;
/// Calls in a row that could not be made before the provider counts as down.
const UNREACHED_MAX: u32 = 20;
/// The pause before an outcome is told again that the log did not take.
const PAUSE: Duration = Duration::from_millis(500);
/// Of attempts that fail one after another one in so many is told: one in half a minute.
const TELL_EVERY: u32 = 60;
/// The pause after a refusal for a while that names none.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// The platform says that people complain: nothing more may leave by the number until it has been looked at
/// (`channels.md` §1.8).
const SPAM_RATE: i64 = 131_048;

impl Run {
    /// Records what became of messages of a claim. Ends when it is in the log, or the process fails.
    pub(super) async fn record(self: &Arc<Self>, block: BlockName, said: Vec<Said>) {
        let mut outcomes = Vec::with_capacity(said.len());
        let mut provider_ids = Vec::new();
        let (mut accepted, mut returned, mut halts) = (Vec::new(), Vec::new(), BTreeSet::new());
        for one in &said {
            if let Some(SendOutcome::Accepted { provider_id, .. }) = &one.outcome {
                provider_ids.push((one.index, provider_id.clone()));
            }
            let outcome = judged(one);
            halts.extend(self.harm(one));
            match outcome {
                AttemptOutcome::Accepted if one.counted => accepted.push((one.customer, one.at)),
                AttemptOutcome::Accepted | AttemptOutcome::Doubted => {}
                _ if one.counted => returned.push(one.customer),
                _ => {}
            }
            outcomes.push((one.index, one.attempt, outcome));
        }
        let chunk = self.broadcasts.chunk(self.id, block.chunk);
        let command = || ChunkCommand::RecordOutcomes {
            claim: block.claim,
            outcomes: outcomes.clone(),
            provider_ids: provider_ids.clone(),
        };
        let mut attempts = 0_u32;
        loop {
            match self.broadcasts.shards.ask::<Chunk>(chunk, command()).await {
                Ok(_) => break,
                Err(CommandError::Refused(refusal)) => {
                    tracing::error!(broadcast = %self.id, code = refusal.code(), "outcomes were refused");
                    break;
                }
                Err(error) => {
                    // This process alone knows them: they are told until they are facts.
                    if attempts.is_multiple_of(TELL_EVERY) {
                        tracing::warn!(broadcast = %self.id, %error, attempts, "failed to record outcomes; trying again");
                    }
                    attempts += 1;
                    tokio::time::sleep(PAUSE).await;
                    if self.broadcasts.shards.node().failed().borrow().is_some() {
                        return;
                    }
                }
            }
        }
        for reason in halts {
            self.halt(reason).await;
        }
        self.settle_permits(accepted, returned).await;
    }

    /// Why going on would do harm or be in vain, where an outcome says so.
    fn harm(&self, one: &Said) -> Option<HaltReason> {
        match one.outcome.as_ref()? {
            SendOutcome::Accepted { .. } => {
                self.template_refusals.store(0, Ordering::Relaxed);
                self.unreached.store(0, Ordering::Relaxed);
                None
            }
            SendOutcome::Unknown { .. } => None,
            SendOutcome::NotSent { .. } => {
                let down = once_more(&self.unreached) >= UNREACHED_MAX;
                down.then(|| {
                    self.hold(one.at + AGAIN_AFTER, LimitedBy::Provider);
                    HaltReason::ProviderDown
                })
            }
            SendOutcome::Rejected { failure, .. } => {
                self.unreached.store(0, Ordering::Relaxed);
                match failure.class {
                    _ if failure.code == SPAM_RATE => Some(HaltReason::Quality),
                    ErrorClass::Auth | ErrorClass::Account => Some(HaltReason::Account),
                    ErrorClass::Template | ErrorClass::Content => {
                        let alike = once_more(&self.template_refusals) >= TEMPLATE_REFUSALS_MAX;
                        alike.then_some(HaltReason::Template)
                    }
                    _ => None,
                }
            }
        }
    }

    /// Tells the limit what became of permits; where it does not hear, they count from their reservation.
    async fn settle_permits(&self, accepted: Vec<(AddressId, Timestamp)>, returned: Vec<AddressId>) {
        let limits = &self.broadcasts.limits;
        let Some(scope) = self.broadcasts.workspaces.limit_scope(self.workspace, self.account) else { return };
        let mut told = Ok(());
        if let Some(at) = accepted.iter().map(|(_, at)| *at).max() {
            // The latest time stands for all: a permit then lives a moment longer, never shorter.
            told = limits.accepted(scope, accepted.into_iter().map(|(customer, _)| customer).collect(), at).await;
        }
        if told.is_ok() && !returned.is_empty() {
            told = limits.give_back(scope, returned).await;
        }
        if let Err(error) = told {
            tracing::warn!(%scope, %error, "failed to tell the messaging limit what became of permits");
        }
    }
}

/// What an outcome makes of the recipient.
fn judged(one: &Said) -> AttemptOutcome {
    let Some(outcome) = &one.outcome else { return AttemptOutcome::Released };
    match outcome {
        SendOutcome::Accepted { .. } => AttemptOutcome::Accepted,
        SendOutcome::Unknown { .. } => AttemptOutcome::Doubted,
        SendOutcome::NotSent { .. } => AttemptOutcome::Released,
        SendOutcome::Rejected { failure, retry_after } => match failure.class {
            // A limiter says to come back, and a dead token says nothing of the recipient: neither is a failure.
            ErrorClass::RateNumber
            | ErrorClass::RateAccount
            | ErrorClass::RatePair
            | ErrorClass::Retry
            | ErrorClass::Quota
            | ErrorClass::Auth
            | ErrorClass::Account => {
                AttemptOutcome::CameBack { not_before: one.at + retry_after.unwrap_or(AGAIN_AFTER) }
            }
            class => AttemptOutcome::Failed(Refused { code: failure.code, class }),
        },
    }
}
