//! A turn's claim: who of a chunk is due, what the gates and the limits say of each, and one record for all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::run::{LimitedBy, Run, locked};
use crate::channels::prepared::Prepared;
use crate::channels::token::CallbackToken;
use crate::domain::broadcast::chunk::{BlockClaim, Chunk, ChunkAnswer, ChunkCommand};
use crate::domain::broadcast::job::HaltReason;
use crate::domain::broadcast::{CompiledMessage, FrozenRecipient, RecipientState, SkipReason};
use crate::domain::consent::MARKETING;
use crate::domain::inbound::TemplateStatus;
use crate::domain::message::MessageContent;
use crate::domain::number::Number;
use crate::domain::outbound::OutboundMessage;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::window::{Form, Sending, Standing, Window};
use crate::numbers::{Block, BlockItem, BlockName, BlockTurn, Letter};
use crate::shards::{CommandError, Gate, Strain};

/// The pause after something did not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// A claim that was answered later is given back: by then its gates may say something else.
const ANSWER_WORTH: Duration = Duration::from_secs(5);

/// One recipient who may leave, as far as the gates say.
#[derive(Clone, Copy)]
struct Candidate {
    index: u16,
    /// It counts against the messaging limit.
    counted: bool,
}

impl Run {
    /// Claims the next block of at most the turn's room.
    pub(super) async fn claim_block(self: &Arc<Self>, turn: BlockTurn) -> Option<Block> {
        let now = self.broadcasts.now();
        if self.broadcasts.shards.node().strain() >= Strain::Broadcasts {
            self.hold(now + PAUSE, LimitedBy::Store);
            return None;
        }
        if let Err(refusal) = &turn.may_initiate {
            self.number_refuses(refusal, now).await;
            return None;
        }
        let form = self.form(&turn).await?;
        let chunk = locked(&self.chunks).take(now)?;
        let claimed = self.claim_from(chunk, &turn, form, now).await;
        let (block, more, next) = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::debug!(broadcast = %self.id, %error, "a claim failed; trying again");
                let down = matches!(error, CommandError::Unavailable { .. });
                self.hold(now + PAUSE, if down { LimitedBy::Store } else { LimitedBy::Waiting });
                (None, true, None)
            }
        };
        locked(&self.chunks).release(chunk, more, next);
        block
    }

    /// The number does not send: until a time it waits, else somebody has to look.
    async fn number_refuses(&self, refusal: &Refusal, now: Timestamp) {
        match refusal {
            Refusal::SendingPaused { until: Some(until), .. } => {
                self.hold((*until).min(now + Duration::from_secs(10)), LimitedBy::Waiting);
            }
            _ => {
                self.hold(now + PAUSE, LimitedBy::Paused);
                // The turn knows the number as it was a moment ago: somebody may have let it send again since, and this
                // broadcast with it.
                let still = move |number: &Number| number.may_initiate(now).is_err();
                if self.broadcasts.shards.view::<Number, _>(self.account.0, still).await.unwrap_or(false) {
                    self.halt(HaltReason::Account).await;
                }
            }
        }
    }

    /// What the message is to windows; none where its template may not be sent now.
    async fn form(&self, turn: &BlockTurn) -> Option<Form> {
        let message = self.message.get()?;
        let MessageContent::Template { name, language, .. } = message.written() else { return Some(Form::Free) };
        let facts = self.broadcasts.workspaces.template_facts(turn.workspace, self.account, name, language);
        match facts.filter(|facts| facts.status == TemplateStatus::Approved) {
            Some(facts) => Some(Form::Template(facts.category)),
            None => {
                self.hold(self.broadcasts.now() + PAUSE, LimitedBy::Paused);
                self.halt(HaltReason::Template).await;
                None
            }
        }
    }

    async fn claim_from(
        self: &Arc<Self>,
        chunk: u32,
        turn: &BlockTurn,
        form: Form,
        now: Timestamp,
    ) -> Result<(Option<Block>, bool, Option<Timestamp>), CommandError> {
        let (shards, chunk_id) = (&self.broadcasts.shards, self.broadcasts.chunk(self.id, chunk));
        let room = turn.room as usize;
        let (mut due, next) =
            shards.view::<Chunk, _>(chunk_id, move |chunk| chunk.due_recipients(now, room + 1)).await?;
        let more = due.len() > room;
        due.truncate(room);
        if due.is_empty() {
            return Ok((None, false, next));
        }
        let page = self.page(chunk).await?;
        let mut claim = BlockClaim {
            claim: shards.node().surroundings.ids.ulid(now),
            owner: self.broadcasts.owner,
            ..BlockClaim::default()
        };
        let candidates = self.gated(&due, &page, turn, form, &mut claim).await?;
        let gated = candidates.len();
        let candidates = self.permitted(candidates, &page, turn).await?;
        let recipient = |index: u16| page.get(usize::from(index));
        claim.take = candidates.iter().map(|one| one.index).collect();
        claim.threads = candidates
            .iter()
            .filter_map(|one| recipient(one.index).map(|recipient| (one.index, recipient.conversation)))
            .collect();
        let name = BlockName { chunk, claim: claim.claim };
        let postponed = claim.postpone.iter().map(|(_, at)| *at).min();
        let asked_at = tokio::time::Instant::now();
        let claimed = match self.claimed(chunk_id, claim).await {
            Ok(claimed) => claimed,
            Err(error) => {
                self.give_back(candidates.iter().copied(), &page, turn).await;
                return Err(error);
            }
        };
        let attempt_of = |index: u16| claimed.get(&index).copied();
        let lost = candidates.iter().copied().filter(|one| attempt_of(one.index).is_none());
        self.give_back(lost, &page, turn).await;
        let Some(message) = self.message.get() else { return Ok((None, more, next)) };
        let prepared = self.prepared.get_or_init(|| {
            let content = |texts: &[String]| message.with(texts);
            Prepared::new(turn.channel, &turn.sender, message.texts_filled(), content)
        });
        let writer = (message, prepared.as_ref());
        let items: Vec<BlockItem> = candidates
            .iter()
            .filter_map(|one| Some(self.item(chunk, *one, attempt_of(one.index)?, recipient(one.index)?, writer)))
            .collect();
        if asked_at.elapsed() > ANSWER_WORTH {
            // What the gates said is too old by now: nothing of it was begun.
            items.iter().for_each(|item| turn.pairs.give_back(item.customer));
            let at = self.broadcasts.now();
            self.record(name, items.iter().map(|item| item.released(at)).collect()).await;
            return Ok((None, true, next));
        }
        let marketing = self.steered().plan.marketing;
        let next = next.into_iter().chain(postponed).min();
        // Who got no permit is due, and waits for it with the whole broadcast.
        let more = more || candidates.len() < gated;
        Ok((Some(Block { name, items, pace: self.pace(), marketing }), more, next))
    }

    /// Claims, and asks by the same name until it is known whether that was taken: recipients who are claimed without
    /// anybody knowing it would be neither sent to nor in doubt before the process ends. Each with its attempt.
    async fn claimed(&self, chunk: u128, claim: BlockClaim) -> Result<HashMap<u16, u16>, CommandError> {
        let shards = &self.broadcasts.shards;
        loop {
            match shards.ask::<Chunk>(chunk, ChunkCommand::ClaimBlock(claim.clone())).await {
                Ok(ChunkAnswer::Claimed { recipients }) => return Ok(recipients.into_iter().collect()),
                Ok(ChunkAnswer::Noted) => return Ok(HashMap::new()),
                Err(error) => {
                    // Overloaded: it never arrived. Refused: nothing was taken.
                    let unsure = matches!(error, CommandError::Unavailable { .. } | CommandError::Panicked);
                    if !unsure || shards.node().failed().borrow().is_some() {
                        return Err(error);
                    }
                    tracing::debug!(broadcast = %self.id, %error, "a claim was not answered; asking again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Who may leave as far as consent, window and pair rate say; the others go into the claim with their reasons.
    async fn gated(
        &self,
        due: &[u16],
        page: &[FrozenRecipient],
        turn: &BlockTurn,
        form: Form,
        claim: &mut BlockClaim,
    ) -> Result<Vec<Candidate>, CommandError> {
        let plan = self.steered().plan;
        let named: Vec<_> = due
            .iter()
            .map(|index| page.get(usize::from(*index)).map(|known| (known.address, known.conversation)))
            .collect();
        let asked: Vec<_> = named.iter().flatten().copied().collect();
        let topic = plan.marketing.then_some(MARKETING);
        let gates = self.broadcasts.shards.gates(turn.workspace, turn.channel, topic, &asked).await?;
        let mut gates = gates.into_iter();
        let needs_opt_in = self.needs_opt_in();
        let mut candidates = Vec::with_capacity(due.len());
        for (index, named) in due.iter().copied().zip(named) {
            let known = named.and_then(|(address, _)| Some((address, page.get(usize::from(index))?, gates.next()?)));
            let Some((address, recipient, gate)) = known else {
                claim.skip.push((index, SkipReason::Erased));
                continue;
            };
            let keeps = recipient.skip.or_else(|| plan.marketing.then(|| consent(gate, needs_opt_in)).flatten());
            if let Some(reason) = keeps {
                claim.skip.push((index, reason));
                continue;
            }
            let now = self.broadcasts.now();
            match self.standing(gate, turn, form, now) {
                None => claim.skip.push((index, SkipReason::WindowClosed)),
                Some(standing) => match turn.pairs.take(address, now) {
                    Ok(()) => candidates.push(Candidate { index, counted: standing == Standing::Outside }),
                    Err(at) => claim.postpone.push((index, at)),
                },
            }
        }
        Ok(candidates)
    }

    /// How the message stands to a recipient's window; none where it may not leave.
    fn standing(&self, gate: Gate, turn: &BlockTurn, form: Form, now: Timestamp) -> Option<Standing> {
        let window = Window { opened_at: gate.opened_at, ..Window::default() };
        let sending = Sending { form, tag: None, by_person: false, waiting: 0 };
        let margin = self.broadcasts.shards.node().options.rules.margin;
        window.judge(turn.channel, sending, self.broadcasts.numbers.switches(), margin, now).ok()
    }

    fn needs_opt_in(&self) -> bool {
        let workspace = self.broadcasts.workspaces.find(self.workspace);
        workspace.is_none_or(|workspace| workspace.settings.marketing_needs_opt_in)
    }

    /// Those who have a permit or need none; the others wait for the limit, or the broadcast for somebody to look.
    async fn permitted(
        &self,
        candidates: Vec<Candidate>,
        page: &[FrozenRecipient],
        turn: &BlockTurn,
    ) -> Result<Vec<Candidate>, CommandError> {
        let address = |one: &Candidate| page.get(usize::from(one.index)).map(|recipient| recipient.address);
        let asked: Vec<_> = candidates.iter().filter(|one| one.counted).filter_map(address).collect();
        if asked.is_empty() {
            return Ok(candidates);
        }
        let reserved = self.broadcasts.limits.reserve(turn.limit_scope, turn.workspace, asked).await;
        let reserved = match reserved {
            Ok(reserved) => reserved,
            Err(error) => {
                for one in &candidates {
                    address(one).into_iter().for_each(|address| turn.pairs.give_back(address));
                }
                return Err(error);
            }
        };
        let mut granted = reserved.granted.into_iter();
        let now = self.broadcasts.now();
        let come_back = reserved.come_back.unwrap_or(now + PAUSE).max(now + PAUSE);
        let mut permitted = Vec::with_capacity(candidates.len());
        let mut refused = false;
        for one in candidates {
            if !one.counted || granted.next().unwrap_or(false) {
                permitted.push(one);
            } else {
                address(&one).into_iter().for_each(|address| turn.pairs.give_back(address));
                refused = true;
            }
        }
        if refused {
            // An admin may raise the tier before then, and nobody tells.
            self.hold(come_back.min(now + Duration::from_secs(10)), LimitedBy::MessagingLimit);
            // Those who have a permit leave first: a halt would give them back.
            let last = permitted.is_empty() && !self.is_attempting();
            if last && self.steered().plan.send_until.is_some_and(|until| come_back > until) {
                self.halt(HaltReason::MessagingLimit).await;
            }
        }
        Ok(permitted)
    }

    /// Whether messages are claimed that have no outcome.
    fn is_attempting(&self) -> bool {
        let totals = self.broadcasts.totals.get(&self.id);
        totals.is_some_and(|totals| totals.sum().of(RecipientState::Attempting) > 0)
    }

    /// Certainly not sent: pairs and permits are free again.
    async fn give_back(&self, unsent: impl Iterator<Item = Candidate>, page: &[FrozenRecipient], turn: &BlockTurn) {
        let mut permits = Vec::new();
        for one in unsent {
            let Some(recipient) = page.get(usize::from(one.index)) else { continue };
            turn.pairs.give_back(recipient.address);
            if one.counted {
                permits.push(recipient.address);
            }
        }
        if !permits.is_empty()
            && let Err(error) = self.broadcasts.limits.give_back(turn.limit_scope, permits).await
        {
            tracing::warn!(scope = %turn.limit_scope, %error, "failed to give permits back; they count on");
        }
    }

    fn item(
        &self,
        chunk: u32,
        one: Candidate,
        attempt: u16,
        recipient: &FrozenRecipient,
        (message, prepared): (&CompiledMessage, Option<&Prepared>),
    ) -> BlockItem {
        let token = CallbackToken::Broadcast { broadcast: self.id, chunk, index: one.index, attempt };
        let written = prepared.and_then(|prepared| {
            let body = prepared.write(&recipient.to, &token, &recipient.texts)?;
            Some(Letter::Written { path: Arc::clone(&prepared.path), body: Bytes::from(body) })
        });
        let letter = written.unwrap_or_else(|| {
            Letter::InFull(Box::new(OutboundMessage {
                to: vec![recipient.to.clone()],
                content: message.with(&recipient.texts),
                reply_to: None,
                token: token.to_string(),
            }))
        });
        BlockItem { index: one.index, attempt, customer: recipient.address, counted: one.counted, letter }
    }
}

/// What consent says against a marketing message.
const fn consent(gate: Gate, needs_opt_in: bool) -> Option<SkipReason> {
    match gate.withdrawn {
        Some(true) => Some(SkipReason::OptedOut),
        None if needs_opt_in => Some(SkipReason::NotOptedIn),
        Some(false) | None => None,
    }
}
