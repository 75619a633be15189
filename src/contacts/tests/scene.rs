//! Shards in memory with one workspace, and who asks there.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use crate::clock::{CountedIds, FrozenClock, Surroundings};
use crate::domain::access::{Grants, Role};
use crate::domain::author::Author;
use crate::domain::contact::{ContactDraft, PropertyKey, PropertyValue, TypedIdentity};
use crate::domain::effect::{Effect, EffectId};
use crate::domain::ids::{AccountId, LabelId, LimitScopeId, ListId, MemberId};
use crate::domain::inbound::AddressSpace;
use crate::domain::message::Channel;
use crate::domain::recall::Asked;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::workspace::{Account, Member, Workspace};
use crate::shards::{Carrying, CommandError, EffectRunner, Hooks, HooksFactory, News, Node, ShardOptions, Subscriber};
use crate::store::{AnyStore, Owner};
use crate::workspaces::{Caller, Rights};

pub(super) const WORKSPACE: WorkspaceId = WorkspaceId(1);
pub(super) const ACCOUNT: AccountId = AccountId(2);
pub(super) const OTHER_ACCOUNT: AccountId = AccountId(3);
pub(super) const LABEL: LabelId = LabelId(4);
pub(super) const LIST: ListId = ListId(7);
pub(super) const AGENT: MemberId = MemberId(5);
pub(super) const COLLEAGUE: MemberId = MemberId(6);
pub(super) const NOW: Timestamp = Timestamp(1_795_165_200_000);

/// Carries what is a contact's, and leaves the rest undone.
struct Carrier(Arc<Contacts>);

impl EffectRunner for Carrier {
    fn run(&self, _: EffectId, effect: Effect) -> Carrying {
        let contacts = Arc::clone(&self.0);
        Box::pin(async move { contacts.carry(&effect).await.unwrap_or(Ok(())) })
    }
}

struct Deaf;

