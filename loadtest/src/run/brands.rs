//! The brand writes to its customers: a broadcast of each of some numbers, published together, perhaps paused.

use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};

use super::agents::secs;
use super::stage::{BUSINESS_ID, NumberPlace, contacts, text};
use super::tape::{Sent, Tape};
use crate::rest::{Refused, Rest};
use crate::scenario::{Broadcast, Scenario};

/// The template that is sent.
const TEMPLATE: &str = "order_on_its_way";
/// Contacts of one request.
const CONTACTS_MAX: u32 = 1_000;
/// Pauses between attempts while the server is away, and how many.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
const AGAIN_MAX: u32 = 300;

/// Makes the template, the contacts, a list for each number and the drafts.
pub(super) async fn prepare(rest: &mut Rest, scenario: &Scenario, numbers: &[NumberPlace]) -> Result<Vec<Vec<Sent>>> {
    if scenario.broadcasts.is_empty() {
        return Ok(Vec::new());
    }
    let template = json!({
        "name": TEMPLATE, "language": "en_US", "category": "utility", "business_id": BUSINESS_ID,
        "components": [{
            "type": "BODY", "text": "Hello {{1}}, your order {{2}} is on its way.",
            "example": {"body_text": [["Ada", "1042"]]},
        }],
    });
    rest.post("/v1/templates", &template).await?;
    let mut all = Vec::new();
    for (index, broadcast) in scenario.broadcasts.iter().enumerate() {
        let mut drafts = Vec::new();
        for (number, place) in numbers.iter().enumerate().take(broadcast.numbers as usize) {
            let audience = share(broadcast.recipients, broadcast.numbers, number as u32);
            let list = rest.post("/v1/lists", &json!({"name": format!("List {index} of {number}")})).await?;
            let list = text(&list, "id")?;
            let mut made = 0;
            while made < audience {
                let count = CONTACTS_MAX.min(audience - made);
                let ids = contacts(rest, lines(index, number, made..made + count), count).await?;
                rest.post(&format!("/v1/lists/{list}/members"), &json!({"add": ids})).await?;
                made += count;
            }
            let draft = rest.post("/v1/broadcasts", &draft(&format!("{index} of {number}"), place, &list)).await?;
            let id = text(&draft, "id")?;
            drafts.push(Sent { id, number: number as u32, audience: u64::from(audience), ..Sent::default() });
        }
        all.push(drafts);
    }
    Ok(all)
}

fn draft(name: &str, number: &NumberPlace, list: &str) -> Value {
    let parameters =
        [json!({"type": "text", "text": "{{first_name|friend}}"}), json!({"type": "text", "text": "1042"})];
    json!({
        "name": name, "account": number.account, "audience": {"lists": [list]},
        "content": {
            "type": "template", "name": TEMPLATE, "language": "en_US",
            "fills": [{"slot": {"type": "body"}, "parameters": parameters}],
        },
    })
}

/// As even as it can be.
const fn share(all: u32, parts: u32, part: u32) -> u32 {
    all / parts + (part < all % parts) as u32
}

/// Contacts as lines of the bulk route, each with an address of its own.
fn lines(broadcast: usize, number: usize, people: std::ops::Range<u32>) -> String {
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
pub(super) fn start(
    tape: &Rc<Tape>,
    broadcast: Broadcast,
    places: std::ops::Range<usize>,
    mut rest: Rest,
) -> JoinHandle<()> {
    let tape = Rc::clone(tape);
    tokio::task::spawn_local(async move {
        if let Err(error) = go_out(&tape, &broadcast, places, &mut rest).await {
            tape.standstills.borrow_mut().push(format!("a broadcast stood still: {error:#}"));
        }
    })
}

async fn go_out(tape: &Tape, broadcast: &Broadcast, places: std::ops::Range<usize>, rest: &mut Rest) -> Result<()> {
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
    use super::*;

    #[test]
    fn shares_add_up() {
        assert_eq!((0..3).map(|part| share(10, 3, part)).collect::<Vec<_>>(), [4, 3, 3]);
    }

    #[test]
    fn each_contact_has_an_address_of_its_own() {
        let lines = lines(1, 12, 5..7);
        let read: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read[0]["identities"][0]["address"], "155610120000005");
        assert_eq!(read.len(), 2);
    }
}
