//! Open files. Each socket, each connection to a provider and each table of the store is one, and most systems let a
//! process begin with 1,024, which a thousand agents use up; the store must not meet that bound in their place.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// What the store, the log and everything else may have open besides sockets and connections.
const OTHERS: u64 = 1_024;

/// Lets the process open as many files as its settings may need, as far as the system allows. Where it does not allow
/// so many, that is said in the log, and what comes past the bound is refused.
pub(super) fn raise(config: &Config) {
    let needed = config.server.connections_max as u64 + config.providers.connections_max as u64 + OTHERS;
    let allowed = raise_to(needed);
    if allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "the system lets this process open fewer files than its settings may need: raise the bound (`ulimit -Hn`, \
             `LimitNOFILE=`) or lower server.connections_max or providers.connections_max"
        );
    }
}

/// Raises the bound to so many if it is lower, and answers what it is then.
fn raise_to(needed: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(now) = current else { return u64::MAX };
    let reached = needed.min(maximum.unwrap_or(u64::MAX));
    if reached <= now {
        return now;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(reached), maximum }) {
        Ok(()) => reached,
        // The system has a word of its own; what there was stays.
        Err(_) => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_raised_as_far_as_the_system_allows_and_never_lowered() {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let (Some(before), Some(most)) = (current, maximum) else { return };
        // Lower by so little that nothing else in this process can meet it.
        let lower = before.min(most - 1) - 1;
        setrlimit(Resource::Nofile, Rlimit { current: Some(lower), maximum }).unwrap();
        assert_eq!(raise_to(10), lower);
        assert_eq!(raise_to(lower + 1), lower + 1);
        assert_eq!(raise_to(u64::MAX), most);
        assert_eq!(getrlimit(Resource::Nofile).current, Some(most));
    }
}
