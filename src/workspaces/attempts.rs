//! Attempts to sign in: after ten that failed, the address rests for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// How many attempts may fail in one span.
const ATTEMPTS_MAX: u32 = 10;
/// How long they are remembered, from the first of them.
const SPAN: Duration = Duration::from_secs(300);
/// How many addresses are remembered; the one that began first goes.
const REMEMBERED_MAX: usize = 10_000;

/// What was tried lately, by the hash of the address. It is of this process alone and forgotten with it.
#[derive(Default)]
pub(super) struct Attempts {
    tried: Mutex<HashMap<u128, (Timestamp, u32)>>,
}

impl Attempts {
    /// Counts one more attempt before it is made, so that many at once are counted too.
    ///
    /// # Errors
    /// [`Refusal::ComeBack`] where too many failed.
    pub(super) fn begin(&self, address: u128, now: Timestamp) -> Result<(), Refusal> {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.len() >= REMEMBERED_MAX && !tried.contains_key(&address) {
            tried.retain(|_, (since, _)| now < *since + SPAN);
            let oldest = tried.iter().min_by_key(|(_, (since, _))| *since).map(|(address, _)| *address);
            if let Some(oldest) = oldest.filter(|_| tried.len() >= REMEMBERED_MAX) {
                tried.remove(&oldest);
            }
        }
        let (since, count) = tried.entry(address).or_insert((now, 0));
        if now >= *since + SPAN {
            (*since, *count) = (now, 0);
        }
        if *count >= ATTEMPTS_MAX {
            let at = *since + SPAN;
            return Err(Refusal::ComeBack { limiter: "sign_in", at, wait: at.since(now) });
        }
        *count += 1;
        Ok(())
    }

    /// The attempt succeeded: those before it do not count.
    pub(super) fn succeeded(&self, address: u128) {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_rest_until_their_span_is_over() {
        let attempts = Attempts::default();
        for second in 0..10 {
            assert_eq!(attempts.begin(1, Timestamp::from_seconds(second)), Ok(()));
        }
        let at = Timestamp::from_seconds(300);
        let (limiter, wait) = ("sign_in", Duration::from_secs(1));
        let refused = attempts.begin(1, Timestamp::from_seconds(299));
        assert_eq!(refused, Err(Refusal::ComeBack { limiter, at, wait }));
        assert_eq!(attempts.begin(2, Timestamp::from_seconds(299)), Ok(()));
        assert_eq!(attempts.begin(1, at), Ok(()));
        attempts.succeeded(1);
        for _ in 0..10 {
            assert_eq!(attempts.begin(1, at), Ok(()));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let attempts = Attempts::default();
        for address in 0..=REMEMBERED_MAX as u128 {
            assert_eq!(attempts.begin(address, Timestamp(address as i64)), Ok(()));
        }
        let tried = attempts.tried.lock().unwrap();
        assert_eq!((tried.len(), tried.contains_key(&0)), (REMEMBERED_MAX, false));
    }
}
