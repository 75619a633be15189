//! `Idempotency-Key`: the same request sent twice is one command and one answer.
//!
//! What a keyed request makes has an id hashed from the key, so the same request meets the same thing, and
//! the actor that answers remembers the key with a hash of the whole request: no table is kept.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};

use super::{Edge, Problem, etag};
use crate::domain::author::Author;
use crate::domain::ids::WorkspaceId;
use crate::domain::recall::{Asked, CommandKey};

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

/// The terms on which a request is made: `Idempotency-Key` names it, `If-Match` names the version it rests on.
pub(super) struct Terms {
    edge: web::Data<Edge>,
    key: Option<String>,
    /// Method and path: the same key on another route is another request, also where neither has a body.
    route: Vec<u8>,
    if_version: Option<u64>,
}

impl Terms {
    /// The id of the thing of a kind that this request makes: the same for the same key, else a fresh one.
    pub(super) fn id(&self, workspace: WorkspaceId, kind: &str) -> u128 {
        made_id(&self.edge, workspace, kind, self.key.as_deref())
    }

    /// A command on these terms; `body` as it came.
    pub(super) fn asked(&self, author: Author, workspace: WorkspaceId, body: &[u8]) -> Asked {
        let whole = [&self.route, body].concat();
        let key = self.key.as_deref().map(|key| command_key(&self.edge, workspace, key, &whole));
        Asked { author, if_version: self.if_version, key }
    }
}

impl FromRequest for Terms {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(terms(request))
    }
}

fn terms(request: &HttpRequest) -> Result<Terms, Problem> {
    let edge = request.app_data::<web::Data<Edge>>().cloned().ok_or_else(|| Problem::not_found("route"))?;
    let route = format!("{} {}\n", request.method(), request.path()).into_bytes();
    let key = key_of(request)?.map(str::to_owned);
    Ok(Terms { edge, key, route, if_version: etag::if_match(request)? })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    type Case<'a> = (Option<&'a [u8]>, Result<Option<&'a str>, &'a str>);

    #[test]
    fn a_key_is_short_and_printable() {
        let long = "k".repeat(KEY_BYTES_MAX + 1);
        let cases: [Case<'_>; 5] = [
            (None, Ok(None)),
            (Some(b"order-7"), Ok(Some("order-7"))),
            (Some(b""), Err("invalid")),
            (Some(b"\xff"), Err("invalid")),
            (Some(long.as_bytes()), Err("invalid")),
        ];
        for (header, wanted) in cases {
            let mut request = TestRequest::default();
            if let Some(bytes) = header {
                request = request.insert_header(("Idempotency-Key", HeaderValue::from_bytes(bytes).unwrap()));
            }
            let request = request.to_http_request();
            assert_eq!(key_of(&request).map_err(|problem| problem.code()), wanted);
        }
    }
}
