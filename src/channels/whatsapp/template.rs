//! Whether parameters fit a template, judged before anything is sent (`product.md` §3).
//!
//! Meta would answer 132000 or 132012, for every recipient of a broadcast alike.

use super::validate::invalid;
use crate::domain::message::{MediaKind, TemplateFill, TemplateParameter, TemplateSlot};
use crate::domain::refusal::Refusal;
use crate::domain::template_form::{HeaderFormat, TemplateButton, TemplateComponent, TemplateForm, placeholders};

/// The field that a refusal names where a whole fill is missing.
const FILLS: &str = "content.fills";

/// What one part of a template wants.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// One text for each placeholder, in order or by name.
    Texts(Vec<&'a str>),
    /// One piece of media of this kind.
    Media(MediaKind),
    /// One text, whatever it is for: an authentication code.
    Code,
    /// One coupon code.
    Coupon,
    /// At most one payload.
    Payload,
    /// Nothing.
    Nothing,
}

/// Judges `fills` against the template: each part that has placeholders is filled with as many
/// parameters, in order or by name; a media header has its media; buttons get what their type takes.
///
/// # Errors
/// [`Refusal::Invalid`] names the fill, or `content.fills` where one is missing.
pub fn check(form: &TemplateForm, fills: &[TemplateFill]) -> Result<(), Refusal> {
    for (index, fill) in fills.iter().enumerate() {
        let field = format!("{FILLS}[{index}]");
        if fills[..index].iter().any(|earlier| place(&earlier.slot) == place(&fill.slot)) {
            return Err(invalid(format!("{field}.slot"), "an earlier one fills it already"));
        }
        if !form.components.iter().any(|component| has(component, &fill.slot)) {
            return Err(invalid(format!("{field}.slot"), "the template has no such part"));
        }
    }
    for component in &form.components {
        match component {
            TemplateComponent::Header { format, text } => {
                check_part(fills, &TemplateSlot::Header, "header", &header(*format, text.as_deref())?)?;
            }
            TemplateComponent::Body { text } => {
                let wanted = text.as_deref().map_or(Wanted::Code, |text| Wanted::Texts(placeholders(text)));
                check_part(fills, &TemplateSlot::Body, "body", &wanted)?;
            }
            TemplateComponent::Buttons { buttons } => {
                for (index, button) in buttons.iter().enumerate() {
                    check_button(fills, index, button)?;
                }
            }
            TemplateComponent::Footer { .. } => {}
            TemplateComponent::Other => {
                return Err(invalid("content.name", "the template has a part that cannot be filled here"));
            }
        }
    }
    Ok(())
}

fn place(slot: &TemplateSlot) -> (u8, u8) {
    match slot {
        TemplateSlot::Header => (0, 0),
        TemplateSlot::Body => (1, 0),
        TemplateSlot::Button { index, .. } => (2, *index),
    }
}

fn has(component: &TemplateComponent, slot: &TemplateSlot) -> bool {
    match (component, slot) {
        (TemplateComponent::Header { .. }, TemplateSlot::Header)
        | (TemplateComponent::Body { .. }, TemplateSlot::Body) => true,
        (TemplateComponent::Buttons { buttons }, TemplateSlot::Button { index, .. }) => {
            usize::from(*index) < buttons.len()
        }
        _ => false,
    }
}

fn header(format: HeaderFormat, text: Option<&str>) -> Result<Wanted<'_>, Refusal> {
    Ok(match format {
        HeaderFormat::Text => Wanted::Texts(placeholders(text.unwrap_or_default())),
        HeaderFormat::Image => Wanted::Media(MediaKind::Image),
        HeaderFormat::Video => Wanted::Media(MediaKind::Video),
        HeaderFormat::Document => Wanted::Media(MediaKind::Document),
        HeaderFormat::Other => {
            return Err(invalid("content.name", "the template has a header that cannot be filled here"));
        }
    })
}

/// What a button takes, and the `sub_type` under which it is filled.
fn button(button: &TemplateButton) -> (&'static str, Wanted<'_>) {
    match button.kind.to_ascii_uppercase().as_str() {
        "QUICK_REPLY" => ("quick_reply", Wanted::Payload),
        "URL" => ("url", Wanted::Texts(placeholders(button.url.as_deref().unwrap_or_default()))),
        "COPY_CODE" => ("copy_code", Wanted::Coupon),
        "FLOW" => ("flow", Wanted::Payload),
        // One-time codes are handed to their button as if it were a link.
        "OTP" => ("url", Wanted::Code),
        _ => ("", Wanted::Nothing),
    }
}

