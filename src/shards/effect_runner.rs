//! Who carries out what a shard decided: plugged in by `app`, which knows every feature.

use std::future::Future;
use std::pin::Pin;

use super::error::CommandError;
use crate::domain::effect::{Effect, EffectId};

/// The carrying out of one effect.
pub type Carrying = Pin<Box<dyn Future<Output = Result<(), CommandError>>>>;

/// Carries out effects. One may come more than once, after a restart: receivers are idempotent by id.
pub trait EffectRunner {
    /// Carries out an effect. `Ok` or a refusal closes it; anything else lets it come again.
    fn run(&self, id: EffectId, effect: Effect) -> Carrying;
}
