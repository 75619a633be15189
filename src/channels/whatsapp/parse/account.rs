//! What concerns the business account, its number, limit or templates (`channels.md` §1.5).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Text, read};
use super::{Scope, person, receipt};
use crate::channels::whatsapp::error_table::failure;
use crate::domain::inbound::{AccountEvent, AccountRef, InboundKind, LimitTier, Quality, TemplateStatus};
use crate::domain::time::Timestamp;

/// What Meta raises a number's throughput to, in messages a second (`channels.md` §1.7).
const UPGRADED_PER_SECOND: u32 = 1_000;

/// Longest word of the platform's that is taken over.
const WORD_MAX: usize = 64;

type Events = Vec<(AccountRef, AccountEvent)>;

/// The events of a management field; none if nobody here knows the field, or nothing in it.
pub(super) fn events(field: &str, business: &str, value: &RawValue) -> Option<Events> {
    let account = AccountRef::Business(business.to_owned());
    let one = |event: Option<AccountEvent>| event.map(|event| vec![(account.clone(), event)]);
    match field {
        "business_capability_update" => one(capability(value)),
        "phone_number_quality_update" => number(business, value),
        "account_update" => account_update(account, value),
        "account_alerts" => one(alert(value)),
        "account_review_update" => one(review(value)),
        "message_template_status_update" => one(template_status(value)),
        "message_template_quality_update" => one(template_quality(value)),
        "template_category_update" => one(template_category(value)),
        _ => None,
    }
}

/// One of a value's own `errors`: trouble outside any message.
pub(super) fn trouble(scope: &Scope<'_>, raw: &RawValue) -> Option<(String, InboundKind)> {
    let failure = failure(receipt::code_of(raw)?, None);
    Some((scope.hashed(raw.get()), InboundKind::Account(AccountEvent::Trouble { failure })))
}

/// A word of the platform's: codes only, for it goes to the log.
fn word(text: &Option<Text<'_>>) -> Option<String> {
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    Text::filled(text).filter(|text| text.len() <= WORD_MAX && text.bytes().all(is_code)).map(str::to_owned)
}

/// `TIER_2K`, `TIER_UNLIMITED`, `2000` or `-1`.
fn tier(text: &Option<Text<'_>>) -> Option<LimitTier> {
    let text = Text::filled(text)?;
    let text = text.strip_prefix("TIER_").unwrap_or(text);
    if matches!(text, "UNLIMITED" | "-1") {
        return Some(LimitTier::Unlimited);
    }
    let (digits, factor) = match text.strip_suffix('K') {
        Some(digits) => (digits, 1_000),
        None => (text, 1),
    };
    digits.parse::<u32>().ok()?.checked_mul(factor).filter(|people| *people > 0).map(LimitTier::Limited)
}

fn capability(value: &RawValue) -> Option<AccountEvent> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        max_daily_conversations_per_business: Option<Text<'a>>,
        #[serde(borrow)]
        max_daily_conversation_per_phone: Option<Text<'a>>,
    }
    let wire: Wire<'_> = read(value)?;
    let tier = tier(&wire.max_daily_conversations_per_business).or(tier(&wire.max_daily_conversation_per_phone))?;
    Some(AccountEvent::LimitChanged { tier })
}

fn number(business: &str, value: &RawValue) -> Option<Events> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        display_phone_number: Option<Text<'a>>,
        #[serde(borrow)]
        event: Option<Text<'a>>,
        #[serde(borrow)]
        current_limit: Option<Text<'a>>,
        #[serde(borrow)]
        max_daily_conversations_per_business: Option<Text<'a>>,
    }
    let wire: Wire<'_> = read(value)?;
    let digits = Text::filled(&wire.display_phone_number).and_then(person::phone)?.text;
    let account = AccountRef::Display { business: business.to_owned(), digits };
    let event = word(&wire.event)?;
    let mut events = vec![(
        account,
        match event.as_str() {
            "THROUGHPUT_UPGRADE" => AccountEvent::ThroughputChanged { per_second: UPGRADED_PER_SECOND },
            "FLAGGED" => AccountEvent::QualityChanged { quality: Quality::Low },
            // The flag says only that quality is no longer low.
            "UNFLAGGED" => AccountEvent::QualityChanged { quality: Quality::Medium },
            _ => AccountEvent::Notice { event },
        },
    )];
    if let Some(tier) = tier(&wire.max_daily_conversations_per_business).or(tier(&wire.current_limit)) {
        events.push((AccountRef::Business(business.to_owned()), AccountEvent::LimitChanged { tier }));
    }
    Some(events)
}

fn account_update(account: AccountRef, value: &RawValue) -> Option<Events> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        event: Option<Text<'a>>,
        #[serde(borrow)]
        restriction_info: Option<Vec<Restriction<'a>>>,
        #[serde(borrow)]
        ban_info: Option<Ban<'a>>,
        #[serde(borrow)]
        waba_info: Option<Waba<'a>>,
    }
    #[derive(Deserialize)]
    struct Ban<'a> {
        #[serde(borrow)]
        waba_ban_state: Option<Text<'a>>,
    }
    #[derive(Deserialize)]
    struct Waba<'a> {
        #[serde(borrow)]
        waba_id: Option<Text<'a>>,
    }
    let wire: Wire<'_> = read(value)?;
    let event = word(&wire.event)?;
    let told = match event.as_str() {
        "ACCOUNT_RESTRICTION" => restricted(wire.restriction_info.unwrap_or_default()),
        "DISABLED_UPDATE" => {
            let state = wire.ban_info.as_ref().and_then(|ban| word(&ban.waba_ban_state));
            match state.as_deref() {
                Some("DISABLE") => Some(AccountEvent::Disabled { reason: event.clone() }),
                Some("REINSTATE") => Some(AccountEvent::Reinstated),
                _ => state.map(|event| AccountEvent::Notice { event }),
            }
        }
        "ACCOUNT_DELETED" | "ACCOUNT_OFFBOARDED" | "PARTNER_REMOVED" | "PARTNER_APP_UNINSTALLED" => {
            Some(AccountEvent::Disabled { reason: event.clone() })
        }
        "ACCOUNT_RECONNECTED" => Some(AccountEvent::Reinstated),
        _ => None,
    };
    // Partners' events come under the portfolio and name the business account inside.
    let account = match wire.waba_info.and_then(|waba| Text::owned(&waba.waba_id)) {
        Some(waba_id) => AccountRef::Business(waba_id),
        None => account,
    };
    Some(vec![(account, told.unwrap_or(AccountEvent::Notice { event }))])
}

