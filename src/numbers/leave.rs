//! A turn's replies on their way out: judged by their conversations, held by the pair rate, permitted
//! by the limit scope, claimed together, and called one by one.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;

use super::UnderWay;
use super::account::{Account, Standing};
use super::actor::Done;
use super::call;
use super::dispatch::{Dispatch, LOOK_AGAIN, PAUSE};
use super::permits;
use super::queue::Reply;
use crate::broken::{self, Fault};
use crate::channels::token::CallbackToken;
use crate::domain::conversation::{Answer, Command, Conversation, Departure, TemplateFacts};
use crate::domain::inbound::{Address, TemplateStatus};
use crate::domain::message::MessageContent;
use crate::domain::number::{Number, NumberAnswer, NumberCommand, ReplyClaim};
use crate::domain::outbound::{OutboundMessage, SendOutcome};
use crate::domain::refusal::Refusal;
use crate::domain::window;
use crate::shards::CommandError;

/// A reply that may leave, and all its call needs.
pub(super) struct Leaving {
    pub(super) reply: Reply,
    pub(super) done: Done,
    pub(super) departure: Departure,
    pub(super) message: OutboundMessage,
    /// It counts against the messaging limit, and has its permit.
    pub(super) permitted: bool,
}

/// How a reply that was taken goes on.
enum Verdict {
    Leaves(Box<(Departure, OutboundMessage)>),
    /// There is nothing to send (any more).
    Ended,
    /// Not now.
    Later(Duration),
}

