//! A chunk on its shard: a claim survives the process that took it, its doubt ends by itself, and no feed has it.

use super::commands::WORKSPACE;
use super::feed::feed_of;
use super::rig::Rig;
use crate::domain::broadcast::chunk::{BlockClaim, Chunk, ChunkAnswer, ChunkCommand, Frozen};
use crate::domain::broadcast::{RecipientState, Tally};
use crate::domain::ids::{AccountId, BroadcastId};
use crate::domain::status::DOUBT;

const CHUNK: u128 = 77;

async fn tally(rig: &Rig) -> Tally {
    rig.shards.view::<Chunk, _>(CHUNK, |chunk| *chunk.tally()).await.unwrap()
}

#[actix::test]
async fn a_claim_outlives_its_process_and_doubt_ends_in_time() {
    let rig = Rig::new().await;
    let frozen = Frozen {
        workspace: WORKSPACE,
        broadcast: BroadcastId(2),
        chunk: 0,
        account: AccountId(4),
        recipients: 10,
        send_until: None,
    };
    rig.ask::<Chunk>(CHUNK, ChunkCommand::Freeze { frozen }).await.unwrap();
    let claim = BlockClaim { claim: 1, owner: 1, take: vec![0, 1, 2], ..BlockClaim::default() };
    let answer = rig.ask::<Chunk>(CHUNK, ChunkCommand::ClaimBlock(claim.clone())).await.unwrap();
    assert_eq!(answer, ChunkAnswer::Claimed { recipients: vec![(0, 1), (1, 1), (2, 1)] });
    let before = tally(&rig).await;

    let rig = rig.killed().await;
    assert_eq!(tally(&rig).await, before);
    assert_eq!(rig.ask::<Chunk>(CHUNK, ChunkCommand::ClaimBlock(claim)).await.unwrap(), answer, "the same claim");
    rig.ask::<Chunk>(CHUNK, ChunkCommand::DoubtClaims { owner: 2 }).await.unwrap();
    assert_eq!(tally(&rig).await.of(RecipientState::InDoubt), 3);

    // The wake-up is a row of the shard: the next process has it too.
    rig.shards.settle_all().await.unwrap();
    let rig = rig.killed().await;
    rig.advance(DOUBT.as_secs());
    rig.until(async |rig| tally(rig).await.of(RecipientState::Unconfirmed) == 3).await;
    assert_eq!(tally(&rig).await.of(RecipientState::Pending), 7);
    assert!(feed_of(&rig, WORKSPACE, 100).await.is_empty());
}
