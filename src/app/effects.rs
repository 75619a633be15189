//! Carries what one actor decided to the actors and numbers it concerns. Every receiver is idempotent:
//! an effect may come again after a restart.

use std::sync::Arc;

use crate::broadcasts::Broadcasts;
use crate::contacts::Contacts;
use crate::domain::author::Author;
use crate::domain::conversation::{Answer, Command, Conversation, Link};
use crate::domain::effect::{Effect, EffectId};
use crate::domain::ids::ConversationId;
use crate::domain::limit::{LimitCommand, LimitScope};
use crate::domain::number::{Number, NumberCommand};
use crate::numbers::{Numbers, Reply};
use crate::shards::{Carrying, CommandError, EffectRunner, Shards};

/// Redirects that are followed.
const HOPS_MAX: usize = 8;

/// Carries effects on one arbiter.
pub(super) struct Effects {
    pub(super) shards: Arc<Shards>,
    pub(super) numbers: Arc<Numbers>,
    pub(super) contacts: Arc<Contacts>,
    pub(super) broadcasts: Arc<Broadcasts>,
}

impl EffectRunner for Effects {
    fn run(&self, id: EffectId, effect: Effect) -> Carrying {
        let (shards, numbers) = (Arc::clone(&self.shards), Arc::clone(&self.numbers));
        let (contacts, broadcasts) = (Arc::clone(&self.contacts), Arc::clone(&self.broadcasts));
        Box::pin(async move {
            match effect {
                Effect::Deliver { account, conversation, message, attempt, queued_at } => {
                    let reply = Reply { effect: id, conversation, message, attempt, queued_at };
                    numbers.deliver(account, reply).await
                }
                Effect::MarkRead { account, conversation, message } => {
                    numbers.be_courteous(account, conversation, message, false).await
                }
                Effect::LinkConversation { to, from, first_inbound, workspace, account, at } => {
                    let link = Link { from, first_inbound, workspace, account, at };
                    tell(&shards, to, &Command::Link(link)).await
                }
                Effect::AbsorbConversation { to, from, payload } => {
                    tell(&shards, to, &Command::Absorb { from, payload }).await
                }
                Effect::CopyAssignment { conversation, contact, assignment } => {
                    tell(&shards, conversation, &Command::CopyAssignment { contact, assignment }).await
                }
                Effect::NumberTrouble { account, code, at, class } => {
                    shards.ask::<Number>(account.0, NumberCommand::NumberTrouble { code, class, at }).await.map(drop)
                }
                Effect::SetLimitTier { scope, tier, at } => {
                    let command = LimitCommand::SetTier { tier, at, author: Author::System };
                    shards.ask::<LimitScope>(scope.0, command).await.map(drop)
                }
                Effect::AttributeReply { conversation, message, places, stopped } => {
                    broadcasts.attribute(conversation, message, &places, stopped).await
                }
                effect @ (Effect::ObserveContact { .. }
                | Effect::LinkContact { .. }
                | Effect::AbsorbContact { .. }
                | Effect::RecordConsent { .. }) => contacts.carry(&effect).await.unwrap_or(Ok(())),
            }
        })
    }
}

/// Tells a fact to a conversation, and to those it redirects to.
async fn tell(shards: &Shards, to: ConversationId, command: &Command) -> Result<(), CommandError> {
    let mut asked = to;
    for _ in 0..HOPS_MAX {
        match shards.ask::<Conversation>(asked.0, command.clone()).await? {
            Answer::Forward { to } => asked = to,
            Answer::NotYet => return Err(CommandError::unavailable()),
            _ => return Ok(()),
        }
    }
    Err(CommandError::unavailable())
}
