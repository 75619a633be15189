//! What happens to accounts, as Meta's fields tell it.

use serde_json::{Value, json};

use super::plan::{Event, EventKind};

/// How long a restriction lasts.
const RESTRICTED_S: u64 = 86_400;

/// The field and its value; `display` is the number's digits, `now` in epoch seconds.
pub(super) fn field(event: &Event, display: &str, now: u64) -> (&'static str, Value) {
    let word = event.event.as_deref();
    match event.kind {
        EventKind::Quality => {
            let mut value = json!({"display_phone_number": display, "event": word.unwrap_or("FLAGGED")});
            if let Some(limit) = &event.limit {
                value["current_limit"] = json!(limit);
                value["max_daily_conversations_per_business"] = json!(limit);
            }
            ("phone_number_quality_update", value)
        }
        EventKind::Tier => {
            let value = json!({"max_daily_conversations_per_business": event.limit, "max_phone_numbers_per_waba": 25});
            ("business_capability_update", value)
        }
        EventKind::Account => {
            let mut value = json!({"event": word});
            match word {
                Some("ACCOUNT_RESTRICTION") => {
                    value["restriction_info"] = json!([{
                        "restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": now + RESTRICTED_S,
                    }]);
                }
                Some("DISABLED_UPDATE") => {
                    value["ban_info"] = json!({"waba_ban_state": "DISABLE", "waba_ban_date": "November 20, 2026"});
                }
                _ => {}
            }
            ("account_update", value)
        }
        EventKind::Template => {
            let value = json!({
                "event": word, "message_template_id": 1_000_000_000_000_077_u64,
                "message_template_name": event.template,
                "message_template_language": event.language.as_deref().unwrap_or("en_US"), "reason": "NONE",
            });
            ("message_template_status_update", value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: EventKind, event: Option<&str>) -> (&'static str, Value) {
        let event = Event {
            at_ms: 0,
            number: "1".into(),
            kind,
            event: event.map(str::to_owned),
            limit: Some("TIER_10K".into()),
            template: Some("order_update".into()),
            language: Some("pt_PT".into()),
        };
        field(&event, "351210000099", 1_795_165_200)
    }

    /// The keys of what is told are those of the fixture, but for some that it has besides.
    fn has_keys_of(told: &Value, fixture: &str) {
        let fixture: Value = serde_json::from_str(fixture).unwrap();
        let known = fixture["entry"][0]["changes"][0]["value"].as_object().unwrap();
        for key in told.as_object().unwrap().keys() {
            assert!(known.contains_key(key), "{key}");
        }
    }

    #[test]
    fn events_are_told_as_meta_does() {
        let (field, value) = told(EventKind::Quality, None);
        has_keys_of(&value, include_str!("../../../tests/fixtures/webhooks/whatsapp/phone_number_quality_update.json"));
        assert_eq!((field, &value["event"]), ("phone_number_quality_update", &json!("FLAGGED")));
        let (field, value) = told(EventKind::Tier, None);
        let fixture = include_str!("../../../tests/fixtures/webhooks/whatsapp/business_capability_update_enum.json");
        has_keys_of(&value, fixture);
        assert_eq!(
            (field, &value["max_daily_conversations_per_business"]),
            ("business_capability_update", &json!("TIER_10K"))
        );
        let (field, value) = told(EventKind::Account, Some("DISABLED_UPDATE"));
        has_keys_of(&value, include_str!("../../../tests/fixtures/webhooks/whatsapp/account_update_disabled.json"));
        assert_eq!((field, &value["ban_info"]["waba_ban_state"]), ("account_update", &json!("DISABLE")));
        let (_, value) = told(EventKind::Account, Some("ACCOUNT_RESTRICTION"));
        has_keys_of(&value, include_str!("../../../tests/fixtures/webhooks/whatsapp/account_update_restriction.json"));
        assert_eq!(value["restriction_info"][0]["expiration"], 1_795_251_600);
        let (field, value) = told(EventKind::Template, Some("PAUSED"));
        has_keys_of(&value, include_str!("../../../tests/fixtures/webhooks/whatsapp/template_status_paused.json"));
        assert_eq!((field, &value["message_template_language"]), ("message_template_status_update", &json!("pt_PT")));
    }
}
