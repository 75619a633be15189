//! Parameters against templates.

use serde_json::{Value, json};

use crate::channels::whatsapp::template::check;
use crate::domain::message::TemplateFill;
use crate::domain::refusal::Refusal;
use crate::domain::template_form::TemplateForm;

fn form(components: &Value) -> TemplateForm {
    let form = json!({"name":"t","language":"en","category":"UTILITY","components":components});
    serde_json::from_value(form).unwrap()
}

fn refused(form: &TemplateForm, fills: &Value) -> Option<String> {
    let fills: Vec<TemplateFill> = serde_json::from_value(fills.clone()).unwrap();
    match check(form, &fills) {
        Ok(()) => None,
        Err(Refusal::Invalid { field, .. }) => Some(field),
        Err(other) => panic!("{other}"),
    }
}

fn all(form: &TemplateForm, cases: Vec<(Value, Option<&str>)>) {
    for (fills, field) in cases {
        assert_eq!(refused(form, &fills).as_deref(), field, "{fills}");
    }
}

fn text(text: &str) -> Value {
    json!({"type":"text","text":text})
}

fn named(name: &str) -> Value {
    json!({"type":"text","name":name,"text":"x"})
}

fn part(kind: &str, parameters: &[Value]) -> Value {
    json!({"slot":{"type":kind},"parameters":parameters})
}

fn button(sub_type: &str, index: u8, parameters: &[Value]) -> Value {
    json!({"slot":{"type":"button","sub_type":sub_type,"index":index},"parameters":parameters})
}

#[test]
fn positional_bodies_are_counted() {
    let form = form(&json!([{"type":"BODY","text":"{{1}} and {{2}}, again {{1}}"},{"type":"FOOTER","text":"f"}]));
    all(
        &form,
        vec![
            (json!([part("body", &[text("a"), text("b")])]), None),
            (json!([part("body", &[text("a")])]), Some("content.fills[0].parameters")),
            (json!([part("body", &[text("a"), text("b"), text("c")])]), Some("content.fills[0].parameters")),
            (json!([]), Some("content.fills")),
            (json!([part("body", &[text("a"), text(" ")])]), Some("content.fills[0].parameters[1].text")),
            (json!([part("body", &[text("a"), named("n")])]), Some("content.fills[0].parameters[1].name")),
            (
                json!([part("body", &[text("a"), json!({"type":"payload","payload":"p"})])]),
                Some("content.fills[0].parameters[1]"),
            ),
            (json!([part("body", &[text("a"), text("b")]), part("header", &[])]), Some("content.fills[1].slot")),
            (json!([part("body", &[text("a"), text("b")]), part("body", &[])]), Some("content.fills[1].slot")),
        ],
    );
}

#[test]
fn named_bodies_are_filled_by_name() {
    let form = form(&json!([{"type":"BODY","text":"{{first}} and {{last}}"}]));
    all(
        &form,
        vec![
            (json!([part("body", &[named("last"), named("first")])]), None),
            (json!([part("body", &[named("first"), text("b")])]), Some("content.fills[0].parameters[1].name")),
            (json!([part("body", &[named("first"), named("other")])]), Some("content.fills[0].parameters[1].name")),
            (json!([part("body", &[named("first"), named("first")])]), Some("content.fills[0].parameters[1].name")),
        ],
    );
}

#[test]
fn headers_hold_what_their_format_says() {
    let image = form(&json!([{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"b"}]));
    let media = |kind: &str| json!({"type":"media","kind":kind,"media":{"provider_id":"1"}});
    all(
        &image,
        vec![
            (json!([part("header", &[media("image")])]), None),
            (json!([part("header", &[media("image")]), part("body", &[])]), None),
            (json!([part("header", &[media("video")])]), Some("content.fills[0].parameters")),
            (json!([part("header", &[text("x")])]), Some("content.fills[0].parameters")),
            (json!([]), Some("content.fills")),
            (
                json!([part("header", &[media("image")]), part("body", &[text("x")])]),
                Some("content.fills[1].parameters"),
            ),
        ],
    );
    let titled = form(&json!([{"type":"HEADER","format":"TEXT","text":"For {{1}}"},{"type":"BODY","text":"b"}]));
    all(&titled, vec![(json!([part("header", &[text("x")])]), None), (json!([]), Some("content.fills"))]);
    let place = form(&json!([{"type":"HEADER","format":"LOCATION"},{"type":"BODY","text":"b"}]));
    all(&place, vec![(json!([]), Some("content.name"))]);
    let carousel = form(&json!([{"type":"BODY","text":"b"},{"type":"CAROUSEL","cards":[]}]));
    all(&carousel, vec![(json!([]), Some("content.name"))]);
}

#[test]
fn buttons_take_what_their_type_takes() {
    let form = form(&json!([{"type":"BODY","text":"b"},{"type":"BUTTONS","buttons":[
        {"type":"QUICK_REPLY","text":"Stop"},{"type":"URL","text":"Open","url":"https://x/{{1}}"},
        {"type":"URL","text":"Home","url":"https://x/"},{"type":"COPY_CODE","text":"Copy"},
        {"type":"PHONE_NUMBER","text":"Call","phone_number":"+351"},{"type":"FLOW","text":"Book"}]}]));
    let payload = json!({"type":"payload","payload":"STOP"});
    let coupon = json!({"type":"coupon_code","code":"WINTER"});
    let (url, copy) = (button("url", 1, &[text("4411")]), button("copy_code", 3, std::slice::from_ref(&coupon)));
    let with = |more: &Value| json!([url, copy, more]);
    all(
        &form,
        vec![
            (json!([url, copy]), None),
            (with(&button("quick_reply", 0, std::slice::from_ref(&payload))), None),
            (with(&button("quick_reply", 0, &[text("x")])), Some("content.fills[2].parameters")),
            (with(&button("url", 0, std::slice::from_ref(&payload))), Some("content.fills[2].slot.sub_type")),
            (with(&button("url", 2, &[text("x")])), Some("content.fills[2].parameters")),
            (with(&button("flow", 5, std::slice::from_ref(&payload))), None),
            (with(&button("phone_number", 4, &[text("x")])), Some("content.fills[2].parameters")),
            (with(&button("quick_reply", 6, &[])), Some("content.fills[2].slot")),
            (with(&button("quick_reply", 1, &[])), Some("content.fills[2].slot")),
            (json!([url]), Some("content.fills")),
            (json!([copy]), Some("content.fills")),
        ],
    );
}

#[test]
fn authentication_templates_take_the_code_twice() {
    let form = form(&json!([{"type":"BODY","add_security_recommendation":true},
        {"type":"BUTTONS","buttons":[{"type":"OTP","otp_type":"COPY_CODE","text":"Copy"}]}]));
    let code = [text("123456")];
    all(
        &form,
        vec![
            (json!([part("body", &code), button("url", 0, &code)]), None),
            (json!([part("body", &code)]), Some("content.fills")),
            (json!([part("body", &[]), button("url", 0, &code)]), Some("content.fills[0].parameters")),
        ],
    );
}
