//! A message that goes to many, written once: what differs between its recipients is put into the written bytes.
//!
//! The platform's own writer writes it with marks in place of the address, the token and the texts; the bytes between the
//! marks are the same for everybody. Only plain values are put in so, of which it is evident that the platform takes them
//! and that JSON needs no escapes; everybody else's message is written in full, and judged.

use std::io::Write as _;
use std::sync::Arc;

use crate::channels::token::CallbackToken;
use crate::domain::inbound::{Address, AddressSpace};
use crate::domain::message::{Channel, MessageContent};
use crate::domain::outbound::{OutboundMessage, ProviderCall};

/// Bytes of a value that is put in as it is: no platform allows fewer of any text that a person sees.
const PLAIN_MAX: usize = 60;
/// Stands around the number of a mark. It is a character of the private use area: a message that has it is not prepared.
const MARK: &str = "\u{f8f3}";
const TO: usize = 0;
const TOKEN: usize = 1;
const FIRST_TEXT: usize = 2;

/// A message without its address, token and texts.
pub struct Prepared {
    /// The path and query below the account's base URL, with a leading slash.
    pub path: Arc<str>,
    texts: usize,
    forms: Vec<Form>,
}

/// How it is written for the addresses of one kind.
struct Form {
    space: AddressSpace,
    /// The bytes before each mark, and which.
    pieces: Vec<(Vec<u8>, usize)>,
    rest: Vec<u8>,
    /// Bytes of all of them.
    bytes: usize,
}

impl Prepared {
    /// Prepares a message that `content` makes of so many texts. None where it must be written for each recipient.
    #[must_use]
    pub fn new(
        channel: Channel,
        sender: &str,
        texts: usize,
        content: impl FnOnce(&[String]) -> MessageContent,
    ) -> Option<Self> {
        let marks: Vec<String> = (0..texts).map(|text| mark(FIRST_TEXT + text)).collect();
        let mut message =
            OutboundMessage { to: Vec::new(), content: content(&marks), reply_to: None, token: mark(TOKEN) };
        let (mut path, mut forms) = (None, Vec::new());
        for space in [AddressSpace::Phone, AddressSpace::Bsuid, AddressSpace::Platform] {
            message.to = vec![Address { space, text: mark(TO) }];
            if let Ok(call) = super::encode(channel, &message, sender)
                && let Some(form) = Form::of(space, &call, texts)
            {
                path = Some(call.path);
                forms.push(form);
            }
        }
        Some(Self { path: Arc::from(path?), texts, forms })
    }

    /// The body for one recipient; none where it must be written in full.
    #[must_use]
    pub fn write(&self, to: &Address, token: &CallbackToken, texts: &[String]) -> Option<Vec<u8>> {
        let form = self.forms.iter().find(|form| form.space == to.space)?;
        if texts.len() != self.texts || !is_plain(&to.text) || !texts.iter().all(|text| is_plain(text)) {
            return None;
        }
        let texts_bytes: usize = texts.iter().map(String::len).sum();
        let room = form.bytes + to.text.len() + texts_bytes + super::token::TOKEN_BYTES_MAX;
        let mut body = Vec::with_capacity(room);
        for (before, mark) in &form.pieces {
            body.extend_from_slice(before);
            match *mark {
                TO => body.extend_from_slice(to.text.as_bytes()),
                TOKEN => write!(body, "{token}").ok()?,
                text => body.extend_from_slice(texts.get(text - FIRST_TEXT)?.as_bytes()),
            }
        }
        body.extend_from_slice(&form.rest);
        Some(body)
    }
}

fn mark(which: usize) -> String {
    format!("{MARK}{which}{MARK}")
}

/// Whether a value is taken as it is, wherever it stands: short, not blank, without line breaks, long gaps or anything that
/// JSON escapes.
fn is_plain(text: &str) -> bool {
    let easy = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    text.len() <= PLAIN_MAX
        && text.bytes().all(easy)
        && !text.trim().is_empty()
        && !text.contains("     ")
        && !text.contains(MARK)
}

