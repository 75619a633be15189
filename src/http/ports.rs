//! What the agents' sockets are plugged into.

use std::rc::Rc;

use actix_web::web;
use futures_util::future::LocalBoxFuture;

use super::Edge;
use crate::domain::ids::WorkspaceId;
use crate::push::ports::{FeedUnavailable, Page};
use crate::push::{CommandPort, Cursor, Denial, FeedReader, Gatekeeper, Grant, Identity, Ports, Problem, Token};

/// Everything that a worker's hub asks.
#[must_use]
pub fn ports(_: &web::Data<Edge>) -> Ports {
    Ports { gatekeeper: Rc::new(Nobody), commands: Rc::new(Nobody), feed: Rc::new(Nobody) }
}

struct Nobody;

impl Gatekeeper for Nobody {
    fn admit(&self, _: Token) -> LocalBoxFuture<'static, Result<Grant, Denial>> {
        Box::pin(async { Err(Denial::TryLater) })
    }
    fn renew(&self, _: Identity) -> LocalBoxFuture<'static, Result<Grant, Denial>> {
        Box::pin(async { Err(Denial::TryLater) })
    }
}

impl CommandPort for Nobody {
    fn run(
        &self,
        _: Identity,
        _: &'static str,
        _: serde_json::Value,
    ) -> LocalBoxFuture<'static, Result<serde_json::Value, Problem>> {
        Box::pin(async { Err(Problem::new("unavailable", 503, "not yet", true)) })
    }
}

impl FeedReader for Nobody {
    fn head(&self, _: WorkspaceId) -> LocalBoxFuture<'static, Result<Cursor, FeedUnavailable>> {
        Box::pin(async { Err(FeedUnavailable) })
    }
    fn read(&self, _: WorkspaceId, _: Cursor, _: usize) -> LocalBoxFuture<'static, Result<Page, FeedUnavailable>> {
        Box::pin(async { Err(FeedUnavailable) })
    }
}
