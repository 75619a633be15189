//! Addresses as people type them, brought into the one form under which they are hashed.

use crate::domain::contact::TypedIdentity;
use crate::domain::content::AddressDetails;
use crate::domain::inbound::{Address, AddressSpace};
use crate::domain::message::Channel;
use crate::domain::refusal::Refusal;

/// Digits of a phone number in E.164: at most 15 (ITU-T E.164 §6), and no country has numbers under 7.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// The longest address of another kind, in bytes.
const ADDRESS_BYTES_MAX: usize = 256;
/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 200;

/// An identity from what somebody typed. Without a space, the channel's own is meant.
///
/// # Errors
/// `Invalid` with the field and what would be right.
pub fn identity(
    channel: Channel,
    space: Option<AddressSpace>,
    text: &str,
    name: Option<String>,
    username: Option<String>,
) -> Result<TypedIdentity, Refusal> {
    for (field, value) in [("name", &name), ("username", &username)] {
        if value.as_ref().is_some_and(|value| value.chars().count() > NAME_CHARS_MAX) {
            return Err(invalid(field, format!("it has at most {NAME_CHARS_MAX} characters")));
        }
    }
    let space = space.unwrap_or_else(|| space_of(channel));
    if !fits(channel, space) {
        let why = format!("people are not known by a `{}` on {}", space.word(), channel.word());
        return Err(invalid("space", why));
    }
    Ok(TypedIdentity { channel, details: AddressDetails { address: address(space, text)?, name, username } })
}

/// An address from what somebody typed: phones become digits without `+`, others lose the blanks around them.
///
/// # Errors
/// `Invalid` with what would be right.
pub fn address(space: AddressSpace, text: &str) -> Result<Address, Refusal> {
    let text = match space {
        AddressSpace::Phone => phone(text)?,
        AddressSpace::Bsuid | AddressSpace::Platform | AddressSpace::Group => other(text)?,
    };
    Ok(Address { space, text })
}

/// The kind of address by which a channel knows people.
const fn space_of(channel: Channel) -> AddressSpace {
    match channel {
        Channel::WhatsApp | Channel::Sms => AddressSpace::Phone,
        _ => AddressSpace::Platform,
    }
}

const fn fits(channel: Channel, space: AddressSpace) -> bool {
    match (channel, space) {
        (_, AddressSpace::Group) => false,
        (Channel::WhatsApp, space) => matches!(space, AddressSpace::Phone | AddressSpace::Bsuid),
        (Channel::Sms, space) => matches!(space, AddressSpace::Phone),
        (_, space) => matches!(space, AddressSpace::Platform),
    }
}

fn phone(text: &str) -> Result<String, Refusal> {
    let wrong = || {
        let why = "a phone number is written with its country code, as `+351 912 345 678`: 7 to 15 digits";
        invalid("address", why.to_owned())
    };
    let text = text.trim();
    let international = text.strip_prefix('+').or_else(|| text.strip_prefix("00")).unwrap_or(text);
    let mut digits = String::with_capacity(16);
    for letter in international.chars() {
        match letter {
            '0'..='9' => digits.push(letter),
            // How people group digits.
            ' ' | '\u{a0}' | '\u{202f}' | '-' | '\u{2011}' | '.' | '/' | '(' | ')' => {}
            _ => return Err(wrong()),
        }
    }
    // No country code begins with 0: such a number is a national one, and nobody knows of which country.
    if !PHONE_DIGITS.contains(&digits.len()) || digits.starts_with('0') {
        return Err(wrong());
    }
    Ok(digits)
}

fn other(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.len() > ADDRESS_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(invalid("address", format!("it has 1 to {ADDRESS_BYTES_MAX} printable characters")));
    }
    Ok(text.to_owned())
}

fn invalid(field: &str, why: String) -> Refusal {
    Refusal::Invalid { field: field.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn phones_become_digits_whatever_their_spelling() {
        for spelling in ["+351 912 345 678", "351912345678", "00351-912-345-678", " +351 (912) 345.678 "] {
            assert_eq!(address(AddressSpace::Phone, spelling).unwrap().text, "351912345678", "{spelling:?}");
        }
        for wrong in ["", "+", "0912 345 678", "12345", "1234567890123456", "call me", "+35191234567x", "+0351912345"] {
            assert!(address(AddressSpace::Phone, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_channel_knows_people_by_its_own_kind_of_address() {
        let space = |channel, space| {
            identity(channel, space, "35191234567", None, None).map(|typed| typed.details.address.space).ok()
        };
        assert_eq!(space(Channel::WhatsApp, None), Some(AddressSpace::Phone));
        assert_eq!(space(Channel::WhatsApp, Some(AddressSpace::Bsuid)), Some(AddressSpace::Bsuid));
        assert_eq!(space(Channel::Line, None), Some(AddressSpace::Platform));
        assert_eq!(space(Channel::Sms, Some(AddressSpace::Platform)), None);
        assert_eq!(space(Channel::WhatsApp, Some(AddressSpace::Group)), None);
        assert!(identity(Channel::Line, None, "U1", Some("x".repeat(NAME_CHARS_MAX + 1)), None).is_err());
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own_normal_form(text in ".{0,40}") {
            if let Ok(once) = address(AddressSpace::Phone, &text) {
                prop_assert_eq!(address(AddressSpace::Phone, &once.text), Ok(once));
            }
        }
    }
}
