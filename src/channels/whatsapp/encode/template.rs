//! A template's parameters in Meta's form.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::content::wire_media;
use crate::domain::message::{TemplateFill, TemplateParameter, TemplateSlot};

/// A template message.
#[derive(Serialize)]
pub(super) struct WireTemplate<'a> {
    name: &'a str,
    language: Language<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component<'a>>,
}

#[derive(Serialize)]
struct Language<'a> {
    code: &'a str,
}

#[derive(Serialize)]
struct Component<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    parameters: Vec<Parameter<'a>>,
}

struct Parameter<'a>(&'a TemplateParameter, bool);

/// Meta's form of a template message.
pub(super) fn wire_template<'a>(name: &'a str, language: &'a str, fills: &'a [TemplateFill]) -> WireTemplate<'a> {
    let components = fills.iter().filter(|fill| !fill.parameters.is_empty()).map(component).collect();
    WireTemplate { name, language: Language { code: language }, components }
}

fn component(fill: &TemplateFill) -> Component<'_> {
    let (kind, sub_type, index) = match &fill.slot {
        TemplateSlot::Header => ("header", None, None),
        TemplateSlot::Body => ("body", None, None),
        TemplateSlot::Button { sub_type, index } => ("button", Some(sub_type.as_str()), Some(index.to_string())),
    };
    let is_flow = sub_type == Some("flow");
    let parameters = fill.parameters.iter().map(|parameter| Parameter(parameter, is_flow)).collect();
    Component { kind, sub_type, index, parameters }
}

impl Serialize for Parameter<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct FlowAction<'a> {
            flow_token: &'a str,
        }
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            TemplateParameter::Text { name, text } => {
                map.serialize_entry("type", "text")?;
                if let Some(name) = name {
                    map.serialize_entry("parameter_name", name)?;
                }
                map.serialize_entry("text", text)?;
            }
            TemplateParameter::Media { kind, media } => {
                let wire = wire_media(*kind, media);
                map.serialize_entry("type", wire.word())?;
                map.serialize_entry(wire.word(), &wire.without_caption())?;
            }
            // A flow's button takes the token inside an action of its own.
            TemplateParameter::Payload { payload } if self.1 => {
                map.serialize_entry("type", "action")?;
                map.serialize_entry("action", &FlowAction { flow_token: payload })?;
            }
            TemplateParameter::Payload { payload } => {
                map.serialize_entry("type", "payload")?;
                map.serialize_entry("payload", payload)?;
            }
            TemplateParameter::CouponCode { code } => {
                map.serialize_entry("type", "coupon_code")?;
                map.serialize_entry("coupon_code", code)?;
            }
        }
        map.end()
    }
}
