//! `/v1/workspace`: the asker's own workspace, its name and what it chose.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::ids::WorkspaceId;
use crate::domain::recall::Asked;
use crate::domain::workspace::{NAME_SLOT, Scope, Settings, WorkspaceChange};
use crate::http::etag::etag;
use crate::http::idempotency::Terms;
use crate::http::json::Body;
use crate::http::rest::given::given;
use crate::http::{Asker, Edge, Problem};

/// The longest time after which messages are erased, in days: ten years.
const RETENTION_DAYS_MAX: u32 = 3_650;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/v1/workspace").route(web::get().to(read)).route(web::patch().to(change)));
}

#[derive(Serialize)]
struct Shown {
    id: WorkspaceId,
    name: Option<String>,
    version: u64,
    settings: ShownSettings,
}

#[derive(Serialize)]
struct ShownSettings {
    retention_days: Option<u32>,
    enforce_reply_lease: bool,
    marketing_needs_opt_in: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    name: Option<String>,
    settings: Option<SettingsEdit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsEdit {
    #[serde(default, deserialize_with = "given")]
    retention_days: Option<Option<u32>>,
    enforce_reply_lease: Option<bool>,
    marketing_needs_opt_in: Option<bool>,
}

impl SettingsEdit {
    fn onto(&self, known: Settings) -> Result<Settings, Problem> {
        let retention_days = self.retention_days.unwrap_or(known.retention_days);
        if retention_days.is_some_and(|days| !(1..=RETENTION_DAYS_MAX).contains(&days)) {
            let why = format!("1 to {RETENTION_DAYS_MAX} days, or null to keep everything");
            return Err(Problem::invalid("settings.retention_days", why));
        }
        Ok(Settings {
            retention_days,
            enforce_reply_lease: self.enforce_reply_lease.unwrap_or(known.enforce_reply_lease),
            marketing_needs_opt_in: self.marketing_needs_opt_in.unwrap_or(known.marketing_needs_opt_in),
        })
    }
}

async fn read(asker: Asker, edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceRead)?;
    show(&edge, &asker).await
}

async fn change(asker: Asker, edge: web::Data<Edge>, terms: Terms, body: Body<Edit>) -> Result<HttpResponse, Problem> {
    asker.needs(Scope::WorkspaceWrite)?;
    let mut asked = terms.asked(asker.author, asker.workspace, &body.bytes);
    if let Some(edit) = &body.value.settings {
        let settings = edit.onto(super::state(&edge, &asker)?.settings)?;
        edge.workspaces.change(asker.workspace, asked, WorkspaceChange::ChangeSettings { settings }).await?;
        // One request names one version and one key: they are the first change's.
        asked = Asked::by(asker.author);
    }
    if let Some(name) = body.value.name {
        edge.workspaces.change(asker.workspace, asked, WorkspaceChange::Rename { name }).await?;
    }
    show(&edge, &asker).await
}

async fn show(edge: &Edge, asker: &Asker) -> Result<HttpResponse, Problem> {
    let state = super::state(edge, asker)?;
    let name = edge.workspaces.texts(asker.workspace, &[NAME_SLOT.to_owned()]).await?.pop().flatten();
    let Settings { retention_days, enforce_reply_lease, marketing_needs_opt_in } = state.settings;
    let settings = ShownSettings { retention_days, enforce_reply_lease, marketing_needs_opt_in };
    let shown = Shown { id: asker.workspace, name, version: state.version, settings };
    Ok(HttpResponse::Ok().insert_header(etag(state.version)).json(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays() {
        let known = Settings { retention_days: Some(30), ..Settings::default() };
        let onto = |text: &str| {
            let edit: SettingsEdit = serde_json::from_str(text).unwrap();
            edit.onto(known).map_err(|problem| problem.code())
        };
        assert_eq!(onto("{}"), Ok(known));
        assert_eq!(onto(r#"{"retention_days":null}"#), Ok(Settings { retention_days: None, ..known }));
        assert_eq!(onto(r#"{"enforce_reply_lease":true}"#), Ok(Settings { enforce_reply_lease: true, ..known }));
        assert_eq!(onto(r#"{"retention_days":0}"#), Err("invalid"));
    }
}
