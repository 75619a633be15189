//! How a chunk judges what it is asked and told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::command::{BlockClaim, ChunkAnswer, ChunkCommand as Command};
use super::event::{AttemptOutcome, ChunkEvent as Event};
use super::{Chunk, Frozen};
use crate::domain::broadcast::recipient::{Evidence, RecipientState, Refused};
use crate::domain::broadcast::{BLOCK_MAX, BroadcastPlace, CHUNK_MAX};
use crate::domain::content::Content;
use crate::domain::entity::{Context, Decision};
use crate::domain::ids::ConversationId;
use crate::domain::message::ProviderMessageId;
use crate::domain::outbound::ErrorClass;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// Who was refused for the platform's own cap a person is tried once more after this (`channels.md` §1.8, 131049).
pub const CAP_REST: Duration = Duration::from_secs(24 * 3_600);

type Decided = Result<Decision<Chunk>, Refusal>;

impl Chunk {
    pub(super) fn judge(&self, command: Command, context: &Context<'_>) -> Decided {
        if let Command::Freeze { frozen } = command {
            return self.freeze(frozen);
        }
        if let Command::RecordOutcomes { claim, outcomes, provider_ids } = command {
            return self.outcomes(claim, outcomes, provider_ids, context);
        }
        let Some(frozen) = self.frozen else { return Err(Refusal::NotFound { what: "chunk" }) };
        let (now, doubt) = (context.now, context.rules.doubt);
        let events = match command {
            Command::ClaimBlock(claim) => return self.claim(&frozen, claim, now),
            Command::DoubtClaims { owner } => {
                let claims: Vec<u128> =
                    self.claims.iter().filter(|claim| claim.owner != owner).map(|claim| claim.claim).collect();
                some(&claims).then_some(Event::ClaimsDoubted { claims, at: now, doubt_until: now + doubt })
            }
            // Who may sign for one number says nothing of another's messages.
            Command::RecordReceipts { account, .. } if account != frozen.account => {
                return Err(Refusal::NotFound { what: "chunk" });
            }
            Command::RecordReceipts { evidence, .. } => {
                bounded(evidence.len(), usize::from(CHUNK_MAX), "receipts in one command")?;
                self.receipts(&frozen, evidence, now)
            }
            Command::RecordReplies { recipients } => {
                let recipients = self.those(recipients, |index| !self.slots.replied.contains(&index));
                some(&recipients).then_some(Event::Replied { recipients, at: now })
            }
            Command::Resend { recipients } => {
                if let Some(how) = self.ended {
                    return Err(Refusal::WrongState { state: how.word(), action: "resend" });
                }
                let recipients = self.those(recipients, |index| self.is_unconfirmed(index));
                some(&recipients).then_some(Event::Resent { recipients, at: now })
            }
            Command::Drop { recipients } => {
                let listed = |index| self.is_unconfirmed(index) && !self.slots.dropped.contains(&index);
                let recipients = self.those(recipients, listed);
                some(&recipients).then_some(Event::Dropped { recipients, at: now })
            }
            Command::End { how } => self.ended.is_none().then_some(Event::Ended { how, at: now }),
            Command::Wake => {
                let over = self.slots.doubts.iter().filter(|(_, until)| **until <= now);
                let recipients: Vec<u16> = over.map(|(index, _)| *index).collect();
                some(&recipients).then_some(Event::DoubtEnded { recipients, at: now })
            }
            Command::Freeze { .. } | Command::RecordOutcomes { .. } => None,
        };
        Ok(decided(events.into_iter().collect(), ChunkAnswer::Noted))
    }

    fn freeze(&self, frozen: Frozen) -> Decided {
        if frozen.recipients == 0 || frozen.recipients > CHUNK_MAX {
            let why = format!("a chunk has 1 to {CHUNK_MAX} recipients");
            return Err(Refusal::Invalid { field: "recipients".to_owned(), why });
        }
        match self.frozen {
            // Frozen is frozen: the same again is a repetition, anything else a mistake.
            Some(known) if known == frozen => Ok(Decision::nothing(ChunkAnswer::Noted)),
            Some(_) => Err(Refusal::AlreadyExists { what: "chunk" }),
            None => Ok(decided(vec![Event::Frozen { frozen }], ChunkAnswer::Noted)),
        }
    }

    fn outcomes(
        &self,
        claim: u128,
        outcomes: Vec<(u16, u16, AttemptOutcome)>,
        provider_ids: Vec<(u16, ProviderMessageId)>,
        context: &Context<'_>,
    ) -> Decided {
        let Some(frozen) = self.frozen else { return Err(Refusal::NotFound { what: "chunk" }) };
        bounded(outcomes.len(), BLOCK_MAX, "outcomes in one command")?;
        let now = context.now;
        let known = |(index, attempt, outcome): &(u16, u16, AttemptOutcome)| {
            // What was given back is claimed again as the same attempt: a repetition must not be taken for its outcome.
            let of_claim = matches!(outcome, AttemptOutcome::Released | AttemptOutcome::Doubted);
            self.was_claimed(*index, *attempt) && (!of_claim || self.holds(claim, *index))
        };
        let judged = |(index, attempt, outcome): (u16, u16, AttemptOutcome)| match outcome {
            AttemptOutcome::Failed(refused) if self.rests(&frozen, index, attempt, refused, now) => {
                (index, attempt, AttemptOutcome::Capped { not_before: now + CAP_REST })
            }
            outcome => (index, attempt, outcome),
        };
        let outcomes: Vec<_> = outcomes.into_iter().filter(known).map(judged).collect();
        let mut decision = decided(Vec::new(), ChunkAnswer::Noted);
        if let Some((first, ..)) = outcomes.first().copied() {
            if !provider_ids.is_empty() {
                decision.content.push(Content::BlockOutcome { chunk: context.id, claim, first, provider_ids, at: now });
            }
            decision.events.push(Event::OutcomesRecorded { outcomes, at: now, doubt_until: now + context.rules.doubt });
        }
        Ok(decision)
    }

