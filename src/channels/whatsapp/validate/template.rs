//! A template message, as far as it can be judged without its form.

use super::{filled, invalid, length, validate_media};
use crate::domain::message::{TemplateFill, TemplateParameter, TemplateSlot};
use crate::domain::refusal::Refusal;

/// Name of a template.
const NAME_MAX: usize = 512;
/// Longest language code, as `zh_Hans_CN`: a bound of ours.
const LANGUAGE_MAX: usize = 15;
/// One parameter: the body of a template is 1,024 characters in all.
const PARAMETER_MAX: usize = 1_024;
/// What a quick-reply button sends back.
const PAYLOAD_MAX: usize = 256;
/// A template has at most ten buttons.
const BUTTON_INDEX_MAX: u8 = 9;

pub(super) fn validate_template(name: &str, language: &str, fills: &[TemplateFill]) -> Result<(), Refusal> {
    length("content.name", name, NAME_MAX)?;
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.bytes().all(is_name) {
        return Err(invalid("content.name", "it is made of lower-case letters, digits and _"));
    }
    length("content.language", language, LANGUAGE_MAX)?;
    if !language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(invalid("content.language", "it is a code like pt_PT"));
    }
    for (index, fill) in fills.iter().enumerate() {
        let field = format!("content.fills[{index}]");
        if fills[..index].iter().any(|earlier| same_place(&earlier.slot, &fill.slot)) {
            return Err(invalid(format!("{field}.slot"), "an earlier one fills it already"));
        }
        if let TemplateSlot::Button { sub_type, index } = &fill.slot {
            filled(&format!("{field}.slot.sub_type"), sub_type)?;
            if *index > BUTTON_INDEX_MAX {
                return Err(invalid(format!("{field}.slot.index"), "it is 0 to 9"));
            }
        }
        for (index, parameter) in fill.parameters.iter().enumerate() {
            validate_parameter(&format!("{field}.parameters[{index}]"), &fill.slot, parameter)?;
        }
    }
    Ok(())
}

fn same_place(one: &TemplateSlot, other: &TemplateSlot) -> bool {
    match (one, other) {
        (TemplateSlot::Button { index, .. }, TemplateSlot::Button { index: other, .. }) => index == other,
        (one, other) => one == other,
    }
}

fn validate_parameter(field: &str, slot: &TemplateSlot, parameter: &TemplateParameter) -> Result<(), Refusal> {
    let is_button = matches!(slot, TemplateSlot::Button { .. });
    match parameter {
        TemplateParameter::Text { name, text } => {
            name.as_deref().map_or(Ok(()), |name| filled(&format!("{field}.name"), name))?;
            let field = format!("{field}.text");
            length(&field, text, PARAMETER_MAX)?;
            // Meta refuses these in every parameter (error 132018), and a broadcast would fail for all.
            if text.contains(['\n', '\r', '\t']) || text.contains("     ") {
                return Err(invalid(field, "a parameter has no line break, no tab and at most 4 spaces in a row"));
            }
            Ok(())
        }
        TemplateParameter::Media { kind, media } if *slot == TemplateSlot::Header => {
            validate_media(&format!("{field}.media"), *kind, media)
        }
        TemplateParameter::Media { .. } => Err(invalid(field, "media stands in the header only")),
        TemplateParameter::Payload { payload } if is_button => {
            length(&format!("{field}.payload"), payload, PAYLOAD_MAX)
        }
        TemplateParameter::CouponCode { code } if is_button => length(&format!("{field}.code"), code, PAYLOAD_MAX),
        _ => Err(invalid(field, "it stands in a button only")),
    }
}
