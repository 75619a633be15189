//! How a broadcast judges what it is asked and told.

use super::command::{BroadcastAnswer, BroadcastCommand as Command, PrivateRows};
use super::event::BroadcastEvent as Event;
use super::{Broadcast, HaltReason, Job, Phase, Plan, Status};
use crate::domain::author::Author;
use crate::domain::content::Content;
use crate::domain::entity::{Context, Decision, Entity, EntityKind};
use crate::domain::pace::NUMBER_RATE_MAX;
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// The private row with the broadcast's name.
pub const SLOT_NAME: &str = "name";
/// The private row with whom it is for.
pub const SLOT_AUDIENCE: &str = "audience";
/// The private row with what it says.
pub const SLOT_MESSAGE: &str = "message";
/// The highest rate of its own that a broadcast may have: the fastest number's (`product.md` §2).
pub const RATE_MAX: u32 = NUMBER_RATE_MAX;

type Decided = Result<Decision<Broadcast>, Refusal>;

impl Broadcast {
    pub(super) fn judge(&self, command: Command, context: &Context<'_>) -> Decided {
        match command {
            Command::Create { asked, workspace, plan, rows, retries } => self.action(&asked, context, |at| {
                if self.job.is_some() {
                    return Err(Refusal::AlreadyExists { what: "broadcast" });
                }
                check(&plan, at)?;
                let author = asked.author;
                Ok((vec![Event::Created { workspace, plan, retries, at, author }], rows))
            }),
            Command::Edit { asked, plan, rows } => self.action(&asked, context, |at| {
                let job = self.in_state("edit", |status| matches!(status, Status::Draft | Status::Scheduled(_)))?;
                check(&plan, at)?;
                let changed = job.plan != plan || !rows.is_empty();
                let edited = changed.then_some(Event::Edited { plan, at, author: asked.author });
                Ok((edited.into_iter().collect(), rows))
            }),
            Command::Publish { asked, at: starts_at } => self.plainly(&asked, context, |at, author| {
                let job = self.in_state("publish", |status| matches!(status, Status::Draft | Status::Scheduled(_)))?;
                check(&job.plan, starts_at.unwrap_or(at).max(at))?;
                Ok(match starts_at.filter(|starts_at| *starts_at > at) {
                    Some(starts_at) if job.phase == Phase::Scheduled(starts_at) => vec![],
                    Some(starts_at) => vec![Event::Scheduled { starts_at, at, author }],
                    None => vec![Event::Started { at, author }],
                })
            }),
            Command::Pause { asked } => self.plainly(&asked, context, |at, author| {
                let job = self.in_state("pause", |status| matches!(status, Status::Sending | Status::Paused(_)))?;
                let reason = HaltReason::User;
                Ok(if job.halts.contains(&reason) { vec![] } else { vec![Event::Halted { reason, at, author }] })
            }),
            Command::Resume { asked } => self.plainly(&asked, context, |at, author| {
                let job = self.in_state("resume", |status| matches!(status, Status::Sending | Status::Paused(_)))?;
                Ok(job.halts.iter().map(|reason| Event::Lifted { reason: *reason, at, author }).collect())
            }),
            Command::Cancel { asked } => self.plainly(&asked, context, |at, author| {
                self.in_state("cancel", |status| {
                    matches!(status, Status::Scheduled(_) | Status::Sending | Status::Paused(_) | Status::Cancelled)
                })?;
                let again = self.status() == Some(Status::Cancelled);
                Ok(if again { vec![] } else { vec![Event::Cancelled { at, author }] })
            }),
            Command::Delete { asked } => self.plainly(&asked, context, |at, author| {
                self.in_state("delete", |status| !matches!(status, Status::Sending | Status::Paused(_)))?;
                Ok(vec![Event::Deleted { at, author }])
            }),
            Command::ChangeRate { asked, per_second } => self.plainly(&asked, context, |at, author| {
                let job = self.in_state("change_rate", |status| !matches!(status, Status::Sent | Status::Cancelled))?;
                check_rate(per_second)?;
                let same = job.plan.rate_per_second == per_second;
                Ok(if same { vec![] } else { vec![Event::RateChanged { per_second, at, author }] })
            }),
            fact => Ok(noted(self.facts(&fact, context.now))),
        }
    }

