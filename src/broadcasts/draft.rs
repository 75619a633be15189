//! What people say a broadcast is to be, checked as far as it can be before it runs.

use std::collections::BTreeMap;

use super::{Audience, Broadcasts};
use crate::channels::{self, ChannelError};
use crate::domain::broadcast::job::{Broadcast, Doubtful, Plan, PrivateRows, SLOT_AUDIENCE, SLOT_MESSAGE, SLOT_NAME};
use crate::domain::broadcast::{CompiledMessage, UnclearMessage};
use crate::domain::contact::PropertyKey;
use crate::domain::entity::Entity;
use crate::domain::ids::{AccountId, WorkspaceId};
use crate::domain::message::MessageContent;
use crate::domain::refusal::Refusal;
use crate::domain::template_form::TemplateCategory;
use crate::domain::time::Timestamp;
use crate::domain::workspace::property_slot;
use crate::shards::CommandError;

/// Characters of a broadcast's name, at most.
const NAME_MAX_CHARS: usize = 200;

/// A broadcast as people write it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// The number it leaves by.
    pub account: AccountId,
    /// Whom it is for.
    pub audience: Audience,
    /// What it says; its texts may have variables.
    pub content: MessageContent,
    /// Whether a free message is marketing; a template's category says so itself.
    pub marketing: bool,
    /// What becomes of those of whom nobody knows whether they have it.
    pub doubtful: Doubtful,
    /// Nothing leaves after this.
    pub send_until: Option<Timestamp>,
    /// A rate of its own, in messages a second.
    pub rate_per_second: Option<u32>,
}

/// The properties of a workspace's contacts, by the names that variables use.
pub(super) struct PropertyNames {
    custom: BTreeMap<String, PropertyKey>,
}

impl PropertyNames {
    /// The property that a variable names: a built-in one by its word, another by its name or id.
    pub(super) fn key(&self, name: &str) -> Option<PropertyKey> {
        let built_in = PropertyKey::BUILT_IN.into_iter().find(|key| key.word() == name);
        built_in.or_else(|| self.custom.get(&name.to_lowercase()).copied())
    }
}

impl Broadcasts {
    /// The names that variables may use.
    pub(super) async fn property_names(&self, workspace: WorkspaceId) -> Result<PropertyNames, CommandError> {
        let state = self.workspaces.find(workspace).ok_or(Refusal::NotFound { what: "workspace" })?;
        let ids: Vec<_> = state.properties.keys().copied().collect();
        let slots: Vec<String> = ids.iter().map(|id| property_slot(*id)).collect();
        let names = self.workspaces.texts(workspace, &slots).await?;
        let mut custom = BTreeMap::new();
        for (id, name) in ids.into_iter().zip(names) {
            custom.insert(id.to_string(), PropertyKey::Custom(id));
            if let Some(name) = name {
                custom.entry(name.to_lowercase()).or_insert(PropertyKey::Custom(id));
            }
        }
        Ok(PropertyNames { custom })
    }

    /// The plan and the private rows of a draft.
    ///
    /// # Errors
    /// What is wrong with it, by its field.
    pub(super) async fn planned(
        &self,
        workspace: WorkspaceId,
        draft: &Draft,
    ) -> Result<(Plan, PrivateRows), CommandError> {
        let state = self.workspaces.find(workspace).ok_or(Refusal::NotFound { what: "workspace" })?;
        let account = state.accounts.get(&draft.account).ok_or(Refusal::NotFound { what: "account" })?;
        let name = draft.name.trim();
        if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
            return Err(invalid("name", format!("it has 1 to {NAME_MAX_CHARS} characters")).into());
        }
        draft.audience.check()?;
        for (index, list) in draft.audience.lists.iter().enumerate() {
            if !state.lists.contains(list) {
                return Err(invalid(&format!("audience.lists[{index}]"), "there is no such list".to_owned()).into());
            }
        }
        if let Some(of) = draft.audience.failed_of {
            let known = self.shards.view::<Broadcast, _>(of.0, Entity::workspace).await?;
            if known != Some(workspace) {
                return Err(invalid("audience.failed_of", "there is no such broadcast".to_owned()).into());
            }
        }
        channels::validate(account.channel, &draft.content).map_err(|error| match error {
            ChannelError::Refused(refusal) => refusal,
            _ => Refusal::CannotAnswer { why: "its channel is not connected yet" },
        })?;
        let names = self.property_names(workspace).await?;
        CompiledMessage::compile(draft.content.clone(), |name| names.key(name).is_some())
            .map_err(|error| unclear(&error))?;
        let marketing = match &draft.content {
            MessageContent::Template { name, language, fills } => {
                let template = state.template_for(draft.account, name, language);
                let (_, template) = template.ok_or(Refusal::NotFound { what: "template" })?;
                template.shape.check(fills)?;
                template.category.1 == TemplateCategory::Marketing
            }
            _ => draft.marketing,
        };
        let plan = Plan {
            account: draft.account,
            channel: account.channel,
            marketing,
            doubtful: draft.doubtful,
            send_until: draft.send_until,
            rate_per_second: draft.rate_per_second,
        };
        let rows = vec![
            (SLOT_NAME, name.as_bytes().to_vec()),
            (SLOT_AUDIENCE, written(&draft.audience)?),
            (SLOT_MESSAGE, written(&draft.content)?),
        ];
        Ok((plan, rows))
    }
}

/// The refusal that an unclear text is.
pub(super) fn unclear(error: &UnclearMessage) -> Refusal {
    invalid("content", error.to_string())
}

fn invalid(field: &str, why: String) -> Refusal {
    Refusal::Invalid { field: field.to_owned(), why }
}

/// JSON, so that a later version passes over what it does not know.
fn written(value: &impl serde::Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(value).map_err(|error| invalid("body", error.to_string()))
}

/// The audience in a private row.
pub(super) fn read_audience(row: Option<&[u8]>) -> Result<Audience, Refusal> {
    let row = row.ok_or(Refusal::NotFound { what: "audience" })?;
    serde_json::from_slice(row).map_err(|error| invalid("audience", error.to_string()))
}

/// The message in a private row.
pub(super) fn read_message(row: Option<&[u8]>) -> Result<MessageContent, Refusal> {
    let row = row.ok_or(Refusal::NotFound { what: "message" })?;
    serde_json::from_slice(row).map_err(|error| invalid("content", error.to_string()))
}
