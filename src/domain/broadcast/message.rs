//! What a broadcast says: one message whose texts may have variables, compiled once and filled for each recipient.

use super::variables::{CompiledText, MissingVariable, UnclearText};
use crate::domain::message::{Interactive, InteractiveAction, MessageContent, TemplateParameter};

/// A message with its variables found.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledMessage {
    content: MessageContent,
    texts: Vec<CompiledText>,
}

/// Which text of a message cannot be compiled, from 0, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("text {text} of the message: {why}")]
pub struct UnclearMessage {
    /// Which text, from 0, in the order of the message.
    pub text: usize,
    /// Why.
    pub why: UnclearText,
}

impl CompiledMessage {
    /// Finds the variables of every text that people see, and of what buttons send back.
    ///
    /// # Errors
    /// [`UnclearMessage`] for the first text that is not clear.
    pub fn compile(content: MessageContent, is_known: impl Fn(&str) -> bool) -> Result<Self, UnclearMessage> {
        let mut content = content;
        let mut texts = Vec::new();
        let mut unclear = None;
        each_text(&mut content, &mut |text| match CompiledText::compile(text, &is_known) {
            Ok(compiled) => texts.push(compiled),
            Err(why) => drop(unclear.get_or_insert(UnclearMessage { text: texts.len(), why })),
        });
        unclear.map_or(Ok(Self { content, texts }), Err)
    }

    /// Whether it is a template.
    #[must_use]
    pub const fn is_template(&self) -> bool {
        matches!(self.content, MessageContent::Template { .. })
    }

    /// The message as it was written, variables and all.
    #[must_use]
    pub const fn written(&self) -> &MessageContent {
        &self.content
    }

    /// The names of its variables, in the order of its texts.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().flat_map(CompiledText::variables)
    }

    /// The texts for one recipient. A message without variables has none.
    ///
    /// # Errors
    /// [`MissingVariable`]: the recipient is passed over.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Result<Vec<String>, MissingVariable> {
        if self.variables().next().is_none() {
            return Ok(Vec::new());
        }
        self.texts.iter().map(|text| text.fill(&value)).collect()
    }

    /// How many texts [`Self::fill`] gives for a recipient.
    #[must_use]
    pub fn texts_filled(&self) -> usize {
        if self.variables().next().is_none() { 0 } else { self.texts.len() }
    }

    /// The message with a recipient's texts in it, as [`Self::fill`] gave them.
    #[must_use]
    pub fn with(&self, texts: &[String]) -> MessageContent {
        let mut content = self.content.clone();
        let mut texts = texts.iter();
        each_text(&mut content, &mut |place| {
            if let Some(text) = texts.next() {
                place.clone_from(text);
            }
        });
        content
    }
}

/// Visits the texts of a message in one fixed order: what is frozen of a recipient rests on it.
fn each_text(content: &mut MessageContent, visit: &mut impl FnMut(&mut String)) {
    match content {
        MessageContent::Text { body } => visit(body),
        MessageContent::Media { media, .. } => media.caption.iter_mut().for_each(visit),
        MessageContent::Template { fills, .. } => {
            for parameter in fills.iter_mut().flat_map(|fill| &mut fill.parameters) {
                match parameter {
                    TemplateParameter::Text { text, .. } => visit(text),
                    TemplateParameter::Payload { payload } => visit(payload),
                    TemplateParameter::CouponCode { code } => visit(code),
                    TemplateParameter::Media { media, .. } => media.link.iter_mut().for_each(&mut *visit),
                }
            }
        }
        MessageContent::Interactive { interactive } => {
            let Interactive { header, body, footer, action } = interactive;
            header.iter_mut().for_each(&mut *visit);
            visit(body);
            footer.iter_mut().for_each(&mut *visit);
            if let InteractiveAction::CallToAction { url, .. } = action {
                visit(url);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::{Media, MediaKind, TemplateFill, TemplateSlot};

    fn text(text: &str) -> TemplateParameter {
        TemplateParameter::Text { name: None, text: text.to_owned() }
    }

    fn template() -> MessageContent {
        let media = Media { link: Some("https://example.test/{{city|x}}.png".into()), ..Media::default() };
        let header = TemplateParameter::Media { kind: MediaKind::Image, media };
        MessageContent::Template {
            name: "sale".into(),
            language: "en".into(),
            fills: vec![
                TemplateFill { slot: TemplateSlot::Header, parameters: vec![header] },
                TemplateFill { slot: TemplateSlot::Body, parameters: vec![text("{{first_name|you}}"), text("10 %")] },
            ],
        }
    }

    #[test]
    fn a_message_is_compiled_once_and_filled_for_each() {
        let message = CompiledMessage::compile(template(), |name| matches!(name, "first_name" | "city")).unwrap();
        assert_eq!(message.variables().collect::<Vec<_>>(), ["city", "first_name"]);
        let texts = message.fill(|name| (name == "first_name").then_some("Ann")).unwrap();
        assert_eq!(texts, ["https://example.test/x.png", "Ann", "10 %"]);
        assert_eq!(message.texts_filled(), 3);
        let MessageContent::Template { fills, .. } = message.with(&texts) else { panic!("it is a template") };
        assert_eq!(fills[1].parameters, [text("Ann"), text("10 %")]);
        assert_eq!(message.written(), &template(), "what was written stays as it was");
    }

    #[test]
    fn a_message_without_variables_keeps_nothing_for_each() {
        let hello = MessageContent::Text { body: "Hello".into() };
        let message = CompiledMessage::compile(hello.clone(), |_| false).unwrap();
        assert_eq!((message.fill(|_| None).unwrap(), message.texts_filled()), (Vec::<String>::new(), 0));
        assert_eq!(message.with(&[]), hello);
    }

    #[test]
    fn an_unclear_text_is_named() {
        let unclear = CompiledMessage::compile(template(), |name| name == "city").unwrap_err();
        assert_eq!(unclear, UnclearMessage { text: 1, why: UnclearText::Unknown { name: "first_name".into() } });
    }
}
