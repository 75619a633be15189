//! The number's side of a send: may it leave, what became of the call, and whose time is over.

use super::answer::{Answer, Departure};
use super::command::{KnownMessage, RecordOutcome, TemplateFacts};
use super::draft::Draft;
use super::event::{ConversationEvent as Event, Rule};
use super::memory::Outgoing;
use super::receipt::Evidence;
use super::send::sendable;
use super::{Conversation, State};
use crate::domain::author::Author;
use crate::domain::content::{AddressDetails, Content};
use crate::domain::entity::Decision;
use crate::domain::ids::{ConversationId, MessageId};
use crate::domain::inbound::Address;
use crate::domain::message::MessageStatus;
use crate::domain::outbound::{ErrorClass, Failure, SendOutcome};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::window::profiles::Switches;
use crate::domain::window::{Form, Sending, Standing};

type Decided = Result<Decision<Conversation>, Refusal>;

impl Conversation {
    /// Judges a message that is about to leave; one that may not fails with the rule.
    pub(super) fn depart(
        &self,
        (thread, message, attempt): (ConversationId, MessageId, u16),
        switches: Switches,
        template: Option<TemplateFacts>,
        mut draft: Draft<'_>,
    ) -> Decided {
        let Some((known, entry)) = self.remembered(message, attempt).zip(self.outbox.get(message)) else {
            return Ok(self.unknown_of(thread));
        };
        let status = entry.effective();
        if attempt != entry.attempt || status != MessageStatus::Queued {
            return Ok(Decision::nothing(Answer::Stay { status, refusal: None }));
        }
        let judged = self.judge_departure(entry, switches, template, &draft);
        match judged {
            Ok(standing) => Ok(Decision::nothing(Answer::Leave(Departure {
                message: entry.message,
                thread: known.thread,
                attempt,
                standing,
                category: entry.form.category(),
                to: self.addresses.iter().filter(|known| known.is_current()).map(|known| known.id).collect(),
            }))),
            Err((rule, refusal)) => {
                let (status, _) = draft.fail(known, rule, refusal.to_string());
                Ok(draft.answer(|_| Answer::Stay { status, refusal: Some(refusal) }))
            }
        }
    }

    fn judge_departure(
        &self,
        entry: &Outgoing,
        switches: Switches,
        template: Option<TemplateFacts>,
        draft: &Draft<'_>,
    ) -> Result<Standing, (Rule, Refusal)> {
        let now = draft.now();
        if now > entry.until {
            return Err((Rule::WaitedTooLong, waited_too_long()));
        }
        if let (Form::Template(_), Some(facts)) = (entry.form, template) {
            sendable(facts).map_err(|refusal| (Rule::TemplateNotSendable, refusal))?;
        }
        self.judge_consent(entry.form).map_err(|refusal| (Rule::ConsentWithdrawn, refusal))?;
        let sending = Sending { form: entry.form, tag: entry.tag, by_person: entry.by_person, waiting: 0 };
        self.judge_window(sending, switches, draft.rules(), now).map_err(|refusal| (Rule::WindowClosed, refusal))
    }

    pub(super) fn take_outcome(&self, outcome: RecordOutcome, mut draft: Draft<'_>) -> Decided {
        let RecordOutcome { thread, message, attempt, outcome, at, known } = outcome;
        let Some(known) = self.remembered(message, attempt).or(known) else { return Ok(self.unknown_of(thread)) };
        let evidence = |status| Evidence {
            known: known.clone(),
            status,
            at,
            failure: None,
            rule: None,
            provider_id: None,
            category: None,
        };
        match outcome {
            SendOutcome::Accepted { provider_id, addresses, .. } => {
                draft.taught(&addresses, at);
                if let Some(place) = self.place {
                    draft.content(Content::ProviderRef {
                        account: place.account,
                        provider_id: provider_id.clone(),
                        conversation: known.thread,
                        message: known.message,
                        attempt,
                    });
                }
                let provider_id = Some(provider_id);
                Ok(draft.weigh(Evidence { provider_id, ..evidence(MessageStatus::Accepted) }))
            }
            SendOutcome::Rejected { failure, .. } => {
                Ok(draft.weigh(Evidence { failure: Some(failure), ..evidence(MessageStatus::Failed) }))
            }
            SendOutcome::NotSent { reason } => {
                let failure = Some(Failure { code: 0, class: ErrorClass::Retry, sentence: reason });
                let rule = Some(Rule::NotSent);
                Ok(draft.weigh(Evidence { failure, rule, ..evidence(MessageStatus::Failed) }))
            }
            SendOutcome::Unknown { .. } => Ok(draft.weigh(evidence(MessageStatus::InDoubt))),
        }
    }
}

fn waited_too_long() -> Refusal {
    Refusal::WrongState { state: "too old to leave", action: "send" }
}

impl Draft<'_> {
    /// Fails an attempt by a rule of ours.
    fn fail(&mut self, known: KnownMessage, rule: Rule, sentence: String) -> (MessageStatus, bool) {
        let class = match rule {
            Rule::WindowClosed => ErrorClass::Window,
            Rule::ConsentWithdrawn => ErrorClass::OptOut,
            Rule::TemplateNotSendable => ErrorClass::Template,
            Rule::WaitedTooLong | Rule::NotSent => ErrorClass::Retry,
        };
        let at = self.now();
        self.take(Evidence {
            known,
            status: MessageStatus::Failed,
            at,
            failure: Some(Failure { code: 0, class, sentence }),
            rule: Some(rule),
            provider_id: None,
            category: None,
        })
    }

    /// Learns the addresses that a provider's answer names.
    fn taught(&mut self, addresses: &[Address], at: Timestamp) {
        let Some(place) = self.state.place else { return };
        if self.state.group {
            return;
        }
        let named: Vec<_> = addresses
            .iter()
            .map(|address| {
                let id = self.keys().address(place.workspace, address.space.word(), &address.text);
                (id, AddressDetails { address: address.clone(), name: None, username: None })
            })
            .collect();
        let new = self.learn(&named, at, false);
        self.tell(&new, at);
    }

    /// Does what is due: ends a snooze, gives up doubt, fails what waited too long.
    pub(super) fn wake(mut self) -> Decision<Conversation> {
        let now = self.now();
        if let State::Snoozed { until, .. } = self.state.state
            && until <= now
            && self.state.redirect.is_none()
        {
            self.event(Event::Woken { by: Author::System, at: now });
        }
        let due: Vec<(MessageId, u16, MessageStatus)> = self
            .state
            .outbox
            .0
            .iter()
            .filter(|entry| entry.due().is_some_and(|due| due <= now))
            .map(|entry| (entry.message.id, entry.attempt, entry.effective()))
            .collect();
        for (message, attempt, status) in due {
            let Some(known) = self.state.remembered(message, attempt) else { continue };
            if status == MessageStatus::Queued {
                self.fail(known, Rule::WaitedTooLong, waited_too_long().to_string());
            } else {
                let status = MessageStatus::Unconfirmed;
                let (failure, rule, provider_id, category) = (None, None, None, None);
                self.take(Evidence { known, status, at: now, failure, rule, provider_id, category });
            }
        }
        self.changed()
    }

    /// Whether a form of message waits in the outbox, and how often: it counts before it has left.
    pub(super) fn waiting(&self) -> u8 {
        let queued = |entry: &&Outgoing| entry.form == Form::Free && entry.effective() == MessageStatus::Queued;
        u8::try_from(self.state.outbox.0.iter().filter(queued).count()).unwrap_or(u8::MAX)
    }
}
