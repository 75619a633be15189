//! The brand writes to its customers: a broadcast of each of some numbers, published together, perhaps paused.

use std::fmt::Write as _;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};

use super::agents::secs;
use super::stage::NumberPlace;
use super::tape::{Sent, Tape};
use crate::brand;
use crate::rest::{Refused, Rest};
use crate::scenario::{Broadcast, Scenario};

/// Pauses between attempts while the server is away, and how many.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
const AGAIN_MAX: u32 = 300;

/// Makes the template, the contacts, a list for each number and the drafts.
pub(super) async fn prepare(rest: &mut Rest, scenario: &Scenario, numbers: &[NumberPlace]) -> Result<Vec<Vec<Sent>>> {
    if scenario.broadcasts.is_empty() {
        return Ok(Vec::new());
    }
    brand::template(rest).await?;
    let mut all = Vec::new();
    for (index, broadcast) in scenario.broadcasts.iter().enumerate() {
        let mut drafts = Vec::new();
        let shares = brand::shares(u64::from(broadcast.recipients), u64::from(broadcast.numbers));
        for (number, (place, audience)) in (0..).zip(numbers.iter().zip(shares)) {
            let of = |people| lines(index, number, people);
            let list = brand::list(rest, &format!("List {index} of {number}"), 0..audience, of).await?;
            let id = brand::draft(rest, &format!("{index} of {number}"), &place.account, &[&list]).await?;
            drafts.push(Sent { id, number, audience, ..Sent::default() });
        }
        all.push(drafts);
    }
    Ok(all)
}

/// Contacts as lines of the bulk route, each with an address of its own.
fn lines(broadcast: usize, number: u32, people: Range<u64>) -> String {
    let mut lines = String::new();
    for person in people {
        // Writing to a string cannot fail.
        let _ = writeln!(
            lines,
            r#"{{"identities":[{{"channel":"whatsapp","address":"1556{broadcast}{number:03}{person:07}"}}],"properties":{{"first_name":"Grace"}}}}"#
        );
    }
    lines
}

/// Publishes the drafts of a broadcast at its time, and pauses them for a while if it says so.
pub(super) fn start(tape: &Rc<Tape>, broadcast: Broadcast, places: Range<usize>, mut rest: Rest) -> JoinHandle<()> {
    let tape = Rc::clone(tape);
    tokio::task::spawn_local(async move {
        if let Err(error) = go_out(&tape, &broadcast, places, &mut rest).await {
            tape.standstills.borrow_mut().push(format!("a broadcast stood still: {error:#}"));
        }
    })
}

async fn go_out(tape: &Tape, broadcast: &Broadcast, places: Range<usize>, rest: &mut Rest) -> Result<()> {
    sleep_until(tape.begun() + secs(broadcast.at_s)).await;
    tape.mark(format!("{} broadcasts published", places.len()));
    for place in places.clone() {
        ask(tape, rest, place, "publish").await?;
        let now = tape.now_ms();
        tape.sent.borrow_mut()[place].published_ms = Some(now);
    }
    let Some(pause) = broadcast.pause else { return Ok(()) };
    sleep_until(tape.begun() + secs(pause.at_s)).await;
    tape.mark("broadcasts paused");
    let mut paused = Vec::new();
    for place in places {
        match ask(tape, rest, place, "pause").await {
            Ok(()) => paused.push((place, tape.now_ms())),
            // One that is through by now cannot be paused.
            Err(error) if error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == 409) => {}
            Err(error) => return Err(error),
        }
    }
    sleep_until(tape.begun() + secs(pause.at_s + pause.for_s)).await;
    tape.mark("broadcasts resumed");
    for (place, at) in paused {
        let until = tape.now_ms();
        ask(tape, rest, place, "resume").await?;
        tape.sent.borrow_mut()[place].paused_ms = Some((at, until));
    }
    Ok(())
}

/// Asks again while the server is away; the key makes it one order.
async fn ask(tape: &Tape, rest: &mut Rest, place: usize, order: &str) -> Result<()> {
    let id = tape.sent.borrow()[place].id.clone();
    let path = format!("/v1/broadcasts/{id}/{order}");
    let key = format!("{order}-{id}");
    let mut tries = 0;
    loop {
        match rest.post_once(&path, &key, &json!({})).await {
            Ok(_) => return Ok(()),
            Err(error) => {
                let answered = error.downcast_ref::<Refused>().is_some_and(|refused| refused.status != 503);
                if answered || tries >= AGAIN_MAX {
                    return Err(error).context(path);
                }
                tries += 1;
                sleep(AGAIN_AFTER).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn each_contact_has_an_address_of_its_own() {
        let lines = lines(1, 12, 5..7);
        let read: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read[0]["identities"][0]["address"], "155610120000005");
        assert_eq!(read.len(), 2);
    }
}
