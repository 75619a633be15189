//! What the agents' sockets are plugged into: who may enter, what commands do, what the feed has.

mod commands;
mod sight;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::web;
use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use super::{Edge, feed};
use crate::domain::ids::WorkspaceId;
use crate::push::ports::{FeedUnavailable, Page};
use crate::push::{CommandPort, Cursor, Denial, FeedReader, Gatekeeper, Grant, Identity, Ports, Problem, Token};
use crate::workspaces::Caller;

pub(super) use sight::Sight;

/// Everything that a worker's hub asks.
#[must_use]
pub fn ports(edge: &web::Data<Edge>) -> Ports {
    let ports = Rc::new(EdgePorts(Arc::clone(edge)));
    Ports {
        gatekeeper: Rc::clone(&ports) as Rc<dyn Gatekeeper>,
        commands: Rc::clone(&ports) as Rc<dyn CommandPort>,
        feed: ports,
    }
}

struct EdgePorts(Arc<Edge>);

impl EdgePorts {
    fn grant(&self, caller: Option<Caller>, word: &'static str) -> Result<Grant, Denial> {
        if !self.0.is_ready() {
            return Err(Denial::TryLater);
        }
        let caller = caller.ok_or(Denial::Refused(word))?;
        // Keys are for programs, which read the feed.
        let member = caller.member().ok_or(Denial::Refused("not_a_member"))?;
        Ok(Grant { workspace: caller.workspace, member, viewer: Rc::new(Sight::of(&caller)) })
    }
}

impl Gatekeeper for EdgePorts {
    fn admit(&self, token: Token) -> LocalBoxFuture<'static, Result<Grant, Denial>> {
        let granted = self.grant(self.0.workspaces.admit(&token.0), "token_invalid");
        Box::pin(async move { granted })
    }

    fn renew(&self, identity: Identity) -> LocalBoxFuture<'static, Result<Grant, Denial>> {
        let granted = self.grant(self.0.workspaces.caller(identity.workspace, identity.member), "member_removed");
        Box::pin(async move { granted })
    }
}

impl CommandPort for EdgePorts {
    fn run(
        &self,
        identity: Identity,
        name: &'static str,
        body: Value,
    ) -> LocalBoxFuture<'static, Result<Value, Problem>> {
        let edge = Arc::clone(&self.0);
        Box::pin(
            async move { commands::run(&edge, identity, name, body).await.map_err(|problem| Problem(problem.body())) },
        )
    }
}

impl FeedReader for EdgePorts {
    fn head(&self, _: WorkspaceId) -> LocalBoxFuture<'static, Result<Cursor, FeedUnavailable>> {
        let edge = Arc::clone(&self.0);
        Box::pin(async move { feed::head(&edge).await.map_err(|_| FeedUnavailable) })
    }

    fn read(
        &self,
        workspace: WorkspaceId,
        after: Cursor,
        limit: usize,
    ) -> LocalBoxFuture<'static, Result<Page, FeedUnavailable>> {
        let edge = Arc::clone(&self.0);
        Box::pin(async move {
            let (entries, next) = feed::read(&edge, workspace, &after, limit).await.map_err(|_| FeedUnavailable)?;
            // Nothing of the feed expires.
            Ok(Page { entries, next, gap: false })
        })
    }
}
