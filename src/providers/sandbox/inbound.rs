//! Customers' own messages: on order, or by themselves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::to_raw_value;
use serde_json::{Map, Value, json};

use super::State;
use super::customers;
use super::ledger::{InboundLine, Line};
use super::messages::wamid;

/// Why a customer does not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InboundRefusal {
    #[error("the sandbox has no webhook URL")]
    NoFrontDoor,
    #[error("no such number")]
    UnknownNumber,
    #[error("from is a phone number in digits, or a business-scoped user id")]
    From,
    #[error("too much is owed")]
    Full,
}

/// A text message object.
pub(super) fn text(text: &str) -> Map<String, Value> {
    let mut message = Map::new();
    message.insert("type".into(), json!("text"));
    message.insert("text".into(), json!({"body": text}));
    message
}

/// Lets a customer write, and tells the message's id once it is in the ledger.
pub(super) async fn write(
    state: &Arc<State>,
    phone_number_id: String,
    from: String,
    name: Option<String>,
    mut message: Map<String, Value>,
) -> Result<String, InboundRefusal> {
    if state.front_door.is_none() {
        return Err(InboundRefusal::NoFrontDoor);
    }
    if !state.knows(&phone_number_id) {
        return Err(InboundRefusal::UnknownNumber);
    }
    let from = if from.contains('.') { from } else { from.chars().filter(char::is_ascii_digit).collect() };
    if from.is_empty() {
        return Err(InboundRefusal::From);
    }
    if !state.owed.reserve(1) {
        return Err(InboundRefusal::Full);
    }
    let name = name.unwrap_or_else(|| customers::name_of(&from).to_owned());
    let state = Arc::clone(state);
    let written = tokio::spawn(async move {
        let at = state.surroundings.clock.now().millis();
        let mut id = String::new();
        let make = |n| {
            let key = if from.contains('.') { "from_user_id" } else { "from" };
            message.entry(key).or_insert_with(|| json!(from));
            message.entry("timestamp").or_insert_with(|| json!(at.div_euclid(1_000).to_string()));
            let own = message.entry("id").or_insert_with(|| json!(wamid(&state, n)));
            id = own.as_str().unwrap_or_default().to_owned();
            // A map of JSON values is always JSON.
            let message = to_raw_value(&message).unwrap_or_default();
            Line::Inbound(InboundLine { n, at, phone_number_id, from, name, message })
        };
        let line = state.ledger.append(make).await;
        let outcome = line.map(|line| state.owed.owe(line, [0])).map_err(|_| InboundRefusal::Full);
        state.owed.release(1);
        outcome.map(|()| id)
    });
    written.await.unwrap_or(Err(InboundRefusal::Full))
}

/// Lets customers write by themselves for as long as the sandbox runs.
pub(super) async fn write_by_themselves(state: Arc<State>) {
    let options = &state.options.arrivals;
    let numbers = &state.options.numbers;
    if options.per_minute <= 0.0 || numbers.is_empty() || state.front_door.is_none() {
        return std::future::pending().await;
    }
    let interval = Duration::from_secs_f64(60.0 / options.per_minute.clamp(0.001, 60_000.0));
    let clock = &state.surroundings.clock;
    loop {
        clock.sleep_until(clock.now() + interval.max(Duration::from_millis(1))).await;
        let number = &numbers[(state.chance.next() % numbers.len() as u64) as usize];
        let from = customers::number_of(state.chance.next() % u64::from(options.customers.max(1)));
        let message = text(customers::opening(&state.chance));
        // One who cannot write now has not written: nothing is lost.
        drop(write(&state, number.phone_number_id.clone(), from, None, message).await);
    }
}
