//! Versions as entity tags: `ETag: "7"` in answers, `If-Match: "7"` in changes.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::IF_MATCH;

use super::Problem;

/// The tag of a version.
pub(super) fn etag(version: u64) -> (&'static str, String) {
    ("ETag", format!("\"{version}\""))
}

/// The version that a change rests on, if it names one. `*` and no header mean any.
pub(super) fn if_match(request: &HttpRequest) -> Result<Option<u64>, Problem> {
    let Some(header) = request.headers().get(IF_MATCH) else { return Ok(None) };
    let text = header.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    match number.parse() {
        Ok(version) => Ok(Some(version)),
        Err(_) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid",
            "`If-Match` must be an ETag of this API, as `\"7\"`, or `*`.",
        )
        .at("If-Match")),
    }
}
