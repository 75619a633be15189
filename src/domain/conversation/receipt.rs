//! What became of a message of ours: evidence from receipts and outcomes, in any order, any number of times.

use super::Conversation;
use super::answer::Answer;
use super::command::{KnownMessage, RecordReceipt};
use super::draft::Draft;
use super::event::{ConversationEvent as Event, FailureCode, Rule};
use crate::domain::consent::Consent;
use crate::domain::content::Content;
use crate::domain::effect::Effect;
use crate::domain::entity::{Context, Decision, Found, Lookup};
use crate::domain::ids::{ConversationId, MessageId};
use crate::domain::message::{MessageRef, MessageStatus, ProviderMessageId};
use crate::domain::outbound::{ErrorClass, Failure};
use crate::domain::refusal::Refusal;
use crate::domain::status;
use crate::domain::time::Timestamp;
use crate::domain::window::billing::Category;

/// One piece of evidence about one attempt.
pub(super) struct Evidence {
    pub(super) known: KnownMessage,
    pub(super) status: MessageStatus,
    pub(super) at: Timestamp,
    pub(super) failure: Option<Failure>,
    /// The rule of ours that failed it.
    pub(super) rule: Option<Rule>,
    /// The provider's id, where this teaches it.
    pub(super) provider_id: Option<ProviderMessageId>,
    /// What the provider charges it as, where it says so.
    pub(super) category: Option<Category>,
}

/// What a lookup found for a receipt.
pub(super) fn known(receipt: &RecordReceipt, found: Found) -> Option<KnownMessage> {
    match (found, receipt.message) {
        (Found::Receipts(Some(message), statuses), Some((_, attempt))) => {
            Some(KnownMessage { thread: receipt.thread, message, attempt, statuses })
        }
        (Found::ProviderRef(Some((thread, message, attempt)), statuses), _) => {
            Some(KnownMessage { thread, message, attempt, statuses })
        }
        _ => None,
    }
}

impl Conversation {
    pub(super) fn receipt_lookup(&self, receipt: &RecordReceipt) -> Option<Lookup> {
        match receipt.message {
            Some((message, _)) if self.outbox.get(message).is_some() => None,
            Some((message, _)) => {
                self.owns_thread(receipt.thread).then_some(Lookup::Receipts { conversation: receipt.thread, message })
            }
            None => {
                let provider_id = receipt.provider_id.clone();
                Some(Lookup::ProviderRef { account: receipt.account, provider_id })
            }
        }
    }

    /// The attempt that was named, from memory.
    pub(super) fn remembered(&self, message: MessageId, attempt: u16) -> Option<KnownMessage> {
        let entry = self.outbox.get(message)?;
        let thread = entry.thread.or(self.place.map(|place| place.id))?;
        (1..=entry.attempt).contains(&attempt).then(|| KnownMessage {
            thread,
            message: entry.message,
            attempt,
            statuses: Vec::new(),
        })
    }

    /// What is said of a message that neither memory nor a lookup knows.
    pub(super) fn unknown_of(&self, thread: ConversationId) -> Decision<Self> {
        let ours = self.place.is_none() || self.owns_thread(thread);
        Decision::nothing(if ours { Answer::Unmatched } else { Answer::NotYet })
    }

    pub(super) fn take_receipt(
        &self,
        receipt: RecordReceipt,
        context: &Context<'_>,
    ) -> Result<Decision<Self>, Refusal> {
        self.forwarding(|| {
            let remembered = receipt.message.and_then(|(message, attempt)| self.remembered(message, attempt));
            let Some(known) = remembered.or(receipt.known) else { return Ok(self.unknown_of(receipt.thread)) };
            if !self.owns_thread(known.thread) {
                return Ok(self.unknown_of(known.thread));
            }
            let category = receipt.pricing.as_ref().and_then(|pricing| Category::from_word(&pricing.category));
            Ok(Draft::new(self, context).weigh(Evidence {
                known,
                status: receipt.status,
                at: receipt.at,
                failure: receipt.failure,
                rule: None,
                provider_id: Some(receipt.provider_id),
                category,
            }))
        })
    }
}

