//! Shapes that no fixture has: older names, drifting types, damaged parts.

use serde_json::{Value, json};

use crate::channels::whatsapp::parse::parse;
use crate::domain::inbound::{AccountEvent, AccountRef, InboundItem, InboundKind, LimitTier, Quality, TemplateStatus};
use crate::domain::message::{MessageContent, MessageStatus};
use crate::domain::outbound::ErrorClass;
use crate::domain::time::Timestamp;

fn change(field: &str, value: &Value) -> Vec<InboundItem> {
    let entry = json!({"id":"77","time":1_795_165_200,"changes":[{"field":field,"value":value}]});
    let body = json!({"object":"whatsapp_business_account","entry":[entry]});
    parse(body.to_string().as_bytes()).unwrap()
}

fn events(field: &str, value: &Value) -> Vec<AccountEvent> {
    let event = |item: InboundItem| match item.kind {
        InboundKind::Account(event) => event,
        other => panic!("{field} {value}: {other:?}"),
    };
    change(field, value).into_iter().map(event).collect()
}

fn one(list: &str, item: &Value) -> InboundKind {
    let value = json!({"metadata":{"phone_number_id":"309"},list:[item]});
    let mut items = change("messages", &value);
    assert_eq!((items.len(), &items[0].account), (1, &AccountRef::Account("309".into())));
    items.remove(0).kind
}

/// A message with this type and part: what it says, and whether it opens the window.
fn written(kind: &str, part: &Value) -> (MessageContent, bool) {
    let message = json!({"from":"351910000001","id":"wamid.X","timestamp":1_795_165_200_000_i64,"type":kind,kind:part});
    match one("messages", &message) {
        InboundKind::Message(message) => {
            assert_eq!(message.at, Timestamp::from_seconds(1_795_165_200));
            (message.content, message.opens_window)
        }
        other => panic!("{kind}: {other:?}"),
    }
}

#[test]
fn limits_come_in_many_forms() {
    let cases = [
        (json!("TIER_250"), LimitTier::Limited(250)),
        (json!("TIER_2K"), LimitTier::Limited(2_000)),
        (json!("TIER_100K"), LimitTier::Limited(100_000)),
        (json!("TIER_UNLIMITED"), LimitTier::Unlimited),
        (json!("10000"), LimitTier::Limited(10_000)),
        (json!(-1), LimitTier::Unlimited),
    ];
    for (given, tier) in cases {
        for key in ["max_daily_conversations_per_business", "max_daily_conversation_per_phone"] {
            assert_eq!(
                events("business_capability_update", &json!({key:given})),
                [AccountEvent::LimitChanged { tier }]
            );
        }
    }
    for nothing in [json!("TIER_NOT_SET"), json!(0), json!("TIER_9999999K"), json!(null)] {
        let items = change("business_capability_update", &json!({"max_daily_conversations_per_business":nothing}));
        assert!(matches!(items[0].kind, InboundKind::Unknown { .. }), "{nothing}");
    }
}

#[test]
fn accounts_and_numbers() {
    let account = |value: Value| events("account_update", &value).remove(0);
    let banned = |state: &str| account(json!({"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":state}}));
    assert_eq!(banned("REINSTATE"), AccountEvent::Reinstated);
    assert_eq!(banned("SCHEDULE_FOR_DISABLE"), AccountEvent::Notice { event: "SCHEDULE_FOR_DISABLE".into() });
    assert_eq!(account(json!({"event":"ACCOUNT_RECONNECTED"})), AccountEvent::Reinstated);
    assert_eq!(
        account(json!({"event":"MM_LITE_TERMS_SIGNED"})),
        AccountEvent::Notice { event: "MM_LITE_TERMS_SIGNED".into() }
    );
    let restricted = |info: Value| account(json!({"event":"ACCOUNT_RESTRICTION","restriction_info":info}));
    let customers = "RESTRICTED_CUSTOMER_INITIATED_MESSAGING";
    assert_eq!(
        restricted(
            json!([{"restriction_type":customers,"expiration":"1795251600"},{"restriction_type":"RESTRICTED_BIZ_INITIATED_MESSAGING"}])
        ),
        AccountEvent::Restricted { business_initiated: true, customer_initiated: true, until: None },
    );
    assert_eq!(restricted(json!([])), AccountEvent::Notice { event: "ACCOUNT_RESTRICTION".into() });
    let number = |event: &str| {
        let value = json!({"display_phone_number":"+351 210 000 099","event":event,"current_limit":"TIER_1K"});
        events("phone_number_quality_update", &value)
    };
    let limit = AccountEvent::LimitChanged { tier: LimitTier::Limited(1_000) };
    assert_eq!(number("FLAGGED"), [AccountEvent::QualityChanged { quality: Quality::Low }, limit.clone()]);
    assert_eq!(number("DOWNGRADE"), [AccountEvent::Notice { event: "DOWNGRADE".into() }, limit]);
    let alert = json!({"entity_type":"BUSINESS","alert_info":{"alert_severity":"INFO","alert_type":"OBA_APPROVED"}});
    assert_eq!(events("account_alerts", &alert), [AccountEvent::Notice { event: "OBA_APPROVED".into() }]);
    // Words that are no codes may be anybody's text, and do not reach the log.
    let items = change("account_update", &json!({"event":"call me at +351"}));
    assert!(matches!(items[0].kind, InboundKind::Unknown { .. }));
}

