//! JSON bodies and query strings of the API: read within the bound, and refused by name where they do not fit.

use std::future::{Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;

use super::{Edge, Problem, body};

/// The JSON body of a request. An empty body stands for `{}`.
pub(super) struct Body<T> {
    /// What it says.
    pub(super) value: T,
    /// The bytes as they came, by which a repeated `Idempotency-Key` is judged.
    pub(super) bytes: Bytes,
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload));
        Box::pin(async move {
            let Some(edge) = request.app_data::<web::Data<Edge>>() else { return Err(Problem::not_found("route")) };
            let payload = payload.into_inner().map_err(|error| unreadable(&error.to_string()))?;
            let whole = body::read(&request, payload, edge.settings.body_bytes_max, &edge.webhook_bytes).await?;
            let bytes = whole.bytes;
            let value = read(if bytes.is_empty() { b"{}" } else { &bytes })?;
            Ok(Self { value, bytes })
        })
    }
}

/// The parameters behind the `?` of a request.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = web::Query::<T>::from_query(request.query_string());
        ready(read.map(|query| Self(query.into_inner())).map_err(|error| invalid(&error.to_string(), "query")))
    }
}

/// Reads JSON; what is no JSON is malformed, what does not fit is invalid.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| refused(&error))
}

/// The problem that an object which does not fit is.
pub(super) fn refused(error: &serde_json::Error) -> Problem {
    match error.classify() {
        serde_json::error::Category::Data => invalid(&error.to_string(), "body"),
        _ => unreadable(&error.to_string()),
    }
}

fn unreadable(why: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed", format!("The body is not JSON: {why}."))
}

/// Serde names the field in backticks where it knows it.
fn invalid(why: &str, else_field: &str) -> Problem {
    let named = ["unknown field `", "missing field `"].into_iter().find_map(|start| {
        let (field, _) = why.strip_prefix(start)?.split_once('`')?;
        Some(field)
    });
    Problem::invalid(named.unwrap_or(else_field), why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        count: u8,
    }

    #[test]
    fn what_is_no_json_and_what_does_not_fit_are_told_apart() {
        let code =
            |text: &str| read::<Wish>(text.as_bytes()).map_err(|problem| (problem.status().as_u16(), problem.code()));
        assert_eq!(code(r#"{"count":3}"#), Ok(Wish { count: 3 }));
        assert_eq!(code("{"), Err((400, "malformed")));
        assert_eq!(code("count=3"), Err((400, "malformed")));
        assert_eq!(code(r#"{"count":300}"#), Err((422, "invalid")));
        assert_eq!(code(r#"{"count":3,"more":1}"#), Err((422, "invalid")));
    }

    #[test]
    fn the_field_is_named_where_it_is_known() {
        let field = |text: &str| read::<Wish>(text.as_bytes()).unwrap_err().body()["field"].clone();
        assert_eq!(field("{}"), "count");
        assert_eq!(field(r#"{"count":3,"more":1}"#), "more");
        assert_eq!(field(r#"{"count":"x"}"#), "body");
    }
}