fn check_button(fills: &[TemplateFill], at: usize, template: &TemplateButton) -> Result<(), Refusal> {
    let (right, wanted) = button(template);
    for (index, fill) in fills.iter().enumerate() {
        if let TemplateSlot::Button { sub_type, index: which } = &fill.slot
            && usize::from(*which) == at
        {
            if !right.is_empty() && sub_type != right {
                let why = format!("button {at} of the template is filled as `{right}`");
                return Err(invalid(format!("{FILLS}[{index}].slot.sub_type"), why));
            }
            return check_parameters(&format!("{FILLS}[{index}].parameters"), &fill.parameters, &wanted);
        }
    }
    missing(&format!("button {at}"), &wanted)
}

fn check_part(fills: &[TemplateFill], slot: &TemplateSlot, part: &str, wanted: &Wanted<'_>) -> Result<(), Refusal> {
    match fills.iter().position(|fill| fill.slot == *slot) {
        Some(index) => check_parameters(&format!("{FILLS}[{index}].parameters"), &fills[index].parameters, wanted),
        None => missing(part, wanted),
    }
}

fn missing(part: &str, wanted: &Wanted<'_>) -> Result<(), Refusal> {
    let why = match wanted {
        Wanted::Texts(names) if names.is_empty() => return Ok(()),
        Wanted::Payload | Wanted::Nothing => return Ok(()),
        Wanted::Texts(names) => format!("the template's {part} wants {} parameters", names.len()),
        Wanted::Media(kind) => format!("the template's {part} wants {}", media_word(*kind)),
        Wanted::Code => format!("the template's {part} wants the code"),
        Wanted::Coupon => format!("the template's {part} wants a coupon code"),
    };
    Err(invalid(FILLS, why))
}

const fn media_word(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "an image",
        MediaKind::Video => "a video",
        MediaKind::Document => "a document",
        MediaKind::Audio => "a sound",
        MediaKind::Sticker => "a sticker",
    }
}

fn check_parameters(field: &str, given: &[TemplateParameter], wanted: &Wanted<'_>) -> Result<(), Refusal> {
    match (wanted, given) {
        (Wanted::Texts(names), given) => check_texts(field, given, names),
        (Wanted::Media(kind), [TemplateParameter::Media { kind: given, .. }]) if kind == given => Ok(()),
        (Wanted::Media(kind), _) => Err(invalid(field, format!("it is {} and nothing else", media_word(*kind)))),
        (Wanted::Code, [TemplateParameter::Text { .. }]) | (Wanted::Coupon, [TemplateParameter::CouponCode { .. }]) => {
            Ok(())
        }
        (Wanted::Code, _) => Err(invalid(field, "it is one text, the code")),
        (Wanted::Coupon, _) => Err(invalid(field, "it is one coupon code")),
        (Wanted::Payload, [] | [TemplateParameter::Payload { .. }]) | (Wanted::Nothing, []) => Ok(()),
        (Wanted::Payload, _) => Err(invalid(field, "it is one payload")),
        (Wanted::Nothing, _) => Err(invalid(field, "this button takes no parameters")),
    }
}

/// Placeholders that are all numbers are filled in order, others by name.
fn check_texts(field: &str, given: &[TemplateParameter], names: &[&str]) -> Result<(), Refusal> {
    if given.len() != names.len() {
        return Err(invalid(field, format!("the template wants {} and got {}", names.len(), given.len())));
    }
    let positional = names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let mut filled = Vec::new();
    for (index, parameter) in given.iter().enumerate() {
        let TemplateParameter::Text { name, text } = parameter else {
            return Err(invalid(format!("{field}[{index}]"), "it is a text"));
        };
        if text.trim().is_empty() {
            return Err(invalid(format!("{field}[{index}].text"), "it is empty"));
        }
        let field = format!("{field}[{index}].name");
        match name.as_deref() {
            None if positional => {}
            Some(_) if positional => return Err(invalid(field, "this template's parameters have no names")),
            None => return Err(invalid(field, format!("this template's parameters are named: {}", names.join(", ")))),
            Some(name) if !names.contains(&name) => {
                return Err(invalid(field, format!("the template has only: {}", names.join(", "))));
            }
            Some(name) if filled.contains(&name) => return Err(invalid(field, "an earlier parameter has this name")),
            Some(name) => filled.push(name),
        }
    }
    Ok(())
}
