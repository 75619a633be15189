//! What befalls the server: it is killed or asked to stop, and started again on the same disk.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};

use super::agents::secs;
use super::tape::Tape;
use crate::chance::Chance;
use crate::scenario::{Trouble, What};
use crate::server::Server;

/// How long it may take until it is ready again, and how often that is asked.
const READY_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// When each trouble comes: one in each part of its time, in order.
pub(super) fn times(all: &[Trouble], chance: Chance) -> Vec<(Duration, Trouble)> {
    let mut times = Vec::new();
    for (index, trouble) in all.iter().enumerate() {
        let part = (trouble.to_s - trouble.from_s).max(0.0) / f64::from(trouble.times.max(1));
        for time in 0..trouble.times {
            let drawn = chance.of("trouble").unit(&[index as u64, u64::from(time)]);
            times.push((secs(trouble.from_s + part * (f64::from(time) + drawn)), *trouble));
        }
    }
    times.sort_by_key(|(at, _)| *at);
    times
}

/// Brings the trouble, each at its time.
pub(super) fn start(
    tape: &Rc<Tape>,
    server: &Rc<tokio::sync::Mutex<Server>>,
    times: Vec<(Duration, Trouble)>,
) -> JoinHandle<Result<()>> {
    let (tape, server) = (Rc::clone(tape), Rc::clone(server));
    tokio::task::spawn_local(async move {
        for (at, trouble) in times {
            sleep_until(tape.begun() + at).await;
            befall(&tape, &mut *server.lock().await, trouble).await?;
        }
        Ok(())
    })
}

async fn befall(tape: &Tape, server: &mut Server, trouble: Trouble) -> Result<()> {
    tape.mark(match trouble.what {
        What::Kill => "server killed",
        What::Restart => "server asked to stop",
    });
    tape.ended_at.set(Some(tape.now()));
    server.end(trouble.what == What::Kill).await?;
    tape.ended_at.set(Some(tape.now()));
    sleep(Duration::from_millis(trouble.away_ms)).await;
    let begun = tape.now();
    server.start_again().await?;
    while !server.is_ready().await {
        if tape.now() - begun > READY_WITHIN {
            bail!("the server was not ready within {READY_WITHIN:?}");
        }
        sleep(LOOK_EVERY).await;
    }
    // Its own time is always measured, warm-up or not. One that stopped in order leaves less to do: it is no measure of one
    // that was killed.
    if trouble.what == What::Kill {
        let took = tape.now() - begun;
        tape.measures.borrow_mut().ready.record(tape.now(), took, took);
    }
    tape.mark("server ready");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_spread_over_its_time_and_a_seed_repeats_it() {
        let kills = Trouble { what: What::Kill, from_s: 10.0, to_s: 40.0, times: 3, away_ms: 0 };
        let once = times(&[kills], Chance::new(1));
        assert_eq!(once.len(), 3);
        for (part, (at, _)) in once.iter().enumerate() {
            let from = 10.0 + 10.0 * part as f64;
            assert!((from..from + 10.0).contains(&at.as_secs_f64()), "{at:?}");
        }
        assert_eq!(once.iter().map(|(at, _)| *at).collect::<Vec<_>>(), {
            times(&[kills], Chance::new(1)).iter().map(|(at, _)| *at).collect::<Vec<_>>()
        });
    }
}
