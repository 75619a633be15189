//! Every statement, prepared once: rows by plain writes, conditions by one statement each.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use scylla::client::execution_profile::ExecutionProfileHandle;
use scylla::client::session::Session;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};

use super::layout::{Layout, tables};
use crate::store::Table;

/// The statements of one table of rows. Values come in the order of the text.
pub(super) struct RowStatements {
    pub(super) layout: Layout,
    /// timestamp, TTL, value, pk\[, slice\], ck.
    pub(super) put: PreparedStatement,
    /// pk\[, slice\], ck.
    pub(super) get: PreparedStatement,
    /// pk\[, slice\], lowest ck, limit; and with a highest one before the limit. Upwards, then downwards.
    scans: Option<Box<[PreparedStatement; 4]>>,
}

impl RowStatements {
    /// The scan in this direction, with or without an upper bound; none where rows stand alone.
    pub(super) fn scan(&self, reverse: bool, bounded: bool) -> Option<&PreparedStatement> {
        Some(&self.scans.as_ref()?[usize::from(reverse) * 2 + usize::from(bounded)])
    }
}

/// The statements on the keyspace of conditions.
pub(super) struct MetaStatements {
    pub(super) identity_put: PreparedStatement,
    pub(super) identity_get: PreparedStatement,
    pub(super) lease_get: PreparedStatement,
    pub(super) lease_first: PreparedStatement,
    pub(super) lease_take: PreparedStatement,
    pub(super) lease_roll: PreparedStatement,
    pub(super) checkpoint: PreparedStatement,
    pub(super) fence_get: PreparedStatement,
    pub(super) fence_first: PreparedStatement,
    pub(super) fence: PreparedStatement,
    pub(super) append: PreparedStatement,
    pub(super) record_get: PreparedStatement,
    pub(super) last_record: PreparedStatement,
    pub(super) records: PreparedStatement,
    pub(super) beat: PreparedStatement,
    pub(super) members_get: PreparedStatement,
    pub(super) member_first: PreparedStatement,
    pub(super) member_put: PreparedStatement,
}

/// All of them.
pub(super) struct Statements {
    rows: HashMap<u8, RowStatements>,
    pub(super) slice_put: PreparedStatement,
    pub(super) slices_get: PreparedStatement,
    pub(super) meta: MetaStatements,
}

impl Statements {
    /// Prepares them; `conditions` is the profile of whatever is written or read on a condition.
    pub(super) async fn prepare(
        session: &Session,
        keyspace: &str,
        conditions: &ExecutionProfileHandle,
    ) -> Result<Arc<Self>, scylla::errors::PrepareError> {
        let rows = try_join_all(tables().map(|table| row_statements(session, keyspace, table))).await?;
        Ok(Arc::new(Self {
            rows: rows.into_iter().collect(),
            slice_put: plain(session, &format!("INSERT INTO {keyspace}.slice (pk, slice) VALUES (?, ?)")).await?,
            slices_get: plain(
                session,
                &format!("SELECT slice FROM {keyspace}.slice WHERE pk = ? AND slice >= ? AND slice <= ?"),
            )
            .await?,
            meta: meta_statements(session, &format!("{keyspace}_meta"), conditions).await?,
        }))
    }

    /// The statements of a table.
    pub(super) fn of(&self, table: u8) -> Option<&RowStatements> {
        self.rows.get(&table)
    }
}

async fn row_statements(
    session: &Session,
    keyspace: &str,
    table: Table,
) -> Result<(u8, RowStatements), scylla::errors::PrepareError> {
    let layout = Layout::of(table);
    let name = format!("{keyspace}.{}", table.word());
    let partition = if matches!(layout, Layout::Sliced { .. }) { "pk = ? AND slice = ?" } else { "pk = ?" };
    let put = format!("UPDATE {name} USING TIMESTAMP ? AND TTL ? SET value = ? WHERE {partition} AND ck = ?");
    let columns = "SELECT ck, value, writetime(value) FROM";
    let get = format!("{columns} {name} WHERE {partition} AND ck = ?");
    let scan = |order: &str, high: &str| {
        plain_owned(
            session,
            format!("{columns} {name} WHERE {partition} AND ck >= ?{high} ORDER BY ck {order} LIMIT ?"),
        )
    };
    let scans = match layout {
        Layout::Point => None,
        _ => Some(Box::new([
            scan("ASC", "").await?,
            scan("ASC", " AND ck < ?").await?,
            scan("DESC", "").await?,
            scan("DESC", " AND ck < ?").await?,
        ])),
    };
    let statements =
        RowStatements { layout, put: plain(session, &put).await?, get: plain(session, &get).await?, scans };
    Ok((table as u8, statements))
}

