//! A template as the provider approved it: what its parts are and where they want parameters.
//!
//! The JSON is Meta's own (`GET /{waba}/message_templates`), so that a template is stored as it came.

use serde::{Deserialize, Serialize};

/// An approved message form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateForm {
    /// Its name, unique with the language in a business account.
    pub name: String,
    /// Its language, as `pt_PT`.
    pub language: String,
    /// What it is for.
    pub category: TemplateCategory,
    /// Its parts, in the order in which they are shown.
    pub components: Vec<TemplateComponent>,
}

/// What a template is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TemplateCategory {
    /// Advertising: needs opt-in.
    #[serde(alias = "MARKETING")]
    Marketing,
    /// About something the customer did.
    #[serde(alias = "UTILITY")]
    Utility,
    /// One-time codes.
    #[serde(alias = "AUTHENTICATION")]
    Authentication,
}

impl TemplateCategory {
    /// The word in JSON and labels.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::Utility => "utility",
            Self::Authentication => "authentication",
        }
    }

    /// The category with this word, in either case.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Marketing, Self::Utility, Self::Authentication]
            .into_iter()
            .find(|category| category.word().eq_ignore_ascii_case(word))
    }
}

/// One part of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TemplateComponent {
    /// Above the body: text, or one piece of media.
    #[serde(alias = "header")]
    Header {
        /// What it holds.
        format: HeaderFormat,
        /// Its text, with at most one placeholder.
        #[serde(default)]
        text: Option<String>,
    },
    /// The message itself.
    #[serde(alias = "body")]
    Body {
        /// Its text, with `{{1}}` or `{{name}}` as placeholders. None in authentication templates,
        /// whose text is the platform's and has one placeholder, the code.
        #[serde(default)]
        text: Option<String>,
    },
    /// Below the body. It has no placeholders.
    #[serde(alias = "footer")]
    Footer {
        /// Its text.
        #[serde(default)]
        text: Option<String>,
    },
    /// The buttons.
    #[serde(alias = "buttons")]
    Buttons {
        /// In the order in which parameters count them, from 0.
        #[serde(default)]
        buttons: Vec<TemplateButton>,
    },
    /// A part that this router does not fill (a carousel, a limited offer).
    #[serde(other)]
    Other,
}

/// What a header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HeaderFormat {
    /// Text.
    #[serde(alias = "text")]
    Text,
    /// A picture.
    #[serde(alias = "image")]
    Image,
    /// A film.
    #[serde(alias = "video")]
    Video,
    /// A file.
    #[serde(alias = "document")]
    Document,
    /// A place, or something newer, which this router does not fill.
    #[serde(other)]
    Other,
}

/// One button of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateButton {
    /// `QUICK_REPLY`, `URL`, `PHONE_NUMBER`, `COPY_CODE`, `FLOW`, `OTP`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// What it says.
    #[serde(default)]
    pub text: Option<String>,
    /// Where it leads, with at most one placeholder, at the end.
    #[serde(default)]
    pub url: Option<String>,
}

impl TemplateForm {
    /// What the body says, with its placeholders; none in authentication templates.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        self.components.iter().find_map(|component| match component {
            TemplateComponent::Body { text } => text.as_deref(),
            _ => None,
        })
    }

    /// The buttons, in the order in which parameters count them.
    #[must_use]
    pub fn buttons(&self) -> &[TemplateButton] {
        self.components
            .iter()
            .find_map(|component| match component {
                TemplateComponent::Buttons { buttons } => Some(buttons.as_slice()),
                _ => None,
            })
            .unwrap_or_default()
    }
}

/// The placeholders of a text, in order of their first appearance, none twice: `1`, `2`, or names.
#[must_use]
pub fn placeholders(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((inside, behind)) = after.split_once("}}") else {
            break;
        };
        let name = inside.trim();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if is_name && !found.contains(&name) {
            found.push(name);
        }
        // What is no placeholder may hold the beginning of one.
        rest = if is_name { behind } else { after };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metas_json_is_read_and_written_back() {
        let json = r#"{"name":"order_update","language":"pt_PT","category":"MARKETING","status":"APPROVED","id":"7",
            "components":[{"type":"HEADER","format":"IMAGE","example":{"header_handle":["x"]}},
            {"type":"BODY","text":"Order {{1}}"},{"type":"FOOTER","text":"f"},{"type":"CAROUSEL","cards":[]},
            {"type":"BUTTONS","buttons":[{"type":"URL","text":"Open","url":"https://x/{{1}}"}]}]}"#;
        let form: TemplateForm = serde_json::from_str(json).unwrap();
        assert_eq!(form.category, TemplateCategory::Marketing);
        assert_eq!(form.components[0], TemplateComponent::Header { format: HeaderFormat::Image, text: None });
        assert_eq!(form.components[3], TemplateComponent::Other);
        assert_eq!((form.body(), form.buttons().len()), (Some("Order {{1}}"), 1));
        let again: TemplateForm = serde_json::from_str(&serde_json::to_string(&form).unwrap()).unwrap();
        assert_eq!(again, form);
        let stored = rmp_serde::to_vec(&form).unwrap();
        assert_eq!(crate::packed::read::<TemplateForm>(&stored).unwrap(), form);
        assert_eq!(TemplateCategory::from_word("UTILITY"), Some(TemplateCategory::Utility));
    }

    #[test]
    fn placeholders_are_found_once_each() {
        let cases: [(&str, &[&str]); 6] = [
            ("Hi {{1}}, order {{2}} of {{1}}", &["1", "2"]),
            ("Hi {{ name }} {{order_id}}", &["name", "order_id"]),
            ("none {here} { {1}} {{}} {{", &[]),
            ("{{ {{1}}", &["1"]),
            ("{{1", &[]),
            ("}}{{a}}{{", &["a"]),
        ];
        for (text, expected) in cases {
            assert_eq!(placeholders(text), expected, "{text}");
        }
    }
}
