//! The part of a call that says what the message is.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::template::{WireTemplate, wire_template};
use crate::channels::whatsapp::validate::{cannot_be_sent, invalid};
use crate::domain::message::{Interactive, InteractiveAction, Media, MediaKind, MessageContent};
use crate::domain::refusal::Refusal;

/// One kind of content in Meta's form. It is written under its own word.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Part<'a> {
    Text { body: &'a str, preview_url: bool },
    Media(WireMedia<'a>),
    Location(WireLocation<'a>),
    Contacts(&'a RawValue),
    Template(WireTemplate<'a>),
    Interactive(Value),
    Reaction { message_id: &'a str, emoji: &'a str },
}

/// A piece of media in Meta's form: by id or by link, never both.
#[derive(Serialize)]
pub(super) struct WireMedia<'a> {
    #[serde(skip)]
    word: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct WireLocation<'a> {
    latitude: f64,
    longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
}

impl WireMedia<'_> {
    /// Meta's word for the kind.
    pub(super) const fn word(&self) -> &'static str {
        self.word
    }

    /// As a template's header takes it.
    pub(super) fn without_caption(mut self) -> Self {
        self.caption = None;
        self
    }
}

impl Part<'_> {
    /// Meta's word for the kind.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Media(media) => media.word,
            Self::Location(_) => "location",
            Self::Contacts(_) => "contacts",
            Self::Template(_) => "template",
            Self::Interactive(_) => "interactive",
            Self::Reaction { .. } => "reaction",
        }
    }
}

/// The part for content that was validated.
pub(super) fn part(content: &MessageContent) -> Result<Part<'_>, Refusal> {
    Ok(match content {
        MessageContent::Text { body } => Part::Text { body, preview_url: false },
        MessageContent::Media { kind, media } => Part::Media(wire_media(*kind, media)),
        MessageContent::Location { latitude, longitude, name, address } => Part::Location(WireLocation {
            latitude: *latitude,
            longitude: *longitude,
            name: name.as_deref(),
            address: address.as_deref(),
        }),
        MessageContent::ContactCards { cards } => {
            Part::Contacts(serde_json::from_str(cards).map_err(|_| invalid("content.cards", "it is not JSON"))?)
        }
        MessageContent::Template { name, language, fills } => Part::Template(wire_template(name, language, fills)),
        MessageContent::Interactive { interactive } => Part::Interactive(wire_interactive(interactive)),
        MessageContent::Reaction { target, emoji } => {
            Part::Reaction { message_id: &target.0, emoji: emoji.as_deref().unwrap_or_default() }
        }
        other => return Err(cannot_be_sent(other)),
    })
}

/// Meta's form of a piece of media; the id goes before the link.
pub(super) fn wire_media(kind: MediaKind, media: &Media) -> WireMedia<'_> {
    let (word, captioned) = match kind {
        MediaKind::Image => ("image", true),
        MediaKind::Video => ("video", true),
        MediaKind::Audio => ("audio", false),
        MediaKind::Document => ("document", true),
        MediaKind::Sticker => ("sticker", false),
    };
    let id = media.provider_id.as_deref().filter(|id| !id.is_empty());
    WireMedia {
        word,
        id,
        link: media.link.as_deref().filter(|_| id.is_none()),
        caption: media.caption.as_deref().filter(|_| captioned),
        filename: media.filename.as_deref().filter(|_| kind == MediaKind::Document),
    }
}

fn wire_interactive(interactive: &Interactive) -> Value {
    let (kind, action) = match &interactive.action {
        InteractiveAction::Buttons { buttons } => {
            let buttons: Vec<Value> = buttons
                .iter()
                .map(|button| json!({"type": "reply", "reply": {"id": button.id, "title": button.title}}))
                .collect();
            ("button", json!({"buttons": buttons}))
        }
        InteractiveAction::List { button, sections } => ("list", json!({"button": button, "sections": sections})),
        InteractiveAction::CallToAction { display_text, url } => {
            ("cta_url", json!({"name": "cta_url", "parameters": {"display_text": display_text, "url": url}}))
        }
        InteractiveAction::Flow { flow_id, flow_token, button, screen } => {
            let mut parameters = json!({
                "flow_message_version": "3", "flow_id": flow_id, "flow_token": flow_token, "flow_cta": button,
            });
            if let Some(screen) = screen {
                parameters["flow_action"] = json!("navigate");
                parameters["flow_action_payload"] = json!({"screen": screen});
            }
            ("flow", json!({"name": "flow", "parameters": parameters}))
        }
    };
    let mut wire = json!({"type": kind, "body": {"text": interactive.body}, "action": action});
    if let Some(header) = &interactive.header {
        wire["header"] = json!({"type": "text", "text": header});
    }
    if let Some(footer) = &interactive.footer {
        wire["footer"] = json!({"text": footer});
    }
    wire
}
