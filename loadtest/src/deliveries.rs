//! Signed WhatsApp deliveries, written before the clock runs.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::wire;

/// The secret of the sandbox workspace's app, as `config/default.toml` has it.
pub const APP_SECRET: &str = "sandbox-app-secret";
/// The number that the sandbox workspace has connected.
const PHONE_NUMBER_ID: &str = "106540352242922";
/// What a customer says; with it a delivery of one item has about 650 bytes, as Meta's have.
const TEXT: &str = "Hello, my order 1042 has not come yet. Could you please look where it is and tell me when it will \
                    be here? It is a present, and I need it on Friday evening at the latest. Thank you very much, \
                    and have a nice day.";

/// How long ago the first message was written: within the 24 hours in which it opens a window.
const BEGUN_AGO_S: u64 = 12 * 3_600;
/// Messages that all customers together write in a second, so that nobody writes the next one in the same second.
/// Twelve hours of it are 10 million messages; whatever comes after them is written now.
const WRITTEN_A_SECOND: u64 = 250;

/// Writes deliveries; no two items of one writer have the same id, and each was written after those before it.
pub struct Deliveries {
    path: String,
    key: Hmac<Sha256>,
    /// Sets the ids of this process apart from those of any other.
    run: u64,
    next: AtomicU64,
    seconds: u64,
}

impl Deliveries {
    /// A writer of deliveries to an app's path.
    #[must_use]
    pub fn new(path: String) -> Self {
        let seconds = epoch_seconds();
        Self { path, key: keyed(), run: seconds, next: AtomicU64::new(0), seconds }
    }

    /// How many items were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// The bytes of a request with one text of each of these customers.
    #[must_use]
    pub fn request(&self, customers: impl Iterator<Item = u64>) -> Vec<u8> {
        let body = self.body(customers);
        let header = format!("x-hub-signature-256: {}\r\n", signature(&self.key, body.as_bytes()));
        wire::post(&self.path, &header, body.as_bytes())
    }

    /// When the customer wrote an item, in epoch seconds.
    fn written_at(&self, item: u64) -> u64 {
        self.seconds - BEGUN_AGO_S + (item / WRITTEN_A_SECOND).min(BEGUN_AGO_S)
    }

