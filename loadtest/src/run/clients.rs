//! Programs that ask over REST, each question when it is due.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Error, Result};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep_until, timeout};

use super::tape::Tape;
use crate::chance::Chance;
use crate::rest::{Refused, Rest};
use crate::scenario::{Clients, Question};

/// How long an answer may take, connecting included.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Questions of one part that may wait for a connection or an answer; what comes on top is dropped, and the run is not
/// valid.
const WAITING_MAX: usize = 10_000;

/// One part of the programs.
struct Asker {
    tape: Rc<Tape>,
    addr: SocketAddr,
    token: String,
    asks: Vec<Question>,
    chance: Chance,
    /// Connections on which nobody asks, and how many there may be in all.
    idle: RefCell<Vec<Rest>>,
    places: Semaphore,
}

/// Starts a part of them, with draws of its own. It ends with the answer to the last question that is due in time;
/// ending it ends every question.
pub(super) fn start(
    tape: &Rc<Tape>,
    addr: SocketAddr,
    token: &str,
    clients: &Clients,
    lasts: Duration,
    chance: Chance,
) -> JoinHandle<()> {
    let times = clients.arrivals.times(lasts, &chance.of("arrivals"));
    tape.planned.set(tape.planned.get() + times.len() as u64);
    let asker = Rc::new(Asker {
        tape: Rc::clone(tape),
        addr,
        token: token.to_owned(),
        asks: clients.asks.clone(),
        chance: chance.of("thread"),
        idle: RefCell::default(),
        places: Semaphore::new(clients.connections),
    });
    tokio::task::spawn_local(async move {
        let tape = &asker.tape;
        let mut asking = JoinSet::new();
        for (number, due) in times.into_iter().enumerate() {
            sleep_until(tape.begun() + due).await;
            let late = tape.now().saturating_sub(due);
            tape.measures.borrow_mut().lag.record(due, late, late);
            while asking.try_join_next().is_some() {}
            if asking.len() >= WAITING_MAX {
                tape.dropped.set(tape.dropped.get() + 1);
                continue;
            }
            tape.begun_count.set(tape.begun_count.get() + 1);
            asking.spawn_local(Rc::clone(&asker).ask(number, due));
        }
        while asking.join_next().await.is_some() {}
    })
}

impl Asker {
    async fn ask(self: Rc<Self>, number: usize, due: Duration) {
        let Ok(_place) = self.places.acquire().await else { return };
        let begun = self.tape.now();
        let question = self.asks[number % self.asks.len()];
        let path = path(question, &self.tape.conversations.borrow(), number as u64, self.chance);
        match timeout(ANSWER_WITHIN, self.answered(&path)).await {
            Ok(Ok(rest)) => {
                self.tape.time(|measures| &mut measures.rest, due, begun);
                self.idle.borrow_mut().push(rest);
            }
            Ok(Err(error)) => self.tape.complain(failed(question, &error, self.tape.ended_at.get().is_some())),
            // Its time so far counts: the slowest answers are not to be missing from the percentiles.
            Err(_) => {
                self.tape.time(|measures| &mut measures.rest, due, begun);
                self.tape.complain(format!("the question `{question:?}` took longer than {ANSWER_WITHIN:?}"));
            }
        }
    }

    /// The connection on which it was answered.
    async fn answered(&self, path: &str) -> Result<Rest> {
        let idle = self.idle.borrow_mut().pop();
        let mut rest = match idle {
            Some(rest) => rest,
            None => Rest::open(self.addr, &self.token).await?,
        };
        rest.get(path).await?;
        Ok(rest)
    }
}

/// In words that are the same for all that failed alike: complaints of the same words are counted.
fn failed(question: Question, error: &Error, is_away: bool) -> String {
    match error.downcast_ref::<Refused>() {
        Some(refused) => format!("the question `{question:?}` was answered {}", refused.status),
        None if is_away => format!("the question `{question:?}` was not answered, while the server was away"),
        None => format!("the question `{question:?}` was not answered: {}", error.root_cause()),
    }
}

fn path(question: Question, known: &[String], number: u64, chance: Chance) -> String {
    let thread = known.get(chance.below(known.len() as u64, &[number]) as usize);
    match (question, thread) {
        (Question::Inbox, _) => "/v1/inbox?limit=50".to_owned(),
        (Question::Thread, Some(conversation)) => format!("/v1/conversations/{conversation}/messages?limit=50"),
        // Of no conversation is anything known yet.
        (Question::Counts, _) | (Question::Thread, None) => "/v1/inbox/counts".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::task::LocalSet;

    use super::*;
    use crate::arrivals::Arrivals;

    fn part(per_second: f64) -> Clients {
        Clients { connections: 1, arrivals: Arrivals::Constant { per_second }, asks: vec![Question::Counts] }
    }

    fn tape() -> Rc<Tape> {
        Rc::new(Tape::begin(0, Duration::ZERO, Vec::new(), 0))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_a_latency_and_a_complaint() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let tape = tape();
        let asked = async { start(&tape, addr, "", &part(1.0), Duration::from_secs(3), Chance::new(1)).await.unwrap() };
        LocalSet::new().run_until(asked).await;
        assert_eq!((tape.planned.get(), tape.begun_count.get(), tape.dropped.get()), (3, 3, 0));
        let complaints = tape.complaints.take();
        assert_eq!(
            complaints.into_iter().collect::<Vec<_>>(),
            [("the question `Counts` took longer than 20s".into(), 3)]
        );
        let measures = tape.measures.take();
        assert_eq!((measures.rest.count(), measures.lag.count()), (3, 3));
        // The second and the third waited for the only connection, from when they were due.
        let told = measures.rest.finish();
        assert!(told.corrected.max_us > 57_000_000 && told.uncorrected.max_us < 21_000_000, "{told:?}");
        drop(listener);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_listens_is_a_complaint_for_each_question() {
        let addr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let tape = tape();
        let asked = async { start(&tape, addr, "", &part(2.0), Duration::from_secs(2), Chance::new(1)).await.unwrap() };
        LocalSet::new().run_until(asked).await;
        let complaints = tape.complaints.take();
        assert_eq!(complaints.values().collect::<Vec<_>>(), [&4]);
        assert!(complaints.keys().all(|what| what.contains("was not answered")), "{complaints:?}");
        assert_eq!(tape.measures.take().rest.count(), 0);
    }

    #[test]
    fn a_thread_is_one_that_is_known() {
        let known = ["cnv_1".to_owned(), "cnv_2".to_owned()];
        let of = |question, known: &[String], number| path(question, known, number, Chance::new(3));
        assert_eq!(of(Question::Thread, &[], 0), "/v1/inbox/counts");
        let asked: std::collections::BTreeSet<_> = (0..50).map(|number| of(Question::Thread, &known, number)).collect();
        assert_eq!(asked.len(), 2);
        assert!(asked.iter().all(|path| path.starts_with("/v1/conversations/cnv_")));
        assert_eq!(of(Question::Inbox, &known, 0), "/v1/inbox?limit=50");
    }
}
