//! Which accounts of ours an item speaks of.

use crate::domain::ids::{AccountId, AppId, WorkspaceId};
use crate::domain::inbound::AccountRef;
use crate::domain::message::Channel;
use crate::workspaces::Workspaces;

/// An account of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) workspace: WorkspaceId,
    pub(super) account: AccountId,
}

/// The accounts that an item names and that are connected by the app it came by: nobody else's secret speaks for
/// an account.
pub(super) fn accounts(workspaces: &Workspaces, channel: Channel, app: AppId, named: &AccountRef) -> Vec<Route> {
    let found = match named {
        AccountRef::Account(provider_id) => workspaces.account(channel, provider_id).into_iter().collect(),
        AccountRef::Business(business_id) => workspaces.accounts_of_business(channel, business_id),
        AccountRef::Display { business, digits } => workspaces.account_by_display(channel, business, digits),
    };
    found
        .into_iter()
        .filter(|found| found.app == app)
        .map(|found| Route { workspace: found.workspace, account: found.account })
        .collect()
}