#[test]
fn templates() {
    let status = |event: &str| {
        let value =
            json!({"event":event,"message_template_name":"t","message_template_language":"en-US","reason":null});
        events("message_template_status_update", &value).remove(0)
    };
    let cases = [
        ("APPROVED", TemplateStatus::Approved),
        ("REINSTATED", TemplateStatus::Approved),
        ("IN_APPEAL", TemplateStatus::Pending),
        ("FLAGGED", TemplateStatus::Paused),
        ("DELETED", TemplateStatus::Disabled),
    ];
    for (event, status_now) in cases {
        let (name, language) = ("t".to_owned(), "en_US".to_owned());
        let expected = AccountEvent::TemplateStatusChanged { name, language, status: status_now, reason: None };
        assert_eq!(status(event), expected);
    }
    assert_eq!(status("SOMETHING"), AccountEvent::Notice { event: "SOMETHING".into() });
    let warning = json!({"message_template_name":"t","message_template_language":"en",
        "new_category":"UTILITY","correct_category":"MARKETING"});
    let expected = AccountEvent::Notice { event: "TEMPLATE_CATEGORY_WARNING".into() };
    assert_eq!(events("template_category_update", &warning), [expected]);
}

#[test]
fn messages_with_damaged_or_strange_parts_are_kept_as_they_came() {
    let strange = [
        ("text", json!({"body":{}})),
        ("image", json!({"caption":"no id"})),
        ("location", json!({"latitude":"north","longitude":0})),
        ("interactive", json!({"type":"call_permission_reply","call_permission_reply":{}})),
        ("interactive", json!({"type":"button_reply"})),
        ("hologram", json!({})),
    ];
    for (kind, part) in strange {
        let (content, opens_window) = written(kind, &part);
        assert!(matches!(&content, MessageContent::Unsupported { kind: shown, .. } if shown == kind), "{content:?}");
        assert!(opens_window, "{kind}");
    }
    for (kind, part) in
        [("reaction", json!({})), ("edit", json!(7)), ("revoke", json!({})), ("request_welcome", json!({}))]
    {
        let (content, opens_window) = written(kind, &part);
        assert!(matches!(content, MessageContent::Unsupported { .. }) && !opens_window, "{kind}");
    }
    let place = written("location", &json!({"latitude":"38.5","longitude":-9}));
    let expected = MessageContent::Location { latitude: 38.5, longitude: -9.0, name: None, address: None };
    assert_eq!(place, (expected, true));
    let (tapped, _) = written("button", &json!({"text":"Yes"}));
    assert_eq!(tapped, MessageContent::Choice { id: "Yes".into(), title: "Yes".into(), detail: None });
    let inner = json!({"type":"edit","edit":{"original_message_id":"b","message":{"type":"text"}}});
    let (edit, _) = written("edit", &json!({"original_message_id":"a","message":inner}));
    let MessageContent::Edit { replacement, .. } = edit else { panic!("{edit:?}") };
    assert!(matches!(*replacement, MessageContent::Unsupported { .. }));
}

#[test]
fn system_messages_link_only_where_they_name_both_sides() {
    let system = |from: &Value, part: Value| {
        let mut message = json!({"id":"wamid.X","timestamp":"1795165200","type":"system","system":part});
        message.as_object_mut().unwrap().extend(from.as_object().unwrap().clone());
        one("messages", &message)
    };
    let from = json!({"from":"351910000001","from_user_id":"PT.1"});
    let renewed = system(&from, json!({"type":"user_changed_user_id","user_id":"PT.2"}));
    let InboundKind::IdentityChanged { previous, current, notice, .. } = renewed else { panic!("{renewed:?}") };
    assert_eq!((previous.addresses.len(), current.addresses[0].text.as_str()), (2, "PT.2"));
    assert!(notice.is_some());
    for part in [
        json!({"type":"user_changed_number","body":"moved"}),
        json!({"type":"customer_identity_changed","identity":{"hash":"x"},"user_id":"PT.2"}),
    ] {
        let InboundKind::Message(message) = system(&from, part) else { panic!() };
        assert!(matches!(message.content, MessageContent::System { .. }) && !message.opens_window);
    }
    assert!(matches!(
        system(&json!({}), json!({"type":"user_changed_number","wa_id":"1234"})),
        InboundKind::Unknown { .. }
    ));
}

#[test]
fn receipts() {
    let status = |more: &Value| {
        let mut status = json!({"id":"wamid.OUT","timestamp":"1795165200"});
        status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one("statuses", &status)
    };
    let InboundKind::Receipt(receipt) = status(&json!({"status":"failed","errors":[{"code":"131056"}]})) else {
        panic!()
    };
    let failure = receipt.failure.unwrap();
    assert_eq!((receipt.status, failure.code, failure.class), (MessageStatus::Failed, 131_056, ErrorClass::RatePair));
    assert!(receipt.recipient.addresses.is_empty());
    for errors in [json!(null), json!([]), json!(7), json!([{}])] {
        let InboundKind::Receipt(receipt) = status(&json!({"status":"failed","errors":errors})) else { panic!() };
        assert_eq!(receipt.failure.unwrap().code, 0);
    }
    let strange = json!({"status":"sent","pricing":7,"biz_opaque_callback_data":"m1.x","errors":{}});
    let InboundKind::Receipt(receipt) = status(&strange) else { panic!() };
    assert_eq!((receipt.pricing, receipt.token.as_deref()), (None, Some("m1.x")));
    for nothing in [json!({"status":"deleted"}), json!({}), json!({"status":"sent","timestamp":"0"})] {
        assert!(matches!(status(&nothing), InboundKind::Unknown { .. }), "{nothing}");
    }
}
