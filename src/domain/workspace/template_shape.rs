//! Which parameters a template takes: read once from its components, checked at every send.

use serde::{Deserialize, Serialize};

use crate::domain::message::{MediaKind, TemplateFill, TemplateParameter, TemplateSlot};
use crate::domain::refusal::Refusal;
use crate::domain::template_form::placeholders;

/// The most quick-reply buttons of a template.
pub const QUICK_REPLIES_MAX: usize = 3;
/// The longest text of a quick-reply button, in characters.
pub const QUICK_REPLY_MAX_CHARS: usize = 20;

/// What a template's header takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeaderShape {
    /// Nothing: there is none, or its text has no parameter.
    #[default]
    #[serde(rename = "n")]
    Nothing,
    /// These text parameters.
    #[serde(rename = "t")]
    Text(Vec<String>),
    /// A picture, film or file.
    #[serde(rename = "m")]
    Media(MediaKind),
    /// A place.
    #[serde(rename = "l")]
    Location,
}

/// What a button takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ButtonShape {
    /// `quick_reply`, `url`, `copy_code`, `flow`, …
    pub sub_type: String,
    /// It cannot be sent without a parameter.
    pub needs_parameter: bool,
}

/// Which parameters a template takes. Positional ones are named `1`, `2`, …
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateShape {
    /// The header.
    pub header: HeaderShape,
    /// The body's parameters, in the order in which they first appear.
    pub body: Vec<String>,
    /// The buttons.
    pub buttons: Vec<ButtonShape>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "type")]
    kind: String,
    format: Option<String>,
    text: Option<String>,
    #[serde(default)]
    buttons: Vec<Button>,
}

#[derive(Deserialize)]
struct Button {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    url: Option<String>,
}

fn invalid(field: &str, why: impl Into<String>) -> Refusal {
    Refusal::Invalid { field: field.to_owned(), why: why.into() }
}

impl TemplateShape {
    /// The shape of components as the platform writes them: a JSON array.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if they are not such, or break a rule for quick-reply buttons.
    pub fn of_components(json: &str) -> Result<Self, Refusal> {
        let components: Vec<Component> = serde_json::from_str(json)
            .map_err(|error| invalid("components", format!("it cannot be read ({error})")))?;
        let mut shape = Self::default();
        for component in components {
            let text = component.text.as_deref().unwrap_or_default();
            match component.kind.to_ascii_uppercase().as_str() {
                "HEADER" => shape.header = header(component.format.as_deref(), text),
                "BODY" => shape.body = parameters(text),
                "BUTTONS" => {
                    for button in &component.buttons {
                        shape.buttons.push(button_shape(button)?);
                    }
                }
                _ => {}
            }
        }
        let quick = shape.buttons.iter().filter(|button| button.sub_type == "quick_reply").count();
        if quick > QUICK_REPLIES_MAX {
            return Err(Refusal::TooMany { what: "quick-reply buttons", allowed: QUICK_REPLIES_MAX });
        }
        Ok(shape)
    }