    fn claim(&self, frozen: &Frozen, asked: BlockClaim, now: Timestamp) -> Decided {
        bounded(asked.take.len(), BLOCK_MAX, "recipients in one claim")?;
        if let Some(known) = self.claims.iter().find(|claim| claim.claim == asked.claim) {
            let recipients = known.recipients.iter().map(|index| (*index, self.slots.attempt(*index))).collect();
            return Ok(Decision::nothing(ChunkAnswer::Claimed { recipients }));
        }
        let mut seen = BTreeSet::new();
        let mut first = |index: u16| self.waits(index) && seen.insert(index);
        let skip: Vec<_> = asked.skip.into_iter().filter(|(index, _)| first(*index)).collect();
        let postpone: Vec<_> = asked.postpone.into_iter().filter(|(index, _)| first(*index)).collect();
        let take: Vec<u16> = asked.take.into_iter().filter(|index| self.is_due(*index, now) && first(*index)).collect();
        let recipients = take.iter().map(|index| (*index, self.slots.attempt(*index).saturating_add(1))).collect();
        let threads: BTreeMap<u16, ConversationId> = asked.threads.into_iter().collect();
        let reference = |index: &u16| {
            let (broadcast, chunk, claim, index) = (frozen.broadcast, frozen.chunk, asked.claim, *index);
            let attempt = self.slots.attempt(index).saturating_add(1);
            let place = BroadcastPlace { broadcast, chunk, index, attempt, claim };
            threads.get(&index).map(|conversation| Content::ThreadReference {
                conversation: *conversation,
                at: now,
                place,
            })
        };
        let content = take.iter().filter_map(reference).collect();
        let mut events = Vec::new();
        if some(&skip) {
            events.push(Event::Skipped { recipients: skip, at: now });
        }
        if some(&postpone) {
            events.push(Event::Postponed { recipients: postpone });
        }
        if some(&take) {
            events.push(Event::BlockClaimed { claim: asked.claim, owner: asked.owner, recipients: take, at: now });
        }
        Ok(Decision { content, ..decided(events, ChunkAnswer::Claimed { recipients }) })
    }

    /// Whether an attempt that was refused for the platform's own cap a person may be tried once more.
    fn rests(&self, frozen: &Frozen, index: u16, attempt: u16, refused: Refused, now: Timestamp) -> bool {
        let first = !self.slots.capped.contains(&index) && attempt == self.slots.attempt(index);
        let in_time = frozen.send_until.is_none_or(|until| now + CAP_REST <= until);
        refused.class == ErrorClass::Cap && first && in_time && self.ended.is_none()
    }

    /// Evidence that changes something, and attempts that it shows refused for a while.
    fn receipts(&self, frozen: &Frozen, evidence: Vec<Evidence>, now: Timestamp) -> Option<Event> {
        let again = now + CAP_REST;
        let rests = |said: &Evidence| {
            said.refused.is_some_and(|refused| self.rests(frozen, said.index, said.attempt, refused, now))
        };
        let news = |said: &Evidence| {
            let shown = RecipientState::shown_by(said.status);
            shown.is_some_and(|shown| self.slots.would_learn(said.index, said.attempt, shown))
        };
        let (rested, told): (Vec<Evidence>, Vec<Evidence>) = evidence.into_iter().filter(news).partition(rests);
        let back: Vec<_> = rested.into_iter().map(|said| (said.index, said.attempt, again)).collect();
        (some(&told) || some(&back)).then_some(Event::EvidenceTaken { evidence: told, back, at: now })
    }

    fn holds(&self, claim: u128, index: u16) -> bool {
        self.claims.iter().any(|open| open.claim == claim && open.recipients.contains(&index))
    }

    fn was_claimed(&self, index: u16, attempt: u16) -> bool {
        attempt != 0 && attempt <= self.slots.attempt(index)
    }

    fn those(&self, recipients: Vec<u16>, wanted: impl Fn(u16) -> bool) -> Vec<u16> {
        let unique: BTreeSet<u16> = recipients.into_iter().collect();
        unique.into_iter().filter(|index| self.slots.has(*index) && wanted(*index)).collect()
    }
}

fn decided(events: Vec<Event>, answer: ChunkAnswer) -> Decision<Chunk> {
    Decision { events, effects: Vec::new(), content: Vec::new(), answer }
}

fn some<T>(items: &[T]) -> bool {
    !items.is_empty()
}

fn bounded(count: usize, allowed: usize, what: &'static str) -> Result<(), Refusal> {
    if count > allowed { Err(Refusal::TooMany { what, allowed }) } else { Ok(()) }
}
