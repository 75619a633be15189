//! Contacts on behalf of whoever asks: created, changed, read and listed, and told what conversations saw of them.
//!
//! An address names a contact by a keyed hash, so finding one by an address is a computation. What an address
//! names may redirect; every question follows. Values and addresses are rows beside the log and are read here.

mod access;
mod bulk;
mod carry;
mod change;
mod find;
mod identity;
mod list;
mod list_members;
mod read;
mod save;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::domain::ids::{AddressId, ContactId, Keyring, WorkspaceId};
use crate::domain::inbound::Address;
use crate::shards::Shards;
use crate::workspaces::Workspaces;

pub use bulk::{BULK_AT_ONCE, BulkAnswer, BulkLine, upsert_all};
pub use identity::{address, identity};
pub use list::ContactPage;
pub use list_members::{ListChange, ListMemberPage};
pub use read::ContactView;
pub use save::{Outcome, Saved};

/// Every contact of this process's shards.
pub struct Contacts {
    shards: Arc<Shards>,
    workspaces: Arc<Workspaces>,
}

impl Contacts {
    /// The contacts of these shards.
    #[must_use]
    pub fn new(shards: Arc<Shards>, workspaces: Arc<Workspaces>) -> Arc<Self> {
        Arc::new(Self { shards, workspaces })
    }

    /// The id of an address in a workspace.
    #[must_use]
    pub fn address_id(&self, workspace: WorkspaceId, address: &Address) -> AddressId {
        self.keys().address(workspace, address.space.word(), &address.text)
    }

    /// The contact that an address names first.
    fn named(&self, workspace: WorkspaceId, address: AddressId) -> ContactId {
        self.keys().contact(workspace, address)
    }

    fn keys(&self) -> &Keyring {
        &self.shards.node().keys
    }
}