async fn meta_statements(
    session: &Session,
    meta: &str,
    conditions: &ExecutionProfileHandle,
) -> Result<MetaStatements, scylla::errors::PrepareError> {
    let write = |text: String| async move {
        let mut statement = session.prepare(text).await?;
        statement.set_execution_profile_handle(Some(conditions.clone()));
        Ok::<_, scylla::errors::PrepareError>(statement)
    };
    // What another owner may be writing just now is finished first.
    let read = |text: String| async move {
        let mut statement = session.prepare(text).await?;
        statement.set_execution_profile_handle(Some(conditions.clone()));
        statement.set_consistency(Consistency::LocalSerial);
        statement.set_is_idempotent(true);
        Ok::<_, scylla::errors::PrepareError>(statement)
    };
    let records = "position, writer, ts_us, payload";
    Ok(MetaStatements {
        identity_put: write(format!(
            "INSERT INTO {meta}.store_identity (id, shards, hash_key) VALUES (1, ?, ?) IF NOT EXISTS"
        ))
        .await?,
        identity_get: read(format!("SELECT shards, hash_key FROM {meta}.store_identity WHERE id = 1")).await?,
        lease_get: read(format!(
            "SELECT epoch, owner, incarnation, segment, checkpoint, checkpoint_ts_us FROM {meta}.shard_lease \
             WHERE shard = ?"
        ))
        .await?,
        lease_first: write(format!(
            "UPDATE {meta}.shard_lease SET epoch = ?, owner = ?, incarnation = ?, segment = 0, checkpoint = 0, \
             checkpoint_ts_us = 0 WHERE shard = ? IF epoch = null"
        ))
        .await?,
        lease_take: write(format!(
            "UPDATE {meta}.shard_lease SET epoch = ?, owner = ?, incarnation = ? WHERE shard = ? IF epoch = ?"
        ))
        .await?,
        lease_roll: write(format!(
            "UPDATE {meta}.shard_lease SET segment = ? WHERE shard = ? IF epoch = ? AND segment <= ?"
        ))
        .await?,
        checkpoint: write(format!(
            "UPDATE {meta}.shard_lease SET checkpoint = ?, checkpoint_ts_us = ? WHERE shard = ? IF epoch = ? \
             AND checkpoint <= ?"
        ))
        .await?,
        fence_get: read(format!("SELECT epoch FROM {meta}.shard_journal WHERE shard = ? AND segment = ? LIMIT 1"))
            .await?,
        // Longer than the records live: an owner's own segment must not lose its epoch while the owner is idle.
        fence_first: write(format!(
            "UPDATE {meta}.shard_journal USING TTL 2592000 SET epoch = ? WHERE shard = ? AND segment = ? \
             IF epoch = null"
        ))
        .await?,
        fence: write(format!(
            "UPDATE {meta}.shard_journal USING TTL 2592000 SET epoch = ? WHERE shard = ? AND segment = ? IF epoch = ?"
        ))
        .await?,
        append: write(format!(
            "UPDATE {meta}.shard_journal SET writer = ?, ts_us = ?, payload = ? WHERE shard = ? AND segment = ? \
             AND position = ? IF epoch = ? AND ts_us = null"
        ))
        .await?,
        record_get: read(format!(
            "SELECT {records} FROM {meta}.shard_journal WHERE shard = ? AND segment = ? AND position = ?"
        ))
        .await?,
        last_record: read(format!(
            "SELECT position, ts_us FROM {meta}.shard_journal WHERE shard = ? AND segment = ? AND position > 0 \
             ORDER BY position DESC LIMIT 1"
        ))
        .await?,
        records: read(format!(
            "SELECT {records} FROM {meta}.shard_journal WHERE shard = ? AND segment = ? AND position > ? LIMIT ?"
        ))
        .await?,
        beat: plain(
            session,
            &format!("INSERT INTO {meta}.node_beat (cluster, node, incarnation, beat) VALUES (0, ?, ?, ?)"),
        )
        .await?,
        members_get: read(format!(
            "SELECT version, node, incarnation, address, alive FROM {meta}.cluster_member WHERE cluster = ?"
        ))
        .await?,
        member_first: write(format!(
            "UPDATE {meta}.cluster_member SET version = ?, incarnation = ?, address = ?, alive = ? \
             WHERE cluster = ? AND node = ? IF version = null"
        ))
        .await?,
        member_put: write(format!(
            "UPDATE {meta}.cluster_member SET version = ?, incarnation = ?, address = ?, alive = ? \
             WHERE cluster = ? AND node = ? IF version = ?"
        ))
        .await?,
    })
}

/// A statement that may be sent again: it carries its own timestamp, or only reads.
async fn plain(session: &Session, text: &str) -> Result<PreparedStatement, scylla::errors::PrepareError> {
    let mut statement = session.prepare(text).await?;
    statement.set_is_idempotent(true);
    Ok(statement)
}

async fn plain_owned(session: &Session, text: String) -> Result<PreparedStatement, scylla::errors::PrepareError> {
    plain(session, &text).await
}

/// How the conditions are decided: within this datacenter.
pub(super) const DECIDED: SerialConsistency = SerialConsistency::LocalSerial;
