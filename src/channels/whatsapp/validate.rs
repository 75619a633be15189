//! What WhatsApp takes and what it refuses, judged before anything is queued.
//!
//! Figures: `channels.md` §1.6, from Meta's pages on text, media, interactive and template messages
//! (Graph API v25.0); lengths are in characters. A flow's button: Meta's page on interactive flow
//! messages (v24.0).

mod interactive;
mod template;

use crate::domain::message::{Media, MediaKind, MessageContent};
use crate::domain::refusal::Refusal;

/// Text of a text message.
pub const TEXT_MAX: usize = 4_096;
/// Text beside a picture, film or document.
pub const CAPTION_MAX: usize = 1_024;
/// Names and addresses of places, and names of documents: a bound of ours.
const NAME_MAX: usize = 1_024;
/// An emoji with its modifiers, in characters: a bound of ours, which no emoji reaches.
const EMOJI_MAX: usize = 16;

/// Judges whether a message may be written for WhatsApp.
///
/// # Errors
/// [`Refusal::Invalid`] names the field, from `content.` on, and says what would be right.
pub fn validate(content: &MessageContent) -> Result<(), Refusal> {
    match content {
        MessageContent::Text { body } => length("content.body", body, TEXT_MAX),
        MessageContent::Media { kind, media } => validate_media("content.media", *kind, media),
        MessageContent::Location { latitude, longitude, name, address } => {
            within("content.latitude", *latitude, 90.0)?;
            within("content.longitude", *longitude, 180.0)?;
            optional("content.name", name.as_deref(), NAME_MAX)?;
            optional("content.address", address.as_deref(), NAME_MAX)
        }
        MessageContent::ContactCards { cards } => {
            // Raw, so that deep cards cost no stack.
            let list: Result<Vec<&serde_json::value::RawValue>, _> = serde_json::from_str(cards);
            match list {
                Ok(list) if !list.is_empty() => Ok(()),
                _ => Err(invalid("content.cards", "it is the JSON text of a list of at least one card")),
            }
        }
        MessageContent::Template { name, language, fills } => template::validate_template(name, language, fills),
        MessageContent::Interactive { interactive } => interactive::validate_interactive(interactive),
        MessageContent::Reaction { target, emoji } => {
            filled("content.target", &target.0)?;
            optional("content.emoji", emoji.as_deref(), EMOJI_MAX)
        }
        other => Err(cannot_be_sent(other)),
    }
}

/// The refusal of content that only comes in, or never leaves the workspace.
pub(super) fn cannot_be_sent(content: &MessageContent) -> Refusal {
    let why = match content {
        MessageContent::Note { .. } => "a note never leaves the workspace",
        MessageContent::Edit { .. } | MessageContent::Revoke { .. } => "WhatsApp changes and takes back nothing sent",
        _ => "this kind only comes in",
    };
    invalid("content.type", why)
}

pub(super) fn invalid(field: impl Into<String>, why: impl Into<String>) -> Refusal {
    Refusal::Invalid { field: field.into(), why: why.into() }
}

/// A piece of media, as a message or a template's header carries it.
fn validate_media(field: &str, kind: MediaKind, media: &Media) -> Result<(), Refusal> {
    if media.provider_id.as_deref().is_none_or(str::is_empty) {
        let Some(link) = media.link.as_deref() else {
            return Err(invalid(field, "it needs a provider_id or a link"));
        };
        web_link(&format!("{field}.link"), link)?;
    }
    let captioned = matches!(kind, MediaKind::Image | MediaKind::Video | MediaKind::Document);
    if media.caption.is_some() && !captioned {
        return Err(invalid(format!("{field}.caption"), "WhatsApp shows none beside sounds and stickers"));
    }
    optional(&format!("{field}.caption"), media.caption.as_deref(), CAPTION_MAX)?;
    optional(&format!("{field}.filename"), media.filename.as_deref(), NAME_MAX)
}

/// From 1 to `max` characters, not all of them blank.
fn length(field: &str, text: &str, max: usize) -> Result<(), Refusal> {
    filled(field, text)?;
    // Bytes are never fewer than characters.
    if text.len() > max && text.chars().count() > max {
        return Err(invalid(field, format!("it is longer than {max} characters")));
    }
    Ok(())
}

fn optional(field: &str, text: Option<&str>, max: usize) -> Result<(), Refusal> {
    text.map_or(Ok(()), |text| length(field, text, max))
}

fn filled(field: &str, text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() { Err(invalid(field, "it is empty")) } else { Ok(()) }
}

fn within(field: &str, degrees: f64, max: f64) -> Result<(), Refusal> {
    if degrees.abs() <= max { Ok(()) } else { Err(invalid(field, format!("it lies between -{max} and {max}"))) }
}

fn web_link(field: &str, link: &str) -> Result<(), Refusal> {
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    let plain = !link.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    if plain && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
        Ok(())
    } else {
        Err(invalid(field, "it is a link that begins with https:// or http://"))
    }
}
