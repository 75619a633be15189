//! Who an item speaks of: every address that it and its change give, most preferred first.

use serde_json::value::RawValue;

use super::wire::{Text, WireContact, read};
use crate::domain::inbound::{Address, AddressSpace, Person};

/// The people that a change introduces.
pub(super) struct People<'a>(Vec<WireContact<'a>>);

/// The addresses that an item itself gives.
#[derive(Clone, Copy, Default)]
pub(super) struct Named<'a> {
    pub(super) phone: Option<&'a str>,
    pub(super) user_id: Option<&'a str>,
    pub(super) parent_user_id: Option<&'a str>,
}

impl<'a> People<'a> {
    /// Those of `raw` that can be read.
    pub(super) fn new(raw: &[&'a RawValue]) -> Self {
        Self(raw.iter().filter_map(|contact| read(contact)).collect())
    }

    /// The person named by an item, completed by the introduction that shares an address with it.
    /// An introduction never replaces what the item says, and a wrong one never joins two people.
    pub(super) fn complete(&self, named: Named<'_>) -> Person {
        let same = |theirs: &Option<Text<'_>>, ours: Option<&str>| {
            Text::filled(theirs).is_some_and(|theirs| ours == Some(theirs))
        };
        let introduced =
            self.0.iter().find(|contact| same(&contact.wa_id, named.phone) || same(&contact.user_id, named.user_id));
        let Some(contact) = introduced else {
            return person(named);
        };
        let mut completed = person(Named {
            phone: named.phone.or(Text::filled(&contact.wa_id)),
            user_id: named.user_id.or(Text::filled(&contact.user_id)),
            parent_user_id: named.parent_user_id.or(Text::filled(&contact.parent_user_id)),
        });
        if let Some(profile) = &contact.profile {
            completed.name = Text::owned(&profile.name);
            completed.username = Text::owned(&profile.username);
        }
        completed
    }
}

/// A person with the addresses given, none twice; without a name.
pub(super) fn person(named: Named<'_>) -> Person {
    let mut addresses = Vec::with_capacity(2);
    for address in [named.phone.and_then(phone_or_user_id), user_id(named.user_id), user_id(named.parent_user_id)] {
        if let Some(address) = address
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
    }
    addresses.sort_by_key(|address: &Address| address.space);
    Person { addresses, name: None, username: None }
}

/// A group's address.
pub(super) fn group(id: &Option<Text<'_>>) -> Option<Address> {
    Text::owned(id).map(|text| Address { space: AddressSpace::Group, text })
}

/// Where Meta writes a phone number there may stand a user id for people who show no number.
fn phone_or_user_id(text: &str) -> Option<Address> {
    if text.bytes().any(|byte| byte.is_ascii_alphabetic()) { user_id(Some(text)) } else { phone(text) }
}

fn user_id(text: Option<&str>) -> Option<Address> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    Some(Address { space: AddressSpace::Bsuid, text: text.to_owned() })
}

/// E.164 digits without `+`; none if there are fewer than 3 or more than 20 of them.
pub(in crate::channels::whatsapp) fn phone(text: &str) -> Option<Address> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.strip_prefix("00") {
        Some(rest) => rest.to_owned(),
        None => digits,
    };
    (3..=20).contains(&digits.len()).then_some(Address { space: AddressSpace::Phone, text: digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(json: &str) -> Vec<Box<RawValue>> {
        serde_json::from_str(json).unwrap()
    }

    fn texts(person: &Person) -> Vec<&str> {
        person.addresses.iter().map(|address| address.text.as_str()).collect()
    }

    #[test]
    fn addresses_come_by_preference_and_none_twice() {
        let named = Named { phone: Some("+351 910-000 001"), user_id: Some("PT.1"), parent_user_id: Some("PT.1") };
        assert_eq!(texts(&person(named)), ["351910000001", "PT.1"]);
        let named = Named { phone: Some("PT.1"), user_id: Some("PT.1"), parent_user_id: Some("PT.ENT.2") };
        assert_eq!(texts(&person(named)), ["PT.1", "PT.ENT.2"]);
        assert!(person(Named { phone: Some("+"), user_id: Some(" "), parent_user_id: None }).addresses.is_empty());
        assert_eq!(phone("00351 910 000 001").unwrap().text, "351910000001");
    }

    #[test]
    fn an_introduction_completes_only_whom_it_shares_an_address_with() {
        let raw =
            people(r#"[{"profile":{"name":"A"},"wa_id":"111","user_id":"PT.1"},7,{"wa_id":"222","user_id":"PT.2"}]"#);
        let raw: Vec<&RawValue> = raw.iter().map(AsRef::as_ref).collect();
        let all = People::new(&raw);
        let by_phone = all.complete(Named { phone: Some("111"), ..Named::default() });
        assert_eq!((texts(&by_phone), by_phone.name.as_deref()), (vec!["111", "PT.1"], Some("A")));
        let by_user_id = all.complete(Named { user_id: Some("PT.2"), ..Named::default() });
        assert_eq!(texts(&by_user_id), ["222", "PT.2"]);
        let stranger = all.complete(Named { phone: Some("333"), ..Named::default() });
        assert_eq!((texts(&stranger), &stranger.name), (vec!["333"], &None));
        let only = People::new(&raw[..1]);
        assert!(only.complete(Named::default()).addresses.is_empty(), "nobody is guessed");
        let other = only.complete(Named { phone: Some("999"), ..Named::default() });
        assert_eq!(texts(&other), ["999"], "an introduction of somebody else");
    }
}
