//! Problem bodies (RFC 9457): what is wrong, with a stable code, and what the caller can do about it.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use crate::domain::refusal::Refusal;
use crate::shards::CommandError;

/// The media type of every problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Something that stood between a question and its answer.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    pub(super) code: &'static str,
    detail: String,
    field: Option<String>,
    retry_after: Option<Duration>,
    more: Map<String, Value>,
}

impl Problem {
    /// A problem that asking again does not solve.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None, retry_after: None, more: Map::new() }
    }

    /// A field of the request is wrong: 422.
    #[must_use]
    pub fn invalid(field: impl Into<String>, why: impl fmt::Display) -> Self {
        let field = field.into();
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", format!("The field `{field}` is wrong: {why}."));
        problem.field = Some(field);
        problem
    }

    /// There is no such thing, or the asker may not see it: 404.
    #[must_use]
    pub fn not_found(what: &'static str) -> Self {
        Self::from(Refusal::NotFound { what })
    }

    /// No valid credentials came along: 401.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Send `Authorization: Bearer` and a token that is valid: a member's, a key's or the operator's.",
        )
    }

    /// Not now, but after a pause: 503.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        problem.retry_after = Some(retry_after);
        problem
    }

    /// The same with the field that is wrong.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same with one more thing that programs may read.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The whole answer.
    #[must_use]
    pub fn into_response(self) -> HttpResponse {
        self.error_response()
    }

    /// The body, as REST and the socket show it.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = self.more.clone();
        body.insert("type".into(), json!(format!("urn:tidegate:problem:{}", self.code)));
        body.insert("title".into(), json!(self.code.replace('_', " ")));
        body.insert("status".into(), json!(self.status.as_u16()));
        body.insert("code".into(), json!(self.code));
        body.insert("detail".into(), json!(self.detail));
        body.insert("retryable".into(), json!(self.retry_after.is_some()));
        if let Some(pause) = self.retry_after {
            body.insert("retry_after".into(), json!(whole_seconds(pause)));
        }
        if let Some(field) = &self.field {
            body.insert("field".into(), json!(field));
        }
        Value::Object(body)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::NotFound { .. } => StatusCode::NOT_FOUND,
            Refusal::Forbidden { .. } | Refusal::WrongAuthor { .. } => StatusCode::FORBIDDEN,
            Refusal::VersionMismatch { .. } => StatusCode::PRECONDITION_FAILED,
            Refusal::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::TooMany { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::ComeBack { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::WindowClosed { .. }
            | Refusal::CannotAnswer { .. }
            | Refusal::ConsentWithdrawn
            | Refusal::StaleEpoch { .. }
            | Refusal::ClientIdReused
            | Refusal::WrongState { .. }
            | Refusal::IdentityTaken { .. }
            | Refusal::AlreadyExists { .. }
            | Refusal::TemplateNotSendable { .. }
            | Refusal::SendingPaused { .. }
            | Refusal::Moved { .. } => StatusCode::CONFLICT,
        };
        let mut problem = Self::new(status, refusal.code(), refusal.to_string());
        match refusal {
            Refusal::Invalid { field, .. } => problem.field = Some(field),
            Refusal::ComeBack { at, wait, .. } => {
                problem.more.insert("at".into(), json!(at.to_string()));
                problem.retry_after = Some(wait);
            }
            Refusal::VersionMismatch { version } => {
                problem.more.insert("version".into(), json!(version));
            }
            Refusal::StaleEpoch { epoch, handler } => {
                problem.more.insert("epoch".into(), json!(epoch));
                problem.more.insert("handler".into(), json!(handler));
            }
            Refusal::WindowClosed { closed_at, instead } => {
                problem.more.insert("closed_at".into(), json!(closed_at.map(|at| at.to_string())));
                let instead: Vec<_> = instead.iter().map(|form| form.word()).collect();
                problem.more.insert("instead".into(), json!(instead));
            }
            Refusal::SendingPaused { reason, until } => {
                problem.more.insert("reason".into(), json!(reason));
                problem.more.insert("until".into(), json!(until.map(|at| at.to_string())));
            }
            _ => {}
        }
        problem
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => refusal.into(),
            CommandError::Overloaded { retry_after } => {
                let mut problem = Self::unavailable("Too much is waiting already; nothing happened.", retry_after);
                problem.code = "overloaded";
                problem
            }
            CommandError::Unavailable { retry_after } => Self::unavailable(
                "It was not acknowledged. Send it again with the same ids; if it was done, the answer is the same.",
                retry_after,
            ),
            CommandError::Panicked => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "The part that answers this failed over it and was started again; the failure is in the log.",
            ),
        }
    }
}

/// A pause as answers tell it: rounded up, at least a second.
fn whole_seconds(pause: Duration) -> u64 {
    (pause.as_secs() + u64::from(pause.subsec_nanos() > 0)).max(1)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((CONTENT_TYPE, PROBLEM_JSON));
        if let Some(pause) = self.retry_after {
            response.insert_header((RETRY_AFTER, whole_seconds(pause)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        response.body(self.body().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_refusal_tells_its_rule_and_what_to_do() {
        let at = Some(Timestamp(0));
        let problem = Problem::from(Refusal::WindowClosed { closed_at: at, instead: Vec::new() });
        assert_eq!(problem.status(), StatusCode::CONFLICT);
        let body = problem.body();
        assert_eq!(body["code"], "window_closed");
        assert_eq!(body["closed_at"], "1970-01-01T00:00:00.000Z");
        assert_eq!(body["retryable"], false);
    }

    #[test]
    fn what_may_be_asked_again_says_when() {
        let response = Problem::from(CommandError::overloaded()).error_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()), Some("1"));
        assert_eq!(Problem::from(CommandError::overloaded()).body()["retryable"], true);
    }

    #[test]
    fn the_pause_is_told_twice_and_never_too_short() {
        for (wait_ms, told) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (299_999, 300)] {
            let wait = Duration::from_millis(wait_ms);
            let problem = Problem::from(Refusal::ComeBack { limiter: "sign_in", at: Timestamp(0) + wait, wait });
            assert_eq!(problem.body()["retry_after"], told, "{wait_ms}");
            let header = problem.error_response().headers().get(RETRY_AFTER).cloned().unwrap();
            assert_eq!(header.to_str().unwrap(), told.to_string());
        }
    }
}
