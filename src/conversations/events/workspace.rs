//! What is said of a workspace's events: which part of it changed; names and details are read over REST.

use serde_json::json;

use super::Said;
use crate::domain::workspace::TemplateNews;
use crate::domain::workspace::{WorkspaceEvent, WorkspaceFact as Fact, status_word};

/// Whether only admins hear of it: credentials are nobody else's affair.
pub(super) const fn is_for_admins(event: &WorkspaceEvent) -> bool {
    matches!(event.what, Fact::ApiKeyAdded(..) | Fact::ApiKeyRevoked(_) | Fact::AppRegistered(..))
}

/// An event's word and data.
pub(super) fn say(event: &WorkspaceEvent) -> Said {
    if !event.is_public() {
        return None;
    }
    let author = event.author;
    let data = match &event.what {
        Fact::Created(_) | Fact::Renamed | Fact::SettingsChanged(_) => json!({ "author": author }),
        Fact::MemberAdded(member, details) | Fact::MemberChanged(member, details) => json!({
            "member": member, "role": details.role.word(), "teams": details.teams, "disabled": details.disabled,
            "author": author,
        }),
        Fact::MemberRemoved(member) => json!({ "member": member, "author": author }),
        Fact::TeamCreated(team) => json!({ "team": team, "author": author }),
        Fact::ApiKeyAdded(key, ..) | Fact::ApiKeyRevoked(key) => json!({ "key": key, "author": author }),
        Fact::AppRegistered(app, channel) => json!({ "app": app, "channel": channel, "author": author }),
        Fact::AccountConnected(account, details) => {
            json!({ "account": account, "channel": details.channel, "author": author })
        }
        Fact::AccountDisconnected(account) => json!({ "account": account, "author": author }),
        Fact::TemplatePut(template, details) => json!({
            "template": template, "name": details.name, "language": details.language,
            "status": status_word(details.status.1), "author": author,
        }),
        Fact::TemplateChanged(template, news) => match news {
            TemplateNews::Status(status) => json!({ "template": template, "status": status_word(*status) }),
            TemplateNews::Quality(quality) => json!({ "template": template, "quality": quality }),
            TemplateNews::Category(category) => json!({ "template": template, "category": category.word() }),
        },
        Fact::PropertyDefined(property, _) => json!({ "property": property, "author": author }),
        Fact::LabelDefined(label) => json!({ "label": label, "author": author }),
        Fact::ListCreated(list) | Fact::ListRenamed(list) | Fact::ListRemoved(list) => {
            json!({ "list": list, "author": author })
        }
        Fact::TokenIssued(..) | Fact::TokenRevoked(..) | Fact::AppSecretsChanged(..) | Fact::KeyUsed(_) => return None,
    };
    Some((event.word(), data))
}