    /// What facts and passing time change; facts about a broadcast that is not there, or over, change nothing.
    fn facts(&self, fact: &Command, at: Timestamp) -> Vec<Event> {
        let Some(job) = &self.job else { return vec![] };
        let (author, started) = (Author::System, job.phase == Phase::Started);
        let mut events = match *fact {
            Command::Halt { reason } if started && !job.halts.contains(&reason) => {
                vec![Event::Halted { reason, at, author }]
            }
            Command::Lift { reason } if reason.lifts_by_itself() && job.halts.contains(&reason) => {
                vec![Event::Lifted { reason, at, author }]
            }
            Command::RecordFrozen { audience } if started && job.audience.is_none() => {
                vec![Event::AudienceFrozen { audience, at }]
            }
            Command::RecordChunk { chunk, open } if job.chunk_is_news(chunk, open) => {
                vec![Event::ChunkTold { chunk, open }]
            }
            Command::Wake => match (job.phase, self.due()) {
                (Phase::Scheduled(_), Some(due)) if due <= at => vec![Event::Started { at, author }],
                (Phase::Started, Some(due)) if due <= at => vec![Event::Expired { at }],
                _ => vec![],
            },
            _ => vec![],
        };
        let mut after = self.clone();
        events.iter().for_each(|event| after.apply(event));
        match after.job.as_ref().map(|job| (job.phase, job.is_complete())) {
            Some((Phase::Started, true)) => events.push(Event::Completed { at }),
            Some((Phase::Complete, false)) => events.push(Event::Reopened { at }),
            _ => {}
        }
        events
    }

    /// An action that writes no rows.
    fn plainly(
        &self,
        asked: &Asked,
        context: &Context<'_>,
        decide: impl FnOnce(Timestamp, Author) -> Result<Vec<Event>, Refusal>,
    ) -> Decided {
        self.action(asked, context, |at| Ok((decide(at, asked.author)?, vec![])))
    }

    /// What somebody asks: answered as before where it was taken before.
    fn action(
        &self,
        asked: &Asked,
        context: &Context<'_>,
        decide: impl FnOnce(Timestamp) -> Result<(Vec<Event>, PrivateRows), Refusal>,
    ) -> Decided {
        if self.recall.is_repeat(asked.key)? {
            return self.answer(vec![], vec![], true);
        }
        if self.job.is_some() {
            asked.check_version(self.version)?;
        }
        let at = context.now;
        let (mut events, rows) = decide(at)?;
        if let (Some(key), false) = (asked.key, events.is_empty()) {
            events.push(Event::KeyUsed { key, at });
        }
        let (kind, id) = (EntityKind::Broadcast, context.id);
        let row = |(slot, value): (&str, Vec<u8>)| Content::Private {
            kind,
            id,
            slot: slot.to_owned(),
            value: Some(value),
            at,
        };
        self.answer(events, rows.into_iter().map(row).collect(), false)
    }

    fn answer(&self, events: Vec<Event>, content: Vec<Content>, repeated: bool) -> Decided {
        let mut after = self.clone();
        events.iter().for_each(|event| after.apply(event));
        let Some(status) = after.status() else { return Err(Refusal::NotFound { what: "broadcast" }) };
        let answer = BroadcastAnswer::Saved { status, version: after.version, repeated };
        Ok(Decision { events, effects: Vec::new(), content, answer })
    }

    /// The broadcast, where it stands so that this may be done. A deleted one is not there.
    fn in_state(&self, action: &'static str, fits: impl FnOnce(Status) -> bool) -> Result<&Job, Refusal> {
        let job = self.job.as_ref().filter(|job| job.phase != Phase::Deleted);
        let job = job.ok_or(Refusal::NotFound { what: "broadcast" })?;
        let status = job.status();
        if fits(status) { Ok(job) } else { Err(Refusal::WrongState { state: status.word(), action }) }
    }
}

impl Job {
    /// Whether a chunk says something that was not known.
    fn chunk_is_news(&self, chunk: u32, open: bool) -> bool {
        let known = self.audience.is_some_and(|audience| chunk < audience.chunks);
        known && self.open_chunks.contains(&chunk) != open
    }
}

fn noted(events: Vec<Event>) -> Decision<Broadcast> {
    Decision { events, effects: Vec::new(), content: Vec::new(), answer: BroadcastAnswer::Noted }
}

/// Refuses a plan that could not be kept by whoever starts at `starts_at`.
fn check(plan: &Plan, starts_at: Timestamp) -> Result<(), Refusal> {
    check_rate(plan.rate_per_second)?;
    if plan.send_until.is_some_and(|until| until <= starts_at) {
        let why = "it has passed when the broadcast starts; give a later one, or none".to_owned();
        return Err(Refusal::Invalid { field: "send_until".to_owned(), why });
    }
    Ok(())
}

fn check_rate(per_second: Option<u32>) -> Result<(), Refusal> {
    if per_second.is_some_and(|rate| rate == 0 || rate > RATE_MAX) {
        let why = format!("a rate is 1 to {RATE_MAX} messages a second, or none for the number's");
        return Err(Refusal::Invalid { field: "rate_per_second".to_owned(), why });
    }
    Ok(())
}