#[derive(Deserialize)]
struct Restriction<'a> {
    #[serde(borrow)]
    restriction_type: Option<Text<'a>>,
    #[serde(borrow)]
    expiration: Option<Text<'a>>,
}

/// The restrictions that concern sending; none if there is none. They end with the latest of them.
fn restricted(all: Vec<Restriction<'_>>) -> Option<AccountEvent> {
    let (mut business_initiated, mut customer_initiated) = (false, false);
    let mut until = Some(Timestamp::default());
    for restriction in all {
        match restriction.restriction_type.as_deref() {
            Some("RESTRICTED_BIZ_INITIATED_MESSAGING") => business_initiated = true,
            Some("RESTRICTED_CUSTOMER_INITIATED_MESSAGING") => customer_initiated = true,
            _ => continue,
        }
        until = until.zip(Text::time(&restriction.expiration)).map(|(latest, end)| latest.max(end));
    }
    (business_initiated || customer_initiated).then_some(AccountEvent::Restricted {
        business_initiated,
        customer_initiated,
        until,
    })
}

fn alert(value: &RawValue) -> Option<AccountEvent> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        alert_type: Option<Text<'a>>,
        #[serde(borrow)]
        alert_info: Option<Inner<'a>>,
    }
    #[derive(Deserialize)]
    struct Inner<'a> {
        #[serde(borrow)]
        alert_type: Option<Text<'a>>,
    }
    let wire: Wire<'_> = read(value)?;
    let event = word(&wire.alert_type).or_else(|| word(&wire.alert_info?.alert_type))?;
    Some(AccountEvent::Notice { event })
}

fn review(value: &RawValue) -> Option<AccountEvent> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        decision: Option<Text<'a>>,
    }
    let decision = word(&read::<Wire<'_>>(value)?.decision)?;
    Some(AccountEvent::Notice { event: format!("ACCOUNT_REVIEW_{decision}") })
}

#[derive(Deserialize)]
struct WireTemplate<'a> {
    #[serde(borrow)]
    message_template_name: Option<Text<'a>>,
    #[serde(borrow)]
    message_template_language: Option<Text<'a>>,
    #[serde(borrow)]
    event: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    other_info: Option<Other<'a>>,
    #[serde(borrow)]
    new_quality_score: Option<Text<'a>>,
    #[serde(borrow)]
    new_category: Option<Text<'a>>,
    #[serde(borrow)]
    correct_category: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Other<'a> {
    #[serde(borrow)]
    title: Option<Text<'a>>,
}

impl WireTemplate<'_> {
    /// Name and language; Meta writes the language as `en-US` or `en_US`.
    fn named(&self) -> Option<(String, String)> {
        let language = Text::filled(&self.message_template_language)?.replace('-', "_");
        Some((Text::owned(&self.message_template_name)?, language))
    }
}

fn template_status(value: &RawValue) -> Option<AccountEvent> {
    let wire: WireTemplate<'_> = read(value)?;
    let (name, language) = wire.named()?;
    let event = word(&wire.event)?;
    let status = match event.as_str() {
        "APPROVED" | "REINSTATED" => TemplateStatus::Approved,
        "PENDING" | "IN_APPEAL" => TemplateStatus::Pending,
        "REJECTED" => TemplateStatus::Rejected,
        // Only approved and reinstated ones may be sent, whatever else these may mean.
        "PAUSED" | "FLAGGED" | "LOCKED" | "LIMIT_EXCEEDED" => TemplateStatus::Paused,
        "DISABLED" | "ARCHIVED" | "PENDING_DELETION" | "DELETED" => TemplateStatus::Disabled,
        _ => return Some(AccountEvent::Notice { event }),
    };
    let reason = word(&wire.reason).filter(|reason| reason != "NONE");
    let reason = reason.or_else(|| word(&wire.other_info?.title));
    Some(AccountEvent::TemplateStatusChanged { name, language, status, reason })
}

fn template_quality(value: &RawValue) -> Option<AccountEvent> {
    let wire: WireTemplate<'_> = read(value)?;
    let (name, language) = wire.named()?;
    let quality = match wire.new_quality_score.as_deref()? {
        "GREEN" => Quality::High,
        "YELLOW" => Quality::Medium,
        "RED" => Quality::Low,
        "UNKNOWN" => Quality::Unknown,
        _ => return None,
    };
    Some(AccountEvent::TemplateQualityChanged { name, language, quality })
}

fn template_category(value: &RawValue) -> Option<AccountEvent> {
    let wire: WireTemplate<'_> = read(value)?;
    let (name, language) = wire.named()?;
    if wire.correct_category.is_some() {
        // A warning ahead of the change: the template still has its old category.
        return Some(AccountEvent::Notice { event: "TEMPLATE_CATEGORY_WARNING".into() });
    }
    let category = word(&wire.new_category)?.to_ascii_lowercase();
    Some(AccountEvent::TemplateCategoryChanged { name, language, category })
}
