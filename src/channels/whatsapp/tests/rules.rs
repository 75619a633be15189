//! What may be sent: each rule at its border.

use crate::channels::whatsapp::encode::encode;
use crate::channels::whatsapp::validate::validate;
use crate::domain::inbound::{Address, AddressSpace};
use crate::domain::message::{MessageContent, ProviderMessageId};
use crate::domain::outbound::OutboundMessage;
use crate::domain::refusal::Refusal;
use serde_json::{Value, json};

/// The field that is refused; none if the content may be sent.
fn refused(content: &Value) -> Option<String> {
    let content: MessageContent = serde_json::from_value(content.clone()).unwrap();
    match validate(&content) {
        Ok(()) => None,
        Err(Refusal::Invalid { field, why }) => {
            assert!(!why.is_empty());
            Some(field)
        }
        Err(other) => panic!("{other}"),
    }
}

fn text(length: usize) -> String {
    "é".repeat(length)
}

fn check(cases: Vec<(Value, Option<&str>)>) {
    for (content, field) in cases {
        let shown: String = content.to_string().chars().take(300).collect();
        assert_eq!(refused(&content).as_deref(), field, "{shown}");
    }
}

#[test]
fn texts_media_and_places() {
    let media = |kind: &str, media: Value| json!({"type": "media", "kind": kind, "media": media});
    let place = |latitude: f64, longitude: f64| json!({"type":"location","latitude":latitude,"longitude":longitude});
    check(vec![
        (json!({"type":"text","body":text(4_096)}), None),
        (json!({"type":"text","body":text(4_097)}), Some("content.body")),
        (json!({"type":"text","body":" \n"}), Some("content.body")),
        (media("image", json!({"provider_id":"1","caption":text(1_024)})), None),
        (media("image", json!({"provider_id":"1","caption":text(1_025)})), Some("content.media.caption")),
        (media("audio", json!({"provider_id":"1","caption":"c"})), Some("content.media.caption")),
        (media("audio", json!({"link":"https://x.example/a.ogg"})), None),
        (media("audio", json!({"link":"ftp://x.example/a.ogg"})), Some("content.media.link")),
        (media("audio", json!({"link":"https:///a.ogg"})), Some("content.media.link")),
        (media("audio", json!({"link":"https://x/a b"})), Some("content.media.link")),
        (media("audio", json!({})), Some("content.media")),
        (place(90.0, -180.0), None),
        (place(90.1, 0.0), Some("content.latitude")),
        (place(0.0, 180.5), Some("content.longitude")),
        (json!({"type":"contact_cards","cards":"[{}]"}), None),
        (json!({"type":"contact_cards","cards":"[]"}), Some("content.cards")),
        (json!({"type":"contact_cards","cards":"{"}), Some("content.cards")),
        (json!({"type":"reaction","target":"wamid.X"}), None),
        (json!({"type":"reaction","target":""}), Some("content.target")),
        (json!({"type":"reaction","target":"wamid.X","emoji":text(17)}), Some("content.emoji")),
        (json!({"type":"note","body":"b"}), Some("content.type")),
        (json!({"type":"choice","id":"b","title":"t"}), Some("content.type")),
        (json!({"type":"revoke","target":"t"}), Some("content.type")),
    ]);
}

fn interactive(action: &Value) -> Value {
    json!({"type":"interactive","interactive":{"body":"b","action":action}})
}

#[test]
fn buttons() {
    let titled = |titles: &[&str]| {
        let all: Vec<Value> =
            titles.iter().enumerate().map(|(index, title)| json!({"id": index.to_string(), "title": title})).collect();
        interactive(&json!({"type":"buttons","buttons":all}))
    };
    let title = "content.interactive.action.buttons[0].title";
    let long_id = |length| interactive(&json!({"type":"buttons","buttons":[{"id":text(length),"title":"t"}]}));
    let twice = interactive(&json!({"type":"buttons","buttons":[{"id":"1","title":"a"},{"id":"1","title":"b"}]}));
    check(vec![
        (titled(&["a", "b", "c"]), None),
        (titled(&["a", "b", "c", "d"]), Some("content.interactive.action.buttons")),
        (titled(&[]), Some("content.interactive.action.buttons")),
        (titled(&[&text(20)]), None),
        (titled(&[&text(21)]), Some(title)),
        (titled(&["Sim!"]), None),
        (titled(&["Yes 👍"]), Some(title)),
        (titled(&["Yes ❤"]), Some(title)),
        (titled(&["1\u{20E3}"]), Some(title)),
        (titled(&["Hi {{1}}"]), Some(title)),
        (titled(&["a", "a"]), Some("content.interactive.action.buttons[1].title")),
        (twice, Some("content.interactive.action.buttons[1].id")),
        (long_id(256), None),
        (long_id(257), Some("content.interactive.action.buttons[0].id")),
    ]);
}

