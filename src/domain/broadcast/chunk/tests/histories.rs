//! Random histories: a provider that truly sends or refuses, a process that dies, receipts in any order and number.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const RECIPIENTS: u16 = 6;

/// One thing that happens. Indexes are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Claim(Vec<u16>),
    Skip(u16),
    /// The provider's answer to an open attempt: took it, refuses it, refuses it for a while, silence, not begun.
    Answer(usize, u8),
    Die,
    /// A receipt of something that truly left, one of its statuses.
    Receipt(usize, u8),
    Pass(i64),
    Resend,
    Reply(u16),
    End(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(0..RECIPIENTS, 1..4).prop_map(Step::Claim),
        1 => (0..RECIPIENTS).prop_map(Step::Skip),
        5 => (any::<usize>(), 0_u8..6).prop_map(|(open, answer)| Step::Answer(open, answer)),
        1 => Just(Step::Die),
        5 => (any::<usize>(), 0_u8..4).prop_map(|(left, status)| Step::Receipt(left, status)),
        2 => (0_i64..40 * MINUTE).prop_map(Step::Pass),
        1 => Just(Step::Resend),
        1 => (0..RECIPIENTS).prop_map(Step::Reply),
        1 => any::<bool>().prop_map(Step::End),
    ]
}

/// The world around a chunk, and what it truly did.
struct World {
    live: Live<Chunk>,
    now: i64,
    process: u128,
    claims: u128,
    /// Claimed in this process and not answered.
    open: Vec<(u16, u16)>,
    /// What the provider truly sent to the customer: each attempt once.
    left: Vec<(u16, u16)>,
    /// Of whom it was told that an attempt had left.
    told: BTreeSet<u16>,
    /// Attempts by a word of the operator's.
    resent: u16,
}

impl World {
    fn new() -> Self {
        Self {
            live: chunk(RECIPIENTS),
            now: 1,
            process: 1,
            claims: 0,
            open: Vec::new(),
            left: Vec::new(),
            told: BTreeSet::new(),
            resent: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Claim(take) => {
                self.claims += 1;
                let asked =
                    BlockClaim { claim: self.claims, owner: self.process, take: take.clone(), ..BlockClaim::default() };
                if let ChunkAnswer::Claimed { recipients } = self.ask(ChunkCommand::ClaimBlock(asked)) {
                    let again = recipients.iter().find(|(index, _)| self.told.contains(index));
                    assert_eq!(again, None, "it was told that an attempt had left");
                    self.open.extend(recipients);
                }
            }
            Step::Skip(index) => {
                self.claims += 1;
                let skip = vec![(*index, SkipReason::OptedOut)];
                let asked = BlockClaim { claim: self.claims, owner: self.process, skip, ..BlockClaim::default() };
                self.ask(ChunkCommand::ClaimBlock(asked));
            }
            Step::Answer(open, answer) if !self.open.is_empty() => {
                let (index, attempt) = self.open.swap_remove(open % self.open.len());
                let sends = matches!(answer, 0 | 3);
                if sends {
                    self.left.push((index, attempt));
                }
                if *answer == 0 {
                    self.told.insert(index);
                }
                let outcome = match answer {
                    0 => AttemptOutcome::Accepted,
                    1 => AttemptOutcome::Failed(refusal(ErrorClass::Unreachable)),
                    2 => AttemptOutcome::CameBack { not_before: Timestamp(self.now + MINUTE) },
                    3 | 4 => AttemptOutcome::Doubted,
                    _ => AttemptOutcome::Released,
                };
                let claim = claim_of(&self.live, index);
                self.ask(ChunkCommand::RecordOutcomes {
                    claim,
                    outcomes: vec![(index, attempt, outcome)],
                    provider_ids: vec![],
                });
            }
            Step::Die => {
                // Half of what was open had left.
                self.left.extend(self.open.drain(..).enumerate().filter(|(n, _)| n % 2 == 0).map(|(_, open)| open));
                self.process += 1;
                self.ask(ChunkCommand::DoubtClaims { owner: self.process });
            }
            Step::Receipt(left, status) if !self.left.is_empty() => {
                let (index, attempt) = self.left[left % self.left.len()];
                self.told.insert(index);
                let status =
                    [MessageStatus::Accepted, MessageStatus::Sent, MessageStatus::Delivered, MessageStatus::Read]
                        [usize::from(*status)];
                self.ask(ChunkCommand::RecordReceipts {
                    account: ACCOUNT,
                    evidence: vec![Evidence { index, attempt, status, refused: None }; 2],
                });
            }
            Step::Pass(ms) => {
                self.now += ms;
                self.ask(ChunkCommand::Wake);
            }
            Step::Resend => {
                let recipients: Vec<u16> = self.live.state.unconfirmed().collect();
                let before = self.live.log.len();
                let _ = self.live.ask(self.now, ChunkCommand::Resend { recipients: recipients.clone() });
                self.resent += if self.live.log.len() > before { recipients.len() as u16 } else { 0 };
            }
            Step::Reply(index) => {
                self.ask(ChunkCommand::RecordReplies { recipients: vec![*index] });
            }
            Step::End(cancelled) => {
                let how = if *cancelled { Ending::Cancelled } else { Ending::Expired };
                self.ask(ChunkCommand::End { how });
            }
            Step::Answer(..) | Step::Receipt(..) => {}
        }
        self.check();
    }

