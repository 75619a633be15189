//! What Meta answered to a send (`channels.md` §1.6, §1.8).
//!
//! The code in the body decides, not the HTTP status: rate errors are 400. "Rejected" is said only
//! where Meta itself answered that it took nothing; what a broken answer means nobody knows.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error_table::{failure, failure_without_code};
use super::parse::person;
use crate::channels::Learns;
use crate::domain::inbound::{Address, AddressSpace};
use crate::domain::message::ProviderMessageId;
use crate::domain::outbound::SendOutcome;

/// Reads an answer. `status` is the HTTP status, `retry_after` the header of that name. Whom it names besides is read
/// where that is asked.
#[must_use]
pub fn read_answer(status: u16, body: &[u8], retry_after: Option<Duration>, learns: Learns) -> SendOutcome {
    let answer: Option<Answer<'_>> = serde_json::from_slice(body).ok();
    if let Some(error) = answer.as_ref().and_then(|answer| answer.error.as_ref()) {
        let failure = match &error.code {
            Some(code) => failure(code.0, Some(status)),
            None => failure_without_code(Some(status)),
        };
        return SendOutcome::Rejected { failure, retry_after };
    }
    match status {
        200..=299 => {
            let accepted = answer.and_then(|answer| accepted(answer, learns));
            accepted.unwrap_or_else(|| unknown("The answer said success, but names no message."))
        }
        // A gateway on the way gave up: what stands behind it may have taken the message.
        502 | 504 => unknown("A gateway on the way to WhatsApp gave up waiting."),
        300..=599 => SendOutcome::Rejected { failure: failure_without_code(Some(status)), retry_after },
        _ => unknown("The answer has no final HTTP status."),
    }
}

/// When sending may go on, from the header `X-Business-Use-Case-Usage`: the longest wait that any
/// of its lines tells, which Meta gives in minutes.
#[must_use]
pub fn regain_after(usage: &str) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default)]
        estimated_time_to_regain_access: u32,
    }
    let usage: std::collections::BTreeMap<String, Vec<Line>> = serde_json::from_str(usage).ok()?;
    let minutes = usage.values().flatten().map(|line| line.estimated_time_to_regain_access).max()?;
    (minutes > 0).then(|| Duration::from_secs(u64::from(minutes) * 60))
}

fn unknown(reason: &str) -> SendOutcome {
    SendOutcome::Unknown { reason: reason.to_owned() }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    messages: Option<Vec<AnsweredMessage<'a>>>,
    // Raw, so that a contact of a strange shape does not cost the message's id.
    #[serde(borrow)]
    contacts: Option<&'a RawValue>,
    error: Option<AnsweredError>,
}

#[derive(Deserialize)]
struct AnsweredMessage<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    message_status: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct AnsweredContact {
    wa_id: Option<String>,
    user_id: Option<String>,
    parent_user_id: Option<String>,
}

#[derive(Deserialize)]
struct AnsweredError {
    code: Option<Code>,
}