impl Form {
    /// Finds the marks. None unless the address, the token and each text stand in it exactly once.
    fn of(space: AddressSpace, call: &ProviderCall, texts: usize) -> Option<Self> {
        let body = std::str::from_utf8(&call.body).ok()?;
        let parts: Vec<&str> = body.split(MARK).collect();
        // Between the marks stand bytes and numbers in turn.
        let (rest, fixed) = parts.split_last()?;
        let mut pieces = Vec::new();
        for pair in fixed.chunks(2) {
            let [before, which] = pair else { return None };
            pieces.push((before.as_bytes().to_vec(), which.parse().ok()?));
        }
        let mut marks: Vec<usize> = pieces.iter().map(|(_, mark)| *mark).collect();
        marks.sort_unstable();
        let bytes = pieces.iter().map(|(before, _)| before.len()).sum::<usize>() + rest.len();
        let whole = marks.iter().copied().eq(0..FIRST_TEXT + texts);
        whole.then(|| Self { space, pieces, rest: rest.as_bytes().to_vec(), bytes })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::BroadcastId;
    use crate::domain::message::{Media, MediaKind, TemplateFill, TemplateParameter, TemplateSlot};

    const SENDER: &str = "106540352242922";

    fn text(text: &str) -> TemplateParameter {
        TemplateParameter::Text { name: None, text: text.to_owned() }
    }

    fn template(texts: &[String]) -> MessageContent {
        let button = TemplateSlot::Button { sub_type: "url".into(), index: 0 };
        MessageContent::Template {
            name: "sale".into(),
            language: "en".into(),
            fills: vec![
                TemplateFill { slot: TemplateSlot::Body, parameters: vec![text(&texts[0]), text(&texts[1])] },
                TemplateFill { slot: button, parameters: vec![text(&texts[2])] },
            ],
        }
    }

    fn in_full(to: &Address, token: &CallbackToken, texts: &[String]) -> Option<Vec<u8>> {
        let message = OutboundMessage {
            to: vec![to.clone()],
            content: template(texts),
            reply_to: None,
            token: token.to_string(),
        };
        super::super::encode(Channel::WhatsApp, &message, SENDER).ok().map(|call| call.body)
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_what_is_written_in_full(
            user_id in any::<bool>(),
            address in "[0-9]{1,20}|\\PC{0,8}",
            texts in prop::collection::vec("[a-zÀ-ü ]{0,12}|\\PC{0,70}|[ \\t\"\\\\]{0,9}|(ab     c|\u{a0}|\u{f8f3}1\u{f8f3})", 3),
            (chunk, index, attempt) in (any::<u32>(), 0_u16..1_000, 1_u16..),
        ) {
            let prepared = Prepared::new(Channel::WhatsApp, SENDER, 3, template).unwrap();
            let space = if user_id { AddressSpace::Bsuid } else { AddressSpace::Phone };
            let to = Address { space, text: address };
            let token = CallbackToken::Broadcast { broadcast: BroadcastId(7), chunk, index, attempt };
            if let Some(body) = prepared.write(&to, &token, &texts) {
                prop_assert_eq!(Some(body), in_full(&to, &token, &texts));
            }
        }
    }

    #[test]
    fn plain_values_are_put_in() {
        let prepared = Prepared::new(Channel::WhatsApp, SENDER, 3, template).unwrap();
        assert_eq!(*prepared.path, *format!("/{SENDER}/messages"));
        let to = Address { space: AddressSpace::Phone, text: "15550000007".into() };
        let token = CallbackToken::Broadcast { broadcast: BroadcastId(7), chunk: 3, index: 17, attempt: 1 };
        let texts = |first: &str| [first.to_owned(), "1042".to_owned(), "a?b=c".to_owned()];
        for plain in ["Ann", "Éva O'Hara", "李", "}}]}", "{{x}}"] {
            let body = prepared.write(&to, &token, &texts(plain)).unwrap();
            assert_eq!(Some(body), in_full(&to, &token, &texts(plain)));
        }
        for other in ["", " ", "\u{a0}", "a\nb", "say \"hi\"", "a     b", &"x".repeat(61)] {
            assert_eq!(prepared.write(&to, &token, &texts(other)), None, "{other:?}");
        }
        let group = Address { space: AddressSpace::Group, ..to };
        assert_eq!(prepared.write(&group, &token, &texts("Ann")), None);
    }

    #[test]
    fn what_cannot_stand_with_marks_in_it_is_not_prepared() {
        let linked = |texts: &[String]| {
            let media = Media { link: Some(texts[0].clone()), ..Media::default() };
            let parameter = TemplateParameter::Media { kind: MediaKind::Image, media };
            let fill = TemplateFill { slot: TemplateSlot::Header, parameters: vec![parameter] };
            MessageContent::Template { name: "sale".into(), language: "en".into(), fills: vec![fill] }
        };
        assert!(Prepared::new(Channel::WhatsApp, SENDER, 1, linked).is_none(), "a mark is no link");
        let marked = |_: &[String]| MessageContent::Text { body: format!("Hello {}", mark(0)) };
        assert!(Prepared::new(Channel::WhatsApp, SENDER, 0, marked).is_none(), "it has a mark of its own");
        assert!(Prepared::new(Channel::Telegram, SENDER, 0, |_| MessageContent::Text { body: "Hi".into() }).is_none());
    }
}
