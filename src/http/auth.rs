//! Who asks: a bearer token names a member, a key or the operator.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use subtle::ConstantTimeEq;

use super::{Edge, Problem};
use crate::domain::workspace::{Scope, TokenDigest};
use crate::workspaces::{Caller, digest_of};

/// A member or a key that was let in.
pub struct Asker(pub Caller);

impl Asker {
    /// Refuses who may not do what this scope is for.
    ///
    /// # Errors
    /// 403 with the scope's name.
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.0.may(scope) {
            return Ok(());
        }
        let detail = format!("This needs the scope `{}`, which your role or key does not have.", scope.word());
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
    }
}

impl Deref for Asker {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl FromRequest for Asker {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(admit(request))
    }
}

fn admit(request: &HttpRequest) -> Result<Asker, Problem> {
    let edge = request.app_data::<web::Data<Edge>>().ok_or_else(Problem::unauthorized)?;
    let token = bearer(request).ok_or_else(Problem::unauthorized)?;
    edge.workspaces.admit(token).map(Asker).ok_or_else(Problem::unauthorized)
}

/// The operator of this server: makes workspaces, and nothing inside them.
pub struct Operator;

impl FromRequest for Operator {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.app_data::<web::Data<Edge>>().zip(bearer(request));
        ready(match known {
            Some((edge, token)) if edge.operator.is(token) => Ok(Self),
            Some((edge, token)) if edge.workspaces.admit(token).is_some() => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "Only the operator of this server makes workspaces; its token is in the data folder.",
            )),
            _ => Err(Problem::unauthorized()),
        })
    }
}

/// The digest of the operator's token.
#[derive(Clone, Copy)]
pub struct OperatorToken(TokenDigest);

impl OperatorToken {
    /// Of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(digest_of(token))
    }

    fn is(&self, token: &str) -> bool {
        self.0.0.ct_eq(&digest_of(token).0).into()
    }
}

/// The token of a request's `Authorization` header.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let text = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}
