//! How a number judges what it is asked and told.

use super::claims::{CLAIMS_MAX, ReplyClaim};
use super::command::{NewConnection, NumberAnswer};
use super::event::NumberEvent;
use super::standing::{PauseReason, Restriction, SlowDown};
use super::{Connection, Number};
use crate::domain::author::Author;
use crate::domain::content::Content;
use crate::domain::effect::{Effect, EffectId};
use crate::domain::entity::{Context, Decision, Entity, EntityKind};
use crate::domain::inbound::AccountEvent;
use crate::domain::outbound::ErrorClass;
use crate::domain::pace::NUMBER_RATE_MAX;
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::workspace::display_hash;

/// The private row with the address of the number's calls.
pub const SLOT_BASE_URL: &str = "base_url";
/// The private row with the token of its calls.
pub const SLOT_ACCESS_TOKEN: &str = "access_token";
/// The private row with its digits.
pub const SLOT_DISPLAY: &str = "display";

type Decided = Result<Decision<Number>, Refusal>;

pub(super) fn connect(number: &Number, asked: &Asked, new: NewConnection, context: &Context<'_>) -> Decided {
    if let Some(repeated) = repeat(number, asked)? {
        return Ok(repeated);
    }
    asked.check_version(number.version)?;
    if let Some(known) = &number.connection
        && (known.workspace, known.channel) != (new.workspace, new.channel)
    {
        return Err(Refusal::AlreadyExists { what: "number" });
    }
    if new.rate_per_second.is_some_and(|rate| rate == 0 || rate > NUMBER_RATE_MAX) {
        let why = format!("a rate is 1 to {NUMBER_RATE_MAX} messages a second");
        return Err(Refusal::Invalid { field: "rate_per_second".to_owned(), why });
    }
    if new.provider_id.is_empty() {
        return Err(Refusal::Invalid { field: "provider_id".to_owned(), why: "it is empty".to_owned() });
    }
    let display = new.display.as_deref().map(|digits| display_hash(context.keys, digits));
    let connection = Connection {
        workspace: new.workspace,
        channel: new.channel,
        app: new.app,
        limit_scope: new.limit_scope,
        provider_id: new.provider_id,
        business_id: new.business_id,
        display: display.or_else(|| number.connection.as_ref().and_then(|known| known.display)),
        rate_per_second: new.rate_per_second,
        shared_with_phone: new.shared_with_phone,
    };
    let (at, author) = (context.now, asked.author);
    let token = new.access_token.map(|token| token.expose().clone());
    let new_token = token.is_some();
    let rows = [(SLOT_BASE_URL, new.base_url), (SLOT_ACCESS_TOKEN, token), (SLOT_DISPLAY, new.display)];
    let content: Vec<Content> = rows
        .into_iter()
        .filter_map(|(slot, value)| {
            let (kind, id, slot) = (EntityKind::Number, context.id, slot.to_owned());
            value.map(|value| Content::Private { kind, id, slot, value: Some(value.into_bytes()), at })
        })
        .collect();
    let mut events = Vec::new();
    // A new row is an event too: whoever keeps the connection in memory sees by the version that it changed.
    if number.disconnected || number.connection.as_ref() != Some(&connection) || !content.is_empty() {
        events.push(NumberEvent::Connected { connection: Box::new(connection), at, author });
    }
    // Said also where nothing is paused: a refusal of the old token may still be on its way.
    if new_token && number.connection.is_some() {
        let at = number.pauses.after(PauseReason::Token, at);
        events.push(NumberEvent::Resumed { reason: PauseReason::Token, at, author });
    }
    Ok(finish(number, asked, context, events, content))
}

pub(super) fn disconnect(number: &Number, asked: &Asked, context: &Context<'_>) -> Decided {
    if let Some(repeated) = repeat(number, asked)? {
        return Ok(repeated);
    }
    asked.check_version(number.version)?;
    if number.connection.is_none() {
        return Err(Refusal::NotFound { what: "number" });
    }
    if number.disconnected {
        return Ok(finish(number, asked, context, Vec::new(), Vec::new()));
    }
    let (kind, id, at) = (EntityKind::Number, context.id, context.now);
    let content = vec![Content::Private { kind, id, slot: SLOT_ACCESS_TOKEN.to_owned(), value: None, at }];
    Ok(finish(number, asked, context, vec![NumberEvent::Disconnected { at, author: asked.author }], content))
}

