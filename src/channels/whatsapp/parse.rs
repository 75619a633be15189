//! A webhook's body becomes items: every entry, every change, every item (`channels.md` §1.3–1.5).
//!
//! An item that cannot be read becomes [`InboundKind::Unknown`] with its own raw text, and harms no
//! other. An item's id rests on nothing but the item and its change's field and time, so the same
//! item has the same id in whatever delivery it comes.

mod account;
mod content;
mod identity;
mod message;
pub(in crate::channels::whatsapp) mod person;
mod receipt;
mod wire;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use self::person::People;
use self::wire::{Change, Delivery, Entry, Text, Traffic, WireStatus, read};
use crate::channels::Unreadable;
use crate::domain::inbound::{AccountRef, InboundItem, InboundKind};
use crate::domain::time::Timestamp;

/// What Meta names the subject of every WhatsApp webhook.
const OBJECT: &str = "whatsapp_business_account";

/// Where an item stands: what its id and account come from.
struct Scope<'a> {
    business: &'a str,
    field: &'a str,
    time: &'a str,
    account: AccountRef,
    people: People<'a>,
}

/// Reads every item of a body, in the order in which they stand.
///
/// # Errors
/// [`Unreadable`] if the body is not UTF-8, not JSON, or not a WhatsApp webhook.
pub fn parse(body: &[u8]) -> Result<Vec<InboundItem>, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| Unreadable::NotUtf8)?;
    let mut items = Vec::new();
    if let Ok(delivery) = serde_json::from_str::<Delivery<'_, Entry<'_, Change<'_>>>>(text) {
        expect_object(&delivery.object)?;
        for entry in &delivery.entry {
            for change in &entry.changes {
                read_change(entry, change, &mut items);
            }
        }
        return Ok(items);
    }
    // One entry or change has another shape: read them one by one.
    let delivery: Delivery<'_, &RawValue> = serde_json::from_str(text)
        .map_err(|error| if error.is_data() { Unreadable::ForeignShape } else { Unreadable::NotJson })?;
    expect_object(&delivery.object)?;
    for raw_entry in delivery.entry {
        let Some(entry) = read::<Entry<'_, &RawValue>>(raw_entry) else {
            items.push(Scope::of("", "entry", "").unknown(raw_entry.get()));
            continue;
        };
        for &raw_change in &entry.changes {
            match read::<Change<'_>>(raw_change) {
                Some(change) => read_change(&entry, &change, &mut items),
                None => items.push(entry_scope(&entry, "change").unknown(raw_change.get())),
            }
        }
    }
    Ok(items)
}

fn expect_object(object: &Option<Text<'_>>) -> Result<(), Unreadable> {
    if object.as_deref() == Some(OBJECT) { Ok(()) } else { Err(Unreadable::ForeignShape) }
}

fn entry_scope<'a, C>(entry: &'a Entry<'a, C>, field: &'a str) -> Scope<'a> {
    Scope::of(entry.id.as_deref().unwrap_or_default(), field, entry.time.map_or("", RawValue::get))
}

fn read_change<'a, C>(entry: &'a Entry<'a, C>, change: &'a Change<'a>, items: &mut Vec<InboundItem>) {
    let scope = entry_scope(entry, change.field.as_deref().unwrap_or_default());
    let Some(value) = change.value else {
        items.push(scope.unknown("null"));
        return;
    };
    match scope.field {
        "messages" | "smb_message_echoes" | "message_echoes" | "user_preferences" | "user_id_update" => {
            read_traffic(scope, value, items);
        }
        field => match account::events(field, scope.business, value) {
            Some(events) => {
                for (index, (account, event)) in events.into_iter().enumerate() {
                    let item_id = format!("{}:{index}", scope.hashed(value.get()));
                    items.push(InboundItem { account, item_id, kind: InboundKind::Account(event), at: scope.at() });
                }
            }
            None => items.push(number_scope(scope, value).unknown(value.get())),
        },
    }
}

/// What is on its way to and from a number.
fn read_traffic<'a>(mut scope: Scope<'a>, value: &'a RawValue, items: &mut Vec<InboundItem>) {
    let count_before = items.len();
    if !read_known(&mut scope, value, items) {
        read_each(&mut scope, value, items);
    }
    if items.len() == count_before {
        items.push(scope.unknown(value.get()));
    }
}

/// Reads a change item by item: what cannot be read harms no other.
fn read_each<'a>(scope: &mut Scope<'a>, value: &'a RawValue, items: &mut Vec<InboundItem>) {
    if let Some(traffic) = read::<Traffic<'_, Vec<&RawValue>>>(value) {
        scope.narrow(&traffic, |contacts| contacts.clone());
        read_lists(scope, traffic, |list, _| list, items);
    } else if let Some(traffic) = read::<Traffic<'_, &RawValue>>(value) {
        // One of the lists is no list: keep it as it came, and read the others.
        scope.narrow(&traffic, |contacts| read(contacts).unwrap_or_default());
        let scope = &*scope;
        let keep = |raw: &'a RawValue, items: &mut Vec<InboundItem>| {
            read(raw).unwrap_or_else(|| {
                items.push(scope.unknown(raw.get()));
                Vec::new()
            })
        };
        read_lists(scope, traffic, keep, items);
    }
}

