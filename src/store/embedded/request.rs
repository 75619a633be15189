//! What the commit thread is asked.

use tokio::sync::oneshot;

use crate::store::{Fence, Lease, Member, Owner, Position, Put, StoreError, StoreIdentity};

/// Where an answer goes.
pub(super) type Reply<T, E = StoreError> = oneshot::Sender<Result<T, E>>;

/// One request; each is answered once its batch is written.
pub(super) enum Request {
    Identity {
        proposed: StoreIdentity,
        reply: Reply<StoreIdentity>,
    },
    PutFacts {
        rows: Vec<Put>,
        reply: Reply<()>,
    },
    Commit {
        lease: Lease,
        ts_us: i64,
        record: Vec<u8>,
        facts: Vec<Put>,
        reply: Reply<Position, Fence>,
    },
    Settle {
        lease: Lease,
        upto: Position,
        rows: Vec<Put>,
        reply: Reply<(), Fence>,
    },
    Acquire {
        shard: u16,
        owner: Owner,
        expect: Option<u64>,
        reply: Reply<Lease, Fence>,
    },
    Beat {
        owner: Owner,
        number: u64,
        reply: Reply<()>,
    },
    ChangeMember {
        expect_version: u64,
        member: Member,
        reply: Reply<bool>,
    },
    Close {
        reply: Reply<()>,
    },
    /// Stands for a commit under way: the thread takes nothing until the other end is dropped.
    #[cfg(test)]
    Hold {
        until: std::sync::mpsc::Receiver<()>,
        reply: Reply<()>,
    },
}
