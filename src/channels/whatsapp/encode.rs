//! Messages become calls to `/messages` (`channels.md` §1.6).

mod content;
mod template;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::json;

use self::content::Part;
use super::validate::{invalid, validate};
use crate::channels::token::TOKEN_BYTES_MAX;
use crate::domain::inbound::{Address, AddressSpace};
use crate::domain::message::{MessageContent, ProviderMessageId};
use crate::domain::outbound::{OutboundMessage, ProviderCall};
use crate::domain::refusal::Refusal;

/// Writes the call that sends `message` from the number with this phone number id.
///
/// It goes to the first address that WhatsApp knows: a phone in `to`, always with `+` (without it
/// Meta may put the business's own country code before it), a business-scoped user id in `recipient`.
///
/// # Errors
/// [`Refusal::Invalid`] names the field that WhatsApp would not take, [`Refusal::CannotAnswer`]
/// if the thread is a group's.
pub fn encode(message: &OutboundMessage, phone_number_id: &str) -> Result<ProviderCall, Refusal> {
    validate(&message.content)?;
    if message.token.len() > TOKEN_BYTES_MAX {
        return Err(invalid("token", format!("it is longer than {TOKEN_BYTES_MAX} bytes")));
    }
    let wire = WireCall {
        recipient: recipient(&message.to)?,
        part: content::part(&message.content)?,
        // A reaction names its message itself.
        quoted: match message.content {
            MessageContent::Reaction { .. } => None,
            _ => message.reply_to.as_ref(),
        },
        token: &message.token,
    };
    let body = serde_json::to_vec(&wire).map_err(|_| invalid("content", "it cannot be written as JSON"))?;
    Ok(ProviderCall { path: path(phone_number_id)?, body })
}

/// Writes the call that marks a customer's message, and with it all before it, as read. `typing`
/// also shows that somebody is typing, for at most 25 s.
#[must_use]
pub fn mark_read(provider_id: &ProviderMessageId, phone_number_id: &str, typing: bool) -> ProviderCall {
    let mut body = json!({"messaging_product": "whatsapp", "status": "read", "message_id": provider_id.0});
    if typing {
        body["typing_indicator"] = json!({"type": "text"});
    }
    let path = format!("/{}/messages", segment(phone_number_id));
    ProviderCall { path, body: body.to_string().into_bytes() }
}

fn path(phone_number_id: &str) -> Result<String, Refusal> {
    if phone_number_id.is_empty() || segment(phone_number_id) != phone_number_id {
        return Err(invalid("account", "a phone number id is made of digits"));
    }
    Ok(format!("/{phone_number_id}/messages"))
}

/// What of a configured id may stand in a path.
fn segment(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter)).collect()
}

enum Recipient<'a> {
    Phone(&'a str),
    UserId(&'a str),
}

fn recipient(to: &[Address]) -> Result<Recipient<'_>, Refusal> {
    for address in to {
        match address.space {
            AddressSpace::Phone => return Ok(Recipient::Phone(&address.text)),
            AddressSpace::Bsuid => return Ok(Recipient::UserId(&address.text)),
            AddressSpace::Group => return Err(Refusal::CannotAnswer { why: "groups are shown but not answered" }),
            AddressSpace::Platform => {}
        }
    }
    Err(invalid("to", "it names neither a phone number nor a WhatsApp user id"))
}

struct WireCall<'a> {
    recipient: Recipient<'a>,
    part: Part<'a>,
    quoted: Option<&'a ProviderMessageId>,
    token: &'a str,
}

impl Serialize for WireCall<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Quoted<'a> {
            message_id: &'a str,
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("messaging_product", "whatsapp")?;
        map.serialize_entry("recipient_type", "individual")?;
        match self.recipient {
            Recipient::Phone(digits) => map.serialize_entry("to", &format_args!("+{digits}"))?,
            Recipient::UserId(user_id) => map.serialize_entry("recipient", user_id)?,
        }
        map.serialize_entry("type", self.part.word())?;
        map.serialize_entry(self.part.word(), &self.part)?;
        if let Some(quoted) = self.quoted {
            map.serialize_entry("context", &Quoted { message_id: &quoted.0 })?;
        }
        if !self.token.is_empty() {
            map.serialize_entry("biz_opaque_callback_data", self.token)?;
        }
        map.end()
    }
}
