//! What each fixture means and what each kind of message is written as, kept in `tests/golden/whatsapp`.
//! `TIDEGATE_BLESS=1` writes the files anew; the difference is then for people to read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{below_tests, fixtures};
use crate::channels::whatsapp::encode::{encode, mark_read};
use crate::channels::whatsapp::parse::parse;
use crate::domain::inbound::{Address, AddressSpace, InboundKind};
use crate::domain::message::{
    Interactive, InteractiveAction, ListRow, ListSection, Media, MediaKind, MessageContent, ProviderMessageId,
    ReplyButton, TemplateFill, TemplateParameter, TemplateSlot,
};
use crate::domain::outbound::{OutboundMessage, ProviderCall};

/// Compares with, or blesses, the files of a folder: exactly these.
fn compare(folder: &str, results: Vec<(String, Value)>) {
    let folder = below_tests("golden/whatsapp").join(folder);
    let bless = std::env::var_os("TIDEGATE_BLESS").is_some_and(|value| value == "1");
    if bless {
        std::fs::create_dir_all(&folder).unwrap();
    }
    let mut names = BTreeSet::new();
    for (name, value) in results {
        let path = folder.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(&value).unwrap() + "\n";
        if bless {
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "{} differs; it is now:\n{text}", path.display());
        names.insert(format!("{name}.json"));
    }
    let kept: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    assert_eq!(kept, names, "a golden file without its case");
}

#[test]
fn fixtures_mean_what_they_meant() {
    let results = fixtures("whatsapp").into_iter().map(|(name, body)| {
        let items = parse(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!items.is_empty(), "{name}");
        (name, serde_json::to_value(items).unwrap())
    });
    compare("", results.collect());
}

#[test]
fn only_what_nobody_knows_is_unknown() {
    for (name, body) in fixtures("whatsapp") {
        for item in parse(&body).unwrap() {
            if let InboundKind::Unknown { field, .. } = item.kind {
                assert_eq!((name.as_str(), field.as_str()), ("batch", "field_nobody_knows"));
            }
        }
    }
}

fn message(content: MessageContent) -> OutboundMessage {
    OutboundMessage {
        to: vec![Address { space: AddressSpace::Phone, text: "351910000001".into() }],
        content,
        reply_to: None,
        token: "m1.00000000000000000000000001.00000000000000000000000002.1".into(),
    }
}

fn media(kind: MediaKind, id: Option<&str>, caption: Option<&str>) -> MessageContent {
    let link = Some("https://files.example.com/a%20b".to_owned());
    let media = Media {
        provider_id: id.map(str::to_owned),
        link,
        caption: caption.map(str::to_owned),
        filename: Some("invoice.pdf".into()),
        mime_type: Some("x/y".into()),
        ..Media::default()
    };
    MessageContent::Media { kind, media }
}

fn interactive(header: Option<&str>, action: InteractiveAction) -> MessageContent {
    let interactive = Interactive {
        header: header.map(str::to_owned),
        body: "Which one?".into(),
        footer: header.map(|_| "Until Friday".to_owned()),
        action,
    };
    MessageContent::Interactive { interactive }
}

fn template() -> MessageContent {
    let text = |text: &str| TemplateParameter::Text { name: None, text: text.into() };
    let button = |sub_type: &str, index| TemplateSlot::Button { sub_type: sub_type.into(), index };
    let image = Media { link: Some("https://files.example.com/p.jpg".into()), ..Media::default() };
    let header = vec![TemplateParameter::Media { kind: MediaKind::Image, media: image }];
    MessageContent::Template {
        name: "order_update".into(),
        language: "pt_PT".into(),
        fills: vec![
            TemplateFill { slot: TemplateSlot::Header, parameters: header },
            TemplateFill { slot: TemplateSlot::Body, parameters: vec![text("4411"), text("Thursday")] },
            TemplateFill {
                slot: button("quick_reply", 0),
                parameters: vec![TemplateParameter::Payload { payload: "STOP_PROMO".into() }],
            },
            TemplateFill { slot: button("url", 1), parameters: vec![text("4411")] },
            TemplateFill {
                slot: button("copy_code", 2),
                parameters: vec![TemplateParameter::CouponCode { code: "WINTER".into() }],
            },
            TemplateFill {
                slot: button("flow", 3),
                parameters: vec![TemplateParameter::Payload { payload: "ft-1".into() }],
            },
            TemplateFill { slot: button("quick_reply", 4), parameters: vec![] },
        ],
    }
}