    /// Checks the parameters of a send.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] with the part whose parameters are missing, too many or of another kind.
    pub fn check(&self, fills: &[TemplateFill]) -> Result<(), Refusal> {
        let of = |slot: &TemplateSlot| {
            fills.iter().find(|fill| fill.slot == *slot).map_or(&[][..], |fill| fill.parameters.as_slice())
        };
        for (index, fill) in fills.iter().enumerate() {
            if fills[..index].iter().any(|other| other.slot == fill.slot) {
                return Err(invalid("content.fills", "a part is filled twice"));
            }
        }
        let header = of(&TemplateSlot::Header);
        match &self.header {
            HeaderShape::Nothing if header.is_empty() => {}
            HeaderShape::Nothing => return Err(invalid("content.fills.header", "the header takes no parameter")),
            HeaderShape::Text(names) => check_texts("content.fills.header", names, header)?,
            HeaderShape::Media(wanted) => match header {
                [TemplateParameter::Media { kind, media }]
                    if kind == wanted && (media.provider_id.is_some() || media.link.is_some()) => {}
                _ => return Err(invalid("content.fills.header", format!("one {wanted:?} is wanted").to_lowercase())),
            },
            HeaderShape::Location if header.len() == 1 => {}
            HeaderShape::Location => return Err(invalid("content.fills.header", "a location is wanted")),
        }
        check_texts("content.fills.body", &self.body, of(&TemplateSlot::Body))?;
        for (index, button) in self.buttons.iter().enumerate() {
            let filled = fills.iter().find(|fill| match &fill.slot {
                TemplateSlot::Button { index: at, .. } => usize::from(*at) == index,
                _ => false,
            });
            let field = format!("content.fills.button.{index}");
            match filled {
                None if button.needs_parameter => return Err(invalid(&field, "it needs a parameter")),
                None => {}
                Some(fill) => match &fill.slot {
                    TemplateSlot::Button { sub_type, .. } if *sub_type == button.sub_type => {}
                    _ => return Err(invalid(&field, format!("this button is a {}", button.sub_type))),
                },
            }
        }
        let strange = fills.iter().any(|fill| match &fill.slot {
            TemplateSlot::Button { index, .. } => usize::from(*index) >= self.buttons.len(),
            _ => false,
        });
        if strange { Err(invalid("content.fills", "there is no such button")) } else { Ok(()) }
    }
}

fn header(format: Option<&str>, text: &str) -> HeaderShape {
    match format.map(str::to_ascii_uppercase).as_deref() {
        Some("IMAGE") => HeaderShape::Media(MediaKind::Image),
        Some("VIDEO") => HeaderShape::Media(MediaKind::Video),
        Some("DOCUMENT") => HeaderShape::Media(MediaKind::Document),
        Some("LOCATION") => HeaderShape::Location,
        _ => match parameters(text) {
            names if names.is_empty() => HeaderShape::Nothing,
            names => HeaderShape::Text(names),
        },
    }
}

fn button_shape(button: &Button) -> Result<ButtonShape, Refusal> {
    let sub_type = button.kind.to_ascii_lowercase();
    let text = button.text.as_deref().unwrap_or_default();
    if sub_type == "quick_reply" {
        let short = (1..=QUICK_REPLY_MAX_CHARS).contains(&text.chars().count());
        if !short || !parameters(text).is_empty() || text.chars().any(is_emoji) {
            let why = format!("a quick reply has 1 to {QUICK_REPLY_MAX_CHARS} characters, no emoji and no variable");
            return Err(invalid("components.buttons.text", why));
        }
    }
    let variable_url = button.url.as_deref().is_some_and(|url| !parameters(url).is_empty());
    let needs_parameter = sub_type == "copy_code" || sub_type == "otp" || variable_url;
    // A one-time-password button is filled like a link.
    let sub_type = if sub_type == "otp" { "url".to_owned() } else { sub_type };
    Ok(ButtonShape { sub_type, needs_parameter })
}

const fn is_emoji(letter: char) -> bool {
    matches!(letter as u32, 0x2600..=0x27BF | 0x2B00..=0x2BFF | 0x1F000..=0x1FAFF | 0xFE0F)
}

fn parameters(text: &str) -> Vec<String> {
    placeholders(text).into_iter().map(str::to_owned).collect()
}

fn check_texts(field: &str, names: &[String], given: &[TemplateParameter]) -> Result<(), Refusal> {
    if given.len() != names.len() {
        return Err(invalid(field, format!("{} parameters are wanted, {} came", names.len(), given.len())));
    }
    let positional = names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    for parameter in given {
        match parameter {
            TemplateParameter::Text { text, .. } if text.is_empty() => {
                return Err(invalid(field, "a parameter is empty"));
            }
            TemplateParameter::Text { .. } if positional => {}
            TemplateParameter::Text { name: Some(name), .. } if names.contains(name) => {}
            TemplateParameter::Text { .. } => {
                return Err(invalid(field, format!("parameters are named {}", names.join(", "))));
            }
            _ => return Err(invalid(field, "text parameters are wanted")),
        }
    }
    Ok(())
}
