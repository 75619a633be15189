//! What a call's end means: an outcome for the conversation, or another try because certainly nothing left.

use std::time::Duration;

use super::account::Account;
use super::dispatch::{Dispatch, PAUSE};
use super::leave::Leaving;
use super::permits;
use crate::domain::conversation::{Answer, Command, Conversation, RecordOutcome};
use crate::domain::ids::ConversationId;
use crate::domain::message::MessageRef;
use crate::domain::number::{Number, NumberCommand};
use crate::domain::outbound::{ErrorClass, SendOutcome};
use crate::domain::time::Timestamp;
use crate::shards::CommandError;

/// The pause before a call is tried again whose connection could not be made.
const NOT_SENT_PAUSE: Duration = Duration::from_secs(1);
/// The pause after a transient refusal that names none.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

impl Dispatch {
    /// Ends a call that began at `began`: certainly unsent messages wait for another try, everything else is a fact.
    pub(super) async fn finish(&self, account: &Account, one: Leaving, outcome: SendOutcome, began: Timestamp) {
        metrics::counter!("tidegate_sends_total", "outcome" => word(&outcome)).increment(1);
        let died = self.stop_if_dead(&outcome, began).await;
        if let Some(pause) = self.again_after(&one, &outcome).await {
            permits::give_back(self, account, &one).await;
            // While its claim is open it would be in doubt, so that goes first.
            while let Err(error) = self.close_claims(vec![one.reply.effect]).await {
                tracing::debug!(account = %self.account, %error, "failed to close a claim; trying again");
                tokio::time::sleep(PAUSE).await;
            }
            self.put_back(one.reply, one.done, self.now() + pause);
            return;
        }
        match &outcome {
            SendOutcome::Accepted { .. } => permits::accepted(self, account, &one, self.now()).await,
            SendOutcome::Rejected { .. } | SendOutcome::NotSent { .. } => permits::give_back(self, account, &one).await,
            SendOutcome::Unknown { .. } => {}
        }
        let reply = one.reply;
        let at = died.unwrap_or(self.now());
        let mut pause = PAUSE;
        // The outcome is known to this process alone until it is a fact: it is told until it is one.
        while let Err(error) =
            self.record((reply.conversation, reply.message, reply.attempt), outcome.clone(), at).await
        {
            tracing::warn!(account = %self.account, %error, "failed to record an outcome; trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
            if self.numbers.shards.node().failed().borrow().is_some() {
                return;
            }
        }
        let next_from = match outcome {
            // The next of the conversation would overtake one that may still be on its way.
            SendOutcome::Unknown { .. } => began + self.numbers.settings.in_doubt_after,
            SendOutcome::Accepted { .. } | SendOutcome::Rejected { .. } | SendOutcome::NotSent { .. } => at,
        };
        self.end_claimed(&reply, one.done, next_from);
    }

    /// When to try again, where certainly nothing left and trying again may help.
    async fn again_after(&self, one: &Leaving, outcome: &SendOutcome) -> Option<Duration> {
        match outcome {
            SendOutcome::NotSent { reason } => {
                tracing::debug!(account = %self.account, %reason, "a call was not made; trying again");
                self.give_pair_back(one);
                Some(NOT_SENT_PAUSE)
            }
            SendOutcome::Rejected { failure, retry_after } => {
                let now = self.now();
                match failure.class {
                    ErrorClass::RatePair => {
                        let pause = retry_after.unwrap_or(self.numbers.settings.pair_rate.interval);
                        if let Some(customer) = one.departure.to.first() {
                            self.pairs.borrow_mut().hold(*customer, now + pause);
                        }
                        Some(pause)
                    }
                    ErrorClass::RateNumber | ErrorClass::RateAccount => {
                        let (code, class) = (failure.code, failure.class);
                        let trouble = NumberCommand::NumberTrouble { code, class, at: now };
                        if let Err(error) = self.numbers.shards.ask::<Number>(self.account.0, trouble).await {
                            tracing::warn!(account = %self.account, %error, "failed to slow the number down");
                        }
                        self.give_pair_back(one);
                        Some(retry_after.unwrap_or(NOT_SENT_PAUSE))
                    }
                    // A dead token says nothing of the message: it waits with those behind it for the number to run.
                    ErrorClass::Retry | ErrorClass::Auth => {
                        self.give_pair_back(one);
                        Some(retry_after.unwrap_or(RETRY_PAUSE))
                    }
                    _ => None,
                }
            }
            SendOutcome::Accepted { .. } | SendOutcome::Unknown { .. } => None,
        }
    }

    /// Stops the number if the call was refused for its token or its account, before the next reply is taken; where
    /// that fails, the next refusal does it. The refusal is about the token as it was when the call began, so that
    /// it does not stop a number that was given a new one meanwhile. Answers that time.
    async fn stop_if_dead(&self, outcome: &SendOutcome, began: Timestamp) -> Option<Timestamp> {
        let SendOutcome::Rejected { failure, .. } = outcome else { return None };
        if !matches!(failure.class, ErrorClass::Auth | ErrorClass::Account) {
            return None;
        }
        let trouble = NumberCommand::NumberTrouble { code: failure.code, class: failure.class, at: began };
        if let Err(error) = self.numbers.shards.ask::<Number>(self.account.0, trouble).await {
            tracing::warn!(account = %self.account, %error, "failed to stop the number; the next refusal tells it again");
        }
        Some(began)
    }

    /// Tells the conversation what became of a call, and when.
    pub(super) async fn record(
        &self,
        (thread, message, attempt): (ConversationId, MessageRef, u16),
        outcome: SendOutcome,
        at: Timestamp,
    ) -> Result<(), CommandError> {
        let mut asked = thread;
        for _ in 0..8 {
            let fact =
                RecordOutcome { thread, message: message.id, attempt, outcome: outcome.clone(), at, known: None };
            let command = Command::RecordOutcome(Box::new(fact));
            match self.numbers.shards.ask::<Conversation>(asked.0, command).await {
                Ok(Answer::Forward { to }) => asked = to,
                Ok(Answer::NotYet) => return Err(CommandError::unavailable()),
                Ok(_) => return Ok(()),
                Err(CommandError::Refused(refusal)) => {
                    tracing::error!(account = %self.account, code = refusal.code(), "an outcome was refused");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Err(CommandError::unavailable())
    }
}

const fn word(outcome: &SendOutcome) -> &'static str {
    match outcome {
        SendOutcome::Accepted { .. } => "accepted",
        SendOutcome::Rejected { .. } => "rejected",
        SendOutcome::NotSent { .. } => "not_sent",
        SendOutcome::Unknown { .. } => "in_doubt",
    }
}