fn outbound() -> Vec<(&'static str, OutboundMessage)> {
    let target = ProviderMessageId("wamid.IN".into());
    let row = |id: &str, description: Option<&str>| ListRow {
        id: id.into(),
        title: format!("Row {id}"),
        description: description.map(str::to_owned),
    };
    let section = |title: &str, rows| ListSection { title: Some(title.into()), rows };
    let named = MessageContent::Template {
        name: "greeting".into(),
        language: "en_US".into(),
        fills: vec![TemplateFill {
            slot: TemplateSlot::Body,
            parameters: vec![TemplateParameter::Text { name: Some("first_name".into()), text: "Ana".into() }],
        }],
    };
    let place = |name: Option<&str>| MessageContent::Location {
        latitude: 38.7223,
        longitude: -9.1393,
        name: name.map(str::to_owned),
        address: name.map(|_| "1 Example Street".to_owned()),
    };
    let flow = |screen: Option<&str>| InteractiveAction::Flow {
        flow_id: "77".into(),
        flow_token: "ft-1".into(),
        button: "Book".into(),
        screen: screen.map(str::to_owned),
    };
    let buttons = InteractiveAction::Buttons {
        buttons: vec![
            ReplyButton { id: "yes:1".into(), title: "Yes".into() },
            ReplyButton { id: "no:1".into(), title: "No".into() },
        ],
    };
    let list = InteractiveAction::List {
        button: "Slots".into(),
        sections: vec![
            section("Thu", vec![row("1", Some("morning")), row("2", None)]),
            section("Fri", vec![row("3", None)]),
        ],
    };
    let link =
        InteractiveAction::CallToAction { display_text: "Open".into(), url: "https://shop.example.com/1".into() };
    let text = |body: &str| MessageContent::Text { body: body.into() };
    let mut reply = message(text("yes"));
    reply.reply_to = Some(target.clone());
    let mut by_user_id = message(text("hi"));
    by_user_id.to = vec![
        Address { space: AddressSpace::Bsuid, text: "PT.48201957730164825517".into() },
        Address { space: AddressSpace::Phone, text: "351910000001".into() },
    ];
    by_user_id.token.clear();
    let reaction = |emoji: Option<&str>| {
        let emoji = emoji.map(str::to_owned);
        let mut message = message(MessageContent::Reaction { target: target.clone(), emoji });
        message.reply_to = Some(target.clone());
        message
    };
    vec![
        ("text", message(text("Olá 👋\n\"quoted\" https://example.com"))),
        ("text_reply", reply),
        ("text_by_user_id", by_user_id),
        ("image_by_id", message(media(MediaKind::Image, Some("1090"), Some("broken box")))),
        ("image_by_link", message(media(MediaKind::Image, None, None))),
        ("video", message(media(MediaKind::Video, None, Some("c")))),
        ("audio", message(media(MediaKind::Audio, Some("1090"), None))),
        ("document", message(media(MediaKind::Document, None, Some("c")))),
        ("sticker", message(media(MediaKind::Sticker, Some("1090"), None))),
        ("location", message(place(None))),
        ("location_named", message(place(Some("Test Square")))),
        ("contacts", message(MessageContent::ContactCards { cards: r#"[{"name":{"formatted_name":"Rui"}}]"#.into() })),
        ("template", message(template())),
        ("template_named", message(named)),
        ("buttons", message(interactive(Some("Order 4411"), buttons))),
        ("list", message(interactive(None, list))),
        ("call_to_action", message(interactive(None, link))),
        ("flow", message(interactive(None, flow(None)))),
        ("flow_screen", message(interactive(None, flow(Some("WELCOME"))))),
        ("reaction", reaction(Some("👍"))),
        ("reaction_taken_back", reaction(None)),
    ]
}

fn as_json(call: &ProviderCall) -> Value {
    json!({"path": call.path, "body": serde_json::from_slice::<Value>(&call.body).unwrap()})
}

#[test]
fn messages_are_written_as_they_were() {
    let mut results: Vec<(String, Value)> = Vec::new();
    for (name, message) in outbound() {
        let call = encode(&message, "309876543210987").unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        results.push((name.to_owned(), as_json(&call)));
    }
    let id = ProviderMessageId("wamid.IN".into());
    for (name, typing) in [("mark_read", false), ("mark_read_typing", true)] {
        results.push((name.to_owned(), as_json(&mark_read(&id, "309876543210987", typing))));
    }
    compare("encode", results);
}
