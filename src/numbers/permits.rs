//! Messages outside a window count against the portfolio's messaging limit: each needs a permit before
//! its claim.

use super::account::{Account, Standing};
use super::dispatch::{Dispatch, LOOK_AGAIN, PAUSE};
use super::leave::Leaving;
use crate::domain::limit::{LimitAnswer, LimitCommand, LimitScope};
use crate::domain::time::Timestamp;
use crate::domain::window;

/// Reserves permits for those that need one; whoever gets none waits until the limit says to come back.
pub(super) async fn reserve(
    dispatch: &Dispatch,
    account: &Account,
    _standing: &Standing,
    leaving: Vec<Leaving>,
) -> Vec<Leaving> {
    let mut recipients: Vec<_> = leaving.iter().filter(|one| is_counted(one)).filter_map(customer).collect();
    recipients.sort_unstable();
    recipients.dedup();
    if recipients.is_empty() {
        return leaving;
    }
    let command = LimitCommand::Reserve { recipients: recipients.clone() };
    let answer = dispatch.numbers.shards.ask::<LimitScope>(account.limit_scope.0, command).await;
    let (granted, come_back) = match answer {
        Ok(LimitAnswer::Reserved { granted, come_back }) => (granted, come_back),
        Ok(LimitAnswer::Noted) | Err(_) => (vec![false; recipients.len()], None),
    };
    let now = dispatch.now();
    let come_back = come_back.unwrap_or(now + PAUSE).min(now + LOOK_AGAIN);
    let mut permitted = Vec::with_capacity(leaving.len());
    for mut one in leaving {
        if !is_counted(&one) {
            permitted.push(one);
            continue;
        }
        let place = customer(&one).and_then(|customer| recipients.binary_search(&customer).ok());
        if place.and_then(|place| granted.get(place)).copied().unwrap_or(false) {
            one.permitted = true;
            permitted.push(one);
        } else {
            dispatch.give_pair_back(&one);
            dispatch.put_back(one.reply, one.done, come_back);
        }
    }
    permitted
}

/// It was certainly not sent: its permit is free again.
pub(super) async fn give_back(dispatch: &Dispatch, account: &Account, one: &Leaving) {
    tell(dispatch, account, one, |recipients| LimitCommand::GiveBack { recipients }).await;
}

/// The provider took it: its permit lives 24 h from then.
pub(super) async fn accepted(dispatch: &Dispatch, account: &Account, one: &Leaving, at: Timestamp) {
    tell(dispatch, account, one, |recipients| LimitCommand::Accepted { recipients, at }).await;
}

async fn tell(
    dispatch: &Dispatch,
    account: &Account,
    one: &Leaving,
    command: impl FnOnce(Vec<crate::domain::ids::AddressId>) -> LimitCommand,
) {
    if !one.permitted {
        return;
    }
    let recipients = customer(one).into_iter().collect();
    if let Err(error) = dispatch.numbers.shards.ask::<LimitScope>(account.limit_scope.0, command(recipients)).await {
        // The permit then counts from its reservation for 24 h: never too few, at worst one too many.
        tracing::warn!(scope = %account.limit_scope, %error, "failed to tell the messaging limit what became of a permit");
    }
}

fn is_counted(one: &Leaving) -> bool {
    one.departure.standing == window::Standing::Outside
}

fn customer(one: &Leaving) -> Option<crate::domain::ids::AddressId> {
    one.departure.to.first().copied()
}