/// Reads one item of a list.
type ReadItem = fn(&Scope<'_>, &RawValue) -> Option<(String, InboundKind)>;

/// Readers of the lists that come after messages and receipts.
const OTHERS: [ReadItem; 4] = [message::echo, identity::preference, identity::renewal, account::trouble];

/// Reads a change of which every receipt is of a known kind; of another it reads nothing. Receipts are most of what comes,
/// and those of a broadcast come by the hundred: read together with their change they are looked at once, not twice.
fn read_known<'a>(scope: &mut Scope<'a>, value: &'a RawValue, items: &mut Vec<InboundItem>) -> bool {
    let Some(traffic) = read::<Traffic<'_, Vec<&RawValue>, Vec<WireStatus<'_>>>>(value) else { return false };
    scope.narrow(&traffic, |contacts| contacts.clone());
    let receipts = traffic.statuses.iter().flatten().map(|wire| receipt::said(scope, wire));
    let Some(receipts) = receipts.collect::<Option<Vec<_>>>() else { return false };
    read_list(scope, traffic.messages.unwrap_or_default(), message::message, items);
    items.extend(receipts.into_iter().map(|read| scope.item(read)));
    let others = [traffic.message_echoes, traffic.user_preferences, traffic.user_id_update, traffic.errors];
    for (list, read_item) in others.into_iter().zip(OTHERS) {
        read_list(scope, list.unwrap_or_default(), read_item, items);
    }
    true
}

fn read_lists<'a, L>(
    scope: &Scope<'a>,
    traffic: Traffic<'a, L>,
    split: impl Fn(L, &mut Vec<InboundItem>) -> Vec<&'a RawValue>,
    items: &mut Vec<InboundItem>,
) {
    let first: [(Option<L>, ReadItem); 2] =
        [(traffic.messages, message::message), (traffic.statuses, receipt::receipt)];
    let others = [traffic.message_echoes, traffic.user_preferences, traffic.user_id_update, traffic.errors];
    for (list, read_item) in first.into_iter().chain(others.into_iter().zip(OTHERS)) {
        let Some(list) = list else { continue };
        let list = split(list, items);
        read_list(scope, list, read_item, items);
    }
}

fn read_list(scope: &Scope<'_>, list: Vec<&RawValue>, read_item: ReadItem, items: &mut Vec<InboundItem>) {
    items.extend(list.into_iter().map(|raw| match read_item(scope, raw) {
        Some(read) => scope.item(read),
        None => scope.unknown(raw.get()),
    }));
}

/// The number that a change names even though its field is unknown.
fn number_scope<'a>(mut scope: Scope<'a>, value: &'a RawValue) -> Scope<'a> {
    if let Some(traffic) = read::<Traffic<'_, &RawValue>>(value) {
        scope.narrow(&traffic, |_| Vec::new());
    }
    scope
}

impl<'a> Scope<'a> {
    fn of(business: &'a str, field: &'a str, time: &'a str) -> Self {
        let account = AccountRef::Business(business.to_owned());
        Self { business, field, time, account, people: People::new(&[]) }
    }

    /// Takes over the number and the people that a change names.
    fn narrow<L, S>(&mut self, traffic: &Traffic<'a, L, S>, contacts: impl Fn(&L) -> Vec<&'a RawValue>) {
        if let Some(metadata) = &traffic.metadata {
            if let Some(id) = Text::owned(&metadata.phone_number_id) {
                self.account = AccountRef::Account(id);
            } else if let Some(digits) = Text::filled(&metadata.display_phone_number).and_then(person::phone) {
                self.account = AccountRef::Display { business: self.business.to_owned(), digits: digits.text };
            }
        }
        if let Some(raw) = &traffic.contacts {
            self.people = People::new(&contacts(raw));
        }
    }

    /// The id of an item to which the platform gives none.
    fn hashed(&self, raw: &str) -> String {
        let mut hasher = Sha256::new();
        for part in [self.business, self.field, self.time, raw] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        format!("hash-{}", hex::encode(&hasher.finalize()[..16]))
    }

    /// An item that was read.
    fn item(&self, (item_id, kind): (String, InboundKind)) -> InboundItem {
        let at = matches!(kind, InboundKind::Account(_)).then(|| self.at()).flatten();
        InboundItem { account: self.account.clone(), item_id, kind, at }
    }

    /// The platform's time of the whole entry, which is all that account events have.
    fn at(&self) -> Option<Timestamp> {
        self.time.trim_matches('"').parse().ok().map(Timestamp::from_provider)
    }

    fn unknown(&self, raw: &str) -> InboundItem {
        InboundItem {
            account: self.account.clone(),
            item_id: self.hashed(raw),
            kind: InboundKind::Unknown { field: self.field.to_owned(), raw: raw.to_owned() },
            at: None,
        }
    }
}
