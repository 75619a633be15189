//! What a call needs to know of its account: where it goes, who sends, and with which token.

use std::rc::Rc;

use crate::domain::entity::EntityKind;
use crate::domain::ids::{AccountId, LimitScopeId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::number::{Number, ReplyClaim, SLOT_ACCESS_TOKEN, SLOT_BASE_URL};
use crate::domain::refusal::Refusal;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::providers::http::{BaseUrl, Bearer};
use crate::shards::{CommandError, Shards};

/// A connected account, as of one version of its number.
pub(super) struct Account {
    /// The number's version that this shows.
    pub(super) version: u64,
    pub(super) workspace: WorkspaceId,
    pub(super) channel: Channel,
    /// The provider's id of the number.
    pub(super) sender: String,
    pub(super) limit_scope: LimitScopeId,
    pub(super) base_url: BaseUrl,
    pub(super) bearer: Option<Bearer>,
}

/// Where a number stands now.
pub(super) struct Standing {
    pub(super) version: u64,
    pub(super) rate_now: u32,
    pub(super) may_send: Result<(), Refusal>,
    pub(super) may_initiate: Result<(), Refusal>,
}

/// Reads where a number stands.
pub(super) async fn standing(shards: &Shards, id: AccountId, now: Timestamp) -> Result<Standing, CommandError> {
    let rules = shards.node().options.rules;
    shards
        .view::<Number, _>(id.0, move |number| Standing {
            version: number.version,
            rate_now: number.rate_now(&rules, now),
            may_send: number.may_send(now),
            may_initiate: number.may_initiate(now),
        })
        .await
}

/// Replies that were claimed before this process began, or by it, and have no outcome.
pub(super) async fn open_claims(shards: &Shards, id: AccountId) -> Result<Vec<(ReplyClaim, Timestamp)>, CommandError> {
    shards.view::<Number, _>(id.0, Number::open_claims).await
}

/// Reads an account and its private rows.
pub(super) async fn load(shards: &Shards, id: AccountId, graph_url: &str) -> Result<Rc<Account>, CommandError> {
    let (version, connection) =
        shards.view::<Number, _>(id.0, |number| (number.version, number.connection.clone())).await?;
    let connection = connection.ok_or(Refusal::NotFound { what: "number" })?;
    let base_url = text(shards, id, SLOT_BASE_URL).await?.unwrap_or_else(|| graph_url.to_owned());
    let base_url = BaseUrl::parse(&base_url)
        .map_err(|error| Refusal::Invalid { field: "base_url".to_owned(), why: error.to_string() })?;
    let bearer = text(shards, id, SLOT_ACCESS_TOKEN).await?.map(|token| Bearer::new(&Secret::new(token)));
    Ok(Rc::new(Account {
        version,
        workspace: connection.workspace,
        channel: connection.channel,
        sender: connection.provider_id,
        limit_scope: connection.limit_scope,
        base_url,
        bearer,
    }))
}

async fn text(shards: &Shards, id: AccountId, slot: &str) -> Result<Option<String>, CommandError> {
    let bytes = shards.private(EntityKind::Number, id.0, slot).await?;
    Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|text| !text.is_empty()))
}