#[test]
fn lists_links_flows_and_their_frames() {
    let list = |sections: Value| interactive(&json!({"type":"list","button":"Open","sections":sections}));
    let rows = |from: usize, count: usize| -> Vec<Value> {
        (from..from + count).map(|id| json!({"id": id.to_string(), "title": "t"})).collect()
    };
    let one = |row: Value| list(json!([{"rows":[row]}]));
    let at = "content.interactive.action.sections";
    let row = |name: &str| format!("{at}[0].rows[0].{name}");
    let link = |label: &str, url: &str| interactive(&json!({"type":"call_to_action","display_text":label,"url":url}));
    let flow = |button: &str| interactive(&json!({"type":"flow","flow_id":"1","flow_token":"t","button":button}));
    let frame = |name: &str, length: usize, action: Value| {
        let mut content = interactive(&action);
        content["interactive"][name] = json!(text(length));
        content
    };
    let buttons = json!({"type":"buttons","buttons":[{"id":"1","title":"t"}]});
    let short = json!({"type":"list","button":"Open","sections":[{"rows":[{"id":"1","title":"t"}]}]});
    check(vec![
        (list(json!([{"title":"a","rows":rows(0, 5)},{"title":"b","rows":rows(5, 5)}])), None),
        (list(json!([{"title":"a","rows":rows(0, 5)},{"title":"b","rows":rows(5, 6)}])), Some(at)),
        (list(json!([])), Some(at)),
        (list(json!([{"title":"a","rows":rows(0, 1)},{"title":"b","rows":[]}])), Some(&format!("{at}[1].rows"))),
        (list(json!([{"title":"a","rows":rows(0, 1)},{"rows":rows(1, 1)}])), Some(&format!("{at}[1].title"))),
        (list(json!([{"title":text(25),"rows":rows(0, 1)}])), Some(&format!("{at}[0].title"))),
        (list(json!([{"rows":([rows(0, 1), rows(0, 1)].concat())}])), Some(&format!("{at}[0].rows[1].id"))),
        (one(json!({"id":text(200),"title":text(24),"description":text(72)})), None),
        (one(json!({"id":text(201),"title":"t"})), Some(&row("id"))),
        (one(json!({"id":"1","title":text(25)})), Some(&row("title"))),
        (one(json!({"id":"1","title":"t","description":text(73)})), Some(&row("description"))),
        (link("Open", "https://x.example"), None),
        (link(&text(21), "https://x.example"), Some("content.interactive.action.display_text")),
        (link("Open", "x.example"), Some("content.interactive.action.url")),
        (flow(&text(30)), None),
        (flow(&text(31)), Some("content.interactive.action.button")),
        (frame("body", 1_024, buttons.clone()), None),
        (frame("body", 1_025, buttons.clone()), Some("content.interactive.body")),
        (frame("body", 0, buttons.clone()), Some("content.interactive.body")),
        (frame("body", 4_096, short.clone()), None),
        (frame("body", 4_097, short), Some("content.interactive.body")),
        (frame("header", 60, buttons.clone()), None),
        (frame("header", 61, buttons.clone()), Some("content.interactive.header")),
        (frame("footer", 61, buttons), Some("content.interactive.footer")),
    ]);
}

#[test]
fn template_messages() {
    let named = |name: &str, language: &str| json!({"type":"template","name":name,"language":language});
    let filled = |fills: Value| json!({"type":"template","name":"t","language":"en","fills":fills});
    let body = |parameter: Value| filled(json!([{"slot":{"type":"body"},"parameters":[parameter]}]));
    let parameter = "content.fills[0].parameters[0]";
    let spoken = |text: &str| body(json!({"type":"text","text":text}));
    check(vec![
        (named("order_update_2", "pt_PT"), None),
        (named("Order", "pt_PT"), Some("content.name")),
        (named("", "pt_PT"), Some("content.name")),
        (named("t", "pt-PT/../"), Some("content.language")),
        (spoken("4411    ok"), None),
        (spoken(""), Some(&format!("{parameter}.text"))),
        (spoken("a\nb"), Some(&format!("{parameter}.text"))),
        (spoken("a     b"), Some(&format!("{parameter}.text"))),
        (body(json!({"type":"payload","payload":"x"})), Some(parameter)),
        (body(json!({"type":"media","kind":"image","media":{"provider_id":"1"}})), Some(parameter)),
        (
            filled(json!([{"slot":{"type":"body"},"parameters":[]},{"slot":{"type":"body"},"parameters":[]}])),
            Some("content.fills[1].slot"),
        ),
        (
            filled(json!([{"slot":{"type":"button","sub_type":"url","index":10},"parameters":[]}])),
            Some("content.fills[0].slot.index"),
        ),
    ]);
}

#[test]
fn the_call_needs_an_address_a_short_token_and_a_plain_sender() {
    let address = |space, text: &str| Address { space, text: text.into() };
    let message = |to: Vec<Address>, token: &str| OutboundMessage {
        to,
        content: MessageContent::Text { body: "x".into() },
        reply_to: Some(ProviderMessageId("wamid.X".into())),
        token: token.into(),
    };
    let phone = || vec![address(AddressSpace::Platform, "1"), address(AddressSpace::Phone, "351")];
    assert!(encode(&message(phone(), &"t".repeat(128)), "1").is_ok());
    let field = |message: &OutboundMessage, sender: &str| match encode(message, sender) {
        Err(Refusal::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(&message(phone(), &"t".repeat(129)), "1"), "token");
    assert_eq!(field(&message(vec![], "t"), "1"), "to");
    assert_eq!(field(&message(phone(), "t"), "1/../2"), "account");
    assert_eq!(field(&message(phone(), "t"), ""), "account");
    let group = message(vec![address(AddressSpace::Group, "g")], "t");
    assert!(matches!(encode(&group, "1"), Err(Refusal::CannotAnswer { .. })));
}
