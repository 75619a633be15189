//! Taking stored events into a chunk. Total: an event that was stored always applies.

use super::event::{AttemptOutcome, ChunkEvent as Event, Ending};
use super::slots::Slots;
use super::{Chunk, OpenClaim};
use crate::domain::broadcast::recipient::{Evidence, RecipientState, SkipReason};
use crate::domain::broadcast::tally::Tally;
use crate::domain::time::Timestamp;

impl Chunk {
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::Frozen { frozen } => {
                self.slots = Slots::new(frozen.recipients);
                self.tally = Tally::pending(u32::from(frozen.recipients));
                self.frozen = Some(*frozen);
            }
            Event::Skipped { recipients, .. } => {
                for (index, reason) in recipients {
                    self.skip(*index, *reason);
                }
            }
            Event::Postponed { recipients } => self.slots.not_before.extend(recipients.iter().copied()),
            Event::BlockClaimed { claim, owner, recipients, .. } => {
                for index in recipients {
                    self.change(*index, |slots| {
                        slots.set_attempt(*index, slots.attempt(*index).saturating_add(1));
                        slots.set(*index, RecipientState::Attempting);
                        slots.not_before.remove(index);
                        slots.refusals.remove(index);
                    });
                }
                self.claims.push(OpenClaim { claim: *claim, owner: *owner, recipients: recipients.clone() });
            }
            Event::OutcomesRecorded { outcomes, doubt_until, .. } => {
                for (index, attempt, outcome) in outcomes {
                    self.take_outcome(*index, *attempt, outcome, *doubt_until);
                }
            }
            Event::ClaimsDoubted { claims, doubt_until, .. } => {
                let doubted = |claim: &mut OpenClaim| claims.contains(&claim.claim);
                let gone: Vec<OpenClaim> = self.claims.extract_if(.., doubted).collect();
                for index in gone.into_iter().flat_map(|claim| claim.recipients) {
                    self.doubt(index, *doubt_until);
                }
            }
            Event::EvidenceTaken { evidence, back, .. } => {
                for said in evidence {
                    self.take_evidence(said);
                }
                for (index, attempt, not_before) in back {
                    self.come_back(*index, *attempt, *not_before, RecipientState::Failed);
                    self.slots.capped.insert(*index);
                }
            }
            Event::DoubtEnded { recipients, .. } => {
                for index in recipients {
                    if self.slots.present(*index) == RecipientState::InDoubt {
                        self.change(*index, |slots| slots.set(*index, RecipientState::Unconfirmed));
                    }
                }
            }
            Event::Resent { recipients, .. } => {
                for index in recipients {
                    self.slots.dropped.remove(index);
                    self.return_to_pending(*index);
                }
            }
            Event::Dropped { recipients, .. } => self.slots.dropped.extend(recipients),
            Event::Replied { recipients, .. } => {
                for index in recipients {
                    self.tally.replied += u32::from(self.slots.replied.insert(*index));
                }
            }
            Event::Ended { how, .. } => {
                self.ended = Some(*how);
                for index in self.slots.indexes() {
                    if self.slots.present(index) == RecipientState::Pending {
                        self.return_to_pending(index);
                    }
                }
            }
        }
    }

    /// Changes one recipient, and the tally with it.
    fn change(&mut self, index: u16, change: impl FnOnce(&mut Slots)) {
        if !self.slots.has(index) {
            return;
        }
        let before = self.slots.state(index);
        change(&mut self.slots);
        self.tally.change(before, self.slots.state(index));
    }

    fn take_outcome(&mut self, index: u16, attempt: u16, outcome: &AttemptOutcome, doubt_until: Timestamp) {
        if attempt == self.slots.attempt(index) {
            for claim in &mut self.claims {
                claim.recipients.retain(|claimed| *claimed != index);
            }
            self.claims.retain(|claim| !claim.recipients.is_empty());
        }
        match outcome {
            AttemptOutcome::Accepted => {
                self.change(index, |slots| slots.witness(index, attempt, RecipientState::Accepted));
            }
            AttemptOutcome::Failed(refused) => self.take_evidence(&Evidence {
                index,
                attempt,
                status: crate::domain::message::MessageStatus::Failed,
                refused: Some(*refused),
            }),
            AttemptOutcome::CameBack { not_before } => {
                self.come_back(index, attempt, *not_before, RecipientState::Unconfirmed);
            }
            AttemptOutcome::Capped { not_before } => {
                self.come_back(index, attempt, *not_before, RecipientState::Unconfirmed);
                self.slots.capped.insert(index);
            }
            AttemptOutcome::Doubted if attempt == self.slots.attempt(index) => self.doubt(index, doubt_until),
            AttemptOutcome::Released
                if attempt == self.slots.attempt(index) && self.slots.present(index) == RecipientState::Attempting =>
            {
                self.slots.set_attempt(index, attempt.saturating_sub(1));
                self.return_to_pending(index);
            }
            AttemptOutcome::Doubted | AttemptOutcome::Released => {}
        }
    }

    fn take_evidence(&mut self, said: &Evidence) {
        let Some(shown) = RecipientState::shown_by(said.status) else { return };
        self.change(said.index, |slots| slots.witness(said.index, said.attempt, shown));
        if let (Some(refused), RecipientState::Failed) = (said.refused, self.slots.state(said.index)) {
            self.slots.refusals.insert(said.index, refused);
        }
    }

    /// The attempt was refused for a while, unless more than `at_most` is known of it.
    fn come_back(&mut self, index: u16, attempt: u16, not_before: Timestamp, at_most: RecipientState) {
        let present = self.slots.present(index);
        if attempt != self.slots.attempt(index) || present.is_unattempted() || present > at_most {
            return;
        }
        self.slots.refuse_attempt(index);
        self.slots.not_before.insert(index, not_before);
        self.return_to_pending(index);
    }

    fn doubt(&mut self, index: u16, until: Timestamp) {
        if self.slots.present(index) == RecipientState::Attempting {
            self.change(index, |slots| slots.set(index, RecipientState::InDoubt));
            self.slots.doubts.insert(index, until);
        }
    }

    /// It waits again, unless nothing leaves any more.
    fn return_to_pending(&mut self, index: u16) {
        match self.ended {
            None => self.change(index, |slots| slots.set(index, RecipientState::Pending)),
            Some(Ending::Cancelled) => self.change(index, |slots| slots.set(index, RecipientState::Cancelled)),
            Some(Ending::Expired) => self.skip(index, SkipReason::Expired),
        }
    }

    fn skip(&mut self, index: u16, reason: SkipReason) {
        self.change(index, |slots| slots.set(index, RecipientState::Skipped));
        self.slots.skips.insert(index, reason);
    }
}
