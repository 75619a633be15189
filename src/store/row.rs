//! Wide rows: a partition, an ordered key within it, bytes, a timestamp and a time to live.

use std::ops::Bound;

/// Every table. The number is stored: append only; 16 and 19 stay free. `cql/` names each in the words below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// What the store is.
    Meta = 1,
    /// Snapshots of entities: (kind, id).
    Entity = 2,
    /// Messages of a thread: (conversation; time, message).
    Message = 3,
    /// Receipts: (conversation; time, message, attempt, status).
    Receipt = 4,
    /// Our message behind a provider's id: (account, provider id).
    ProviderRef = 5,
    /// What an address is: (address).
    Address = 6,
    /// Gate: until when a conversation may be answered: (conversation).
    WindowGate = 7,
    /// Gate: consent: (workspace, channel, address; topic).
    ConsentGate = 8,
    /// Private values of an entity: (kind, id; slot).
    Private = 9,
    /// Effects not yet answered: (shard; position, index).
    Outbox = 10,
    /// Wake-ups: (shard; due, kind, id).
    Timer = 11,
    /// Summaries of conversations for lists: (workspace, shard; conversation).
    Inbox = 12,
    /// Feed: one row a record and workspace: (workspace, shard; position).
    Feed = 13,
    /// Facts that no owner has taken yet: (shard; arrival, item).
    Ingress = 14,
    /// Deliveries that are unrouted, unreadable or parked: (delivery).
    Delivery = 15,
    /// Contacts of a workspace: (workspace, slice; contact).
    ContactList = 17,
    /// Workspaces: ("all"; workspace).
    WorkspaceList = 18,
    /// Kept deliveries by time, for listing: (app, reason; time, delivery).
    DeliveryList = 20,
    /// Who is on a list, and who no longer: (list, slice; contact).
    ListMember = 21,
    /// Who the recipients of a chunk are: (chunk; first index), 200 to a row.
    Recipient = 22,
    /// Broadcasts of a shard: (shard; workspace, created, broadcast).
    BroadcastList = 23,
    /// Messages of broadcasts in a thread: (conversation; claimed, chunk, index).
    ThreadReference = 24,
    /// Provider's ids of a claim: (chunk; claim, first index).
    BlockOutcome = 25,
}

impl Table {
    pub(super) const ALL: [Self; 23] = [
        Self::Meta,
        Self::Entity,
        Self::Message,
        Self::Receipt,
        Self::ProviderRef,
        Self::Address,
        Self::WindowGate,
        Self::ConsentGate,
        Self::Private,
        Self::Outbox,
        Self::Timer,
        Self::Inbox,
        Self::Feed,
        Self::Ingress,
        Self::Delivery,
        Self::ContactList,
        Self::WorkspaceList,
        Self::DeliveryList,
        Self::ListMember,
        Self::Recipient,
        Self::BroadcastList,
        Self::ThreadReference,
        Self::BlockOutcome,
    ];

    /// The table of a stored number; none if this program does not know it.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| *table as u8 == number)
    }

    /// The word for error messages and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Entity => "entity",
            Self::Message => "message",
            Self::Receipt => "receipt",
            Self::ProviderRef => "provider_ref",
            Self::Address => "address",
            Self::WindowGate => "window_gate",
            Self::ConsentGate => "consent_gate",
            Self::Private => "private",
            Self::Outbox => "outbox",
            Self::Timer => "timer",
            Self::Inbox => "inbox",
            Self::Feed => "feed",
            Self::Ingress => "ingress",
            Self::Delivery => "delivery",
            Self::ContactList => "contact_list",
            Self::WorkspaceList => "workspace_list",
            Self::DeliveryList => "delivery_list",
            Self::ListMember => "list_member",
            Self::Recipient => "recipient",
            Self::BroadcastList => "broadcast_list",
            Self::ThreadReference => "thread_reference",
            Self::BlockOutcome => "block_outcome",
        }
    }

    /// Whether every write of a key carries the same bytes, or comes from one writer in order, with timestamps that
    /// rise: then an engine need not look for a newer row before it writes.
    #[must_use]
    pub const fn in_order(self) -> bool {
        !matches!(
            self,
            Self::Address | Self::WindowGate | Self::ConsentGate | Self::Private | Self::ListMember | Self::Recipient
        )
    }
}

