//! What one message says, from the part that its `type` names (`channels.md` §1.3).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Degrees, Text, WireMessage, read};
use crate::domain::message::{Media, MediaKind, MessageContent, ProviderMessageId};

/// What `message` says. A kind that nobody here knows, or whose part is damaged, is kept as it came.
pub(super) fn content(message: &WireMessage<'_>, raw: &RawValue) -> MessageContent {
    known(message, true).unwrap_or_else(|| unsupported(message, raw))
}

/// The message as it came, for people who look into it.
fn unsupported(message: &WireMessage<'_>, raw: &RawValue) -> MessageContent {
    let inner = message.unsupported.and_then(read::<Kind<'_>>).and_then(|part| Text::owned(&part.kind));
    let kind = inner.or_else(|| Text::owned(&message.kind)).unwrap_or_else(|| "unsupported".into());
    MessageContent::Unsupported { kind, raw: raw.get().to_owned() }
}

/// `outer`: an edit of an edit is not followed.
fn known(message: &WireMessage<'_>, outer: bool) -> Option<MessageContent> {
    match Text::filled(&message.kind)? {
        "text" => read::<Body<'_>>(message.text?)
            .and_then(|part| part.body)
            .map(|body| MessageContent::Text { body: body.0.into_owned() }),
        "image" => media(MediaKind::Image, message.image?),
        "video" => media(MediaKind::Video, message.video?),
        "audio" => media(MediaKind::Audio, message.audio?),
        "document" => media(MediaKind::Document, message.document?),
        "sticker" => media(MediaKind::Sticker, message.sticker?),
        "location" => location(message.location?),
        "contacts" => Some(MessageContent::ContactCards { cards: message.contacts?.get().to_owned() }),
        "interactive" => choice(message.interactive?),
        "button" => button(message.button?),
        "reaction" => reaction(message.reaction?),
        "edit" if outer => edit(message.edit?),
        "revoke" => read::<Target<'_>>(message.revoke?)?.id().map(|target| MessageContent::Revoke { target }),
        "system" => system(message.system?),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    body: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct WireMedia<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
    #[serde(borrow)]
    mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    sha256: Option<Text<'a>>,
    #[serde(borrow)]
    filename: Option<Text<'a>>,
    #[serde(borrow)]
    caption: Option<Text<'a>>,
    voice: Option<bool>,
    animated: Option<bool>,
}

fn media(kind: MediaKind, raw: &RawValue) -> Option<MessageContent> {
    let part: WireMedia<'_> = read(raw)?;
    let media = Media {
        provider_id: Text::owned(&part.id),
        link: Text::owned(&part.url),
        mime_type: Text::owned(&part.mime_type),
        sha256: Text::owned(&part.sha256),
        filename: Text::owned(&part.filename),
        caption: Text::owned(&part.caption),
        voice: part.voice.unwrap_or(false),
        animated: part.animated.unwrap_or(false),
    };
    // Without either there is nothing to fetch or show.
    (media.provider_id.is_some() || media.link.is_some()).then_some(MessageContent::Media { kind, media })
}

fn location(raw: &RawValue) -> Option<MessageContent> {
    #[derive(Deserialize)]
    struct Part<'a> {
        latitude: Degrees,
        longitude: Degrees,
        #[serde(borrow)]
        name: Option<Text<'a>>,
        #[serde(borrow)]
        address: Option<Text<'a>>,
    }
    let part: Part<'_> = read(raw)?;
    Some(MessageContent::Location {
        latitude: part.latitude.0,
        longitude: part.longitude.0,
        name: Text::owned(&part.name),
        address: Text::owned(&part.address),
    })
}

fn choice(raw: &RawValue) -> Option<MessageContent> {
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Text<'a>>,
        #[serde(borrow)]
        button_reply: Option<Reply<'a>>,
        #[serde(borrow)]
        list_reply: Option<Reply<'a>>,
        #[serde(borrow)]
        nfm_reply: Option<Flow<'a>>,
    }
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(borrow)]
        id: Option<Text<'a>>,
        #[serde(borrow)]
        title: Option<Text<'a>>,
        #[serde(borrow)]
        description: Option<Text<'a>>,
    }
    #[derive(Deserialize)]
    struct Flow<'a> {
        #[serde(borrow)]
        name: Option<Text<'a>>,
        #[serde(borrow)]
        body: Option<Text<'a>>,
        #[serde(borrow)]
        response_json: Option<Text<'a>>,
    }
    let part: Part<'_> = read(raw)?;
    let kind = part.kind.as_deref()?;
    if kind == "nfm_reply" {
        let flow = part.nfm_reply?;
        return Some(MessageContent::Choice {
            id: Text::owned(&flow.name).unwrap_or_else(|| "flow".into()),
            title: Text::owned(&flow.body).unwrap_or_default(),
            detail: Text::owned(&flow.response_json),
        });
    }
    let reply = match kind {
        "button_reply" => part.button_reply?,
        "list_reply" => part.list_reply?,
        _ => return None,
    };
    Some(MessageContent::Choice {
        id: Text::owned(&reply.id)?,
        title: Text::owned(&reply.title).unwrap_or_default(),
        detail: Text::owned(&reply.description),
    })
}

fn button(raw: &RawValue) -> Option<MessageContent> {
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow)]
        payload: Option<Text<'a>>,
        #[serde(borrow)]
        text: Option<Text<'a>>,
    }
    let part: Part<'_> = read(raw)?;
    let title = Text::owned(&part.text);
    // A button without a payload of its own sends back what it says.
    let id = Text::owned(&part.payload).or_else(|| title.clone())?;
    Some(MessageContent::Choice { title: title.unwrap_or_else(|| id.clone()), id, detail: None })
}

fn reaction(raw: &RawValue) -> Option<MessageContent> {
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow)]
        message_id: Option<Text<'a>>,
        #[serde(borrow)]
        emoji: Option<Text<'a>>,
    }
    let part: Part<'_> = read(raw)?;
    let target = ProviderMessageId(Text::owned(&part.message_id)?);
    // Taken back: the emoji is absent, or empty in older versions.
    Some(MessageContent::Reaction { target, emoji: Text::owned(&part.emoji) })
}

#[derive(Deserialize)]
struct Target<'a> {
    #[serde(borrow)]
    original_message_id: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

impl Target<'_> {
    fn id(&self) -> Option<ProviderMessageId> {
        Text::owned(&self.original_message_id).map(ProviderMessageId)
    }
}

fn edit(raw: &RawValue) -> Option<MessageContent> {
    let part: Target<'_> = read(raw)?;
    let target = part.id()?;
    let raw_inner = part.message?;
    let inner: WireMessage<'_> = read(raw_inner)?;
    let replacement = known(&inner, false).unwrap_or_else(|| unsupported(&inner, raw_inner));
    Some(MessageContent::Edit { target, replacement: Box::new(replacement) })
}

fn system(raw: &RawValue) -> Option<MessageContent> {
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Text<'a>>,
        #[serde(borrow)]
        body: Option<Text<'a>>,
    }
    let part: Part<'_> = read(raw)?;
    Some(MessageContent::System { event: Text::owned(&part.kind)?, body: Text::owned(&part.body) })
}
