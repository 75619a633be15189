//! `Idempotency-Key`: the same request sent twice is one command and one answer.

use actix_web::HttpRequest;

use super::{Edge, Problem};
use crate::domain::ids::WorkspaceId;
use crate::domain::recall::CommandKey;

/// The longest key, in bytes.
pub(super) const KEY_BYTES_MAX: usize = 128;

/// The key of a request, if it has one.
///
/// # Errors
/// 422 where it is empty, longer than 128 bytes or not visible ASCII.
pub(super) fn key_of(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let Some(header) = request.headers().get("Idempotency-Key") else { return Ok(None) };
    let text = header.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > KEY_BYTES_MAX {
        return Err(Problem::invalid("Idempotency-Key", "it must be 1 to 128 visible ASCII characters"));
    }
    Ok(Some(text))
}

/// What a keyed command remembers of the request: digests of its key and of its body.
pub(super) fn command_key(edge: &Edge, workspace: WorkspaceId, key: &str, body: &[u8]) -> CommandKey {
    let of = workspace.0.to_be_bytes();
    CommandKey {
        key: edge.keys().hash(b"command_key", &[&of, key.as_bytes()]),
        body: edge.keys().hash(b"command_body", &[&of, body]) as u64,
    }
}

/// The id of the thing that a request makes: the key's, or a fresh one.
pub(super) fn made_id(edge: &Edge, workspace: WorkspaceId, kind: &str, key: Option<&str>) -> u128 {
    key.map_or_else(|| edge.fresh_id(), |key| edge.keys().keyed(workspace, kind, key))
}