    fn ask(&mut self, command: ChunkCommand) -> ChunkAnswer {
        self.live.ask(self.now, command).unwrap().answer
    }

    /// What holds after every step.
    fn check(&self) {
        let chunk = &self.live.state;
        let mut counted: BTreeMap<RecipientState, u32> = BTreeMap::new();
        let mut replied = 0;
        for index in 0..RECIPIENTS {
            let view = chunk.recipient(index).unwrap();
            *counted.entry(view.state).or_default() += 1;
            replied += u32::from(view.replied);
        }
        for state in RecipientState::ALL {
            assert_eq!(chunk.tally().of(state), counted.get(&state).copied().unwrap_or_default(), "{state:?}");
        }
        assert_eq!((chunk.tally().recipients(), chunk.tally().replied), (u32::from(RECIPIENTS), replied));
        // Nobody has it twice, except by a word of the operator's.
        let mut copies: BTreeMap<u16, u16> = BTreeMap::new();
        for (index, _) in &self.left {
            *copies.entry(*index).or_default() += 1;
        }
        let second: u16 = copies.values().map(|count| count - 1).sum();
        assert!(second <= self.resent, "{second} second copies, {} resent", self.resent);
        // Nobody has it of whom the ledger says that nothing left.
        for (index, _) in &self.left {
            let state = chunk.recipient(*index).unwrap().state;
            let denied = matches!(state, RecipientState::Failed | RecipientState::Skipped | RecipientState::Cancelled);
            assert!(!denied || self.resent > 0, "{index} has it and is {state:?}");
        }
        let due: Vec<u16> = self.live.state.due_recipients(Timestamp(self.now), 100).0;
        assert!(due.iter().all(|index| !self.open.iter().any(|(open, _)| open == index)), "claimed and due");
    }

    /// Everything that left is shown by a receipt; time passes.
    fn settle(&mut self) {
        self.step(&Step::Die);
        for (index, attempt) in self.left.clone() {
            let status = MessageStatus::Delivered;
            self.ask(ChunkCommand::RecordReceipts {
                account: ACCOUNT,
                evidence: vec![Evidence { index, attempt, status, refused: None }],
            });
        }
        self.ask(ChunkCommand::End { how: Ending::Expired });
        self.step(&Step::Pass(DOUBT.as_millis() as i64));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_says_what_truly_left(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.settle();
        prop_assert_eq!(world.live.state.tally().open(), 0, "everybody has an outcome");
        for index in 0..RECIPIENTS {
            let has_it = world.left.iter().any(|(left, _)| *left == index);
            let shown = world.live.state.recipient(index).unwrap().state >= RecipientState::Delivered;
            prop_assert_eq!(has_it, shown, "recipient {}", index);
        }
        world.live.assert_replays();
    }

    #[test]
    fn receipts_in_any_order_and_number_end_the_same(
        receipts in prop::collection::vec((0..3_u16, 1..3_u16, 0..5_usize), 1..12),
        order in any::<u64>(),
        resent in any::<bool>(),
    ) {
        let statuses = [
            MessageStatus::Accepted,
            MessageStatus::Sent,
            MessageStatus::Failed,
            MessageStatus::Delivered,
            MessageStatus::Read,
        ];
        let evidence: Vec<Evidence> = receipts
            .iter()
            .map(|(index, attempt, status)| Evidence {
                index: *index,
                attempt: *attempt,
                status: statuses[*status],
                refused: None,
            })
            .collect();
        let mut shuffled = [evidence.clone(), evidence[..evidence.len() / 2].to_vec()].concat();
        shuffled.sort_by_key(|said| order.wrapping_mul(u64::from(said.index * 40 + said.attempt * 7 + said.status as u16) + 3));
        let end = |batches: std::slice::Chunks<'_, Evidence>| {
            let mut live = chunk(3);
            claim(&mut live, 1, 7, &[0, 1, 2]);
            live.ask(2, ChunkCommand::DoubtClaims { owner: 2 }).unwrap();
            live.ask(2 + DOUBT.as_millis() as i64, ChunkCommand::Wake).unwrap();
            live.ask(60 * MINUTE, ChunkCommand::Resend { recipients: vec![0, 1, 2] }).unwrap();
            if resent {
                claim(&mut live, 61 * MINUTE, 8, &[0, 1, 2]);
            }
            for evidence in batches {
                live.ask(62 * MINUTE, ChunkCommand::RecordReceipts { account: ACCOUNT, evidence: evidence.to_vec() }).unwrap();
            }
            (0..3).map(|index| state(&live, index)).collect::<Vec<_>>()
        };
        prop_assert_eq!(end(evidence.chunks(1)), end(shuffled.chunks(1)));
        prop_assert_eq!(end(evidence.chunks(1)), end(evidence.chunks(100)));
    }
}
