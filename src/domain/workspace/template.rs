//! A template as the provider knows it: approved or not, and what it takes.

use serde::{Deserialize, Serialize};

use super::template_shape::TemplateShape;
use crate::domain::ids::{Keyring, TemplateId, WorkspaceId};
use crate::domain::inbound::{AccountEvent, Quality, TemplateStatus};
use crate::domain::message::TemplateFill;
use crate::domain::refusal::Refusal;
use crate::domain::template_form::TemplateCategory;
use crate::domain::time::Timestamp;
use crate::domain::window::billing::Category;

/// The word of a status.
#[must_use]
pub const fn status_word(status: TemplateStatus) -> &'static str {
    match status {
        TemplateStatus::Approved => "approved",
        TemplateStatus::Pending => "pending",
        TemplateStatus::Rejected => "rejected",
        TemplateStatus::Paused => "paused",
        TemplateStatus::Disabled => "disabled",
    }
}

/// One template in one language. Its components are a private row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its name at the provider.
    pub name: String,
    /// Its language, as `pt_PT`.
    pub language: String,
    /// The business account that holds it; none where the platform has none.
    pub business_id: Option<String>,
    /// What it is for, and when that was said.
    pub category: (Timestamp, TemplateCategory),
    /// Whether it may be sent, and when that was said.
    pub status: (Timestamp, TemplateStatus),
    /// The provider's grade, and when that was said.
    pub quality: (Timestamp, Quality),
    /// Which parameters it takes.
    pub shape: TemplateShape,
}

/// What a provider says of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TemplateNews {
    /// Its status.
    #[serde(rename = "st")]
    Status(TemplateStatus),
    /// Its grade.
    #[serde(rename = "ql")]
    Quality(Quality),
    /// Its category.
    #[serde(rename = "ca")]
    Category(TemplateCategory),
}

impl TemplateNews {
    /// The template named by an event about the account and what it says; none for other events.
    #[must_use]
    pub fn of(event: &AccountEvent) -> Option<(&str, &str, Self)> {
        match event {
            AccountEvent::TemplateStatusChanged { name, language, status, .. } => {
                Some((name, language, Self::Status(*status)))
            }
            AccountEvent::TemplateQualityChanged { name, language, quality } => {
                Some((name, language, Self::Quality(*quality)))
            }
            AccountEvent::TemplateCategoryChanged { name, language, category } => {
                TemplateCategory::from_word(category).map(|category| (&**name, &**language, Self::Category(category)))
            }
            _ => None,
        }
    }
}

/// How bad a status is: of two that were said at one moment the worse stands.
const fn gravity(status: TemplateStatus) -> u8 {
    match status {
        TemplateStatus::Approved => 0,
        TemplateStatus::Pending => 1,
        TemplateStatus::Paused => 2,
        TemplateStatus::Rejected => 3,
        TemplateStatus::Disabled => 4,
    }
}

impl Template {
    /// Whether what was said at `at` stands against what is known.
    #[must_use]
    pub fn is_changed_by(&self, news: TemplateNews, at: Timestamp) -> bool {
        match news {
            TemplateNews::Status(status) => (at, gravity(status)) > (self.status.0, gravity(self.status.1)),
            TemplateNews::Quality(quality) => at > self.quality.0 || (at == self.quality.0 && quality < self.quality.1),
            TemplateNews::Category(category) => (at, category.word()) > (self.category.0, self.category.1.word()),
        }
    }

    /// Takes what was said.
    pub(super) fn hear(&mut self, news: TemplateNews, at: Timestamp) {
        match news {
            TemplateNews::Status(status) => self.status = (at, status),
            TemplateNews::Quality(quality) => self.quality = (at, quality),
            TemplateNews::Category(category) => self.category = (at, category),
        }
    }

    /// What a message made of it is charged as.
    #[must_use]
    pub const fn charged_as(&self) -> Category {
        match self.category.1 {
            TemplateCategory::Marketing => Category::Marketing,
            TemplateCategory::Utility => Category::Utility,
            TemplateCategory::Authentication => Category::Authentication,
        }
    }

    /// Whether it may be sent with these parameters.
    ///
    /// # Errors
    /// [`Refusal::TemplateNotSendable`] unless it is approved; [`Refusal::Invalid`] for wrong parameters.
    pub fn may_send(&self, fills: &[TemplateFill]) -> Result<(), Refusal> {
        match self.status.1 {
            TemplateStatus::Approved => self.shape.check(fills),
            status => Err(Refusal::TemplateNotSendable { status: status_word(status) }),
        }
    }
}

/// The language as templates are kept by: platforms write `pt-PT` and `pt_PT`.
#[must_use]
pub fn language_code(language: &str) -> String {
    language.replace('-', "_")
}

/// The id of a template: the same name in the same language of one business account is the same template.
#[must_use]
pub fn template_id(
    keys: &Keyring,
    workspace: WorkspaceId,
    business_id: Option<&str>,
    name: &str,
    language: &str,
) -> TemplateId {
    let key = format!("{}/{name}/{}", business_id.unwrap_or_default(), language_code(language));
    TemplateId(keys.keyed(workspace, "template", &key))
}

/// The private row that holds a template's components, as the platform writes them.
#[must_use]
pub fn components_slot(id: TemplateId) -> String {
    format!("template/{id}/components")
}