impl Subscriber for Deaf {
    fn listed(&self, _: u16, _: Vec<crate::domain::conversation::Summary>) {}
    fn caught_up(&self, _: u16, _: u64) {}
    fn missed(&self, _: &News<'_>) {}
    fn committed(&self, _: &News<'_>) {}
    fn record_ended(&self, _: u16, _: u64) {}
}

pub(super) struct Scene {
    pub(super) contacts: Arc<Contacts>,
    pub(super) clock: Arc<FrozenClock>,
}

impl Scene {
    pub(super) async fn begin() -> Self {
        let clock = Arc::new(FrozenClock::new(NOW));
        let surroundings = Surroundings { clock: clock.clone(), ids: Arc::new(CountedIds::from(1)) };
        // What was carried is closed in the log when state is settled.
        let settle_interval = Duration::from_millis(5);
        let options = ShardOptions { shards: 4, settle_interval, ..ShardOptions::default() };
        let owner = Owner { node: 1, incarnation: 1 };
        let keys = Keyring::new([7; 16]);
        let shards = Shards::new(Node::new(AnyStore::memory(clock.clone()), surroundings, keys, options, owner));
        let workspaces = Workspaces::new(Arc::clone(&shards));
        let contacts = Contacts::new(Arc::clone(&shards), Arc::clone(&workspaces));
        workspaces.learn(WORKSPACE, &workspace());
        workspaces.learn(WorkspaceId(99), &Workspace { id: Some(WorkspaceId(99)), ..Workspace::default() });
        let carrier = Arc::clone(&contacts);
        let hooks: HooksFactory =
            Arc::new(move |_| Hooks { subscriber: Rc::new(Deaf), effects: Rc::new(Carrier(Arc::clone(&carrier))) });
        shards.open(&[actix::Arbiter::current()], &hooks).await.expect("the shards open");
        Self { contacts, clock }
    }

    /// Waits until nothing that was decided is left to be carried.
    pub(super) async fn quiet(&self) {
        while self.contacts.shards.census().await.open_effects > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(super) async fn end(self) {
        self.contacts.shards.close(Duration::from_secs(5)).await;
        self.contacts.shards.forget_here();
    }

    pub(super) fn named(&self, digits: &str) -> ContactId {
        self.contacts.named(WORKSPACE, self.address(digits))
    }

    pub(super) fn address(&self, digits: &str) -> AddressId {
        self.contacts.address_id(WORKSPACE, &Address { space: AddressSpace::Phone, text: digits.to_owned() })
    }

    pub(super) async fn sees(&self, digits: &[&str], account: AccountId, at: i64) {
        let addresses: Vec<AddressId> = digits.iter().map(|digits| self.address(digits)).collect();
        let effect = Effect::ObserveContact {
            workspace: WORKSPACE,
            contact: self.contacts.named(WORKSPACE, addresses[0]),
            conversation: self.contacts.keys().conversation(account, addresses[0]),
            account,
            addresses,
            at: Timestamp(at),
        };
        assert_eq!(self.contacts.carry(&effect).await, Some(Ok(())));
        self.quiet().await;
    }

    pub(super) async fn made(&self, digits: &[&str]) -> Saved {
        self.contacts.create(&admin(), asked(), ContactId(9), known_by(digits)).await.expect("it is made")
    }
}

fn workspace() -> Workspace {
    let mut workspace = Workspace { id: Some(WORKSPACE), ..Workspace::default() };
    for id in [ACCOUNT, OTHER_ACCOUNT] {
        let account = Account {
            channel: Channel::WhatsApp,
            app: crate::domain::ids::AppId(1),
            provider_id: id.to_string(),
            business_id: None,
            display: None,
            limit_scope: LimitScopeId(1),
        };
        workspace.accounts.insert(id, account);
    }
    for id in [AGENT, COLLEAGUE] {
        let member = Member {
            role: Role::Staff,
            teams: BTreeSet::new(),
            accounts: BTreeSet::new(),
            disabled: false,
            email: None,
            tokens: Vec::new(),
        };
        workspace.members.insert(id, member);
    }
    workspace.labels.insert(LABEL);
    workspace.lists.insert(LIST);
    workspace
}

pub(super) fn caller(workspace: WorkspaceId, role: Role, dedicated: Vec<AccountId>) -> Caller {
    let member = AGENT;
    let grants = Grants { member, role, teams: Vec::new(), team_members: Vec::new(), dedicated };
    Caller { workspace, author: Author::Member(member), grants: Arc::new(grants), rights: Rights::Role(role) }
}

pub(super) fn admin() -> Caller {
    caller(WORKSPACE, Role::Admin, Vec::new())
}

pub(super) fn agent() -> Caller {
    caller(WORKSPACE, Role::Staff, Vec::new())
}

pub(super) fn asked() -> Asked {
    Asked::by(Author::Member(AGENT))
}

pub(super) fn phone(digits: &str) -> TypedIdentity {
    identity(Channel::WhatsApp, None, digits, None, None).expect("it is a phone number")
}

pub(super) fn known_by(digits: &[&str]) -> ContactDraft {
    ContactDraft { identities: digits.iter().map(|digits| phone(digits)).collect(), ..ContactDraft::default() }
}

pub(super) fn called(digits: &str, name: &str) -> ContactDraft {
    let name = PropertyValue::Text(name.to_owned());
    ContactDraft { properties: vec![(PropertyKey::FirstName, Some(name))], ..known_by(&[digits]) }
}

pub(super) fn code(error: &CommandError) -> &'static str {
    error.refusal().map_or("no refusal", Refusal::code)
}

pub(super) fn first_name(view: &ContactView) -> Option<&PropertyValue> {
    view.properties.iter().find(|(key, _)| *key == PropertyKey::FirstName).map(|(_, value)| value)
}

/// Reads of a saving what a test compares.
pub(super) trait MapOutcome {
    async fn map_outcome(self) -> Result<Outcome, &'static str>;
}

impl<F: Future<Output = Result<Saved, CommandError>>> MapOutcome for F {
    async fn map_outcome(self) -> Result<Outcome, &'static str> {
        self.await.map(|saved| saved.outcome).map_err(|error| code(&error))
    }
}