pub(super) fn pause(number: &Number, asked: &Asked, context: &Context<'_>) -> Decided {
    if let Some(repeated) = repeat(number, asked)? {
        return Ok(repeated);
    }
    asked.check_version(number.version)?;
    if number.connection.is_none() {
        return Err(Refusal::NotFound { what: "number" });
    }
    let (reason, at) = (PauseReason::Admin, context.now);
    let events = match number.pauses.holds(reason) {
        true => Vec::new(),
        false => vec![NumberEvent::Paused { reason, code: 0, at, author: asked.author }],
    };
    Ok(finish(number, asked, context, events, Vec::new()))
}

pub(super) fn resume(number: &Number, asked: &Asked, context: &Context<'_>) -> Decided {
    if let Some(repeated) = repeat(number, asked)? {
        return Ok(repeated);
    }
    asked.check_version(number.version)?;
    if number.connection.is_none() {
        return Err(Refusal::NotFound { what: "number" });
    }
    let author = asked.author;
    let mut events: Vec<NumberEvent> = number
        .pauses
        .reasons()
        // The word resumed about must be older than this one, whatever the provider's clock said.
        .map(|reason| NumberEvent::Resumed { reason, at: number.pauses.after(reason, context.now), author })
        .collect();
    if let Some((said_at, Some(_))) = number.restriction {
        events.push(NumberEvent::RestrictionChanged { restriction: None, at: context.now.max(said_at) });
    }
    Ok(finish(number, asked, context, events, Vec::new()))
}

/// What the platform says of the account; templates and notices are others' concern.
pub(super) fn account_event(number: &Number, event: &AccountEvent, at: Timestamp) -> Decision<Number> {
    let mut decision = Decision::nothing(NumberAnswer::Noted);
    match event {
        AccountEvent::LimitChanged { tier } => {
            if let Some(connection) = &number.connection {
                let (scope, tier) = (connection.limit_scope, *tier);
                decision.effects.push(Effect::SetLimitTier { scope, tier, at });
            }
        }
        AccountEvent::ThroughputChanged { per_second } => {
            // Of two words at one moment the lower rate stands.
            let later = number.provider_rate.is_none_or(|(then, rate)| at > then || (at == then && *per_second < rate));
            if later {
                decision.events.push(NumberEvent::RateChanged { per_second: *per_second, at });
            }
        }
        AccountEvent::QualityChanged { quality } => {
            let later = number.quality.is_none_or(|(then, known)| at > then || (at == then && *quality < known));
            // The same grade said later is remembered too, so that an older word cannot undo it.
            if later {
                decision.events.push(NumberEvent::QualityChanged { quality: *quality, at });
            }
        }
        AccountEvent::Restricted { business_initiated, customer_initiated, until } => {
            let (business_initiated, customer_initiated) = (*business_initiated, *customer_initiated);
            let said = Restriction { business_initiated, customer_initiated, until: *until };
            restriction(number, Some(said), at, &mut decision);
        }
        AccountEvent::Disabled { .. } => stop(number, PauseReason::Disabled, 0, at, &mut decision),
        AccountEvent::Reinstated => {
            for reason in [PauseReason::Disabled, PauseReason::Restricted] {
                if number.pauses.changes(reason, false, at) {
                    decision.events.push(NumberEvent::Resumed { reason, at, author: Author::System });
                }
            }
            restriction(number, None, at, &mut decision);
        }
        AccountEvent::Trouble { failure } => return trouble(number, failure.code, failure.class, at),
        AccountEvent::Notice { .. }
        | AccountEvent::TemplateStatusChanged { .. }
        | AccountEvent::TemplateQualityChanged { .. }
        | AccountEvent::TemplateCategoryChanged { .. } => {}
    }
    decision
}

