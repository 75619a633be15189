//! The platforms' languages: one folder a platform, bytes and words in, our words out.
//!
//! The functions here choose the platform; each folder is also called directly where only one can
//! be meant. Nothing here awaits, keeps state or touches the world. Adding a platform is one folder
//! and one arm in each function.

pub mod prepared;
pub mod token;
pub mod whatsapp;

use std::time::Duration;

use crate::domain::inbound::InboundItem;
use crate::domain::message::{Channel, MessageContent, ProviderMessageId};
use crate::domain::outbound::{OutboundMessage, ProviderCall, SendOutcome};
use crate::domain::refusal::Refusal;
use crate::domain::secret::Secret;

/// Why a request does not prove that it comes from the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The header or parameter that carries the proof is missing.
    #[error("The proof of origin is missing.")]
    Missing,
    /// It is there, but not in the form that the platform writes.
    #[error("The proof of origin does not have the platform's form.")]
    Malformed,
    /// It fits none of the secrets.
    #[error("The proof of origin fits none of the secrets.")]
    Mismatch,
}

/// Why a whole body cannot be read. A single bad item is never a reason: it becomes `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not UTF-8.
    #[error("The body is not UTF-8, so it is not JSON.")]
    NotUtf8,
    /// Not JSON, or cut short.
    #[error("The body is not JSON, or it was cut short.")]
    NotJson,
    /// JSON, but not the envelope of this platform's webhooks.
    #[error("The body is JSON, but not a webhook of this platform.")]
    ForeignShape,
}

/// Why a channel could not do what was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ChannelError {
    /// The platform's folder is not written.
    #[error("The channel {} is not connected yet.", .0.word())]
    NotConnected(Channel),
    /// The request does not prove its origin.
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// The body says nothing that can be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The message cannot be written for this platform.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A webhook as it arrived.
pub struct Received<'a> {
    /// Gives the value of a header by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a [u8]>,
    /// The query after `?`, still encoded.
    pub query: &'a str,
    /// The raw body.
    pub body: &'a [u8],
}

/// Answers a platform's question whether this address is ours, with the text to send back.
///
/// # Errors
/// [`ChannelError::Unverified`] if the question does not know a verify token of ours.
pub fn handshake(channel: Channel, query: &str, verify_tokens: &[Secret<String>]) -> Result<String, ChannelError> {
    match channel {
        Channel::WhatsApp => Ok(whatsapp::verify::handshake(query, verify_tokens)?),
        other => Err(ChannelError::NotConnected(other)),
    }
}

/// Proves over the raw bytes that a webhook comes from the platform.
///
/// # Errors
/// [`ChannelError::Unverified`] says what is wrong with the proof.
pub fn verify(channel: Channel, received: &Received<'_>, secrets: &[Secret<String>]) -> Result<(), ChannelError> {
    match channel {
        Channel::WhatsApp => {
            let signature = (received.header)(whatsapp::verify::SIGNATURE_HEADER);
            Ok(whatsapp::verify::signature(signature, received.body, secrets)?)
        }
        other => Err(ChannelError::NotConnected(other)),
    }
}

/// Reads every item of a verified webhook.
///
/// # Errors
/// [`ChannelError::Unreadable`] if the body as a whole cannot be read.
pub fn parse(channel: Channel, body: &[u8]) -> Result<Vec<InboundItem>, ChannelError> {
    match channel {
        Channel::WhatsApp => Ok(whatsapp::parse::parse(body)?),
        other => Err(ChannelError::NotConnected(other)),
    }
}

/// Judges whether a message may be written for a platform, before it is queued.
///
/// # Errors
/// [`ChannelError::Refused`] names the field and what would be right.
pub fn validate(channel: Channel, content: &MessageContent) -> Result<(), ChannelError> {
    match channel {
        Channel::WhatsApp => Ok(whatsapp::validate::validate(content)?),
        other => Err(ChannelError::NotConnected(other)),
    }
}

/// Writes the call that sends a message. `sender` is the platform's id of the number, page or bot.
///
/// # Errors
/// [`ChannelError::Refused`] if the platform could not take it.
pub fn encode(channel: Channel, message: &OutboundMessage, sender: &str) -> Result<ProviderCall, ChannelError> {
    match channel {
        Channel::WhatsApp => Ok(whatsapp::encode::encode(message, sender)?),
        other => Err(ChannelError::NotConnected(other)),
    }
}

/// Writes the call that marks a customer's message as read, and shows that somebody is typing.
///
/// # Errors
/// [`ChannelError::NotConnected`] only.
pub fn mark_read(
    channel: Channel,
    provider_id: &ProviderMessageId,
    sender: &str,
    typing: bool,
) -> Result<ProviderCall, ChannelError> {
    match channel {
        Channel::WhatsApp => Ok(whatsapp::encode::mark_read(provider_id, sender, typing)),
        other => Err(ChannelError::NotConnected(other)),
    }
}

/// What is to be learnt from an answer beside what became of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learns {
    /// By which addresses the provider knows the customer.
    Addresses,
    /// Nothing: a recipient of a broadcast keeps the address that was frozen.
    Nothing,
}

/// Reads what a provider answered to a send. `status` is the HTTP status.
///
/// # Errors
/// [`ChannelError::NotConnected`] only: an answer that nobody understands is an outcome.
pub fn read_answer(
    channel: Channel,
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
    learns: Learns,
) -> Result<SendOutcome, ChannelError> {
    match channel {
        Channel::WhatsApp => Ok(whatsapp::answer::read_answer(status, body, retry_after, learns)),
        other => Err(ChannelError::NotConnected(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_without_a_folder_say_so() {
        for channel in Channel::ALL.into_iter().filter(|channel| *channel != Channel::WhatsApp) {
            let error = ChannelError::NotConnected(channel);
            assert_eq!(handshake(channel, "", &[]), Err(error.clone()));
            let received = Received { header: &|_| None, query: "", body: b"" };
            assert_eq!(verify(channel, &received, &[]), Err(error.clone()));
            assert_eq!(parse(channel, b"{}"), Err(error.clone()));
            assert_eq!(read_answer(channel, 200, b"{}", None, Learns::Nothing), Err(error.clone()));
            assert_eq!(error.to_string(), format!("The channel {} is not connected yet.", channel.word()));
        }
    }

    #[test]
    fn the_signature_is_looked_up_by_its_header() {
        let received = Received { header: &|_| None, query: "", body: b"{}" };
        assert_eq!(verify(Channel::WhatsApp, &received, &[]), Err(Unverified::Missing.into()));
        let wrong = format!("sha256={}", "0".repeat(64));
        let header = |name: &str| (name == "x-hub-signature-256").then_some(wrong.as_bytes());
        let received = Received { header: &header, query: "", body: b"{}" };
        assert_eq!(verify(Channel::WhatsApp, &received, &[]), Err(Unverified::Mismatch.into()));
    }
}
