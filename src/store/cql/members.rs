//! What the store is, and who takes part.

use super::CqlStore;
use super::outcome::{read_failed, unexpected, write_failed};
use crate::store::members::Membership;
use crate::store::{Member, Owner, StoreError, StoreIdentity};

/// There is one cluster in a pair of keyspaces.
const CLUSTER: i32 = 0;

impl CqlStore {
    /// What this store is; `proposed` becomes true if it is new.
    pub(super) async fn make_identity(&self, proposed: StoreIdentity) -> Result<StoreIdentity, StoreError> {
        if let Some(known) = self.read_identity().await? {
            return Ok(known);
        }
        let values = (i32::from(proposed.shards), &proposed.key[..]);
        // Whatever it answers, the row tells what became true.
        let asked = self.decide(&self.0.statements.meta.identity_put, values).await;
        match (self.read_identity().await?, asked) {
            (Some(known), _) => Ok(known),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(unexpected("store_identity", "it was written and is not there")),
        }
    }

    async fn read_identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        let statement = &self.0.statements.meta.identity_get;
        let answer = self.0.session.execute_unpaged(statement, ()).await.map_err(read_failed)?;
        let rows = answer.into_rows_result().map_err(|error| unexpected("store_identity", error))?;
        let row: Option<(i32, Vec<u8>)> =
            rows.maybe_first_row().map_err(|error| unexpected("store_identity", error))?;
        let Some((shards, key)) = row else { return Ok(None) };
        match (u16::try_from(shards), key.try_into()) {
            (Ok(shards), Ok(key)) => Ok(Some(StoreIdentity { shards, key })),
            _ => Err(unexpected("store_identity", "its shards or its key are out of range")),
        }
    }

    /// Writes that a node is alive. Only the node itself writes its row.
    pub(super) async fn write_beat(&self, owner: Owner, number: u64) -> Result<(), StoreError> {
        let node = owner.node.to_be_bytes();
        let values = (&node[..], owner.incarnation as i64, number as i64);
        let written = self.0.session.execute_unpaged(&self.0.statements.meta.beat, values).await;
        written.map(|_| ()).map_err(|error| write_failed(&error))
    }

    /// The version of the membership and its members.
    pub(super) async fn read_members(&self) -> Result<Membership, StoreError> {
        type Columns = (Option<i64>, Option<Vec<u8>>, Option<i64>, Option<String>, Option<bool>);
        let statement = &self.0.statements.meta.members_get;
        let answer = self.0.session.execute_unpaged(statement, (CLUSTER,)).await.map_err(read_failed)?;
        let rows = answer.into_rows_result().map_err(|error| unexpected("cluster_member", error))?;
        let rows = rows.rows::<Columns>().map_err(|error| unexpected("cluster_member", error))?;
        let mut membership = Membership::default();
        for row in rows {
            let (version, node, incarnation, address, alive) =
                row.map_err(|error| unexpected("cluster_member", error))?;
            membership.version = version.unwrap_or_default() as u64;
            let (Some(node), Some(incarnation), Some(address), Some(alive)) = (node, incarnation, address, alive)
            else {
                continue;
            };
            let node: [u8; 16] =
                node.try_into().map_err(|_| unexpected("cluster_member", "a node's id has not 16 bytes"))?;
            let owner = Owner { node: u128::from_be_bytes(node), incarnation: incarnation as u64 };
            membership.members.push(Member { owner, address, alive });
        }
        Ok(membership)
    }

    /// Adds or changes a member if the membership's version is still the expected one.
    pub(super) async fn write_member(&self, expect_version: u64, member: Member) -> Result<bool, StoreError> {
        let mut membership = self.read_members().await?;
        if !membership.change(expect_version, member.clone()) {
            return Ok(false);
        }
        let meta = &self.0.statements.meta;
        let node = member.owner.node.to_be_bytes();
        let (version, incarnation) = (membership.version as i64, member.owner.incarnation as i64);
        let verdict = if expect_version == 0 {
            let values = (version, incarnation, &member.address, member.alive, CLUSTER, &node[..]);
            self.decide(&meta.member_first, values).await
        } else {
            let known = expect_version as i64;
            let values = (version, incarnation, &member.address, member.alive, CLUSTER, &node[..], known);
            self.decide(&meta.member_put, values).await
        };
        match verdict {
            Ok(verdict) => Ok(verdict.applied),
            Err(StoreError::Unknown(why)) => {
                // Nobody else writes this node as we do, so its row tells.
                let now = self.read_members().await?;
                if now.version > membership.version {
                    return Err(StoreError::Unknown(why));
                }
                Ok(now.version == membership.version && now.members.contains(&member))
            }
            Err(error) => Err(error),
        }
    }
}