/// What a provider's refusal means for the number.
pub(super) fn trouble(number: &Number, code: i64, class: ErrorClass, at: Timestamp) -> Decision<Number> {
    let mut decision = Decision::nothing(NumberAnswer::Noted);
    match class {
        ErrorClass::Auth => stop(number, PauseReason::Token, code, at, &mut decision),
        ErrorClass::Account => stop(number, PauseReason::Restricted, code, at, &mut decision),
        ErrorClass::RateNumber | ErrorClass::RateAccount => {
            if let Some(slower) = SlowDown::at_complaint(number.slow.as_ref(), at) {
                decision.events.push(NumberEvent::SlowedDown { permille: slower.permille, code, at });
            }
        }
        // These concern one message, one customer, one template or a quota of the day.
        ErrorClass::Retry
        | ErrorClass::RatePair
        | ErrorClass::Quota
        | ErrorClass::Window
        | ErrorClass::Unreachable
        | ErrorClass::OptOut
        | ErrorClass::Cap
        | ErrorClass::Template
        | ErrorClass::Content => {}
    }
    decision
}

fn stop(number: &Number, reason: PauseReason, code: i64, at: Timestamp, decision: &mut Decision<Number>) {
    if number.pauses.changes(reason, true, at) {
        decision.events.push(NumberEvent::Paused { reason, code, at, author: Author::System });
    }
}

fn restriction(number: &Number, said: Option<Restriction>, at: Timestamp, decision: &mut Decision<Number>) {
    if number.restriction.is_none_or(|known| (at, said) > known) {
        decision.events.push(NumberEvent::RestrictionChanged { restriction: said, at });
    }
}

pub(super) fn claim(number: &Number, claims: Vec<ReplyClaim>, context: &Context<'_>) -> Decided {
    number.may_send(context.now)?;
    let mut fresh = Vec::with_capacity(claims.len());
    let mut new: Vec<ReplyClaim> = Vec::with_capacity(claims.len());
    for claim in claims {
        let known = number.claims.contains(claim.effect) || new.iter().any(|other| other.effect == claim.effect);
        fresh.push(!known);
        if !known {
            new.push(claim);
        }
    }
    if number.claims.len() + new.len() > CLAIMS_MAX {
        return Err(Refusal::TooMany { what: "open claims", allowed: CLAIMS_MAX });
    }
    let mut decision = Decision::nothing(NumberAnswer::Claimed { fresh });
    if !new.is_empty() {
        decision.events.push(NumberEvent::RepliesClaimed { claims: new, at: context.now });
    }
    Ok(decision)
}

pub(super) fn close(number: &Number, mut effects: Vec<EffectId>) -> Decision<Number> {
    effects.retain(|effect| number.claims.contains(*effect));
    let mut decision = Decision::nothing(NumberAnswer::Noted);
    if !effects.is_empty() {
        decision.events.push(NumberEvent::ClaimsClosed { effects });
    }
    decision
}

pub(super) fn wake(number: &Number, context: &Context<'_>) -> Decision<Number> {
    let mut decision = Decision::nothing(NumberAnswer::Noted);
    if number.slow.is_some_and(|slow| slow.recovers_at() <= context.now) {
        decision.events.push(NumberEvent::Recovered { at: context.now });
    }
    if let Some((said_at, Some(restriction))) = number.restriction
        && let Some(until) = restriction.until
        && until <= context.now
    {
        decision.events.push(NumberEvent::RestrictionChanged { restriction: None, at: until.max(said_at) });
    }
    decision
}

fn repeat(number: &Number, asked: &Asked) -> Result<Option<Decision<Number>>, Refusal> {
    let repeated = number.recall.is_repeat(asked.key)?;
    Ok(repeated.then(|| Decision::nothing(NumberAnswer::Saved { version: number.version, repeated: true })))
}

fn finish(
    number: &Number,
    asked: &Asked,
    context: &Context<'_>,
    mut events: Vec<NumberEvent>,
    content: Vec<Content>,
) -> Decision<Number> {
    if let (Some(key), false) = (asked.key, events.is_empty() && content.is_empty()) {
        events.push(NumberEvent::KeyUsed { key, at: context.now });
    }
    let mut after = number.clone();
    for event in &events {
        after.apply(event);
    }
    let answer = NumberAnswer::Saved { version: after.version, repeated: false };
    Decision { events, effects: Vec::new(), content, answer }
}
