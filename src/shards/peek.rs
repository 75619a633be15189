//! Committed states of many entities at once, for whoever looks at many. Nobody is woken.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;

use super::error::CommandError;
use super::kind::Kind;
use super::placement::Shards;

impl Shards {
    /// The committed states of entities, in the order asked; of one that never was, the state it would begin with. Shards
    /// answer side by side. All states are in memory at once: ask for some hundreds.
    ///
    /// # Errors
    /// A shard or the store did not answer.
    pub async fn peek<E: Kind>(&self, ids: &[u128]) -> Result<Vec<E>, CommandError> {
        let mut by_shard: BTreeMap<u16, (Vec<usize>, Vec<u128>)> = BTreeMap::new();
        for (place, id) in ids.iter().enumerate() {
            let (places, asked) = by_shard.entry(self.shard_of(*id)).or_default();
            places.push(place);
            asked.push(*id);
        }
        let read = by_shard.into_iter().map(|(shard, (places, asked))| async move {
            let states = self.on_async(shard, move |owner| async move { owner.peek::<E>(&asked).await }).await?;
            let states = states.map_err(|error| {
                tracing::warn!(%error, "failed to read entities");
                CommandError::unavailable()
            })?;
            Ok::<_, CommandError>((places, states))
        });
        let mut found: Vec<E> = Vec::new();
        found.resize_with(ids.len(), E::default);
        for (places, states) in try_join_all(read).await? {
            for (place, state) in places.into_iter().zip(states) {
                found[place] = state;
            }
        }
        Ok(found)
    }
}