impl Dispatch {
    /// Lets replies leave: those that may are claimed in one record, then called.
    pub(super) async fn let_leave(
        self: &Rc<Self>,
        account: &Rc<Account>,
        standing: &Standing,
        taken: Vec<(Reply, Done)>,
    ) {
        let verdicts = join_all(taken.iter().map(|(reply, _)| self.judge(account, reply))).await;
        let mut leaving = Vec::with_capacity(taken.len());
        for ((reply, done), verdict) in taken.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Ended => self.end(&reply, done),
                Verdict::Later(pause) => self.put_back(reply, done, self.now() + pause),
                Verdict::Leaves(ready) => {
                    let (departure, message) = *ready;
                    leaving.push(Leaving { reply, done, departure, message, permitted: false });
                }
            }
        }
        let leaving = self.hold_pairs(leaving, standing);
        let leaving = permits::reserve(self, account, standing, leaving).await;
        if leaving.is_empty() {
            return;
        }
        self.claim_and_call(account, leaving).await;
    }

    /// Asks the conversation whether the message may leave, and reads what it says.
    async fn judge(&self, account: &Account, reply: &Reply) -> Verdict {
        match self.ready(account, reply).await {
            Ok(Some(ready)) => Verdict::Leaves(Box::new(ready)),
            Ok(None) => Verdict::Ended,
            Err(CommandError::Refused(refusal)) => {
                tracing::warn!(account = %self.account, code = refusal.code(), "a reply may not leave");
                Verdict::Ended
            }
            Err(_) => Verdict::Later(PAUSE),
        }
    }

    /// The departure and all that the call needs; none where there is nothing to send (any more).
    async fn ready(
        &self,
        account: &Account,
        reply: &Reply,
    ) -> Result<Option<(Departure, OutboundMessage)>, CommandError> {
        if broken::is_ordered(Fault::SendLate)
            && let Some(late) = Box::pin(self.too_late(account, reply)).await?
        {
            return Ok(Some(late));
        }
        let Some(departure) = self.departure(reply, None).await? else { return Ok(None) };
        let Some(message) = self.outbound(account, reply, &departure).await? else { return Ok(None) };
        let Some(withdrawn) = self.withdrawn_template(account, &departure, &message.content) else {
            return Ok(Some((departure, message)));
        };
        // The conversation fails it by this.
        let judged = self.departure(reply, Some(withdrawn)).await?;
        Ok(judged.map(|departure| (departure, message)))
    }

    /// The template of a message as it is now, where the provider does not approve it any more.
    fn withdrawn_template(
        &self,
        account: &Account,
        departure: &Departure,
        content: &MessageContent,
    ) -> Option<TemplateFacts> {
        let MessageContent::Template { name, language, .. } = content else { return None };
        let known = self.numbers.workspaces.template_facts(account.workspace, self.account, name, language);
        // One that is gone cannot be sent either.
        let gone = TemplateFacts { category: departure.category, status: TemplateStatus::Disabled };
        Some(known.unwrap_or(gone)).filter(|facts| facts.status != TemplateStatus::Approved)
    }

    async fn departure(
        &self,
        reply: &Reply,
        template: Option<TemplateFacts>,
    ) -> Result<Option<Departure>, CommandError> {
        let mut asked = reply.conversation;
        // A thread was merged at most a few times; each hop is one redirect.
        for _ in 0..8 {
            let command = Command::Depart {
                thread: reply.conversation,
                message: reply.message.id,
                attempt: reply.attempt,
                switches: self.numbers.settings.switches,
                template,
            };
            match self.numbers.shards.ask::<Conversation>(asked.0, command).await? {
                Answer::Leave(departure) => return Ok(Some(departure)),
                Answer::Forward { to } => asked = to,
                Answer::NotYet => return Err(CommandError::unavailable()),
                _ => return Ok(None),
            }
        }
        Err(CommandError::unavailable())
    }

    /// The message with its body and addresses; none where its row is gone (erased).
    pub(super) async fn outbound(
        &self,
        account: &Account,
        reply: &Reply,
        departure: &Departure,
    ) -> Result<Option<OutboundMessage>, CommandError> {
        let shards = &self.numbers.shards;
        let Some(stored) = shards.message(departure.thread, departure.message).await? else { return Ok(None) };
        let mut to: Vec<Address> =
            shards.addresses(&departure.to).await?.into_iter().flatten().map(|details| details.address).collect();
        to.sort_by_key(|address| address.space);
        let (conversation, message, attempt) = (reply.conversation, reply.message.id, reply.attempt);
        let token = CallbackToken::Message { conversation, message, attempt }.to_string();
        debug_assert!(!matches!(stored.content, MessageContent::Note { .. }), "notes never leave {}", account.sender);
        Ok(Some(OutboundMessage { to, content: stored.content, reply_to: stored.context.quoted, token }))
    }

    /// Holds back those whose customer was written to too often just now.
    fn hold_pairs(&self, leaving: Vec<Leaving>, standing: &Standing) -> Vec<Leaving> {
        let now = self.now();
        let mut free = Vec::with_capacity(leaving.len());
        for one in leaving {
            let outside = one.departure.standing == window::Standing::Outside;
            let may = if outside { &standing.may_initiate } else { &standing.may_send };
            if let Err(refusal) = may {
                let again = until(refusal).unwrap_or(now + PAUSE * 4).max(now + PAUSE).min(now + LOOK_AGAIN);
                self.put_back(one.reply, one.done, again);
                continue;
            }
            let customer = one.departure.to.first().copied();
            match customer.map_or(Ok(()), |customer| self.pairs.borrow_mut().take(customer, now)) {
                Ok(()) => free.push(one),
                Err(at) => self.put_back(one.reply, one.done, at),
            }
        }
        free
    }

    /// Claims the replies in one record, then begins their calls.
    async fn claim_and_call(self: &Rc<Self>, account: &Rc<Account>, leaving: Vec<Leaving>) {
        let claims = leaving
            .iter()
            .map(|one| ReplyClaim {
                conversation: one.reply.conversation,
                message: one.reply.message,
                attempt: one.reply.attempt,
                effect: one.reply.effect,
            })
            .collect();
        // From here to the last byte the process is not stopped: a claim without its call would be in doubt.
        let claiming = UnderWay::begin(&self.numbers);
        if self.numbers.is_draining() {
            // The stop may have looked before this was counted: nothing begins any more.
            for one in leaving {
                permits::give_back(self, account, &one).await;
                self.put_back(one.reply, one.done, self.now());
            }
            return;
        }
        let claimed = self.numbers.shards.ask::<Number>(self.account.0, NumberCommand::ClaimReplies { claims }).await;
        let fresh = match claimed {
            Ok(NumberAnswer::Claimed { fresh }) => fresh,
            Ok(_) => Vec::new(),
            Err(error) => {
                let now = self.now();
                let pause = error.refusal().and_then(until).unwrap_or(now + PAUSE).min(now + LOOK_AGAIN);
                for one in leaving {
                    permits::give_back(self, account, &one).await;
                    self.give_pair_back(&one);
                    self.put_back(one.reply, one.done, pause);
                }
                return;
            }
        };
        for (index, one) in leaving.into_iter().enumerate() {
            let is_fresh = fresh.get(index).copied().unwrap_or(false);
            let (dispatch, account) = (Rc::clone(self), Rc::clone(account));
            let under_way = UnderWay::begin(&self.numbers);
            tokio::task::spawn_local(async move {
                let began = dispatch.now();
                let outcome = if is_fresh {
                    call::send(&dispatch.client, &account, &one.message).await
                } else {
                    SendOutcome::Unknown { reason: "it was claimed before and has no outcome".to_owned() }
                };
                dispatch.finish(&account, one, outcome, began).await;
                drop(under_way);
            });
        }
        drop(claiming);
    }

    pub(super) fn give_pair_back(&self, one: &Leaving) {
        if let Some(customer) = one.departure.to.first() {
            self.pairs.borrow_mut().give_back(*customer);
        }
    }
}

fn until(refusal: &Refusal) -> Option<crate::domain::time::Timestamp> {
    match refusal {
        Refusal::SendingPaused { until, .. } => *until,
        Refusal::ComeBack { at, .. } => Some(*at),
        _ => None,
    }
}
