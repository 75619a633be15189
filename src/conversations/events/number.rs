//! What is said of a number's and of a messaging limit's events.

use serde_json::{Value, json};

use super::Said;
use crate::conversations::api::Moment;
use crate::domain::ids::{AccountId, LimitScopeId};
use crate::domain::inbound::LimitTier;
use crate::domain::limit::LimitEvent;
use crate::domain::number::{NumberEvent as Event, Restriction};

/// A number's event's word and data.
pub(super) fn say(account: AccountId, event: &Event) -> Said {
    if !event.is_public() {
        return None;
    }
    let data = match event {
        Event::Connected { author, .. } | Event::Disconnected { author, .. } => {
            json!({ "account": account, "author": author })
        }
        Event::RateChanged { per_second, .. } => json!({ "account": account, "rate_per_second": per_second }),
        Event::QualityChanged { quality, .. } => json!({ "account": account, "quality": quality }),
        Event::RestrictionChanged { restriction, .. } => {
            json!({ "account": account, "restriction": restriction.map(restricted) })
        }
        Event::Paused { reason, code, author, .. } => {
            json!({ "account": account, "reason": reason.word(), "code": code, "author": author })
        }
        Event::Resumed { reason, author, .. } => {
            json!({ "account": account, "reason": reason.word(), "author": author })
        }
        Event::SlowedDown { permille, code, .. } => json!({ "account": account, "permille": permille, "code": code }),
        Event::Recovered { .. } => json!({ "account": account }),
        Event::RepliesClaimed { .. } | Event::ClaimsClosed { .. } | Event::KeyUsed { .. } => return None,
    };
    Some((event.word(), data))
}

fn restricted(restriction: Restriction) -> Value {
    json!({
        "business_initiated": restriction.business_initiated,
        "customer_initiated": restriction.customer_initiated,
        "until": restriction.until.map(Moment),
    })
}

/// A limit's event's word and data.
pub(super) fn say_of_limit(limit: LimitScopeId, event: &LimitEvent) -> Said {
    let LimitEvent::TierSet { tier, author, .. } = event else { return None };
    let tier = match tier {
        LimitTier::Limited(customers) => json!(customers),
        LimitTier::Unlimited => json!("unlimited"),
    };
    Some((event.word(), json!({ "limit": limit, "tier": tier, "author": author })))
}
