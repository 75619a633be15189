//! Effects: open in the log from their decision until their answer is in it.

use std::rc::Rc;
use std::time::Duration;

use super::super::error::CommandError;
use super::super::rows;
use super::{Owner, Phase};
use crate::domain::effect::{Effect, EffectId};
use crate::store::{RowKey, Table};

/// The first pause before an effect that found nobody is tried again; it doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The row that keeps an open effect over a restart.
pub(in super::super) fn outbox_key(id: EffectId) -> RowKey {
    let mut ck = [0; 10];
    ck[..8].copy_from_slice(&id.position.to_be_bytes());
    ck[8..].copy_from_slice(&id.index.to_be_bytes());
    RowKey::new(Table::Outbox, &id.shard.to_be_bytes(), &ck)
}

/// The effect that an outbox row of a shard names.
pub(in super::super) fn effect_of_ck(shard: u16, ck: &[u8]) -> Option<EffectId> {
    Some(EffectId {
        shard,
        position: u64::from_be_bytes(ck.get(..8)?.try_into().ok()?),
        index: u16::from_be_bytes(ck.get(8..10)?.try_into().ok()?),
    })
}

impl Owner {
    /// Keeps a committed effect open and carries it out.
    pub(in super::super) fn open_effect(self: &Rc<Self>, id: EffectId, effect: Effect) {
        match rows::put(outbox_key(id), &effect, 0) {
            Ok(put) => {
                if let Some(value) = put.value {
                    self.overlay.borrow_mut().put(put.key, value);
                }
            }
            Err(error) => tracing::error!(shard = self.number, %error, "failed to encode an effect"),
        }
        self.run_effect(id, effect);
    }

    /// Carries out an open effect, until somebody answers it.
    pub(in super::super) fn run_effect(self: &Rc<Self>, id: EffectId, effect: Effect) {
        if !self.open_effects.borrow_mut().insert(id) {
            return;
        }
        let owner = Rc::clone(self);
        self.spawn(async move {
            let mut pause = PAUSE_FIRST;
            loop {
                match owner.hooks.effects.run(id, effect.clone()).await {
                    Ok(()) => break,
                    Err(CommandError::Refused(refusal)) => {
                        // Asking again changes nothing; the receiver's rule has the last word.
                        tracing::debug!(shard = id.shard, code = refusal.code(), "an effect was refused");
                        break;
                    }
                    Err(error) => {
                        tracing::debug!(shard = id.shard, %error, "an effect found nobody; it will be tried again");
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                    }
                }
            }
            owner.effect_answered(id);
        });
    }

    /// Closes an effect in the log: with the record that is forming, or with the next one.
    fn effect_answered(self: &Rc<Self>, id: EffectId) {
        if !self.committer.is_forming() {
            self.answered.borrow_mut().push(id);
            return;
        }
        if let Err(error) = self.committer.close(&[id]) {
            tracing::error!(shard = self.number, %error, "failed to encode an answered effect");
        }
    }

    /// Commits answered effects that found no record to go with.
    pub(in super::super) fn flush_answered(self: &Rc<Self>) {
        // While the shard opens again there is no lease to append under; they wait.
        if self.answered.borrow().is_empty() || !matches!(self.phase(), Phase::Open | Phase::Draining) {
            return;
        }
        let answered = std::mem::take(&mut *self.answered.borrow_mut());
        match self.committer.close(&answered) {
            Ok(true) => self.start_committing(),
            Ok(false) => {}
            Err(error) => tracing::error!(shard = self.number, %error, "failed to encode answered effects"),
        }
    }

    /// The log says that these were answered.
    pub(in super::super) fn forget_effects(&self, closed: &[EffectId]) {
        let mut open = self.open_effects.borrow_mut();
        let mut overlay = self.overlay.borrow_mut();
        for id in closed {
            open.remove(id);
            overlay.delete_once(outbox_key(*id));
        }
    }

    /// How many effects have no answer in the log yet.
    pub(in super::super) fn open_effects(&self) -> usize {
        self.open_effects.borrow().len()
    }
}