/// A code as a number, or as text.
struct Code(i64);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(i64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(code) => Ok(Self(code)),
            Either::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

fn accepted(answer: Answer<'_>, learns: Learns) -> Option<SendOutcome> {
    let message = answer.messages?.into_iter().next().filter(|message| !message.id.is_empty())?;
    let contacts: Vec<AnsweredContact> = answer
        .contacts
        .filter(|_| learns == Learns::Addresses)
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default();
    // One message has one recipient.
    let mut addresses = Vec::new();
    if let [contact] = contacts.as_slice() {
        addresses.extend(contact.wa_id.as_deref().and_then(person::phone));
        for user_id in [&contact.user_id, &contact.parent_user_id].into_iter().flatten() {
            let address = Address { space: AddressSpace::Bsuid, text: user_id.clone() };
            if !user_id.is_empty() && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    // `accepted`, `held_for_quality_assessment` or `paused`: the last two may yet fail with 132015.
    let held = message.message_status.is_some_and(|status| status != "accepted");
    Some(SendOutcome::Accepted { provider_id: ProviderMessageId(message.id.into_owned()), addresses, held })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::outbound::ErrorClass;

    const ACCEPTED: &str = r#"{"messaging_product":"whatsapp","contacts":[{"input":"+351 910 000 001",
        "wa_id":"351910000001","user_id":"PT.1"}],"messages":[{"id":"wamid.OUT","message_status":"accepted"}]}"#;

    fn address(space: AddressSpace, text: &str) -> Address {
        Address { space, text: text.into() }
    }

    #[test]
    fn an_accepted_message_teaches_its_id_and_addresses() {
        let phone = address(AddressSpace::Phone, "351910000001");
        let expected = SendOutcome::Accepted {
            provider_id: ProviderMessageId("wamid.OUT".into()),
            addresses: vec![phone, address(AddressSpace::Bsuid, "PT.1")],
            held: false,
        };
        assert_eq!(read_answer(200, ACCEPTED.as_bytes(), None, Learns::Addresses), expected);
        let SendOutcome::Accepted { addresses, .. } = read_answer(200, ACCEPTED.as_bytes(), None, Learns::Nothing)
        else {
            panic!("it was accepted");
        };
        assert_eq!(addresses, []);
        let bare = read_answer(200, br#"{"contacts":7,"messages":[{"id":"wamid.\u0041"}]}"#, None, Learns::Addresses);
        let provider_id = ProviderMessageId("wamid.A".into());
        assert_eq!(bare, SendOutcome::Accepted { provider_id, addresses: vec![], held: false });
        let held = ACCEPTED.replace("\"accepted\"", "\"held_for_quality_assessment\"");
        assert!(matches!(
            read_answer(200, held.as_bytes(), None, Learns::Addresses),
            SendOutcome::Accepted { held: true, .. }
        ));
    }

    #[test]
    fn the_code_decides_and_else_the_status() {
        let graph = |code: &str| format!(r#"{{"error":{{"message":"(#1) x","type":"OAuthException","code":{code}}}}}"#);
        let html = "<html>oops</html>".to_owned();
        let cases = [
            (400, graph("130429"), 130_429, ErrorClass::RateNumber),
            (400, graph("\"131056\""), 131_056, ErrorClass::RatePair),
            (401, graph("190"), 190, ErrorClass::Auth),
            (400, graph("131047"), 131_047, ErrorClass::Window),
            (500, graph("131000"), 131_000, ErrorClass::Retry),
            (502, graph("131016"), 131_016, ErrorClass::Retry),
            (200, graph("132015"), 132_015, ErrorClass::Template),
            (500, graph("777"), 777, ErrorClass::Retry),
            (400, graph("777"), 777, ErrorClass::Content),
            (400, "{\"error\":{}}".into(), 0, ErrorClass::Content),
            (500, html.clone(), 0, ErrorClass::Retry),
            (503, String::new(), 0, ErrorClass::Retry),
            (429, String::new(), 0, ErrorClass::RateNumber),
            (401, html.clone(), 0, ErrorClass::Auth),
            (404, html, 0, ErrorClass::Content),
        ];
        for (status, body, code, class) in cases {
            let wait = Some(Duration::from_secs(2));
            match read_answer(status, body.as_bytes(), wait, Learns::Addresses) {
                SendOutcome::Rejected { failure, retry_after } => {
                    assert_eq!((failure.code, failure.class, retry_after), (code, class, wait), "{status} {body}");
                }
                other => panic!("{status} {body}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_answer_without_sense_leaves_it_unknown() {
        let cases: [(u16, &[u8]); 8] = [
            (200, b""),
            (200, b"<html>"),
            (200, b"{}"),
            (200, br#"{"messages":[]}"#),
            (200, br#"{"messages":[{"id":""}]}"#),
            (200, &ACCEPTED.as_bytes()[..100]),
            (504, b"gateway"),
            (0, b""),
        ];
        for (status, body) in cases {
            assert!(
                matches!(read_answer(status, body, None, Learns::Addresses), SendOutcome::Unknown { .. }),
                "{status} {body:?}"
            );
        }
    }

    #[test]
    fn usage_tells_when_to_come_back() {
        let usage = r#"{"1":[{"type":"messaging","estimated_time_to_regain_access":1},{"estimated_time_to_regain_access":3}],"2":[{}]}"#;
        assert_eq!(regain_after(usage), Some(Duration::from_secs(180)));
        for nothing in ["", "{}", "[]", r#"{"1":[{}]}"#] {
            assert_eq!(regain_after(nothing), None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(
            status in any::<u16>(), noise in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let _ = read_answer(status, &noise, None, Learns::Addresses);
            let mut damaged = ACCEPTED.as_bytes().to_vec();
            let at = at.index(damaged.len());
            damaged[at] = byte;
            let _ = read_answer(status, &damaged, None, Learns::Addresses);
            let _ = read_answer(status, &damaged[..at], None, Learns::Addresses);
            let _ = regain_after(&String::from_utf8_lossy(&noise));
        }
    }
}
