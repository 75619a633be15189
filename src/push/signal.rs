//! What is worth telling only as long as it is the latest: typing, presence, counters, progress.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::body::{Body, BodyError};
use super::entry::{Audience, Viewer};
use crate::domain::ids::WorkspaceId;

/// The most keys of one workspace whose latest signal is remembered; the longest untouched goes first.
pub const SIGNAL_KEYS_MAX: usize = 1_024;

/// A value without a number, which rests on nothing; a newer one of the same key replaces it.
pub struct Signal {
    workspace: WorkspaceId,
    key: String,
    audience: Option<Arc<Audience>>,
    body: Body,
}

#[derive(Serialize)]
struct SignalBody<'a, D> {
    #[serde(rename = "type")]
    kind: &'a str,
    key: &'a str,
    data: D,
}

impl Signal {
    /// A signal of `kind` (`typing`, `presence`, `counters`) about `key` (what it replaces by), for
    /// all of the workspace or for those who see `audience`.
    ///
    /// # Errors
    /// When `data` does not serialise.
    pub fn new(
        workspace: WorkspaceId,
        kind: &str,
        key: &str,
        audience: Option<Arc<Audience>>,
        data: &impl Serialize,
    ) -> Result<Self, BodyError> {
        let body = Body::new(&SignalBody { kind, key, data })?;
        Ok(Self { workspace, key: format!("{kind} {key}"), audience, body })
    }

    /// The tenant.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    pub(super) fn body(&self) -> &Body {
        &self.body
    }

    pub(super) fn seen_by(&self, viewer: &dyn Viewer) -> bool {
        self.audience.as_ref().is_none_or(|audience| viewer.sees(audience))
    }
}

/// The latest signal of each key of a workspace, in the order of their arrival.
#[derive(Default)]
pub(super) struct Signals {
    latest: BTreeMap<u64, Arc<Signal>>,
    by_key: HashMap<String, u64>,
    last: u64,
}

impl Signals {
    pub(super) fn put(&mut self, signal: Arc<Signal>) {
        self.last += 1;
        if let Some(before) = self.by_key.insert(signal.key.clone(), self.last) {
            self.latest.remove(&before);
        }
        self.latest.insert(self.last, signal);
        if self.latest.len() > SIGNAL_KEYS_MAX
            && let Some((_, oldest)) = self.latest.pop_first()
        {
            self.by_key.remove(&oldest.key);
        }
    }

    /// The number of the last one.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The first one after `number`.
    pub(super) fn after(&self, number: u64) -> Option<(u64, &Arc<Signal>)> {
        self.latest.range(number + 1..).next().map(|(number, signal)| (*number, signal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_of_a_key_is_left_and_keys_are_bounded() {
        let signal = |key: &str, value: u32| {
            Arc::new(Signal::new(WorkspaceId(1), "presence", key, None, &serde_json::json!(value)).unwrap())
        };
        let mut signals = Signals::default();
        signals.put(signal("a", 1));
        signals.put(signal("b", 2));
        signals.put(signal("a", 3));
        let (number, first) = signals.after(0).unwrap();
        assert!(first.body().json().contains("\"key\":\"b\""));
        let (number, second) = signals.after(number).unwrap();
        assert!(second.body().json().ends_with("\"data\":3}"));
        assert!(signals.after(number).is_none());
        for key in 0..2 * SIGNAL_KEYS_MAX {
            signals.put(signal(&key.to_string(), 0));
        }
        assert_eq!((signals.latest.len(), signals.by_key.len()), (SIGNAL_KEYS_MAX, SIGNAL_KEYS_MAX));
    }
}