/// The key of a row in one buffer: table, length of the partition key, partition key, clustering key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(Vec<u8>);

impl RowKey {
    /// A key; the partition key has 1 to 65,535 bytes.
    #[must_use]
    pub fn new(table: Table, pk: &[u8], ck: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(3 + pk.len() + ck.len());
        bytes.push(table as u8);
        bytes.extend_from_slice(&(pk.len() as u16).to_be_bytes());
        bytes.extend_from_slice(pk);
        bytes.extend_from_slice(ck);
        Self(bytes)
    }

    /// The whole key, as an ordered engine keeps it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number of the table.
    #[must_use]
    pub fn table(&self) -> u8 {
        self.0[0]
    }

    /// The partition key.
    #[must_use]
    pub fn pk(&self) -> &[u8] {
        &self.0[3..3 + self.pk_len()]
    }

    /// The clustering key.
    #[must_use]
    pub fn ck(&self) -> &[u8] {
        &self.0[3 + self.pk_len()..]
    }

    /// The whole key, taken out.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn pk_len(&self) -> usize {
        usize::from(u16::from_be_bytes([self.0[1], self.0[2]]))
    }
}

/// A row to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Which row.
    pub key: RowKey,
    /// Its bytes; none deletes it.
    pub value: Option<Vec<u8>>,
    /// Its timestamp in microseconds: an older one never overwrites a newer one.
    pub ts_us: i64,
    /// Seconds it lives; 0 is for ever.
    pub ttl_s: u32,
}

impl Put {
    /// A row that lives for ever.
    #[must_use]
    pub fn new(table: Table, pk: &[u8], ck: &[u8], value: Vec<u8>, ts_us: i64) -> Self {
        Self { key: RowKey::new(table, pk, ck), value: Some(value), ts_us, ttl_s: 0 }
    }

    /// The end of a row.
    #[must_use]
    pub fn delete(table: Table, pk: &[u8], ck: &[u8], ts_us: i64) -> Self {
        Self { key: RowKey::new(table, pk, ck), value: None, ts_us, ttl_s: 0 }
    }
}

/// A row that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its clustering key.
    pub ck: Vec<u8>,
    /// Its bytes.
    pub value: Vec<u8>,
    /// Its timestamp in microseconds.
    pub ts_us: i64,
}

/// Which rows of a partition, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRange {
    /// The lowest clustering key.
    pub from: Bound<Vec<u8>>,
    /// The highest clustering key.
    pub to: Bound<Vec<u8>>,
    /// From the highest to the lowest.
    pub reverse: bool,
    /// At most so many rows, 1 to 10,000.
    pub limit: usize,
}

impl ScanRange {
    /// The first `limit` rows of the partition.
    #[must_use]
    pub const fn first(limit: usize) -> Self {
        Self { from: Bound::Unbounded, to: Bound::Unbounded, reverse: false, limit }
    }

    /// The last `limit` rows of the partition, highest key first.
    #[must_use]
    pub const fn last(limit: usize) -> Self {
        Self { from: Bound::Unbounded, to: Bound::Unbounded, reverse: true, limit }
    }

    /// The same, only after this clustering key (in the direction of the scan).
    #[must_use]
    pub fn after(mut self, ck: Vec<u8>) -> Self {
        if self.reverse {
            self.to = Bound::Excluded(ck);
        } else {
            self.from = Bound::Excluded(ck);
        }
        self
    }
}

/// Rows that were read, and whether there are more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows, in the order asked.
    pub rows: Vec<Row>,
    /// Whether the limit cut the scan short: go on after the last row's key.
    pub more: bool,
}
