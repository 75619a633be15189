//! People's addresses that change, and their switch for marketing (`channels.md` §1.3, §1.5).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Scope;
use super::person::{self, Named};
use super::wire::{Text, read};
use crate::domain::inbound::{InboundKind, Person};

/// Who moved whither, if a system message says so: the sender was known by the old address.
/// None if it says something else, or names no new address.
pub(super) fn moved(from: Named<'_>, system: &RawValue) -> Option<(Person, Person)> {
    #[derive(Deserialize)]
    struct WireSystem<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Text<'a>>,
        #[serde(borrow)]
        wa_id: Option<Text<'a>>,
        #[serde(borrow)]
        new_wa_id: Option<Text<'a>>,
        #[serde(borrow)]
        user_id: Option<Text<'a>>,
        #[serde(borrow)]
        parent_user_id: Option<Text<'a>>,
    }
    let wire: WireSystem<'_> = read(system)?;
    if !matches!(wire.kind.as_deref()?, "user_changed_number" | "customer_changed_number" | "user_changed_user_id") {
        return None;
    }
    let previous = person::person(from);
    let current = person::person(Named {
        phone: Text::filled(&wire.wa_id).or(Text::filled(&wire.new_wa_id)),
        user_id: Text::filled(&wire.user_id),
        parent_user_id: Text::filled(&wire.parent_user_id),
    });
    (!previous.addresses.is_empty() && !current.addresses.is_empty()).then_some((previous, current))
}

/// One of `user_id_update`: a business-scoped user id was replaced.
pub(super) fn renewal(scope: &Scope<'_>, raw: &RawValue) -> Option<(String, InboundKind)> {
    #[derive(Deserialize)]
    struct WireRenewal<'a> {
        #[serde(borrow)]
        wa_id: Option<Text<'a>>,
        #[serde(borrow)]
        user_id: Option<FromTo<'a>>,
        #[serde(borrow)]
        parent_user_id: Option<FromTo<'a>>,
        #[serde(borrow)]
        timestamp: Option<Text<'a>>,
    }
    #[derive(Deserialize)]
    struct FromTo<'a> {
        #[serde(borrow)]
        previous: Option<Text<'a>>,
        #[serde(borrow)]
        current: Option<Text<'a>>,
    }
    let wire: WireRenewal<'_> = read(raw)?;
    let at = Text::time(&wire.timestamp)?;
    let before = |pair: &'_ Option<FromTo<'_>>| pair.as_ref().and_then(|pair| Text::owned(&pair.previous));
    let after = |pair: &'_ Option<FromTo<'_>>| pair.as_ref().and_then(|pair| Text::owned(&pair.current));
    let previous = person::person(Named {
        phone: None,
        user_id: before(&wire.user_id).as_deref(),
        parent_user_id: before(&wire.parent_user_id).as_deref(),
    });
    // The phone beside it is the person's present one.
    let current = scope.people.complete(Named {
        phone: Text::filled(&wire.wa_id),
        user_id: after(&wire.user_id).as_deref(),
        parent_user_id: after(&wire.parent_user_id).as_deref(),
    });
    if previous.addresses.is_empty() || current.addresses.is_empty() {
        return None;
    }
    Some((scope.hashed(raw.get()), InboundKind::IdentityChanged { previous, current, at, notice: None }))
}

/// One of `user_preferences`: the person stopped or resumed marketing.
pub(super) fn preference(scope: &Scope<'_>, raw: &RawValue) -> Option<(String, InboundKind)> {
    #[derive(Deserialize)]
    struct WirePreference<'a> {
        #[serde(borrow)]
        wa_id: Option<Text<'a>>,
        #[serde(borrow)]
        user_id: Option<Text<'a>>,
        #[serde(borrow)]
        parent_user_id: Option<Text<'a>>,
        #[serde(borrow)]
        category: Option<Text<'a>>,
        #[serde(borrow)]
        value: Option<Text<'a>>,
        #[serde(borrow)]
        timestamp: Option<Text<'a>>,
    }
    let wire: WirePreference<'_> = read(raw)?;
    if wire.category.as_deref()? != "marketing_messages" {
        return None;
    }
    let stopped = match wire.value.as_deref()? {
        "stop" => true,
        "resume" | "signup" => false,
        _ => return None,
    };
    let at = Text::time(&wire.timestamp)?;
    let person = scope.people.complete(Named {
        phone: Text::filled(&wire.wa_id),
        user_id: Text::filled(&wire.user_id),
        parent_user_id: Text::filled(&wire.parent_user_id),
    });
    if person.addresses.is_empty() {
        return None;
    }
    Some((scope.hashed(raw.get()), InboundKind::MarketingPreference { person, stopped, at }))
}
