//! One item, brought to the actors it concerns.

use super::Ingress;
use super::facts::{self, Target};
use crate::broken::{self, Fault};
use crate::domain::author::Author;
use crate::domain::broadcast::Evidence;
use crate::domain::broadcast::chunk::{Chunk, ChunkCommand};
use crate::domain::conversation::{Answer, Command, Conversation};
use crate::domain::ids::ConversationId;
use crate::domain::inbound::{AccountEvent, AccountRef, InboundKind, InboundReceipt};
use crate::domain::limit::{LimitCommand, LimitScope};
use crate::domain::message::MessageStatus;
use crate::domain::number::{Number, NumberCommand};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::workspace::{Workspace, WorkspaceCommand};
use crate::shards::{CommandError, DeferredItem};

/// Redirects that are followed: a thread was merged at most a few times.
const HOPS_MAX: usize = 8;

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// It is in the log of everyone it concerns.
    Taken,
    /// It is a receipt for a message that nobody here knows yet.
    Unmatched,
}

impl Ingress {
    /// Tells an item to the actors it concerns.
    pub(super) async fn carry(&self, item: &DeferredItem) -> Result<Carried, CommandError> {
        let keys = &self.shards.node().keys;
        match &item.item.kind {
            InboundKind::Message(message) => self.tell(item, || facts::receive(keys, item, message)).await,
            InboundKind::Receipt(receipt) => self.carry_receipt(item, receipt).await,
            InboundKind::Echo { .. }
            | InboundKind::IdentityChanged { .. }
            | InboundKind::MarketingPreference { .. } => self.tell(item, || facts::personal(keys, item)).await,
            InboundKind::Account(event) => self.carry_account_event(item, event).await,
            InboundKind::Unknown { .. } => self.keep_unknown(item).await,
        }
    }

    async fn tell(&self, item: &DeferredItem, say: impl Fn() -> Option<Command>) -> Result<Carried, CommandError> {
        match facts::target(&self.shards.node().keys, item) {
            Some(Target::Conversation(first)) => self.follow(first, say).await,
            Some(Target::Account(_) | Target::Chunk(_)) | None => Ok(Carried::Taken),
        }
    }

    /// Asks a conversation, and those it redirects to. Each is told anew: few redirect, and a copy kept for them would
    /// be made for all. What tells nobody anything is taken.
    async fn follow(&self, first: ConversationId, say: impl Fn() -> Option<Command>) -> Result<Carried, CommandError> {
        let mut asked = first;
        for _ in 0..HOPS_MAX {
            let Some(command) = say() else { return Ok(Carried::Taken) };
            match self.shards.ask::<Conversation>(asked.0, command).await? {
                Answer::Forward { to } => asked = to,
                Answer::NotYet => return Err(CommandError::unavailable()),
                Answer::Unmatched => return Ok(Carried::Unmatched),
                _ => return Ok(Carried::Taken),
            }
        }
        Err(CommandError::unavailable())
    }

    /// Receipts of one chunk's recipients are one fact, at most 1,000 together.
    pub(super) async fn carry_evidence(&self, items: &[DeferredItem]) -> Result<Carried, CommandError> {
        let Some(first) = items.first() else { return Ok(Carried::Taken) };
        let evidence = items.iter().filter_map(|item| match &item.item.kind {
            InboundKind::Receipt(said) => facts::broadcast(said).map(|(.., evidence)| {
                if broken::happens(Fault::MiscountReceipt) { miscounted(evidence) } else { evidence }
            }),
            _ => None,
        });
        let Some(Target::Chunk(chunk)) = facts::target(&self.shards.node().keys, first) else {
            return Ok(Carried::Unmatched);
        };
        let command = ChunkCommand::RecordReceipts { account: first.account, evidence: evidence.collect() };
        match self.shards.ask::<Chunk>(chunk, command).await {
            Ok(_) => Ok(Carried::Taken),
            // Nothing of ours: somebody else's token, or a broadcast that is gone.
            Err(CommandError::Refused(Refusal::NotFound { .. })) => Ok(Carried::Unmatched),
            Err(error) => Err(error),
        }
    }

    /// A receipt goes to the conversation that its token names, else to the one that sent the message.
    async fn carry_receipt(&self, item: &DeferredItem, said: &InboundReceipt) -> Result<Carried, CommandError> {
        if facts::broadcast(said).is_some() {
            return self.carry_evidence(std::slice::from_ref(item)).await;
        }
        if let Some((thread, _, _)) = facts::token(said) {
            return self.follow(thread, || Some(facts::receipt(item, thread, said))).await;
        }
        if let Some((thread, _, _)) = self.shards.message_of_provider(item.account, &said.provider_id).await? {
            return self.follow(thread, || Some(facts::receipt(item, thread, said))).await;
        }
        match facts::target(&self.shards.node().keys, item) {
            Some(Target::Conversation(thread)) => {
                self.follow(thread, || Some(facts::receipt(item, thread, said))).await
            }
            _ => Ok(Carried::Unmatched),
        }
    }

    /// What concerns an account goes to its number, its limit and its workspace's templates.
    async fn carry_account_event(&self, item: &DeferredItem, event: &AccountEvent) -> Result<Carried, CommandError> {
        let at = self.said_at(item);
        match event {
            AccountEvent::TemplateStatusChanged { .. }
            | AccountEvent::TemplateQualityChanged { .. }
            | AccountEvent::TemplateCategoryChanged { .. } => {
                let business_id = match &item.item.account {
                    AccountRef::Business(id) | AccountRef::Display { business: id, .. } => Some(id.clone()),
                    AccountRef::Account(_) => None,
                };
                let command = WorkspaceCommand::ApplyTemplateEvent { business_id, event: event.clone(), at };
                self.shards.ask::<Workspace>(item.workspace.0, command).await?;
            }
            AccountEvent::LimitChanged { tier } => {
                if let Some(scope) = self.workspaces.limit_scope(item.workspace, item.account) {
                    let command = LimitCommand::SetTier { tier: *tier, at, author: Author::System };
                    self.shards.ask::<LimitScope>(scope.0, command).await?;
                }
            }
            _ => {
                let command = NumberCommand::ApplyAccountEvent { event: event.clone(), at };
                self.shards.ask::<Number>(item.account.0, command).await?;
            }
        }
        Ok(Carried::Taken)
    }

    /// Account events carry no time of their own in this form: their arrival stands for it.
    fn said_at(&self, item: &DeferredItem) -> Timestamp {
        item.item.at.unwrap_or(item.arrived_at)
    }

    /// A kind that nobody here knows is kept as it came.
    async fn keep_unknown(&self, item: &DeferredItem) -> Result<Carried, CommandError> {
        let id = self.shards.delivery_id(item.app, item.item.item_id.as_bytes());
        let reason = crate::shards::KeptReason::Unknown;
        let kept = facts::kept(reason, item.channel, item.app, Some(item.workspace), item.arrived_at, &item.item);
        self.shards.keep(&[(id, kept)]).await?;
        Ok(Carried::Taken)
    }
}

/// Another status than was told, for a fault on order. What is told too high stays so whatever is told later.
fn miscounted(said: Evidence) -> Evidence {
    let status = if said.status == MessageStatus::Read { MessageStatus::Delivered } else { MessageStatus::Read };
    Evidence { status, refused: None, ..said }
}