impl Draft<'_> {
    /// Takes one piece of evidence and answers with what it made of the message.
    pub(super) fn weigh(mut self, evidence: Evidence) -> Decision<Conversation> {
        let (message, attempt) = (evidence.known.message, evidence.known.attempt);
        let (status, changed) = self.take(evidence);
        self.answer(|state| Answer::Status { message, attempt, status, changed, version: state.version })
    }

    /// Takes one piece of evidence: the message's status after it, and whether that changed.
    pub(super) fn take(&mut self, evidence: Evidence) -> (MessageStatus, bool) {
        let KnownMessage { thread, message, attempt, statuses } = evidence.known;
        let (status, at) = (evidence.status, evidence.at);
        let entry = self.state.outbox.get(message.id);
        let (before, after, repeated) = match entry {
            Some(entry) => {
                let repeated = attempt == entry.attempt && status == entry.status;
                (Some(entry.effective()), entry.after(attempt, status), repeated)
            }
            None => {
                let repeated = statuses.contains(&(attempt, status));
                let mut all = statuses;
                let before = status::of_message(&all);
                all.push((attempt, status));
                (before, status::of_message(&all).unwrap_or(status), repeated)
            }
        };
        if repeated {
            return (after, false);
        }
        let uncharged = entry.filter(|entry| !entry.charged).map(|entry| entry.form.category());
        self.content(Content::Receipt {
            conversation: thread,
            message,
            attempt,
            status,
            at,
            failure: evidence.failure.clone(),
            provider_id: evidence.provider_id,
        });
        let changed = before != Some(after);
        if changed {
            let code =
                |failure: &Failure| FailureCode { code: failure.code, class: failure.class, rule: evidence.rule };
            let failure = evidence.failure.as_ref().filter(|_| status == MessageStatus::Failed).map(code);
            let until = (after == MessageStatus::InDoubt).then(|| at + self.rules().doubt);
            self.event(Event::StatusChanged { message, attempt, status: after, at, failure, until });
        }
        if let Some(category) = uncharged.filter(|_| Conversation::is_taken(status)) {
            // The billing conversation runs from the message, whenever we heard of it.
            self.charge(message, evidence.category.unwrap_or(category));
        }
        if let Some(failure) = evidence.failure.filter(|_| status == MessageStatus::Failed && evidence.rule.is_none()) {
            self.suffer(&failure, at);
        }
        (after, changed)
    }

    fn charge(&mut self, message: MessageRef, category: Category) {
        let opens = self.state.billing.ends_at(category).is_none_or(|end| message.at >= end);
        self.event(Event::MessageCharged { message, category, at: message.at, opens });
    }

    /// What a provider's refusal means beyond the message it refused.
    fn suffer(&mut self, failure: &Failure, at: Timestamp) {
        match failure.class {
            ErrorClass::Window => {
                let window = self.state.window;
                // An older error than the last opening tells nothing; one before any opening does,
                // for an inbound from before it may still be on its way.
                if window.shut_at < Some(at) && window.opened_at.is_none_or(|opened| opened <= at) {
                    self.event(Event::WindowShut { at });
                    self.lay_windows();
                }
            }
            ErrorClass::OptOut => self.say(Consent { withdrawn: true, at }),
            ErrorClass::RateNumber
            | ErrorClass::RateAccount
            | ErrorClass::Auth
            | ErrorClass::Account
            | ErrorClass::Quota => {
                if let Some(place) = self.state.place {
                    let (account, code, class) = (place.account, failure.code, failure.class);
                    self.effect(Effect::NumberTrouble { account, code, at, class });
                }
            }
            ErrorClass::Retry
            | ErrorClass::RatePair
            | ErrorClass::Unreachable
            | ErrorClass::Cap
            | ErrorClass::Template
            | ErrorClass::Content => {}
        }
    }
}