    fn body(&self, customers: impl Iterator<Item = u64>) -> String {
        let (mut contacts, mut messages) = (String::new(), String::new());
        for customer in customers {
            let item = self.next.fetch_add(1, Ordering::Relaxed);
            let comma = if contacts.is_empty() { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(
                contacts,
                r#"{comma}{{"profile":{{"name":"Customer {customer}"}},"wa_id":"1556{customer:07}"}}"#
            );
            let _ = write!(
                messages,
                r#"{comma}{{"from":"1556{customer:07}","id":"wamid.{:010x}{item:016x}","timestamp":"{}","type":"text","text":{{"body":"{TEXT}"}}}}"#,
                self.run,
                self.written_at(item)
            );
        }
        format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"102290129340398","changes":[{{"field":"messages","value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"15550783881","phone_number_id":"{PHONE_NUMBER_ID}"}},"contacts":[{contacts}],"messages":[{messages}]}}}}]}}]}}"#
        )
    }
}

/// The app's secret, scheduled once and cloned for each body.
#[must_use]
#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub fn keyed() -> Hmac<Sha256> {
    Hmac::new_from_slice(APP_SECRET.as_bytes()).expect("any key does")
}

pub(crate) fn signature(key: &Hmac<Sha256>, body: &[u8]) -> String {
    let mut mac = key.clone();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

pub(crate) fn epoch_seconds() -> u64 {
    epoch_millis() / 1_000
}

#[expect(clippy::disallowed_methods, reason = "the driver plays the provider, whose time is the world's")]
pub(crate) fn epoch_millis() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Requests one after another in one buffer.
#[derive(Default)]
pub struct Prepared {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Prepared {
    /// `count` deliveries of one item each, from customers in a scattered order.
    #[must_use]
    pub fn single_items(deliveries: &Deliveries, count: usize, customers: u64) -> Self {
        let mut prepared = Self::default();
        for number in 0..count as u64 {
            // Neighbours in time are strangers: a multiplicative step visits every customer.
            let customer = number.wrapping_mul(0x9E37_79B1) % customers.max(1);
            prepared.push(&deliveries.request(std::iter::once(customer)));
        }
        prepared
    }

    /// The first deliveries of customers `from` to `to`, `at_once` a request.
    #[must_use]
    pub fn first_contacts(deliveries: &Deliveries, from: u64, to: u64, at_once: usize) -> Self {
        let mut prepared = Self::default();
        let step = at_once.max(1) as u64;
        let mut next = from;
        while next < to {
            let end = (next + step).min(to);
            prepared.push(&deliveries.request(next..end));
            next = end;
        }
        prepared
    }

    /// Adds a request.
    pub fn push(&mut self, request: &[u8]) {
        self.bytes.extend_from_slice(request);
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One of them; `index` is below [`Prepared::len`].
    #[must_use]
    pub fn request(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn body_of(request: &[u8]) -> (String, Value) {
        let text = std::str::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), serde_json::from_str(body).unwrap())
    }

    #[test]
    fn a_delivery_is_json_of_metas_size_and_signed() {
        let deliveries = Deliveries::new("/webhooks/whatsapp/app".into());
        let request = deliveries.request(std::iter::once(7));
        let (head, body) = body_of(&request);
        let value = &body["entry"][0]["changes"][0]["value"];
        assert_eq!(value["contacts"][0]["wa_id"], value["messages"][0]["from"]);
        let length = request.len() - head.len() - 4;
        assert!((600..700).contains(&length), "{length}");
        let expected = signature(&keyed(), &request[head.len() + 4..]);
        assert!(head.ends_with(&expected), "{head}");
    }

    #[test]
    fn no_two_items_have_one_id() {
        let deliveries = Deliveries::new("/x".into());
        let prepared = Prepared::single_items(&deliveries, 100, 10);
        let ids: std::collections::BTreeSet<String> = (0..prepared.len())
            .map(|index| {
                body_of(prepared.request(index)).1["entry"][0]["changes"][0]["value"]["messages"][0]["id"].to_string()
            })
            .collect();
        assert_eq!((ids.len(), deliveries.written()), (100, 100));
    }

    #[test]
    fn a_customer_writes_one_message_after_another() {
        let deliveries = Deliveries::new("/x".into());
        let prepared = Prepared::single_items(&deliveries, 3_000, 1_000);
        let mut last = std::collections::BTreeMap::new();
        for index in 0..prepared.len() {
            let body = body_of(prepared.request(index)).1;
            let message = &body["entry"][0]["changes"][0]["value"]["messages"][0];
            let at: u64 = message["timestamp"].as_str().unwrap().parse().unwrap();
            let before = last.insert(message["from"].to_string(), at);
            assert!(before.is_none_or(|before| before < at), "{before:?} {at}");
            assert!(at <= epoch_seconds());
        }
        assert_eq!(last.len(), 1_000);
    }

    #[test]
    fn every_customer_comes_once_in_first_contacts() {
        let deliveries = Deliveries::new("/x".into());
        let prepared = Prepared::first_contacts(&deliveries, 5, 28, 10);
        let from: Vec<String> = (0..prepared.len())
            .flat_map(|index| {
                let body = body_of(prepared.request(index)).1;
                let messages = body["entry"][0]["changes"][0]["value"]["messages"].as_array().unwrap().clone();
                messages.into_iter().map(|message| message["from"].to_string())
            })
            .collect();
        assert_eq!((prepared.len(), from.len()), (3, 23));
        assert_eq!(from.first().unwrap(), "\"15560000005\"");
        assert_eq!(from.last().unwrap(), "\"15560000027\"");
    }
}
